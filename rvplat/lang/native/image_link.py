"""Links an ELF object of x86-64 to an image (System V ABI, with its AMD64 supplement, 4.4)."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

from rvplat.frozen import frozen
from rvplat.lang.native.image import WORD, Image, Pages, external

_ELF_HEADER = struct.Struct("<4sBB10xHH20xQ10xHH")
_MAGIC, _CLASS_64, _LITTLE_ENDIAN, _RELOCATABLE, _X86_64 = b"\x7fELF", 2, 1, 1, 62
_SECTION = struct.Struct("<4xIQ8xQQIIQ8x")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")
_SYMBOL_TABLE, _RELOCATIONS, _NO_BITS = 2, 4, 8
_WRITE, _ALLOC, _CODE, _THREAD_LOCAL = 1, 2, 4, 0x400
_UNDEFINED = 0
_LOCAL = 0

_R_64, _R_PC32, _R_PLT32, _R_PC64 = 1, 2, 4, 24
_R_GOT = (9, 41, 42)  # GOTPCREL, GOTPCRELX, REX_GOTPCRELX
_JUMP = bytes.fromhex("ff2502000000cccc")  # jump to the address in the word that follows
_STUB_BYTES = len(_JUMP) + WORD

_EXECUTABLE = mmap.PROT_READ | mmap.PROT_EXEC
_WRITABLE = mmap.PROT_READ | mmap.PROT_WRITE


class _Unlinkable(Exception):
    """The object has something that only LLVM's loader knows."""


@frozen
class _Section:
    """A section: fields of its header, and its bytes."""

    kind: int
    flags: int
    link: int
    info: int
    align: int
    data: bytes

    @property
    def rights(self) -> int:
        """The access rights that its pages need."""
        if self.flags & _CODE:
            return _EXECUTABLE
        return _WRITABLE if self.flags & _WRITE else mmap.PROT_READ


@frozen
class _Symbol:
    """A symbol, and its place: an offset in a section. `section` is 0 if it is not defined."""

    name: str
    section: int
    offset: int
    is_local: bool


@frozen
class _Relocation:
    """Bytes of a section that depend on a symbol's address."""

    section: int
    offset: int
    kind: int
    symbol: _Symbol
    addend: int


def linked(data: bytes) -> Image | None:
    """The image of an object. None if only LLVM can load it: if it is for another host, or has
    sections, symbols or relocations that are not known here."""
    try:
        return _Linker(data).image()
    except _Unlinkable:
        return None


