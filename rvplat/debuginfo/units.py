"""Compilation units, and the addresses that each covers (DWARF 5, 3.1.1, 2.17)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DWARFInfo


def text_of(value: object) -> str:
    """A string of DWARF."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def attribute(die: DIE, name: str) -> Any:
    """The value of an attribute; None if the entry hasn't it."""
    found = die.attributes.get(name)
    return None if found is None else found.value


def origin_of(die: DIE) -> DIE | None:
    """The entry that an instance or a definition refers to (2.13.2, 3.3.8.2)."""
    for name in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if name in die.attributes:
            return die.get_DIE_from_attribute(name)
    return None


def inherited(die: DIE, name: str) -> Any:
    """The value of an attribute, perhaps of the entry that this one refers to."""
    seen = 0
    here: DIE | None = die
    while here is not None and seen < 8:
        value = attribute(here, name)
        if value is not None:
            return value
        here, seen = origin_of(here), seen + 1
    return None


def ranges_of(dwarf: DWARFInfo, unit: CompileUnit, die: DIE) -> list[tuple[int, int]]:
    """The addresses that an entry covers: (first, end)."""
    low, high = attribute(die, "DW_AT_low_pc"), attribute(die, "DW_AT_high_pc")
    if "DW_AT_ranges" in die.attributes:
        return list(_listed(dwarf, unit, attribute(die, "DW_AT_ranges")))
    if low is None or high is None:
        return []
    is_address = die.attributes["DW_AT_high_pc"].form.startswith("DW_FORM_addr")
    return [(low, high if is_address else low + high)]


def _listed(dwarf: DWARFInfo, unit: CompileUnit, offset: int) -> Iterator[tuple[int, int]]:
    """A range list (2.17.3). Its offsets count from the unit's address, or a base in the list."""
    lists = dwarf.range_lists()
    base = attribute(unit.get_top_DIE(), "DW_AT_low_pc") or 0
    for entry in lists.get_range_list_at_offset(offset, unit) if lists is not None else ():
        one: Any = entry
        if hasattr(one, "base_address"):
            base = one.base_address
        else:
            start = 0 if one.is_absolute else base
            yield start + one.begin_offset, start + one.end_offset


class Ranges:
    """Ranges of addresses with what they belong to; the innermost is found."""

    def __init__(self, rows: list[tuple[int, int, Any]]) -> None:
        self._rows = sorted(
            (row for row in rows if row[0] < row[1]), key=lambda row: (row[0], -row[1])
        )
        self._starts = [row[0] for row in self._rows]

    def find(self, address: int) -> Any:
        """What an address belongs to; None for nothing."""
        at = bisect_right(self._starts, address) - 1
        for row in self._rows[max(at - 8, 0) : at + 1][::-1]:  # ranges hardly ever overlap
            if address < row[1]:
                return row[2]
        return None


class Units:
    """The units of a file."""

    def __init__(self, dwarf: DWARFInfo) -> None:
        self.dwarf = dwarf

    @cached_property
    def all(self) -> list[CompileUnit]:
        """Every unit, in order."""
        return list(self.dwarf.iter_CUs())

    @cached_property
    def _ranges(self) -> Ranges:
        rows: list[tuple[int, int, Any]] = []
        for unit in self.all:
            top = unit.get_top_DIE()
            rows += [(*one, unit) for one in ranges_of(self.dwarf, unit, top)]
        return Ranges(rows)

    def at(self, address: int) -> CompileUnit | None:
        """The unit that an address belongs to."""
        found: CompileUnit | None = self._ranges.find(address)
        return found
