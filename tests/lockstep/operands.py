"""Operands of random instructions: integers and floating-point numbers with many corner cases.
Kinds of instructions."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from rvplat.isa.machinery.extension import Row

from .assembly import MASK64, Isa

EDGES = [0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 255, 0x7FF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
CORNERS = [*EDGES, *(MASK64 - v for v in EDGES), (1 << 63) - 1, 1 << 63, 0x0123_4567_89AB_CDEF]
SINGLES = [
    0, 1, 0x007F_FFFF, 0x0080_0000, 0x0080_0001, 0x00FF_FFFF, 0x3380_0000, 0x3F00_0000,
    0x3F7F_FFFF, 0x3F80_0000, 0x3F80_0001, 0x3FC0_0000, 0x4000_0000, 0x4020_0000, 0x4AFF_FFFF,
    0x4B00_0001, 0x4EFF_FFFF, 0x4F00_0000, 0x4F7F_FFFF, 0x4F80_0000, 0x5EFF_FFFF, 0x5F00_0000,
    0x5F7F_FFFF, 0x5F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FBF_FFFF, 0x7FC0_0000,
    0x7FC0_1234, 0x7FFF_FFFF,
]  # fmt: skip
DOUBLES: list[int] = [
    *(struct.unpack("<Q", struct.pack("<d", value))[0]
      for value in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 0.1, 2.0**31 - 1, 2.0**31, 2.0**32 - 1, 2.0**32,
                    2.0**52, 2.0**53 - 1, 2.0**63, 2.0**64, 1e300, 3.4028234663852886e38,
                    3.4028235677973366e38, 1.1754943508222875e-38, 1.4e-45, 7e-46, 5e-324,
                    2.2250738585072014e-308, 1.7976931348623157e308, float("inf"))),
    0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0x7FF8_0000_0000_1234, 0x7FFF_FFFF_FFFF_FFFF,
    0x000F_FFFF_FFFF_FFFF, 0x3FEF_FFFF_FFFF_FFFF, 0x3810_0000_0000_0000, 0x380F_FFFF_F000_0000,
    0x380F_FFFF_E000_0000, 0x41DF_FFFF_FFE0_0000, 0x41EF_FFFF_FFF0_0000, 0x43DF_FFFF_FFFF_FFFF,
]  # fmt: skip
HALVES = [
    0, 1, 0x3FF, 0x400, 0x401, 0x1400, 0x3800, 0x3BFF, 0x3C00, 0x3C01, 0x3E00, 0x4000, 0x5BFF,
    0x77FF, 0x7800, 0x7BFF, 0x7C00, 0x7C01, 0x7DFF, 0x7E00, 0x7E01, 0x7FFF,
]  # fmt: skip
BOX = 0xFFFF_FFFF_0000_0000


def integer(rng: random.Random) -> int:
    """64 bits: a corner case, few bits, a small number, or any bits."""
    kind = rng.randrange(6)
    if kind < 2:
        return rng.choice(CORNERS)
    if kind == 2:
        return (rng.choice(CORNERS) + rng.randrange(-3, 4)) & MASK64
    if kind == 3:
        return rng.getrandbits(rng.randrange(1, 65))
    if kind == 4:
        return (1 << rng.randrange(64)) | (1 << rng.randrange(64))
    return rng.getrandbits(64)


def single(rng: random.Random) -> int:
    """32 bits of a single: a corner case or its negative, a number close to one, or any bits."""
    kind = rng.randrange(4)
    if kind < 2:
        return rng.choice(SINGLES) | rng.getrandbits(1) << 31
    if kind == 2:
        return (rng.randrange(0x70, 0xA0) << 23) | rng.getrandbits(23) | rng.getrandbits(1) << 31
    return rng.getrandbits(32)


def double(rng: random.Random) -> int:
    """64 bits of a double."""
    kind = rng.randrange(4)
    if kind < 2:
        return rng.choice(DOUBLES) | rng.getrandbits(1) << 63
    if kind == 2:
        exponent = rng.choice([rng.randrange(0x3C0, 0x440), rng.randrange(0x360, 0x3A0)])
        return exponent << 52 | rng.getrandbits(52) | rng.getrandbits(1) << 63
    return rng.getrandbits(64)


def half(rng: random.Random) -> int:
    """16 bits of a half."""
    if rng.randrange(2):
        return rng.choice(HALVES) | rng.getrandbits(1) << 15
    return rng.getrandbits(16)


def floating(rng: random.Random) -> int:
    """A value for an f register: a double, a boxed single, or a single that isn't boxed."""
    kind = rng.randrange(8)
    if kind < 4:
        return double(rng)
    if kind < 7:
        return BOX | single(rng)
    return rng.getrandbits(32) << 32 | single(rng)


def pool(rng: random.Random) -> bytes:
    """A page of operands."""
    makers: Sequence[Callable[[random.Random], int]] = (integer, floating, double)
    return struct.pack("<512Q", *(rng.choice(makers)(rng) for _ in range(512)))


def immediate(rng: random.Random, width: int, signed: bool) -> int:
    """The bits of an operand that isn't a register: a corner case or any bits."""
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    if rng.randrange(4) == 0:
        return rng.choice([low, high, 0, 1, -1 if signed else high])
    return rng.randint(low, high)


# --- kinds of rows, as the encoding table shows them ---------------------------------------------

SYSTEM_EXTENSIONS = {"Sm", "S", "Svbare", "Svinval", "Zawrs", "Zifencei", "H"}
ATOMIC_EXTENSIONS = ("Zalrsc", "Zaamo", "Zacas", "Zabha")
TRAPPING = ("ecall", "ebreak", "c.ebreak")


def kind_of(row: Row) -> str:
    """The kind of an instruction that a generator must distinguish: the name of its group."""
    if "csr" in row.pattern.operands:
        return "csr"
    if row.name.startswith(("hlv", "hsv")):
        return "guest"
    if row.name in TRAPPING or row.extension.name in SYSTEM_EXTENSIONS:
        return "system"
    if row.extension.name in ATOMIC_EXTENSIONS:
        return "atomic"
    if row.extension.name in ("Zicbom", "Zicboz"):
        return "block"
    if "pc+imm" in row.syntax:
        return "branch"
    if row.name in ("jalr", "c.jr", "c.jalr"):
        return "jump"
    if "(rs1)" in row.syntax or "(sp)" in row.syntax:
        return "hint" if row.extension.name == "Zicbop" else "memory"
    if any(f"f{name}" in row.syntax for name in ("rd", "rs1", "rs2")):
        return "float"
    return "hint" if not row.pattern.operands else "integer"


def by_kind(isa: Isa) -> dict[str, list[Row]]:
    """The rows in their groups."""
    found: dict[str, list[Row]] = {}
    for row in isa.rows:
        found.setdefault(kind_of(row), []).append(row)
    return found


def access_size(row: Row) -> int:
    """The bytes that a load, store or atomic instruction accesses, from its name."""
    name = row.name.removeprefix("c.")
    if name.startswith(("hlv", "hsv")):
        name = name.partition(".")[2]
    if row.extension.name in ATOMIC_EXTENSIONS:
        return {"b": 1, "h": 2, "w": 4, "d": 8, "q": 16}[name[-1]]
    name = name.removesuffix("sp").lstrip("f").removesuffix("u")
    return {"b": 1, "h": 2, "w": 4, "d": 8}[name[-1]]


def is_store(row: Row) -> bool:
    """Whether a memory instruction stores."""
    return "rs2" in row.pattern.operands
