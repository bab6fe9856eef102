"""Regions in memory: each page's native code is put in place, withheld, and freed
(hart/acceleration/region_rows.py)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rvplat.hart.acceleration.region_rows import PLACED, RegionRow
from rvplat.hart.acceleration.young_pages import AWAY
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.lang.native.native_code import NativeCode
from rvplat.machine.running.native_records import NativeHart
from rvplat.machine.running.region_pages import Page, Placed

if TYPE_CHECKING:
    from rvplat.engine.regions.messages import Answer


class PlacedRegions:
    """The regions in memory of a machine's harts. `size` is the bytes of code of all pages.

    The caller has a lock: its methods are called by one thread at a time."""

    def __init__(self, harts: Sequence[NativeHart], export: Callable[..., Any]) -> None:
        self._harts = harts
        self._put = export("place_region")
        self._drop_all = export("drop_regions")
        self._gone: list[Placed] = []
        self.size = 0

    def place(self, page: Page, start: int, answer: Answer, data: bytes) -> bool:
        """Put a region in place; it is withheld if the page may have a breakpoint. False if the
        page has changed meanwhile.

        Raises:
            OSError: there is no memory for its code.
        """
        held = ctypes.create_string_buffer(data, PAGE_BYTES)
        code = NativeCode(answer.code or b"")
        row = RegionRow.structure()()
        row.entry, row.lines = code.address("region"), answer.lines
        row.bytes = ctypes.addressof(held)
        for offsets, words in ((answer.heads, row.heads.word), (answer.inside, row.inside.word)):
            for offset in offsets:
                words[offset >> 7] |= 1 << (offset >> 1 & 63)
        placed = Placed(start, answer, row, held, code)
        self.retire(page)
        page.placed, page.left = placed, frozenset(answer.left)
        self.size += placed.size
        if not self.put_again(placed):
            self.retire(page)
        return page.placed is not None

    def put_again(self, placed: Placed) -> bool:
        """Put a region in place that was withheld. False if its page has changed meanwhile."""
        address = ctypes.addressof(placed.row)
        return bool(self._put(self._harts[0].address, placed.pa, address))

    def retire(self, page: Page) -> None:
        """A page's region is about to be replaced, or was dropped: free it later."""
        if page.placed is not None:
            self._gone.append(page.placed)
            self.size -= page.placed.size
            page.placed = None

    def drop_all(self) -> None:
        """Drop every region."""
        self._drop_all(self._harts[0].address)

    def free(self) -> None:
        """Free the regions that were dropped and that every hart has left since."""
        for gone in self._gone:
            if int(gone.row.placed) != PLACED and gone.left is None:
                gone.left = tuple(int(hart.plain.passes) for hart in self._harts)
        self._gone = [gone for gone in self._gone if not self._is_left(gone)]

    def _is_left(self, gone: Placed) -> bool:
        if gone.left is None:
            return False
        return all(
            int(hart.plain.passes) != count or int(hart.plain.young_passed) == AWAY
            for hart, count in zip(self._harts, gone.left, strict=True)
        )
