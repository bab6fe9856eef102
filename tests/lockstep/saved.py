"""Saving and loading in the middle of a program: what follows is compared with Spike again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from rvplat.bus.ram import Memory
from rvplat.machine.running.ram_images import RamConnection
from rvplat.machine.snapshots.hart_state import load_hart, save_hart

from .ours import Ours

EVERY = 200  # steps between two saves, on average
LONGEST = 80  # steps that are done again


class Saves:
    """Chooses where a program's hart and RAM are saved, and how far it runs before they are loaded.
    `seed`: any text."""

    def __init__(self, ours: Ours, seed: str) -> None:
        self._rng = Random(seed)
        self._hart = ours.native_hart
        parts: Any = SimpleNamespace(
            native=ours.native, harts=ours.harts, export=ours.export, memory=Memory((ours.ram,)),
            bus=SimpleNamespace(touched=lambda pa, size: None),
        )  # fmt: skip
        self._parts = parts
        RamConnection(parts)
        self._saved: Any = None
        self._until = 0
        self.count = 0

    def order(
        self, count: int, known: Callable[[], Any], restore: Callable[[Any], None]
    ) -> Iterator[int]:
        """The steps in the order in which they are done. `known` gives what the comparison knows
        about the hart, `restore` takes that again."""
        at = 0
        while at < count:
            if self._saved is None and self._rng.random() < 1 / EVERY:
                image = self._parts.memory.capture()
                self._saved = at, save_hart(self._parts, self._hart), image, known()
                self._until = at + self._rng.randint(1, LONGEST)
            elif self._saved is not None and at >= self._until:
                at, hart, image, before = self._saved
                self._saved = None
                self._parts.memory.restore(image)
                load_hart(self._parts, self._hart, hart)
                restore(before)
                self.count += 1
            yield at
            at += 1
