"""Connect RAM with the harts: what they derived from it, and the pages that images need."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rvplat.bus.page_log import PageLog

if TYPE_CHECKING:
    from rvplat.machine.running.system import System


class RamConnection:
    """What a machine's RAM calls when Python or a device changes it, and for images
    (`ImageEngine`)."""

    def __init__(self, machine: System) -> None:
        self._machine = machine
        self.log: Any = machine.native.plain.images
        self._dma_written = machine.export("dma_written")
        self._before_dma = machine.export("before_dma")
        machine.memory.written = self.written
        machine.memory.engine = self
        self.on_change: Callable[[], None] = lambda: None  # RAM is changed, by none of the harts

    def written(self, pa: int, size: int) -> None:
        """A device, a loader or a debugger has changed RAM."""
        self.on_change()
        self._machine.bus.touched(pa, size)
        if self._machine.harts:
            self._dma_written(self._machine.harts[0].address, pa, size)

    def save(self, pa: int, size: int) -> None:
        self._before_dma(self._machine.harts[0].address, pa, size)

    def put(self, pages: PageLog, exchange: bool) -> None:
        scratch = pages.scratch if exchange else 0
        at = ctypes.addressof(pages.list)
        self._machine.export("put_pages")(self._machine.harts[0].address, at, scratch)

    def switch(self, old: PageLog | None, new: PageLog | None, epoch: int) -> None:
        lists = [ctypes.addressof(one.list) if one is not None else 0 for one in (old, new)]
        self._machine.export("switch_log")(self._machine.harts[0].address, *lists, epoch)

    def replaced(self, whole: bool) -> None:
        if whole:
            for ram in self._machine.memory.regions:
                self._dma_written(self._machine.harts[0].address, ram.base, ram.size)
        for hart in self._machine.harts:
            self._machine.export("memory_replaced")(hart.address)
