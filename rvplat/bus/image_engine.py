"""What images of RAM need from who runs the machine, and the version for memory without harts."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

from rvplat.bus.images import Numbering, Region, layout_of
from rvplat.bus.natives.image_log import ImageLog
from rvplat.bus.page_log import PAGE, SLOT_BITS, PageLog


class ImageEngine(Protocol):
    """Saves pages before they are written, and puts pages back. `log` is the `ImageLog`."""

    log: Any

    def save(self, pa: int, size: int) -> None:
        """Bytes are going to be written: save their pages if an image needs them."""

    def put(self, pages: PageLog, exchange: bool) -> None:
        """Copy pages to RAM; `exchange`: the list gets what RAM held. Harts drop the instructions
        that are others now."""

    def switch(self, old: PageLog | None, new: PageLog | None, epoch: int) -> None:
        """Let pages be saved to `new`, and `old` know what was saved to it. From here on each page
        is saved once, before its first write; with epoch 0 none is. Only then may harts run."""

    def replaced(self, whole: bool) -> None:
        """RAM was changed by a restore: forget translations. `whole`: not by `put` alone."""


class PlainEngine:
    """For memory that only Python writes."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.log: Any = ImageLog.structure()()
        self._regions = regions
        self._numbering = Numbering(layout_of(regions))

    def save(self, pa: int, size: int) -> None:
        log, first = self.log, self._numbering.number(pa)
        for number in range(first, self._numbering.number(pa + size - 1) + 1) if size else ():
            word = ctypes.c_uint32.from_address(log.saved + number * 4)
            if word.value != log.epoch:
                pages, host = log.pages, self._host(number)
                zero = not any(ctypes.string_at(host, PAGE))
                pages.slots += not zero
                slot = 0 if zero else int(pages.slots)
                if slot:
                    ctypes.memmove(pages.data + (slot - 1) * PAGE, host, PAGE)
                entry = ctypes.c_uint64.from_address(pages.entries + 8 * pages.count)
                entry.value = number << SLOT_BITS | slot
                pages.count += 1
                word.value = log.epoch

    def put(self, pages: PageLog, exchange: bool) -> None:
        for position, (number, slot) in enumerate(list(pages.entries())):
            host = self._host(number)
            if exchange:
                ctypes.memmove(pages.scratch, host, PAGE)
            if slot:
                ctypes.memmove(host, pages.at(slot), PAGE)
            else:
                ctypes.memset(host, 0, PAGE)
            if exchange:
                zero = not any(ctypes.string_at(pages.scratch, PAGE))
                pages.replace(position, 0 if zero else pages.scratch)

    def switch(self, old: PageLog | None, new: PageLog | None, epoch: int) -> None:
        if old is not None:
            old.list.count, old.list.slots = self.log.pages.count, self.log.pages.slots
        if new is not None:
            self.log.pages = new.list
        self.log.epoch = epoch

    def replaced(self, whole: bool) -> None:
        """No hart has translations."""

    def _host(self, number: int) -> int:
        n = self._numbering.region(number)
        return self._regions[n].address + (number - self._numbering.firsts[n]) * PAGE
