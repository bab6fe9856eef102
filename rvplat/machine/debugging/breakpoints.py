"""`machine.breakpoints`.

point = machine.breakpoints.add("work", vmid=2, condition="$a0 > 3")
stop = machine.run(timeout_s=60)
assert stop.breakpoint is point
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rvplat.arguments import flag
from rvplat.machine.debugging.arguments import Arguments, modes_of
from rvplat.machine.debugging.breakpoint_table import BreakpointTable
from rvplat.machine.debugging.collection import Collection
from rvplat.machine.running.stop import Breakpoint, GuestOrHost, Space, StopPoint
from rvplat.machine.running.system import System


class _RowHits:
    """The hits of a row, also after the row was removed."""

    def __init__(self, table: BreakpointTable, row: int) -> None:
        self._table = table
        self._row: int | None = row
        self._last = 0

    def __call__(self) -> int:
        return self._last if self._row is None else self._table.hits(self._row)

    def end(self) -> None:
        """The row is about to be removed."""
        self._last, self._row = self(), None


class Breakpoints(Collection[Breakpoint]):
    """Breakpoints: a hart stops before the instruction at an address.

    A hit ends `machine.run`, `step` or `wait` with a `Stop` whose reason is "break" and whose
    `breakpoint` is the one that was met; `hart`, `world` and `address` say where. The next run goes
    on with that instruction and doesn't meet the breakpoint again first. Guest memory is never
    changed, and the address need not be mapped. Code without breakpoints runs at full speed.
    """

    def __init__(
        self, machine: System, table: BreakpointTable, arguments: Arguments,
        numbers: Iterator[int], spent: dict[int, StopPoint],
    ) -> None:  # fmt: skip
        super().__init__(machine, arguments, numbers, spent)
        self._table = table
        self._rows: dict[int, int] = {}  # by the breakpoint's number
        self._row_hits: dict[int, _RowHits] = {}

    def add(
        self, address: int | str, vmid: GuestOrHost | None = None, asid: int | None = None,
        privilege: str | Iterable[str] | None = None, condition: str | None = None, *,
        space: Space = "virtual", temporary: bool = False,
    ) -> Breakpoint:  # fmt: skip
        """Set a breakpoint.

        Args:
            address: an even address, or a symbol of the program or of the guest.
            vmid: only in the guest with this VMID, or only in the "host" (V=0).
            asid: only in this address space: satp.ASID, in a guest vsatp.ASID.
            privilege: only in this mode or these: "M", "S" (or "HS"), "U", "VS", "VU".
            condition: only where this holds: "$a0 == 3 && {u64} ($sp + 8) != counter". An error in
                its evaluation, such as memory that is not mapped, stops the hart too.
            space: "virtual", "physical", or "guest-physical" (of every guest, or of `vmid`'s).
            temporary: remove it at its first hit.

        Raises:
            TypeError, ValueError: an argument can't be used; the message says why.
            LookupError: the program has no such symbol.
            RuntimeError: the machine runs, or is closed.
        """
        self._machine.must_be_free()
        return self.insert(address, vmid, asid, privilege, condition, space, temporary)

    def insert(
        self, address: int | str, vmid: GuestOrHost | None = None, asid: int | None = None,
        privilege: str | Iterable[str] | None = None, condition: str | None = None,
        space: Space = "virtual", temporary: bool = False,
        symbols: Mapping[str, int] | None = None,
    ) -> Breakpoint:  # fmt: skip
        """As `add`, for a debugger that keeps the harts still. `symbols` are the condition's."""
        names, modes = modes_of(privilege)
        place = self._arguments.place(address, space, vmid, asid, modes)
        known = self._arguments.symbols(vmid) if symbols is None else symbols
        code = self._arguments.condition(condition, known)
        once = flag("temporary", temporary)
        row = self._table.add(place, () if code is None else (code,))
        hits = _RowHits(self._table, row)
        number = next(self._numbers)
        point = Breakpoint(
            number, place.address, vmid, condition, once, space, asid, names, _hits=hits
        )
        self._points[number] = self._by_row[row] = point
        self._rows[number], self._row_hits[number] = row, hits
        return point

    def at_row(self, row: int) -> Breakpoint | None:
        """The breakpoint that a row is, if it is one of these."""
        return self._by_row.get(row)

    def take_back(self, point: Breakpoint, rearm: bool) -> None:
        """A hart met it, and nobody was told (StopPoints.take_back)."""
        row = self._rows.get(point.number)
        if row is not None:
            self._table.take_back_hit(row)
            if rearm and self._spent.pop(point.number, None) is not None:
                self._table.rearm(row)

    def _take_away(self, point: Breakpoint) -> None:
        row = self._rows.pop(point.number)
        self._row_hits.pop(point.number).end()
        del self._by_row[row]
        self._table.remove(row)

    def _disarm(self, point: Breakpoint) -> None:
        self._table.disarm(self._rows[point.number])
