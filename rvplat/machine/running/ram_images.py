"""Connect RAM with the harts: they drop what they derived from it when others change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rvplat.isa.privileged import PAGE_BYTES

if TYPE_CHECKING:
    from rvplat.machine.running.system import System


class RamConnection:
    """What a machine's RAM calls when Python or a device changed it."""

    def __init__(self, machine: System) -> None:
        self._machine = machine
        self._dma_written = machine.export("dma_written")
        self._memory_replaced = machine.export("memory_replaced")
        machine.memory.written = self.written
        machine.memory.restored = self.restored

    def written(self, pa: int, size: int) -> None:
        """A device, a loader or a debugger has changed RAM."""
        self._machine.bus.touched(pa, size)
        if self._machine.harts:
            self._dma_written(self._machine.harts[0].address, pa, size)

    def restored(self, pages: Sequence[int]) -> None:
        """An image was restored, and these pages were changed."""
        for pa in pages:
            self._dma_written(self._machine.harts[0].address, pa, PAGE_BYTES)
        for hart in self._machine.harts:
            self._memory_replaced(hart.address)
