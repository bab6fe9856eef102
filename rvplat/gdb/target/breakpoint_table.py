"""Breakpoints' rows in the machine's memory (engine/breakpoints.py). Harts are still meanwhile."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

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
from rvplat.gdb.protocol.errors import GdbError
from rvplat.hart.debugging.worlds import ANYWHERE
from rvplat.machine.machine import Machine

ALL_MODES = 0xFF  # bit n: priv is n, as gdb shows it: the privilege, and 4 more where V=1
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Spot:
    """Where and when a breakpoint counts."""

    address: int
    world: int = ANYWHERE
    space: int = VIRTUAL
    asid: int = ANY_ASID
    modes: int = ALL_MODES


def encode(conditions: tuple[bytes, ...]) -> bytes:
    """Expressions as rows have them: length, bytecode, ..., 0."""
    parts = [len(code).to_bytes(4, "little") + code for code in conditions]
    return b"".join(parts) + bytes(4)


def _hash(space: int, address: int) -> int:
    a = address & _MASK
    return (a >> 1 ^ a >> 15 ^ a >> 29 ^ space << 9) & (HEADS - 1)


def _page(address: int) -> int:
    a = address & _MASK
    return (a >> 12 ^ a >> 24) & (PAGES - 1)


class Points:
    """The table of rows."""

    def __init__(self, machine: Machine) -> None:
        self._cell: Any = machine.native.view
        self._harts = [cell.view for cell in machine.harts]
        self._arm = {
            VIRTUAL: machine.core.export("arm_virtual"),
            PHYSICAL: machine.core.export("arm_physical"),
            GUEST_PHYSICAL: machine.core.export("arm_guest"),
        }
        self._heads = (ctypes.c_uint32 * HEADS)()
        self._pages = (ctypes.c_uint32 * PAGES)()
        self._rows = (ctypes.c_uint8 * (BreakRow.size * MOST))()
        self._free = list(range(MOST - 1, 0, -1))
        self._programs: dict[int, Any] = {}
        self.spots: dict[int, Spot] = {}
        self._cell.break_heads = ctypes.addressof(self._heads)
        self._cell.break_pages = ctypes.addressof(self._pages)
        self._cell.break_rows = ctypes.addressof(self._rows)

    def row(self, number: int) -> Any:
        """A row's view."""
        return BreakRow.view(ctypes.addressof(self._rows) + BreakRow.size * number)

    def add(self, spot: Spot, conditions: tuple[bytes, ...] = ()) -> int:
        """A new row; its number."""
        if not self._free:
            raise GdbError(f"{MOST - 1} breakpoints are there already")
        number = self._free.pop()
        row = self.row(number)
        row.address, row.world, row.space = spot.address & _MASK, spot.world, spot.space
        row.asid, row.modes, row.hits = spot.asid, spot.modes, 0
        row.code = 0
        if conditions:
            self._programs[number] = ctypes.create_string_buffer(encode(conditions))
            row.code = ctypes.addressof(self._programs[number])
        head = _hash(spot.space, spot.address)
        row.next = self._heads[head]
        self._heads[head] = number
        self.spots[number] = spot
        self._count(spot, 1)
        self._cell.break_stamp = int(self._cell.break_stamp) + 1
        self._drop(spot)
        return number

    def remove(self, number: int) -> None:
        """Take a row away."""
        spot = self.spots.pop(number)
        head = _hash(spot.space, spot.address)
        following = int(self.row(number).next)
        if self._heads[head] == number:
            self._heads[head] = following
        else:
            before = self._heads[head]
            while int(self.row(before).next) != number:
                before = int(self.row(before).next)
            self.row(before).next = following
        self._programs.pop(number, None)
        self._count(spot, -1)
        self._drop(spot)
        self._free.append(number)

    def _count(self, spot: Spot, change: int) -> None:
        """What is looked at before chains are."""
        cell, half = self._cell, (spot.address & 0xFFF) >> 1
        cell.break_count = int(cell.break_count) + change
        cell.break_offsets[half] = int(cell.break_offsets[half]) + change
        if spot.space == PHYSICAL:
            cell.break_physical = int(cell.break_physical) + change
        elif spot.space == GUEST_PHYSICAL:
            cell.break_guest = int(cell.break_guest) + change
        else:
            self._pages[_page(spot.address)] += change

    def _drop(self, spot: Spot) -> None:
        """Let harts decode the address again."""
        for hart in self._harts:
            self._arm[spot.space](hart, spot.address & _MASK)

    def close(self) -> None:
        """Take every row away."""
        for number in list(self.spots):
            self.remove(number)
