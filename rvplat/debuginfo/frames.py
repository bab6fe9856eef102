"""Call frames (DWARF 5, 6.4, "Call Frame Information"; RISC-V ELF psABI, "DWARF").

Registers are numbered as the psABI does: x 0 to 31.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.expressions import evaluate
from rvplat.debuginfo.faults import NotThere
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from elftools.dwarf.dwarfinfo import DWARFInfo

SP = 2
RA = 1
PRESERVED = (2, 8, 9, *range(18, 28))  # sp, s0 to s11: what no rule names is as in the callee
MASK64 = (1 << 64) - 1

#: Read this many bytes at an address, as an unsigned number. NotThere: there is no memory.
Load = Callable[[int, int], int]


@frozen
class Caller:
    """What is known of a caller's frame: the return address, the CFA of the frame that it has
    called, and registers by number. Those that are not listed are unknown."""

    pc: int
    cfa: int
    registers: Mapping[int, int]


class Frames:
    """The call frame information of a file: .debug_frame and .eh_frame."""

    def __init__(self, dwarf: DWARFInfo, address_bytes: int) -> None:
        self._dwarf = dwarf
        self._bytes = address_bytes
        self._rows: dict[int, tuple[Any, Any] | None] = {}

    @cached_property
    def _entries(self) -> list[tuple[int, int, Any]]:
        """(first address, end, entry), by address."""
        from elftools.dwarf.callframe import FDE

        found: list[Any] = []
        if self._dwarf.has_CFI():
            found += self._dwarf.CFI_entries()
        if self._dwarf.has_EH_CFI():
            found += self._dwarf.EH_CFI_entries()
        rows = [
            (one["initial_location"], one["initial_location"] + one["address_range"], one)
            for one in found if isinstance(one, FDE)
        ]  # fmt: skip
        return sorted(rows, key=lambda row: row[0])

    def _row(self, address: int) -> tuple[Any, Any] | None:
        """The rules for an instruction, and its entry."""
        if address not in self._rows:
            self._rows[address] = self._find(address)
        return self._rows[address]

    def _find(self, address: int) -> tuple[Any, Any] | None:
        at = bisect_right(self._entries, address, key=lambda row: row[0]) - 1
        if at < 0 or address >= self._entries[at][1]:
            return None
        entry = self._entries[at][2]
        rows = entry.get_decoded().table
        fitting = [row for row in rows if row["pc"] <= address]
        return (fitting[-1], entry) if fitting else None

    def knows(self, address: int) -> bool:
        """Whether there are rules for an instruction."""
        return self._row(address) is not None

    def caller(self, address: int, registers: Mapping[int, int], load: Load) -> Caller | None:
        """The caller of the frame that has these registers. `address` is of an instruction of the
        frame. None: there are no rules for it, or it has no caller.

        Raises:
            NotThere: memory or a register that the rules name is not there.
        """
        found = self._row(address)
        if found is None:
            return None
        row, entry = found
        cfa = self._cfa(row["cfa"], registers, load)
        column = entry.cie["return_address_register"]
        values: dict[int, int] = {}
        for number in {*PRESERVED, RA, column, *(n for n in row if isinstance(n, int))}:
            value = self._value(row.get(number), number, cfa, registers, load)
            if value is not None:
                values[number] = value
        values.setdefault(SP, cfa)
        if row.get(SP) is None:
            values[SP] = cfa  # the CFA is what sp was before the call
        pc = values.get(column)
        return None if pc is None else Caller(pc, cfa, values)

    def _cfa(self, rule: Any, registers: Mapping[int, int], load: Load) -> int:
        if rule.expr is not None:
            return evaluate(self._dwarf, rule.expr, registers, load, self._bytes)
        if rule.reg not in registers:
            raise NotThere(f"register x{rule.reg} is not known")
        return int(registers[rule.reg] + rule.offset) & MASK64

    def _value(
        self, rule: Any, number: int, cfa: int, registers: Mapping[int, int], load: Load
    ) -> int | None:
        """A register of the caller by its rule; None if it is not known."""
        kind = rule.type if rule is not None else "SAME_VALUE"
        if kind == "SAME_VALUE":
            return registers.get(number)
        if kind == "OFFSET":
            return load(cfa + rule.arg & MASK64, self._bytes)
        if kind == "VAL_OFFSET":
            return int(cfa + rule.arg) & MASK64
        if kind == "REGISTER":
            return registers.get(rule.arg)
        if kind in ("EXPRESSION", "VAL_EXPRESSION"):
            found = evaluate(self._dwarf, rule.arg, registers, load, self._bytes, [cfa])
            return found if kind == "VAL_EXPRESSION" else load(found, self._bytes)
        return None
