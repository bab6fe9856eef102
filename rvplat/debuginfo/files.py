"""`DebugInfo`: what a file says of the program in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.faults import reading
from rvplat.debuginfo.frames import Caller, Frames, Load
from rvplat.debuginfo.functions import Function, Functions
from rvplat.debuginfo.lines import LineRow, Lines
from rvplat.debuginfo.units import Units
from rvplat.errors import DebugInfoError

if TYPE_CHECKING:
    from elftools.dwarf.dwarfinfo import DWARFInfo

    from rvplat.debuginfo.variables import Variables

KEPT_FILES = 8
EXECUTABLE = 4  # SHF_EXECINSTR


def debug_info(path: Path) -> DebugInfo:
    """The debug information of a file. It is read again only after the file has changed.

    Raises:
        DebugInfoError: there is no such file, or it is not an ELF file.
    """
    with reading(path, "it"):
        facts = path.stat()
    return _kept(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(KEPT_FILES)
def _kept(path: Path, *facts: int) -> DebugInfo:
    return DebugInfo(path)


class DebugInfo:
    """The debug information of one ELF file; each part is read when it is first asked for.

    A part that is damaged raises DebugInfoError, which names the file and the part. A file without
    any has no lines, functions or rules: the answers are None and empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, "it"):
            self._open(BytesIO(path.read_bytes()))

    def _open(self, data: BytesIO) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            self._elf = ELFFile(data)
        except ELFError as error:
            raise DebugInfoError(f"{self.path}: not an ELF file ({error})") from error
        self.address_bytes = self._elf.elfclass // 8

    @cached_property
    def dwarf(self) -> DWARFInfo:
        """The sections, for pyelftools."""
        with reading(self.path, "its debug information"):
            return self._elf.get_dwarf_info()

    @property
    def is_present(self) -> bool:
        """Whether the file has .debug_info."""
        return bool(self.dwarf.has_debug_info)

    @cached_property
    def _units(self) -> Units:
        return Units(self.dwarf)

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self._units)

    @cached_property
    def _functions(self) -> Functions:
        return Functions(self._units)

    @cached_property
    def _frames(self) -> Frames:
        return Frames(self.dwarf, self.address_bytes)

    @cached_property
    def variables(self) -> Variables:
        """The variables with static addresses. DebugInfoError if the file has no .debug_info."""
        from rvplat.debuginfo.variables import Variables

        if not self.is_present:
            raise DebugInfoError(f"{self.path}: it has no DWARF: build the program with -g")
        return Variables(self.path, self._units)

    # --- sections ---

    @cached_property
    def code(self) -> list[tuple[int, int]]:
        """The addresses that hold instructions, (first, end), by section."""
        with reading(self.path, "the table of its sections"):
            every = [section.header for section in self._elf.iter_sections()]
        held = [one for one in every if one["sh_flags"] & EXECUTABLE and one["sh_addr"]]
        return sorted((one["sh_addr"], one["sh_addr"] + one["sh_size"]) for one in held)

    @cached_property
    def symbols(self) -> list[tuple[str, int, int]]:
        """The functions of the symbol table: name, address, bytes (0: the file doesn't say)."""
        found = []
        with reading(self.path, ".symtab"):
            table: Any = self._elf.get_section_by_name(".symtab")
            for one in table.iter_symbols() if table is not None else ():
                if one["st_info"]["type"] == "STT_FUNC" and one["st_shndx"] != "SHN_UNDEF":
                    found.append((str(one.name), int(one["st_value"]), int(one["st_size"])))
        return sorted(found, key=lambda row: row[1:])

    # --- lines ---

    def line_at(self, address: int) -> LineRow | None:
        """The source line of an instruction."""
        if not self.is_present:
            return None
        with reading(self.path, ".debug_line"):
            return self._lines.at(address)

    def line_rows(self) -> list[LineRow]:
        """Every row of every line table, unit by unit."""
        if not self.is_present:
            return []
        with reading(self.path, ".debug_line"):
            return list(self._lines.all())

    def sound_line_rows(self) -> tuple[list[LineRow], list[str]]:
        """The rows of every line table that can be read, and what is wrong with the others."""
        found: list[LineRow] = []
        problems: list[str] = []
        try:
            with reading(self.path, ".debug_info"):
                units = self._units.all if self.is_present else []
        except DebugInfoError as error:
            return [], [str(error)]
        for unit in units:
            try:
                with reading(self.path, ".debug_line"):
                    found += self._lines.of(unit)
            except DebugInfoError as error:
                problems.append(str(error))
        return found, list(dict.fromkeys(problems))

    def addresses_of(self, file: str, line: int) -> list[int]:
        """Where the statements of a line begin. `file` is a path, or the end of one."""
        if not self.is_present:
            return []
        with reading(self.path, ".debug_line"):
            return self._lines.addresses(file, line)

    # --- functions ---

    def function_at(self, address: int) -> Function | None:
        """The function that an instruction is in."""
        if not self.is_present:
            return None
        with reading(self.path, ".debug_info"):
            return self._functions.at(address)

    def functions(self) -> Iterator[Function]:
        """Every function that has code."""
        if self.is_present:
            with reading(self.path, ".debug_info"):
                found = list(self._functions.all())
            yield from found

    def functions_named(self, name: str) -> list[Function]:
        """The functions of a name: static functions may share one."""
        return [one for one in self.functions() if one.name == name]

    # --- frames ---

    @property
    def has_frames(self) -> bool:
        """Whether the file has call frame information."""
        with reading(self.path, ".debug_frame or .eh_frame"):
            return bool(self.dwarf.has_CFI() or self.dwarf.has_EH_CFI())

    def has_rules(self, address: int) -> bool:
        """Whether the call frame information covers an instruction."""
        with reading(self.path, ".debug_frame or .eh_frame"):
            return self._frames.knows(address)

    def caller(self, address: int, registers: Mapping[int, int], load: Load) -> Caller | None:
        """The caller of a frame (`Frames.caller`); NotThere as there."""
        with reading(self.path, ".debug_frame or .eh_frame"):
            return self._frames.caller(address, registers, load)
