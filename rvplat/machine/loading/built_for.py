"""The target of a program: `.riscv.attributes` and the flags of its ELF header (RISC-V ELF
psABI, "Attributes" and "File Header").
"""

from __future__ import annotations

import re

from rvplat.frozen import frozen

RVC, FLOAT_ABI, RVE, TSO = 0x1, 0x6, 0x8, 0x10
FLOAT_ABIS = ("soft-float", "single-float", "double-float", "quad-float")
#: The extension that each of these calling conventions requires.
_FLOAT_NEEDS = {1: "f", 2: "d", 3: "q"}
_STACK_ALIGN, _ARCH, _UNALIGNED = 4, 5, 6
_FILE_SCOPE = 1
_VERSION = re.compile(r"\d+p\d+$")


@frozen
class Attributes:
    """`arch` is an ISA string with versions; zero or "" if the file lacks the value."""

    arch: str = ""
    stack_alignment: int = 0
    unaligned_access: bool = False

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions that `arch` names, in lower case, without versions."""
        parts = self.arch.lower().removeprefix("rv32").removeprefix("rv64").split("_")
        return tuple(_VERSION.sub("", part) for part in parts if part)


def flags_text(flags: int) -> str:
    """The flags of an ELF header in words."""
    words = ["compressed instructions (RVC)"] if flags & RVC else []
    words.append(f"{FLOAT_ABIS[(flags & FLOAT_ABI) >> 1]} ABI")
    words += ["16 registers (RVE)"] if flags & RVE else []
    words += ["total store ordering (Ztso)"] if flags & TSO else []
    return ", ".join(words)


def flags_need(flags: int) -> list[str]:
    """The extensions without which a file with these flags can't run, in lower case."""
    needs = ["c"] if flags & RVC else []
    float_abi = _FLOAT_NEEDS.get((flags & FLOAT_ABI) >> 1)
    needs += [float_abi] if float_abi else []
    needs += ["ztso"] if flags & TSO else []
    return needs


def parse_attributes(data: bytes) -> Attributes:
    """The contents of the section; damaged parts are ignored."""
    try:
        return _of_file(data)
    except (IndexError, ValueError):
        return Attributes()


def _of_file(data: bytes) -> Attributes:
    """The file attributes. The section has the format version "A", then for each vendor a length, a
    name and subsections."""
    if data[:1] != b"A":
        return Attributes()
    at = 1
    while at + 4 <= len(data):
        end = at + int.from_bytes(data[at : at + 4], "little")
        name, inner = _string(data, at + 4)
        if name == "riscv" and data[inner] == _FILE_SCOPE:
            return _values(data[inner + 5 : end])
        if end <= at:
            break
        at = end
    return Attributes()


def _values(data: bytes) -> Attributes:
    """Tags and values: an odd tag has a string, an even one a number."""
    found: dict[int, str | int] = {}
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        value: str | int
        value, at = _string(data, at) if tag % 2 else _number(data, at)
        found[tag] = value
    return Attributes(
        str(found.get(_ARCH, "")), int(found.get(_STACK_ALIGN, 0)), bool(found.get(_UNALIGNED, 0))
    )


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A ULEB128 number, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(errors="replace"), end + 1
