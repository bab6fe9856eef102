"""Watchpoints as rows in the machine's memory (hart/debugging/watchpoints.py).

The harts must be stopped while a row changes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from rvplat.gdb.protocol.errors import GdbError
from rvplat.hart.debugging.watchpoints import HEADS, MOST, READS, WRITES, WatchRow
from rvplat.machine.machine import Machine

PAGE = 4096
KINDS = {2: WRITES, 3: READS, 4: READS | WRITES}  # by gdb's type
NAMES = {2: "watch", 3: "rwatch", 4: "awatch"}
_MASK = (1 << 64) - 1


def _hash(va: int) -> int:
    return (va >> 12 ^ va >> 24) & (HEADS - 1)


def pages(start: int, size: int) -> Iterator[tuple[int, int]]:
    """(first byte, last byte) in each page of a range."""
    end = min(start + size, _MASK + 1)
    while start < end:
        last = min(start | PAGE - 1, end - 1)
        yield start, last
        start = last + 1


class Watches:
    """The table of rows: one for each page of a watched range."""

    def __init__(self, machine: Machine) -> None:
        self._harts = [cell.view for cell in machine.harts]
        self._changed = machine.core.export("watch_changed")
        self._heads = (ctypes.c_uint32 * HEADS)()
        self._rows = (ctypes.c_uint8 * (WatchRow.size * MOST))()
        self._free = list(range(MOST - 1, 0, -1))
        machine.native.view.watch_heads = ctypes.addressof(self._heads)
        machine.native.view.watch_rows = ctypes.addressof(self._rows)

    @property
    def count(self) -> int:
        """Pages that are watched."""
        return MOST - 1 - len(self._free)

    def row(self, number: int) -> Any:
        """A row's view."""
        return WatchRow.view(ctypes.addressof(self._rows) + WatchRow.size * number)

    def add(self, start: int, size: int, kinds: int, world: int) -> list[int]:
        """Watch a range; the numbers of its rows."""
        spans = list(pages(start & _MASK, size))
        if len(spans) > len(self._free):
            raise GdbError(f"{MOST - 1} pages are watched already")
        return [self._add(first, last, kinds, world) for first, last in spans]

    def _add(self, first: int, last: int, kinds: int, world: int) -> int:
        number = self._free.pop()
        row = self.row(number)
        row.start, row.last, row.kinds, row.world = first, last, kinds, world
        row.next = self._heads[_hash(first)]
        self._heads[_hash(first)] = number
        self._tell(first)
        return number

    def remove(self, numbers: list[int]) -> None:
        """Watch no more."""
        for number in numbers:
            first = int(self.row(number).start)
            following, head = int(self.row(number).next), _hash(first)
            if self._heads[head] == number:
                self._heads[head] = following
            else:
                before = self._heads[head]
                while int(self.row(before).next) != number:
                    before = int(self.row(before).next)
                self.row(before).next = following
            self._free.append(number)
            self._tell(first)

    def _tell(self, va: int) -> None:
        """Let harts forget what they know of the page."""
        some = int(self.count > 0)
        for hart in self._harts:
            hart.pages_watched = some
            self._changed(hart, va)
