"""Regions of a trial's machine: of what, when, and with which effort they are made."""

from __future__ import annotations

from random import Random
from typing import Any

from rvplat.engine.regions.store import Store
from rvplat.hart.acceleration.region_rows import ASKS, WEIGHT
from rvplat.machine.machine import Machine
from rvplat.machine.running.region_pages import Page
from tests.fuzz.image import CODE, HANDLERS, PAGE, USER_CODE
from tests.region_compiler import EFFORTS, Here

MODES = {"off": 2, "all": 1, "hot": 1}  # `harts.regions`, and their weights
MOST = (3, 20, 60, 400)  # instructions of a region
EVERYTHING = b"\1" * (PAGE // 2)
COMPILES = 60  # in a trial
PAGES = [*CODE, *USER_CODE, *HANDLERS.values(), *(at + PAGE for at in HANDLERS.values())]


class Memory(Store):
    """Kept regions that are not written to disk."""

    def save(self) -> OSError | None:
        return None


class Regions:
    """Makes the regions of one machine. With "all", each instruction that a hart decodes waits for
    its region. With "hot", `grow` takes some of what harts report (each of the last instructions of
    `Machine.step` is a sample), and other code that has run."""

    def __init__(self, rng: Random, mode: str = "") -> None:
        self.rng = rng
        self.mode = mode or rng.choices(list(MODES), list(MODES.values()))[0]
        self.effort = rng.choices(list(EFFORTS), list(EFFORTS.values()))[0]
        self.most = rng.choice(MOST)
        self.calm = self.mode != "off" and rng.random() < 0.6  # hart and memory change little
        self.client: Here | None = None

    @property
    def compiled(self) -> int:
        """The number of compiled regions."""
        return self.client.compiled if self.client else 0

    def attach(self, machine: Machine) -> None:
        """Make the regions of this machine."""
        self.machine, self.manager = machine, machine.regions
        if self.mode != "off":
            manager: Any = machine.regions
            self.client = manager._client = Here(manager._tables, self.effort, COMPILES, self.most)
            manager._store = Memory("regions of a trial")

    def grow(self) -> None:
        """Make regions of some pages. Harts may run meanwhile."""
        if self.mode != "hot":
            return
        manager: Any = self.manager
        hot = {report for report in manager._reports.new() if report >> ASKS == 0}
        chosen = self.rng.sample(sorted(hot), min(len(hot), self.rng.choice([1, 2, 4])))
        for pa in chosen:
            pa &= (1 << WEIGHT) - 1
            self._make(pa & -PAGE, [pa & PAGE - 1])
        for start in self.rng.sample(PAGES, self.rng.choice([0, 0, 4, 12])):
            offsets = [2 * n for n, is_decoded in enumerate(manager._code.ran(start)) if is_decoded]
            count = min(len(offsets), self.rng.choice([1, 3, 20]))
            self._make(start, self.rng.sample(offsets, count))

    def _make(self, start: int, heads: list[int]) -> None:
        """As if budgets had ended often at these offsets of a page."""
        manager: Any = self.manager
        with manager._lock:
            page = manager._pages.setdefault(start, Page())
            page.drops, page.patience = 0, 1
            for head in heads:
                page.reports = 0
                manager._report(start + head, 1)
            manager._queue.remove(start)
        if heads:  # in steps nothing is decoded, and stores drop code: it has run nevertheless
            ran = manager._code.ran(start) if self.rng.random() < 0.5 else EVERYTHING
            manager._compile_page(start, ran)
