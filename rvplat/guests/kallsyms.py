"""Reads the symbols of a Linux kernel from its kallsyms tables, and writes them to an ELF file for
debuggers.

scripts/kallsyms.c (Linux 6.4 and later) writes these tables, each aligned to 8 bytes: the number of
symbols, their names (a length, then token numbers; the first character is the type), a marker for
every 256th name, the 256 tokens, an index of the tokens, the addresses as offsets from a base, and
the base. Nothing in the file points to them. They are found by the tokens of the ten digits, which
are the digits themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate

from rvplat.frozen import frozen
from rvplat.guests.errors import GuestError

_TOKENS = 256
_DIGITS = b"".join(b"%d\0" % digit for digit in range(10))
_STEP = 256  # names from one marker to the next


LINKED_AT = 0xFFFF_FFFF_8000_0000
"""Where a 64-bit RISC-V kernel's first byte is linked (arch/riscv/include/asm/pgtable.h)."""

_HEADER = struct.Struct("<16s2HI3QI6H")  # ELF-64 Object File Format
_SECTION = struct.Struct("<2I4Q2I2Q")
_SYMBOL = struct.Struct("<IBBHQQ")
_RISCV, _EXEC = 243, 2
_SYMTAB, _STRTAB, _NOBITS = 2, 3, 8
_WRITE, _ALLOC, _CODE = 1, 2, 4
_GLOBAL = 1 << 4


@frozen
class KernelSymbol:
    """A symbol. `kind` is the letter that nm prints, a capital for a global symbol."""

    name: str
    kind: str
    address: int


def symbol_file(image: bytes) -> bytes:
    """An ELF file with the symbols of an Image and nothing else. Its one section has no bytes and
    spans the kernel. GuestError as in `kernel_symbols`."""
    found = kernel_symbols(image)
    names, rows, strings = bytearray(1), [bytes(_SYMBOL.size)], b"\0.kernel\0.symtab\0.strtab\0"
    for symbol in sorted(found, key=lambda one: one.kind.isupper()):  # local symbols come first
        flag = _GLOBAL if symbol.kind.isupper() else 0
        rows.append(_SYMBOL.pack(len(names), flag, 0, 1, symbol.address, 0))
        names += symbol.name.encode() + b"\0"
    table = b"".join(rows)
    local = 1 + sum(not symbol.kind.isupper() for symbol in found)
    size = max(symbol.address for symbol in found) - LINKED_AT
    at = _HEADER.size
    ends = at + len(table), at + len(table) + len(names)
    sections = (
        bytes(_SECTION.size),
        _SECTION.pack(1, _NOBITS, _WRITE | _ALLOC | _CODE, LINKED_AT, at, size, 0, 0, 16, 0),
        _SECTION.pack(9, _SYMTAB, 0, 0, at, len(table), 3, local, 8, _SYMBOL.size),
        _SECTION.pack(17, _STRTAB, 0, 0, ends[0], len(names), 0, 0, 1, 0),
        _SECTION.pack(17, _STRTAB, 0, 0, ends[1], len(strings), 0, 0, 1, 0),
    )
    header = _HEADER.pack(
        b"\x7fELF\2\1\1", _EXEC, _RISCV, 1, LINKED_AT, 0, ends[1] + len(strings), 0,
        _HEADER.size, 0, 0, _SECTION.size, len(sections), 4,
    )  # fmt: skip
    return b"".join((header, table, names, strings, *sections))


def kernel_symbols(image: bytes, base: int = LINKED_AT) -> list[KernelSymbol]:
    """The symbols of a plain Image whose first byte is linked at `base`. GuestError if it has none,
    or has them in another format."""
    at = image.find(_DIGITS)
    while at >= 0:
        start = _back(image, at, ord("0"))
        tokens = image[start:].split(b"\0", _TOKENS)[:_TOKENS] if start >= 0 else []
        found = _read(image, start, tokens, base) if len(tokens) == _TOKENS else None
        if found:
            return found
        at = image.find(_DIGITS, at + 1)
    raise GuestError("the kernel has no table of its symbols (kallsyms) in a known format")


def _back(image: bytes, at: int, count: int) -> int:
    """The start of a table of strings whose string number `count` is at `at`; -1 if there is
    none."""
    for _ in range(count):
        at = image.rfind(b"\0", 0, at - 1) + 1
        if at <= 0:
            return -1
    return at


def _aligned(at: int) -> int:
    return (at + 7) & ~7


def _read(image: bytes, start: int, tokens: list[bytes], base: int) -> list[KernelSymbol] | None:
    """The symbols in the tables around a table of tokens; None if it isn't such a table."""
    starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))
    index = _aligned(start + starts[-1])
    if image[index : index + 2 * _TOKENS] != struct.pack(f"<{_TOKENS}H", *starts[:-1]):
        return None
    markers = _markers(image, start)
    names = _names(image, start, markers) if markers else None
    if names is None:
        return None
    offsets = struct.unpack_from(f"<{len(names)}I", image, index + 2 * _TOKENS)
    texts = (b"".join(tokens[code] for code in name).decode("ascii", "replace") for name in names)
    return [
        KernelSymbol(text[1:], text[0], base + offset)
        for text, offset in zip(texts, offsets, strict=True)
    ]


def _markers(image: bytes, end: int) -> list[int]:
    """The markers, read backwards from `end`, where the tokens begin. They decrease to 0, the first
    marker. Empty if they don't."""
    at, found = end - 4, list[int]()
    if image[at : at + 4] == bytes(4):  # padding
        at -= 4
    while at > 0 and (not found or image[at : at + 4] != bytes(4)):
        found.append(int.from_bytes(image[at : at + 4], "little"))
        if len(found) > 1 and found[-1] >= found[-2]:
            return []
        at -= 4
    return [0, *reversed(found)]


def _names(image: bytes, tokens: int, markers: list[int]) -> list[bytes] | None:
    """The names, each as the numbers of its tokens; None if they aren't found before the
    markers."""
    end = tokens - _aligned(4 * len(markers))
    least, most = (len(markers) - 1) * _STEP, len(markers) * _STEP
    latest = end - markers[-1]
    for at in range(latest & ~7, max(0, latest - _STEP * 512), -8):
        count = int.from_bytes(image[at - 8 : at - 4], "little")
        if least < count <= most:
            found = list(_split(image[at:end], count))
            if len(found) == count and _agree(found, markers):
                return found
    return None


def _split(data: bytes, count: int) -> Iterator[bytes]:
    """Split names, each of which follows its length: one byte, or two bytes of seven bits each."""
    at = 0
    for _ in range(count):
        if at + 2 > len(data):
            return
        length, at = data[at], at + 1
        if length & 0x80:
            length, at = length & 0x7F | data[at] << 7, at + 1
        yield data[at : at + length]
        at += length


def _agree(names: list[bytes], markers: list[int]) -> bool:
    """Whether the markers are the offsets of each 256th name."""
    places = list(accumulate((len(n) + (1 if len(n) < 0x80 else 2) for n in names), initial=0))
    return [places[i] for i in range(0, len(names), _STEP)] == markers