class _Linker:
    """Gives each section a place in the image, and applies the relocations."""

    def __init__(self, data: bytes) -> None:
        self.sections = list(_sections(data))
        self.relocations = list(_relocations(self.sections))
        self.memory = bytearray()
        self.pages: list[Pages] = []
        self.places: dict[int, int] = {}  # offsets in the image, by the sections' numbers
        self.stubs: dict[_Symbol, int] = {}  # each a jump, and a word with the symbol's address
        self.relative: list[int] = []
        self.externals: list[tuple[int, str]] = []

    def image(self) -> Image:
        """Link the object."""
        for rights in (_EXECUTABLE, mmap.PROT_READ, _WRITABLE):
            self._place(rights)
        for symbol, at in self.stubs.items():
            self._put_address(at + len(_JUMP), symbol, 0)
        for one in self.relocations:
            if one.section in self.places:
                self._apply(one, self.places[one.section] + one.offset)
        exported = {
            one.name: self._offset(one)
            for one in _symbols(self.sections)
            if one.section != _UNDEFINED and not one.is_local
        }
        relative, externals = tuple(self.relative), tuple(self.externals)
        return Image(bytes(self.memory), tuple(self.pages), exported, relative, externals)

    def _place(self, rights: int) -> None:
        """Append the sections that need these rights, in pages of their own."""
        start = len(self.memory)
        if rights == _EXECUTABLE:
            self._reserve_stubs()
        for number, section in enumerate(self.sections):
            if section.flags & _ALLOC and section.rights == rights:
                self._align(section.align)
                self.places[number] = len(self.memory)
                self.memory += section.data
        self._align(mmap.PAGESIZE)
        if len(self.memory) != start:
            self.pages.append(Pages(start, len(self.memory) - start, rights))

    def _align(self, size: int) -> None:
        self.memory += bytes(-len(self.memory) % max(size, 1))

    def _reserve_stubs(self) -> None:
        for one in self.relocations:
            is_call = one.symbol.section == _UNDEFINED and one.kind == _R_PLT32
            if (is_call or one.kind in _R_GOT) and one.symbol not in self.stubs:
                self.stubs[one.symbol] = len(self.memory)
                self.memory += _JUMP + bytes(WORD)

    def _apply(self, one: _Relocation, at: int) -> None:
        """Apply a relocation to the bytes at an offset of the image."""
        if one.kind == _R_64:
            self._put_address(at, one.symbol, one.addend)
        elif one.kind in (_R_PC32, _R_PLT32, *_R_GOT):
            self._put_number(at, 4, self._target(one) + one.addend - at)
        elif one.kind == _R_PC64:
            self._put_number(at, 8, self._target(one) + one.addend - at)
        else:
            raise _Unlinkable

    def _target(self, one: _Relocation) -> int:
        """What a relative relocation refers to: the symbol, its stub, or its stub's word."""
        if one.kind in _R_GOT:
            return self.stubs[one.symbol] + len(_JUMP)
        if one.symbol.section == _UNDEFINED and one.kind == _R_PLT32:  # a call
            return self.stubs[one.symbol]
        return self._offset(one.symbol)

    def _offset(self, symbol: _Symbol) -> int:
        """The offset in the image of a symbol that is defined."""
        if symbol.section not in self.places:  # it is absolute or common, or not in the object
            raise _Unlinkable
        return self.places[symbol.section] + symbol.offset

    def _put_address(self, at: int, symbol: _Symbol, addend: int) -> None:
        """Let the word at an offset become the symbol's address when the image is loaded."""
        if at % WORD or (symbol.section == _UNDEFINED and (addend or not external(symbol.name))):
            raise _Unlinkable
        if symbol.section == _UNDEFINED:
            self.externals.append((at, symbol.name))
        else:
            self._put_number(at, WORD, self._offset(symbol) + addend)
            self.relative.append(at)

    def _put_number(self, at: int, size: int, value: int) -> None:
        self.memory[at : at + size] = value.to_bytes(size, "little", signed=True)


def _sections(data: bytes) -> Iterator[_Section]:
    """The sections of an object for x86-64. `_Unlinkable` for another one."""
    if len(data) < _ELF_HEADER.size:
        raise _Unlinkable
    magic, width, order, kind, machine, start, size, count = _ELF_HEADER.unpack_from(data)
    wanted = (_MAGIC, _CLASS_64, _LITTLE_ENDIAN, _RELOCATABLE, _X86_64, _SECTION.size)
    if (magic, width, order, kind, machine, size) != wanted:
        raise _Unlinkable
    for index in range(count):
        fields = _SECTION.unpack_from(data, start + index * size)
        kind, flags, at, length, link, info, align = fields
        if flags & _THREAD_LOCAL:
            raise _Unlinkable
        text = bytes(length) if kind == _NO_BITS else data[at : at + length]
        yield _Section(kind, flags, link, info, align, text)


def _relocations(sections: list[_Section]) -> Iterator[_Relocation]:
    symbols = _symbols(sections)
    for section in sections:
        if section.kind == _RELOCATIONS and sections[section.info].flags & _ALLOC:
            for offset, kind, symbol, addend in _RELOCATION.iter_unpack(section.data):
                yield _Relocation(section.info, offset, kind, symbols[symbol], addend)


def _symbols(sections: list[_Section]) -> list[_Symbol]:
    """The symbols of an object."""
    table = next((one for one in sections if one.kind == _SYMBOL_TABLE), None)
    if table is None:
        raise _Unlinkable
    names = sections[table.link].data
    found = []
    for name, info, _, section, offset, _ in _SYMBOL.iter_unpack(table.data):
        text = names[name : names.index(0, name)].decode()
        found.append(_Symbol(text, section, offset, info >> 4 == _LOCAL))
    return found
