"""`virtio-rng`: random numbers of the host for the guest.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.4.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat_plugins.virtio_mmio import VirtioMmio, VirtioSettings
from rvplat_plugins.virtqueue import Chain, Virtqueue

from rvplat.bus import Device, setting
from rvplat.hookspecs import hookimpl

MOST = 1 << 16  # bytes in a buffer


@dataclass(frozen=True)
class RngSettings(VirtioSettings):
    """The keys of a random number device on a board."""

    seed: int | None = setting("give the same numbers in every run, from this seed", None)


class VirtioRng(VirtioMmio):
    """With a seed, or with a repeatable clock, its numbers are the same in every run."""

    model = "virtio-rng"
    virtio_id = 4
    queue_sizes = (64,)
    settings_type = RngSettings

    settings: RngSettings
    numbers: Callable[[int], bytes]
    source: random.Random | None

    def setup(self) -> None:
        seed = self.settings.seed
        if seed is None and self.wiring.clock.repeatable:
            seed = 0
        self.source = None if seed is None else random.Random(seed)
        self.numbers = os.urandom if self.source is None else self.source.randbytes

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        written = 0
        for view in queue.views(chain.writable):
            part = view[: MOST - written]
            part[:] = self.numbers(len(part))
            written += len(part)
        self.give_back(queue, chain, written)

    def save(self) -> dict[str, Any]:
        source = None if self.source is None else self.source.getstate()
        return {**super().save(), "source": source}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if self.source is not None and state["source"] is not None:
            version, numbers, rest = state["source"]
            self.source.setstate((version, tuple(numbers), rest))


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [VirtioRng]
