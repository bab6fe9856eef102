"""Random instruction words: encodings of every extension's rows, with operands that make sense.

Registers x8 to x15 hold addresses (state.py). So most accesses use them, and few instructions write
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from rvplat.isa.machinery.extension import Row
from rvplat.machine.boards.catalogue import base_extensions

POINTERS = range(8, 16)
OTHERS = [0, 1, 5, 6, 7, *range(16, 32)]


def _rows() -> Iterator[Row]:
    for extension in base_extensions():
        yield from extension.instructions
        yield from extension.compressed_forms


ROWS = {row.name: row for row in _rows()}
CSRS = [row.number for extension in base_extensions() for row in extension.csrs]

# The weights of the extensions' rows. An extension that isn't here has the weight 1.
WEIGHTS = {
    "I": 14, "Zaamo": 4, "Zalrsc": 3, "Zca": 8, "Zcd": 1, "Zicsr": 9, "H": 6, "Svbare": 2, "Sm": 2,
    "S": 3, "Zicboz": 2, "Zicbom": 2, "F": 3, "D": 3, "Zifencei": 2, "Svinval": 2, "Zcb": 2,
}  # fmt: skip
MEMORY = ("lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd", "flw", "fld", "fsd")
GARBAGE = 0.02  # the share of words that are no instruction


def word(name: str, **operands: int) -> bytes:
    """Encode an instruction by its name, with these operands."""
    pattern = ROWS[name].pattern
    return pattern.encode(**operands).to_bytes(pattern.length, "little")


class Words:
    """A pool of random instructions, and code made of them."""

    def __init__(self, rng: Random, size: int = 6000) -> None:
        groups: dict[str, list[Row]] = {"memory": [ROWS[name] for name in MEMORY]}
        for row in ROWS.values():
            groups.setdefault(row.extension.name, []).append(row)
        weights = [12 if name == "memory" else WEIGHTS.get(name, 1) for name in groups]
        chosen = rng.choices(list(groups.values()), weights, k=size)
        self.pool = [self._one(rng, rng.choice(rows)) for rows in chosen]

    def code(self, rng: Random, size: int) -> bytes:
        """`size` bytes of code."""
        parts = rng.choices(self.pool, k=size * 2 // 5)
        for at in rng.sample(range(len(parts)), rng.choice([0, 2, 8])):
            parts[at] = self.loop(rng)
        return b"".join(parts)[:size]

    def loop(self, rng: Random) -> bytes:
        """A loop that copies halfwords of the code around it and runs them."""
        body = word("auipc", rd=7, imm=0)
        for _ in range(rng.randint(1, 3)):
            source, target = (rng.randrange(-40, 60) * 2 for _ in range(2))
            body += word("lhu", rd=6, rs1=7, imm=source)
            body += b"".join(rng.choices(self.pool, k=rng.randrange(3)))
            body += word("sh", rs1=7, rs2=6, imm=target)
        body += b"".join(rng.choices(self.pool, k=rng.randrange(6)))
        body += word("addi", rd=5, rs1=5, imm=-1)
        return (
            word("addi", rd=5, rs1=0, imm=rng.randrange(2, 40))
            + body
            + word("bne", rs1=5, rs2=0, imm=-len(body))
        )

    def few(self, rng: Random, names: Sequence[str]) -> bytes:
        """At most two of these instructions. They are for handlers, so they should seldom trap."""
        chosen = [ROWS[rng.choice(names)] for _ in range(rng.choice([0, 0, 0, 1, 2]))]
        return b"".join(self._one(rng, row) for row in chosen)

    def _one(self, rng: Random, row: Row) -> bytes:
        if rng.random() < GARBAGE:
            return rng.randbytes(rng.choice([2, 4]))
        pattern = row.pattern
        for _ in range(8):
            given = {name: operand(rng, row, name) for name in pattern.operands}
            bits = pattern.encode(**given)
            if pattern.matches(bits):
                break
        return bits.to_bytes(pattern.length, "little")


def operand(rng: Random, row: Row, name: str) -> int:
    """A value for an operand of a row."""
    where: Any = row.pattern.operands[name]
    if where.base:
        return rng.choice(POINTERS)
    if name == "rd":
        return rng.choice(OTHERS) if rng.random() < 0.93 else rng.randrange(32)
    if name == "rs1":
        return rng.choice(POINTERS) if rng.random() < 0.7 else rng.randrange(32)
    if name == "csr":
        return rng.choice(CSRS) if rng.random() < 0.8 else rng.randrange(4096)
    if where.signed or name in ("uimm", "shamt"):
        return immediate(rng, row, where.width)
    return rng.getrandbits(where.width)


def immediate(rng: Random, row: Row, width: int) -> int:
    """A small number for jumps and most accesses, and sometimes any number."""
    if rng.random() < 0.1:
        return rng.getrandbits(width)
    if row.name.startswith(("b", "j", "c.b", "c.j")):
        return rng.randrange(-32, 64) * 2
    return rng.choice([0, 0, 0, 8, 16, -8, 4, 1, 2, -1, rng.randrange(-64, 64)])


def load_number(register: int, value: int) -> bytes:
    """Code that loads a 32-bit number into a register, sign-extended."""
    low = (value & 0xFFF ^ 0x800) - 0x800
    high = word("lui", rd=register, imm=(value - low) & 0xFFFF_F000)
    return high + word("addi", rd=register, rs1=register, imm=low)


def load_address(register: int, value: int) -> bytes:
    """Code that loads a 32-bit number into a register, zero-extended."""
    shifts = [word(op, rd=register, rs1=register, shamt=32) for op in ("slli", "srli")]
    return load_number(register, value) + b"".join(shifts)
