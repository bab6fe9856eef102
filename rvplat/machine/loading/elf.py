"""ELF files for RISC-V, of 64 and of 32 bits (System V ABI, "Object Files"; RISC-V ELF psABI,
chapter 8).

This does not use lief because its import takes half a second. Each kind of fault has its own
message.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError
from rvplat.frozen import frozen
from rvplat.machine.loading.program import Program, Segment

log = logging.getLogger("rvplat.loader")

MAGIC: Final = b"\x7fELF"


@frozen
class _Class:
    """The structures of an ELF class. `parts` are the places of these fields of a program header:
    offset, virtual and physical address, size in the file and in memory; `names` those of these
    fields of a symbol: name, info, section, value, size."""

    bits: int
    header: struct.Struct
    program_header: struct.Struct
    section_header: struct.Struct
    symbol: struct.Struct
    parts: tuple[int, ...]
    names: tuple[int, ...]


_CLASSES = {
    1: _Class(32, struct.Struct("<16sHHIIIIIHHHHHH"), struct.Struct("<8I"), struct.Struct("<10I"),
              struct.Struct("<IIIBBH"), (1, 2, 3, 4, 5), (0, 3, 5, 1, 2)),
    2: _Class(64, struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"),
              struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ"), (2, 3, 4, 5, 6),
              (0, 1, 3, 4, 5)),
}  # fmt: skip
_BYTE_ORDERS = {1: "little-endian", 2: "big-endian"}
_TYPES = {1: "a relocatable object: link it first", 4: "a core dump"}
MACHINES = {3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 40: "Arm", 62: "x86-64",
             183: "AArch64", 258: "LoongArch"}  # fmt: skip
EXECUTABLE, SHARED = 2, 3
RISCV: Final = 243
PT_LOAD: Final = 1
SHT_SYMTAB: Final = 2
STT_FUNC, STT_SECTION, STT_FILE = 2, 3, 4
STB_LOCAL, STB_WEAK = 0, 2


def is_elf(data: bytes) -> bool:
    """Whether a file begins like an ELF file."""
    return data[:4] == MAGIC


def read_elf(path: Path, data: bytes) -> Program:
    """The segments to load, at their physical addresses.

    Raises:
        LoaderError: the file is for another machine or class, truncated or not a program.
    """
    return _Elf(path, data).program()


@dataclass
class _Loadable:
    offset: int
    virtual: int
    physical: int
    file_size: int
    size: int


class _Elf:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.form = self._identified()
        if len(data) < self.form.header.size:
            raise self._truncated("its header", self.form.header.size)
        header = self.form.header.unpack_from(data)
        self.type, self.machine, self.entry = header[1], header[2], header[4]
        self.headers_at, self.sections_at = header[5], header[6]
        self.header_count, self.section_count = header[10], header[12]
        self._check_target()
        if self.header_count:
            self._check_headers(header[9])

    def error(self, what: str) -> LoaderError:
        return LoaderError(f"{self.path}: {what}")

    def _truncated(self, what: str, end: int) -> LoaderError:
        return self.error(
            f"a truncated ELF file: {what} ends at byte {end}, the file has {len(self.data)}"
        )

    def _identified(self) -> _Class:
        identity = self.data[:16]
        if len(identity) < 16:
            raise self._truncated("its header", _CLASSES[2].header.size)
        form = _CLASSES.get(identity[4])
        if form is None:
            raise self.error(f"a class {identity[4]} ELF file; expected one for RISC-V")
        if identity[5] != 1:
            found = _BYTE_ORDERS.get(identity[5], f"data encoding {identity[5]}")
            raise self.error(f"a {found} ELF file; expected a little-endian one")
        return form

    def _check_headers(self, size: int) -> None:
        expected = self.form.program_header.size
        if size != expected:
            raise self.error(
                f"an ELF file with program headers of {size} bytes; expected {expected}"
            )

    def _check_target(self) -> None:
        if self.machine != RISCV:
            found = MACHINES.get(self.machine, f"machine {self.machine}")
            raise self.error(f"an ELF file for {found}; expected one for RISC-V")
        if self.type not in (EXECUTABLE, SHARED):
            found = _TYPES.get(self.type, f"of type {self.type}")
            raise self.error(f"an ELF file that is {found}; expected a program")

    def program(self) -> Program:
        loadables = list(self._loadables())
        if not loadables:
            raise self.error("an ELF file without anything to load; expected a program")
        segments = tuple(Segment(one.physical, self._bytes(one), one.size) for one in loadables)
        # The loader chooses the address of a position-independent program that was linked at 0.
        low = min(segment.address for segment in segments)
        fixed = self.type == EXECUTABLE or low != 0
        self._check_sections()
        symbols = Symbols(self.data, self.form, self.sections_at, self.section_count)
        return Program(
            self.path, "elf", segments, self._physical(self.entry, loadables), fixed,
            symbols=symbols, bits=self.form.bits,
        )  # fmt: skip

    def _check_sections(self) -> None:
        """Warn if the section headers are cut off; the program loads without them."""
        end = self.sections_at + self.section_count * self.form.section_header.size
        if self.sections_at and end > len(self.data):
            log.warning("%s", f"{self._truncated('its section header table', end)}; no symbols")

    def _loadables(self) -> Iterator[_Loadable]:
        size = self.form.program_header.size
        end = self.headers_at + self.header_count * size
        if end > len(self.data):
            raise self._truncated("its program header table", end)
        for index in range(self.header_count):
            header = self.form.program_header.unpack_from(self.data, self.headers_at + index * size)
            loadable = _Loadable(*(header[n] for n in self.form.parts))
            if header[0] == PT_LOAD and loadable.size:
                yield loadable

    def _bytes(self, one: _Loadable) -> memoryview:
        end = one.offset + one.file_size
        if end > len(self.data):
            raise self._truncated(f"the segment for {one.physical:#x}", end)
        if one.file_size > one.size:
            raise self.error(f"the segment for {one.physical:#x} is larger in the file than loaded")
        return memoryview(self.data)[one.offset : end]

    def _physical(self, virtual: int, loadables: list[_Loadable]) -> int:
        """The physical address of the entry, which the file gives as a virtual address."""
        for one in loadables:
            if one.virtual <= virtual < one.virtual + one.size:
                return virtual - one.virtual + one.physical
        return virtual


Symbol = tuple[str, int, int, int, int]  # name, address, binding (STB), type (STT), bytes


def by_name(symbols: list[Symbol]) -> dict[str, int]:
    """The addresses of symbols by name. Of several with the same name or at the same address, the
    one that a user expects is last: a global one, then a function, then one that has a size, then
    the shortest name, then the first name of the alphabet."""
    found: dict[str, int] = {}
    for name, address, *_ in sorted(symbols, key=_unexpected, reverse=True):
        found.pop(name, None)  # so that it is entered at the end
        found[name] = address
    return found


def _unexpected(symbol: Symbol) -> tuple[int, bool, bool, int, str]:
    name, _, binding, kind, size = symbol
    rank = {STB_LOCAL: 2, STB_WEAK: 1}.get(binding, 0)
    return rank, kind != STT_FUNC, not size, len(name), name


class Symbols(Mapping[str, int]):
    """The symbol table by name, in the order of `by_name`, read at first use."""

    def __init__(self, data: bytes, form: _Class, sections_at: int, section_count: int) -> None:
        self._data = data
        self._form = form
        self._sections_at = sections_at
        self._count = section_count

    def __getitem__(self, name: str) -> int:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def _table(self) -> dict[str, int]:
        try:
            return self._read()
        except (struct.error, ValueError, OverflowError):
            return {}  # a program runs without its symbols

    def _section(self, index: int) -> tuple[int, ...]:
        header = self._form.section_header
        return header.unpack_from(self._data, self._sections_at + index * header.size)

    def _read(self) -> dict[str, int]:
        return by_name(list(self._rows()))

    def _rows(self) -> Iterator[Symbol]:
        for index in range(self._count if self._sections_at else 0):
            section = self._section(index)
            if section[1] == SHT_SYMTAB:
                table = memoryview(self._data)[section[4] : section[4] + section[5]]
                strings = self._section(section[6])
                names = self._data[strings[4] : strings[4] + strings[5]]
                whole = len(table) - len(table) % self._form.symbol.size
                for fields in self._form.symbol.iter_unpack(table[:whole]):
                    name, info, where, value, size = (fields[n] for n in self._form.names)
                    if name and where and info & 15 not in (STT_SECTION, STT_FILE):
                        text = names[name : names.index(b"\0", name)].decode(errors="replace")
                        yield text, value, info >> 4, info & 15, size
