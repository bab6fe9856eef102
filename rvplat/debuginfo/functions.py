"""Functions (DWARF 5, 3.3, "Subroutine and Entry Point Entries")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.units import Ranges, Units, attribute, inherited, ranges_of, text_of
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE

#: Entries that may contain functions.
SCOPES = {
    "DW_TAG_namespace", "DW_TAG_module", "DW_TAG_class_type", "DW_TAG_structure_type",
    "DW_TAG_union_type",
}  # fmt: skip


@frozen
class Function:
    """A function with code: its name, the addresses that it covers ((first, end), ...; the entry's
    first), and the line of its declaration."""

    name: str
    ranges: tuple[tuple[int, int], ...]
    line: int = 0

    @property
    def entry(self) -> int:
        """The address of its first instruction."""
        return self.ranges[0][0]


class Functions:
    """The functions of a file's units, each read at first use."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._read: dict[int, list[Function]] = {}
        self._ranges: dict[int, Ranges] = {}

    def at(self, address: int) -> Function | None:
        """The function that an instruction is in."""
        unit = self._units.at(address)
        if unit is None:
            return None
        if unit.cu_offset not in self._ranges:
            rows: list[tuple[int, int, Any]] = []
            for function in self.of(unit):
                rows += [(*one, function) for one in function.ranges]
            self._ranges[unit.cu_offset] = Ranges(rows)
        found: Function | None = self._ranges[unit.cu_offset].find(address)
        return found

    def of(self, unit: CompileUnit) -> list[Function]:
        """The functions of a unit."""
        if unit.cu_offset not in self._read:
            self._read[unit.cu_offset] = list(self._below(unit, unit.get_top_DIE()))
        return self._read[unit.cu_offset]

    def all(self) -> Iterator[Function]:
        """Every function."""
        for unit in self._units.all:
            yield from self.of(unit)

    def _below(self, unit: CompileUnit, die: DIE) -> Iterator[Function]:
        for child in die.iter_children():
            if child.tag == "DW_TAG_subprogram":
                ranges = [one for one in ranges_of(self._units.dwarf, unit, child) if one[0]]
                if ranges:
                    name = text_of(inherited(child, "DW_AT_name") or b"?")
                    line = attribute(child, "DW_AT_decl_line") or 0
                    yield Function(name, tuple(ranges), line)
            elif child.tag in SCOPES:
                yield from self._below(unit, child)
