"""The rows of breakpoints in the memory of native code (engine/breakpoints.py).

Every hart must stand still while a row is added or removed.
"""

from __future__ import annotations

import ctypes
from typing import Any

from rvplat.arguments import MASK64
from rvplat.engine.breakpoints import (
    ANY_ASID,
    GUEST_PHYSICAL,
    HEADS,
    MOST,
    PAGES,
    PHYSICAL,
    VIRTUAL,
    BreakRow,
)
from rvplat.frozen import frozen
from rvplat.hart.debugging.worlds import ANYWHERE
from rvplat.machine.debugging.errors import DebuggingError
from rvplat.machine.running.system import System

ALL_MODES = 0xFF  # bit n: privilege n where V=0, bit 4 + n: privilege n where V=1


@frozen
class Place:
    """Where and when a breakpoint counts. `world` is numbered as in hart/debugging/worlds.py."""

    address: int
    world: int = ANYWHERE
    space: int = VIRTUAL
    asid: int = ANY_ASID
    modes: int = ALL_MODES


def encode(conditions: tuple[bytes, ...]) -> bytes:
    """Expressions as rows have them: length, bytecode, ..., 0."""
    parts = [len(code).to_bytes(4, "little") + code for code in conditions]
    return b"".join(parts) + bytes(4)


def _chain(space: int, address: int) -> int:
    """The chain of an address (engine/breakpoints.py, `hash_of`)."""
    return (address >> 1 ^ address >> 15 ^ address >> 29 ^ space << 9) & (HEADS - 1)


def _page(address: int) -> int:
    """The count of an address's page (engine/breakpoints.py, `page_hash`)."""
    return (address >> 12 ^ address >> 24) & (PAGES - 1)


class BreakpointTable:
    """The rows. `places` are the rows that are set, by number."""

    def __init__(self, machine: System) -> None:
        self._record: Any = machine.native.view
        self._harts = [hart.view for hart in machine.harts]
        self._arm = {
            VIRTUAL: machine.export("arm_virtual"),
            PHYSICAL: machine.export("arm_physical"),
            GUEST_PHYSICAL: machine.export("arm_guest"),
        }
        self._heads = (ctypes.c_uint32 * HEADS)()
        self._pages = (ctypes.c_uint32 * PAGES)()
        self._rows = (ctypes.c_uint8 * (BreakRow.size * MOST))()
        self._free = list(range(MOST - 1, 0, -1))
        self._codes: dict[int, Any] = {}
        self.places: dict[int, Place] = {}
        self._record.break_heads = ctypes.addressof(self._heads)
        self._record.break_pages = ctypes.addressof(self._pages)
        self._record.break_rows = ctypes.addressof(self._rows)

    def row(self, number: int) -> Any:
        """A row's record."""
        return BreakRow.view(ctypes.addressof(self._rows) + BreakRow.size * number)

    def hits(self, number: int) -> int:
        """How often harts have met a row."""
        return int(self.row(number).hits)

    def add(self, place: Place, conditions: tuple[bytes, ...] = ()) -> int:
        """Add a row; its number. It is met where any of its conditions holds.

        Raises:
            DebuggingError: there is no room.
        """
        if not self._free:
            raise DebuggingError(f"{MOST - 1} breakpoints are set already")
        number = self._free.pop()
        row = self.row(number)
        row.address, row.world, row.space = place.address, place.world, place.space
        row.asid, row.modes, row.hits = place.asid, place.modes, 0
        row.code = 0
        if conditions:
            self._codes[number] = ctypes.create_string_buffer(encode(conditions))
            row.code = ctypes.addressof(self._codes[number])
        head = _chain(place.space, place.address)
        row.next = self._heads[head]
        self._heads[head] = number
        self.places[number] = place
        self._count(place, 1)
        self._record.break_stamp = int(self._record.break_stamp) + 1
        self._drop_slots(place)
        return number

    def remove(self, number: int) -> None:
        """Remove a row."""
        place = self.places.pop(number)
        head = _chain(place.space, place.address)
        following = int(self.row(number).next)
        if self._heads[head] == number:
            self._heads[head] = following
        else:
            before = self._heads[head]
            while int(self.row(before).next) != number:
                before = int(self.row(before).next)
            self.row(before).next = following
        self._codes.pop(number, None)
        self._count(place, -1)
        self._drop_slots(place)
        self._free.append(number)

    def disarm(self, number: int) -> None:
        """Let no hart meet a row any more. Harts may run meanwhile; `remove` removes it later."""
        self.row(number).modes = 0

    def rearm(self, number: int) -> None:
        """Undo `disarm`."""
        self.row(number).modes = self.places[number].modes

    def take_back_hit(self, number: int) -> None:
        """A hart met a row, and nobody was told: the hart will meet it again."""
        row = self.row(number)
        row.hits = max(int(row.hits) - 1, 0)

    def _count(self, place: Place, change: int) -> None:
        """Change the counts that native code looks at before it follows a chain."""
        record, half = self._record, (place.address & 0xFFF) >> 1
        record.break_count = int(record.break_count) + change
        record.break_offsets[half] = int(record.break_offsets[half]) + change
        if place.space == PHYSICAL:
            record.break_physical = int(record.break_physical) + change
        elif place.space == GUEST_PHYSICAL:
            record.break_guest = int(record.break_guest) + change
        self._pages[_page(place.address)] += change

    def _drop_slots(self, place: Place) -> None:
        """Let the harts decode the address again."""
        for hart in self._harts:
            self._arm[place.space](hart, place.address & MASK64)
