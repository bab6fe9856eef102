"""Source lines (DWARF 5, 6.2, "Line Number Information")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.units import Units, attribute, text_of
from rvplat.frozen import frozen

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.lineprogram import LineProgram

DWARF_5 = 5


@frozen
class LineRow:
    """The instructions from `start` up to `end`, without it, are of a line of a file. `begins`: a
    statement begins there (is_stmt)."""

    start: int
    end: int
    file: str
    line: int
    begins: bool = True


class Lines:
    """The lines of a file's units, each read at first use."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._rows: dict[int, list[LineRow]] = {}

    def at(self, address: int) -> LineRow | None:
        """The row of an address; None if there is none. Line 0 means no line of the source."""
        unit = self._units.at(address)
        if unit is None:
            return None
        rows = self.of(unit)
        at = bisect_right(rows, address, key=lambda row: row.start) - 1
        found = rows[at] if at >= 0 and address < rows[at].end else None
        return found if found is not None and found.line else None

    def of(self, unit: CompileUnit) -> list[LineRow]:
        """The rows of a unit, by address."""
        if unit.cu_offset not in self._rows:
            rows = sorted(self._read(unit), key=lambda row: row.start)
            self._rows[unit.cu_offset] = rows
        return self._rows[unit.cu_offset]

    def all(self) -> Iterator[LineRow]:
        """The rows of every unit."""
        for unit in self._units.all:
            yield from self.of(unit)

    def addresses(self, file: str, line: int) -> list[int]:
        """Where statements of a line begin. `file` is a path, or the end of one."""
        wanted = "/" + file.lstrip("/")
        return sorted(
            row.start for row in self.all()
            if row.line == line and row.begins and ("/" + row.file.lstrip("/")).endswith(wanted)
        )  # fmt: skip

    def _read(self, unit: CompileUnit) -> Iterator[LineRow]:
        program = self._units.dwarf.line_program_for_CU(unit)
        if program is None:
            return
        names = file_names(unit, program)
        last: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if last is not None and state.address > last.address:
                name = names.get(last.file, "?")
                yield LineRow(last.address, state.address, name, last.line, bool(last.is_stmt))
            last = None if state.end_sequence else state


def file_names(unit: CompileUnit, program: LineProgram) -> dict[int, str]:
    """The paths of a line program's files by number (6.2.4, "The Line Number Program Header")."""
    header: Any = program.header
    home = text_of(attribute(unit.get_top_DIE(), "DW_AT_comp_dir") or b"")
    folders = [text_of(one) for one in header["include_directory"]]
    first = 1
    if header["version"] >= DWARF_5:
        first = 0
    else:
        folders = [home, *folders]
    found = {}
    for number, entry in enumerate(header["file_entry"], first):
        folder = folders[entry.dir_index] if entry.dir_index < len(folders) else ""
        found[number] = joined(home, folder, text_of(entry.name))
    return found


def joined(home: str, folder: str, name: str) -> str:
    """A path from its parts, each of which may be relative to the one before."""
    path = ""
    for part in (name, folder, home):
        if not path.startswith("/") and part:
            path = f"{part}/{path}" if path else part
    return path
