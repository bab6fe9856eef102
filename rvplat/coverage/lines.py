"""Coverage by source lines and functions, from the debug information of the programs that ran.

A line counts as executed if a world has begun an instruction of it, a function if one within it. A
program without DWARF has its functions from the symbol table. What is damaged, missing or changed
since the run is told in `problems`, and the rest is there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath

from rvplat.coverage.ran import Coverage, Program, addresses_in
from rvplat.debuginfo.files import DebugInfo, debug_info
from rvplat.debuginfo.lines import LineRow
from rvplat.errors import DebugInfoError


@dataclass
class SourceFile:
    """Whether each line with code, and each function by name and line, was executed."""

    lines: dict[int, bool] = field(default_factory=dict)
    functions: dict[tuple[str, int], bool] = field(default_factory=dict)

    def note_line(self, line: int, ran: bool) -> None:
        self.lines[line] = ran or self.lines.get(line, False)

    def note_function(self, name: str, line: int, ran: bool) -> None:
        key = name, line
        self.functions[key] = ran or self.functions.get(key, False)


@dataclass
class WorldLines:
    """What a world has executed: of source files by path, of the functions of programs without
    DWARF (by path, then name), and `elsewhere`, how many instructions in no program."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    symbols: dict[str, dict[str, bool]] = field(default_factory=dict)
    instructions: int = 0
    elsewhere: int = 0


@dataclass
class Lines:
    """By world, the host first."""

    worlds: dict[str, WorldLines] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def files(self) -> dict[str, SourceFile]:
        """The files of all worlds together."""
        found: dict[str, SourceFile] = {}
        for world in self.worlds.values():
            for path, file in world.files.items():
                both = found.setdefault(path, SourceFile())
                for line, ran in file.lines.items():
                    both.note_line(line, ran)
                for (name, line), ran in file.functions.items():
                    both.note_function(name, line, ran)
        return found


class _Ran:
    """Sorted addresses."""

    def __init__(self, addresses: Iterable[int]) -> None:
        self.addresses = list(addresses)

    def any_in(self, start: int, end: int) -> bool:
        at = bisect_left(self.addresses, start)
        return at < len(self.addresses) and self.addresses[at] < end

    def count_in(self, start: int, end: int) -> int:
        return bisect_left(self.addresses, end) - bisect_left(self.addresses, start)


def lines_of(coverage: Coverage) -> Lines:
    """The lines and functions of what ran."""
    found = Lines({world: WorldLines() for world in coverage.worlds()})
    for (name, programs), pages in coverage.ran.items():
        world, ran = found.worlds[name], _Ran(addresses_in(pages))
        inside = 0
        for program in programs:
            reader = _Reader(program, ran, world, found.problems)
            inside += reader.read()
        world.instructions += len(ran.addresses)
        world.elsewhere += max(len(ran.addresses) - inside, 0)
    found.problems = list(dict.fromkeys(found.problems))
    return found


class _Reader:
    """Reads a program's file into a world."""

    def __init__(self, program: Program, ran: _Ran, world: WorldLines, problems: list[str]) -> None:
        self._program, self._ran, self._world, self._problems = program, ran, world, problems

    def read(self) -> int:
        """Returns how many of the instructions are in the program."""
        path = Path(self._program.path)
        if not self._program.is_same:
            gone = "has changed since the run" if path.exists() else "is no longer there"
            self._problems.append(f"{path}: it {gone}: its lines are left out")
            return 0
        try:
            info = debug_info(path)
            code = info.code
        except DebugInfoError as error:
            self._problems.append(str(error))
            return 0
        if info.is_present:
            self._attempt(info, code)
        else:
            self._symbols(info)
        moved = self._program.moved
        return sum(self._ran.count_in(start + moved, end + moved) for start, end in code)

    def _attempt(self, info: DebugInfo, code: list[tuple[int, int]]) -> None:
        """Lines and functions by DWARF; what can't be read is told, and symbols take the place of
        functions."""
        before = len(self._problems)
        rows = [row for row in self._rows(info) if _is_in(code, row.start)]
        for row in rows:
            if row.line:
                self._file(row.file).note_line(row.line, self._any(row.start, row.end))
        try:
            self._functions(info, code, rows)
        except DebugInfoError as error:
            self._problems.append(f"{error}; its functions are those of its symbol table")
        if len(self._problems) > before:
            self._symbols(info)

    def _rows(self, info: DebugInfo) -> list[LineRow]:
        rows, problems = info.sound_line_rows()
        self._problems += problems
        return rows

    def _functions(self, info: DebugInfo, code: list[tuple[int, int]], rows: list[LineRow]) -> None:
        by_start = sorted(rows, key=lambda row: row.start)
        starts = [row.start for row in by_start]
        for function in info.functions():
            at = bisect_right(starts, function.entry) - 1
            if at < 0 or not _is_in(code, function.entry):
                continue
            row = by_start[at]
            ran = any(self._any(*one) for one in function.ranges)
            line = function.line or row.line
            self._file(row.file).note_function(function.name, line, ran)

    def _symbols(self, info: DebugInfo) -> None:
        """Functions by the symbol table."""
        try:
            symbols = info.symbols
        except DebugInfoError as error:
            self._problems.append(str(error))
            return
        found = self._world.symbols.setdefault(self._program.path, {})
        ends = [start for _, start, _ in symbols[1:]]
        for n, (name, start, size) in enumerate(symbols):
            end = start + size if size or n >= len(ends) else ends[n]
            found[name] = self._any(start, max(end, start + 2)) or found.get(name, False)

    def _file(self, path: str) -> SourceFile:
        return self._world.files.setdefault(normpath(path), SourceFile())

    def _any(self, start: int, end: int) -> bool:
        moved = self._program.moved
        return self._ran.any_in(start + moved, end + moved)


def _is_in(code: list[tuple[int, int]], address: int) -> bool:
    return any(start <= address < end for start, end in code)
