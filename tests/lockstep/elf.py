"""Writes the ELF files that Spike needs: one segment and a few symbols."""

from __future__ import annotations

import struct
from collections.abc import Mapping

HEADER, SEGMENT, SECTION, SYMBOL = 64, 56, 64, 24
RISCV, EXECUTABLE, LOAD, SYMTAB, STRTAB = 243, 2, 1, 2, 3
GLOBAL_IN_NO_SECTION = 0x10, 0xFFF1  # info; absolute


def write_elf(address: int, image: bytes, symbols: Mapping[str, int]) -> bytes:
    """An ELF file that is loaded to an address and starts there."""
    strings, entries = b"\0.symtab\0.strtab\0", bytes(SYMBOL)
    for name, value in symbols.items():
        info, section = GLOBAL_IN_NO_SECTION
        entries += struct.pack("<IBBHQQ", len(strings), info, 0, section, value, 0)
        strings += name.encode() + b"\0"
    at = HEADER + SEGMENT
    places = [at, at + len(image), at + len(image) + len(entries)]
    end = places[2] + len(strings)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", EXECUTABLE, RISCV, 1, address, HEADER, end, 0,
        HEADER, SEGMENT, 1, SECTION, 3, 2,
    )  # fmt: skip
    segment = struct.pack(
        "<IIQQQQQQ", LOAD, 7, at, address, address, len(image), len(image), 4096
    )  # fmt: skip
    table = struct.pack("<IIQQQQIIQQ", 1, SYMTAB, 0, 0, places[1], len(entries), 2, 1, 8, SYMBOL)
    text = struct.pack("<IIQQQQIIQQ", 9, STRTAB, 0, 0, places[2], len(strings), 0, 0, 1, 0)
    return b"".join([header, segment, image, entries, strings, bytes(SECTION), table, text])
