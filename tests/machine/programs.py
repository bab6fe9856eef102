"""Make ELF files field by field, so that a test can damage a single field."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence


def elf(
    segments: Sequence[tuple[int, bytes, int]] = ((0x8000_0000, b"\x13\0\0\0", 4),),
    entry: int = 0x8000_0000,
    symbols: Mapping[str, int] | None = None,
    *,
    machine: int = 243,
    elf_class: int = 2,
    byte_order: int = 1,
    kind: int = 2,
    virtual_offset: int = 0,
    facts: Mapping[str, tuple[int, int]] | None = None,
) -> bytes:
    """An ELF64 file: segments are (physical address, bytes, size in memory); `facts` are the
    st_info and st_size of symbols, which else are global and have no type or size."""
    headers_end = 64 + 56 * len(segments)
    body, headers = bytearray(), bytearray()
    for address, data, size in segments:
        offset = headers_end + len(body)
        headers += struct.pack(
            "<IIQQQQQQ", 1, 7, offset, address + virtual_offset, address, len(data), size, 0x1000
        )
        body += data
    tables, sections_at, count = _symbols(headers_end + len(body), symbols or {}, facts or {})
    header = struct.pack(
        "<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", elf_class, byte_order, 1, kind, machine, 1,
        entry + virtual_offset, 64, sections_at, 0, 64, 56, len(segments), 64, count, 0,
    )  # fmt: skip
    return bytes(header + headers + body) + tables


def _symbols(
    at: int, symbols: Mapping[str, int], facts: Mapping[str, tuple[int, int]]
) -> tuple[bytes, int, int]:
    """The bytes of a symbol table, its names and the section headers; the offset and number of the
    headers."""
    if not symbols:
        return b"", 0, 0
    names, table = bytearray(b"\0"), bytearray(24)
    for name, value in symbols.items():
        info, size = facts.get(name, (0x10, 0))
        table += struct.pack("<IBBHQQ", len(names), info, 0, 1, value, size)
        names += name.encode() + b"\0"
    sections_at = at + len(table) + len(names)
    rows = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 2, 0, 0, at, len(table), 2, 0, 8, 24),
        (0, 3, 0, 0, at + len(table), len(names), 0, 0, 1, 0),
    ]
    headers = b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)
    return bytes(table + names) + headers, sections_at, len(rows)


def linux_image(size: int = 0x1000, memory_size: int = 0x2000, offset: int = 0x20_0000) -> bytes:
    """A Linux Image that has only the header."""
    header = struct.pack(
        "<IIQQQIIQ8s4sI", 0x5A4D, 0, offset, memory_size, 0, 2, 0, 0, b"RISCV\0\0\0", b"RSC\x05", 0
    )
    return header.ljust(size, b"\0")
