"""The rows of watchpoints in the memory of native code (hart/debugging/watchpoints.py).

Every hart must stand still while a row is added or removed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

from rvplat.arguments import MASK64
from rvplat.hart.debugging.watchpoints import HEADS, MOST, WatchRow
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.isa.trigger_values import WATCHED
from rvplat.machine.debugging.errors import DebuggingError
from rvplat.machine.running.system import System


def _chain(va: int) -> int:
    """The chain of an address's page (hart/debugging/watchpoints.py, `watch_hash`)."""
    return (va >> 12 ^ va >> 24) & (HEADS - 1)


def pages(start: int, size: int) -> Iterator[tuple[int, int]]:
    """(first byte, last byte) of a range in each of its pages."""
    end = min(start + size, MASK64 + 1)
    while start < end:
        last = min(start | PAGE_BYTES - 1, end - 1)
        yield start, last
        start = last + 1


class WatchpointTable:
    """The rows: one for each page of a watched range."""

    def __init__(self, machine: System) -> None:
        self._harts = [hart.view for hart in machine.harts]
        self._changed = machine.export("watch_changed")
        self._heads = (ctypes.c_uint32 * HEADS)()
        self._rows = (ctypes.c_uint8 * (WatchRow.size * MOST))()
        self._free = list(range(MOST - 1, 0, -1))
        machine.native.view.watch_heads = ctypes.addressof(self._heads)
        machine.native.view.watch_rows = ctypes.addressof(self._rows)

    @property
    def count(self) -> int:
        """The number of rows: of pages that are watched."""
        return MOST - 1 - len(self._free)

    def row(self, number: int) -> Any:
        """A row's record."""
        return WatchRow.view(ctypes.addressof(self._rows) + WatchRow.size * number)

    def add(self, start: int, size: int, kinds: int, world: int) -> tuple[int, ...]:
        """Watch a range for accesses of these kinds; the numbers of its rows.

        Raises:
            DebuggingError: there is no room.
        """
        needed = (start + size - 1) // PAGE_BYTES - start // PAGE_BYTES + 1
        if needed > len(self._free):
            left = len(self._free)
            raise DebuggingError(f"the range has {needed} pages, and only {left} can be watched")
        return tuple(self._add(first, last, kinds, world) for first, last in pages(start, size))

    def _add(self, first: int, last: int, kinds: int, world: int) -> int:
        number = self._free.pop()
        row = self.row(number)
        row.start, row.last, row.kinds, row.world = first, last, kinds, world
        row.next = self._heads[_chain(first)]
        self._heads[_chain(first)] = number
        self._drop_entries(first)
        return number

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove rows."""
        for number in numbers:
            first = int(self.row(number).start)
            following, head = int(self.row(number).next), _chain(first)
            if self._heads[head] == number:
                self._heads[head] = following
            else:
                before = self._heads[head]
                while int(self.row(before).next) != number:
                    before = int(self.row(before).next)
                self.row(before).next = following
            self._free.append(number)
            self._drop_entries(first)

    def disarm(self, numbers: Sequence[int]) -> None:
        """Let no hart meet rows any more. Harts may run meanwhile; `remove` removes them later."""
        for number in numbers:
            self.row(number).kinds = 0

    def rearm(self, numbers: Sequence[int], kinds: int) -> None:
        """Undo `disarm`."""
        for number in numbers:
            self.row(number).kinds = kinds

    def _drop_entries(self, va: int) -> None:
        """Let the harts drop the TLB entries of a page."""
        some = int(self.count > 0)
        for hart in self._harts:
            hart.pages_watched = int(hart.pages_watched) & WATCHED | some  # triggers may watch too
            self._changed(hart, va)
