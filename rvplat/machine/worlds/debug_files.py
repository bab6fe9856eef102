"""The ELF files of the software in a world, with the distance that the loader has moved each."""

from __future__ import annotations

from pathlib import Path

from rvplat.debuginfo.files import DebugInfo, debug_info
from rvplat.debuginfo.functions import Function
from rvplat.debuginfo.lines import LineRow
from rvplat.errors import DebugInfoError, LoaderError
from rvplat.frozen import frozen
from rvplat.machine.loading.elf import read_elf
from rvplat.machine.loading.loader import Software
from rvplat.machine.loading.program import Program
from rvplat.machine.loading.user_files import read_file


@frozen
class DebugFile:
    """A file, and what is added to its addresses."""

    path: Path
    moved: int = 0

    @property
    def info(self) -> DebugInfo:
        """What it says. DebugInfoError if it can't be read."""
        return debug_info(self.path)

    def function_at(self, address: int) -> Function | None:
        """The function at an address of the running program (its ranges are the file's)."""
        return self.info.function_at(address - self.moved)

    def line_at(self, address: int) -> LineRow | None:
        """The line at an address of the running program (its addresses are the file's)."""
        return self.info.line_at(address - self.moved)


def debug_files(software: Software, vmid: int | None) -> list[DebugFile]:
    """The files of the host (None) or of a guest. A file of `--symbols` comes first."""
    named = software.symbol_files.get(vmid)
    found = [] if named is None else [DebugFile(named)]
    if vmid is None:
        programs = [software.program, software.kernel]
        found += [_of(one) for one in programs if one is not None and one.kind == "elf"]
    return [one for n, one in enumerate(found) if one.path not in [o.path for o in found[:n]]]


def _of(program: Program) -> DebugFile:
    """A loaded program: the loader has moved it if its file leaves the address open."""
    try:
        there = read_elf(program.path, read_file(program.path, "the program"))
    except LoaderError:  # the file has changed since
        return DebugFile(program.path)
    return DebugFile(program.path, program.start - there.start)


def function_range(files: list[DebugFile], address: int) -> tuple[int, int] | None:
    """The addresses, (first, end), of the function at an address, by DWARF; None: unknown."""
    for file in files:
        found = file.function_at(address)
        if found is not None:
            first, end = found.ranges[0]
            return first + file.moved, end + file.moved
    return None


class KnownFiles:
    """The files of one world; a damaged one is told of once and then left out."""

    def __init__(self, files: list[DebugFile]) -> None:
        self.files = files
        self.problems: list[str] = []

    def spoilt(self, file: DebugFile, error: DebugInfoError) -> None:
        """A part of a file can't be used."""
        if str(error) not in self.problems:
            self.problems.append(str(error))
        self.files = [one for one in self.files if one is not file]
