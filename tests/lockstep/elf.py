"""Writes the ELF files that Spike needs: one segment and a few symbols."""

from __future__ import annotations

import struct
from collections.abc import Mapping

FORMS = {
    64: ("<16sHHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ"), 32: ("<16sHHIIIIIHHHHHH", "<8I", "<10I")
}  # fmt: skip
RISCV, EXECUTABLE, LOAD, SYMTAB, STRTAB = 243, 2, 1, 2, 3
GLOBAL_IN_NO_SECTION = 0x10, 0xFFF1  # info; absolute


def write_elf(address: int, image: bytes, symbols: Mapping[str, int], bits: int = 64) -> bytes:
    """An ELF file that is loaded to an address and starts there."""
    forms = FORMS[bits]
    header_size, segment_size, section_size = (struct.calcsize(form) for form in forms)
    strings, made = b"\0.symtab\0.strtab\0", [_symbol(0, 0, 0, 0, bits)]
    for name, value in symbols.items():
        made.append(_symbol(len(strings), value, *GLOBAL_IN_NO_SECTION, bits))
        strings += name.encode() + b"\0"
    entries, at = b"".join(made), header_size + segment_size
    places = [at, at + len(image), at + len(image) + len(entries)]
    end = places[2] + len(strings)
    header = struct.pack(
        forms[0], b"\x7fELF" + bytes([bits // 32, 1, 1]), EXECUTABLE, RISCV, 1, address,
        header_size, end, 0, header_size, segment_size, 1, section_size, 3, 2,
    )  # fmt: skip
    size = len(image)
    if bits == 64:
        segment = struct.pack(forms[1], LOAD, 7, at, address, address, size, size, 4096)
    else:
        segment = struct.pack(forms[1], LOAD, at, address, address, size, size, 7, 4096)
    table = struct.pack(
        forms[2], 1, SYMTAB, 0, 0, places[1], len(entries), 2, 1, 8, len(made[0])
    )  # fmt: skip
    text = struct.pack(forms[2], 9, STRTAB, 0, 0, places[2], len(strings), 0, 0, 1, 0)
    return b"".join([header, segment, image, entries, strings, bytes(section_size), table, text])


def _symbol(name: int, value: int, info: int, section: int, bits: int) -> bytes:
    if bits == 64:
        return struct.pack("<IBBHQQ", name, info, 0, section, value, 0)
    return struct.pack("<IIIBBH", name, value, 0, info, 0, section)
