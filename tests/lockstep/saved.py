"""Saving and loading in the middle of a program: what follows is compared with Spike again."""

from __future__ import annotations

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
        self._parts: Any = SimpleNamespace(
            native=ours.native, harts=ours.harts, export=ours.export, memory=Memory((ours.ram,)),
            bus=SimpleNamespace(touched=lambda pa, size: None),
        )  # fmt: skip
        self._connection = RamConnection(self._parts)
        self._saved: Any = None
        self._until = 0
        self.count = 0

    def back(self, at: int, compared: Any) -> tuple[int, Any] | None:
        """Before step `at`: maybe save the state, with what the comparison knows; or, some steps
        later, load it, and return the step and that."""
        if self._saved is None:
            if self._rng.random() < 1 / EVERY:
                image = self._parts.memory.capture()
                self._saved = at, save_hart(self._parts, self._hart), image, compared
                self._until = at + self._rng.randint(1, LONGEST)
            return None
        if at < self._until:
            return None
        step, hart, image, known = self._saved
        self._saved = None
        self._parts.memory.restore(image)
        load_hart(self._parts, self._hart, hart)
        self.count += 1
        return step, known
