"""Debian's firmware, kernel and user space on rvplat. They are fetched once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pytest

from rvplat.guests.debian import FAST, DebianGuest, fetch
from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.machine import Machine, Stop
from rvplat.machine.running.run import Runner

BOOT_TIMEOUT_S = 240


@pytest.fixture(scope="session")
def debian_guest() -> DebianGuest:
    """The first time it needs apt and its network. Without them the tests fail, naming the lack."""
    return fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian")


class Terminal:
    """Records the guest's output, and types an answer when a text appears in it."""

    def __init__(self, machine: Machine, answers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.output = bytearray()
        self._machine = machine
        self._answers = list(answers)
        self._from = 0
        machine.console.sinks.append(self._hear)

    def _hear(self, data: bytes) -> None:
        self.output += data
        if self._answers and self._answers[0][0] in self.output[self._from :]:
            _, answer = self._answers.pop(0)
            self._from = len(self.output)
            threading.Thread(target=self._machine.console.feed, args=[answer]).start()

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace").replace("\r", "")


def boot(
    guest: DebianGuest, append: str, firmware: str = "fw_jump", harts: int = 1,
    settings: Sequence[str] = (), answers: Sequence[tuple[bytes, bytes]] = (),
) -> tuple[Stop, str]:  # fmt: skip
    """Boot Debian on the `virt` board; return how the run ended, and the output."""
    overrides = [parse_override(s) for s in (f"harts.count={harts}", *settings)]
    with Machine.open(
        "virt", getattr(guest, firmware), guest.kernel, guest.initrd,
        append=f"{FAST} {append}", overrides=overrides,
    ) as machine:  # fmt: skip
        terminal = Terminal(machine, answers)
        stop = Runner(machine, timeout_s=BOOT_TIMEOUT_S).run()
        return stop, terminal.text
