"""`machine.watchpoints`.

point = machine.watchpoints.add("counter", 8, access="write", condition="$a0 > 3")
stop = machine.run(timeout_s=60)
assert stop.watchpoint is point
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

from rvplat.arguments import choice, flag, integer
from rvplat.hart.debugging.watchpoints import READS, WRITES
from rvplat.machine.debugging.arguments import HOST_WORLD, Arguments, world_number
from rvplat.machine.debugging.breakpoint_table import encode
from rvplat.machine.debugging.collection import Collection
from rvplat.machine.debugging.watchpoint_table import WatchpointTable
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import Access, GuestOrHost, StopPoint, Watchpoint
from rvplat.machine.running.system import System

KINDS: dict[str, int] = {"read": READS, "write": WRITES, "access": READS | WRITES}
MOST_BYTES = 1 << 26
SPACE = 1 << 64


class _Hits:
    """How often a watchpoint has stopped a hart."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


class Watchpoints(Collection[Watchpoint]):
    """Watchpoints: a hart stops before an instruction that reads or writes a range of memory.

    A hit ends `machine.run`, `step` or `wait` with a `Stop` whose reason is "watch" and whose
    `watchpoint` is the one that was met. `address` is the first watched byte that the instruction
    accesses and `access` is what it does. The access has not been made: the next run makes it, and
    doesn't meet the watchpoint again first. Only the harts' loads, stores and atomic instructions
    count; the accesses of devices, page-table walks and instruction fetches don't.
    """

    kind = "watchpoint"

    def __init__(
        self, machine: System, table: WatchpointTable, arguments: Arguments,
        numbers: Iterator[int], spent: dict[int, StopPoint],
    ) -> None:  # fmt: skip
        super().__init__(machine, arguments, numbers, spent)
        self._table = table
        self._holds: Callable[..., Any] = machine.export("condition_holds")
        self._rows: dict[int, tuple[int, ...]] = {}  # by the watchpoint's number
        self._codes: dict[int, Any] = {}
        self._hits: dict[int, _Hits] = {}

    def add(
        self, address: int | str, length: int = 8, access: Access = "write",
        vmid: GuestOrHost | None = None, condition: str | None = None, *, temporary: bool = False,
    ) -> Watchpoint:  # fmt: skip
        """Set a watchpoint.

        Args:
            address: a virtual address, or a symbol of the program or of the guest.
            length: the bytes that are watched from there.
            access: "read", "write", or "access" for both.
            vmid: only in the guest with this VMID, or only in the "host" (V=0).
            condition: only where this holds before the access, as for `breakpoints.add`. Each
                access of the range takes some 20 microseconds then, also where it doesn't hold.
            temporary: remove it at its first hit.

        Raises:
            TypeError, ValueError: an argument can't be used; the message says why.
            LookupError: the program has no such symbol.
            RuntimeError: the machine runs, or is closed.
        """
        self._machine.must_be_free()
        return self.insert(address, length, access, vmid, condition, temporary)

    def insert(
        self, address: int | str, length: int = 8, access: Access = "write",
        vmid: GuestOrHost | None = None, condition: str | None = None, temporary: bool = False,
    ) -> Watchpoint:  # fmt: skip
        """As `add`, for a debugger that keeps the harts still."""
        world = world_number(vmid)
        at = self._arguments.address(address, vmid)
        size = integer("length", length, 1, MOST_BYTES)
        if at + size > SPACE:
            raise ValueError(f"{size} bytes from {at:#x} go beyond the address space")
        kinds = KINDS[choice("access", access, tuple(KINDS))]
        if vmid is not None and vmid != HOST_WORLD:
            self._arguments.refuse_guests()
        code = self._arguments.condition(condition, self._arguments.symbols(vmid))
        once = flag("temporary", temporary)
        rows = self._table.add(at, size, kinds, world)
        number, hits = next(self._numbers), _Hits()
        point = Watchpoint(number, at, vmid, condition, once, size, access, _hits=hits)
        self._points[number] = point
        self._rows[number], self._hits[number] = rows, hits
        self._by_row.update(dict.fromkeys(rows, point))
        if code is not None:
            self._codes[number] = ctypes.create_string_buffer(encode((code,)))
        return point

    @property
    def has_conditions(self) -> bool:
        """Whether any of them has a condition."""
        return bool(self._codes)

    def met(self, hart: Hart, rows: list[int]) -> list[Watchpoint]:
        """Of the watchpoints that a hart's access touches, by their rows: those that are met."""
        found = {self._by_row[row].number: self._by_row[row] for row in rows if row in self._by_row}
        return [point for _, point in sorted(found.items()) if self._holds_for(hart, point)]

    def are_these(self, rows: list[int]) -> bool:
        """Whether all rows are watchpoints of this collection."""
        return all(row in self._by_row for row in rows)

    def _holds_for(self, hart: Hart, point: Watchpoint) -> bool:
        if point.number in self._spent:
            return False
        code = self._codes.get(point.number)
        return code is None or bool(self._holds(hart.address, ctypes.addressof(code)))

    def count(self, points: list[Watchpoint]) -> None:
        """A hart stops at these."""
        for point in points:
            self._hits[point.number].count += 1

    def take_back(self, point: Watchpoint, rearm: bool) -> None:
        """A hart met it, and nobody was told (StopPoints.take_back)."""
        if point.number in self._points:
            self._hits[point.number].count -= 1
            if rearm and self._spent.pop(point.number, None) is not None:
                self._table.rearm(self._rows[point.number], KINDS[point.access])

    def _take_away(self, point: Watchpoint) -> None:
        rows = self._rows.pop(point.number)
        for row in rows:
            del self._by_row[row]
        self._codes.pop(point.number, None)
        del self._hits[point.number]
        self._table.remove(rows)

    def _disarm(self, point: Watchpoint) -> None:
        self._table.disarm(self._rows[point.number])
