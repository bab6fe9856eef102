"""Parse instruction patterns such as "imm[11:0] rs1 000 rd 0010011" into masks and operand bits.

A pattern begins with the most significant bit. 0 and 1 are fixed bits, and `-` is a bit that is
ignored. A name is an operand. Brackets after it list which of the operand's bits are encoded there
(`imm[4:1|11]`); without brackets, the operand's width is in WIDTHS. `rd'` is a three-bit register
field (x8 to x15) of operand rd.
"""

from __future__ import annotations

import re

from rvplat.frozen import frozen
from rvplat.lang import LanguageError

WIDTHS = {
    "rd": 5, "rs1": 5, "rs2": 5, "rs3": 5, "rd'": 3, "rs1'": 3, "rs2'": 3, "rm": 3, "aq": 1,
    "rl": 1, "csr": 12, "zimm": 5, "pred": 4, "succ": 4, "fm": 4, "vd": 5, "vs1": 5, "vs2": 5,
    "vs3": 5, "vm": 1, "nf": 3, "bs": 2, "rnum": 4,
}  # fmt: skip
SIGNED = ("imm", "nzimm", "simm")


@frozen
class Piece:
    """Instruction bits `low` to `low + width - 1` hold the operand's bits from bit `to` up."""

    low: int
    width: int
    to: int


@frozen
class Operand:
    """Where an instruction holds an operand. `base` (8 for a three-bit register field) is added."""

    name: str
    pieces: tuple[Piece, ...]
    base: int = 0

    @property
    def width(self) -> int:
        """The number of bits of the operand, up to the highest that the instruction holds."""
        return max(p.to + p.width for p in self.pieces)

    @property
    def signed(self) -> bool:
        return self.name in SIGNED

    def extract(self, bits: int) -> int:
        """The operand's value in an instruction (negative for a signed one)."""
        value = 0
        for p in self.pieces:
            value |= ((bits >> p.low) & ((1 << p.width) - 1)) << p.to
        if self.signed and value >> (self.width - 1):
            value -= 1 << self.width
        return value + self.base

    def insert(self, value: int) -> int:
        """The instruction bits that hold the value."""
        value -= self.base
        bits = 0
        for p in self.pieces:
            bits |= ((value >> p.to) & ((1 << p.width) - 1)) << p.low
        return bits

    @property
    def mask(self) -> int:
        """The instruction bits that hold the operand."""
        return sum(((1 << p.width) - 1) << p.low for p in self.pieces)


@frozen
class Condition:
    """A term of `where`: the bits under `mask` must equal `value` (`equal`), or must not."""

    mask: int
    value: int
    equal: bool

    def holds(self, bits: int) -> bool:
        return ((bits & self.mask) == self.value) is self.equal


@frozen
class Pattern:
    """A parsed pattern: `length` in bytes; fixed bits as mask and match; operands by name."""

    text: str
    length: int
    mask: int
    match: int
    operands: dict[str, Operand]
    conditions: tuple[Condition, ...]

    def matches(self, bits: int) -> bool:
        """Whether an instruction has the fixed bits of this pattern and meets its conditions."""
        return bits & self.mask == self.match and all(c.holds(bits) for c in self.conditions)

    def may_be(self, other: Pattern) -> bool:
        """Whether some instruction may have the fixed bits of both patterns."""
        both = self.mask & other.mask
        return self.length == other.length and (self.match ^ other.match) & both == 0

    def encode(self, **values: int) -> int:
        """The instruction with these operand values. KeyError for an unknown operand."""
        bits = self.match
        for name, value in values.items():
            bits |= self.operands[name].insert(value)
        return bits

    @property
    def rank(self) -> tuple[int, int]:
        """More specific patterns have a greater rank."""
        return (self.mask.bit_count(), len(self.conditions))


_TOKEN = re.compile(r"([01-]+)|([a-z][a-z0-9]*'?)(?:\[(\d+(?::\d+)?(?:\|\d+(?::\d+)?)*)\])?")


def _ranges(text: str) -> list[tuple[int, int]]:
    """Parse "4:1|11" into (high, low) pairs."""
    result = []
    for part in text.split("|"):
        high, _, low = part.partition(":")
        result.append((int(high), int(low or high)))
    return result


def token_width(token: str) -> int:
    """The number of instruction bits that a token of a pattern stands for."""
    found = _TOKEN.fullmatch(token)
    assert found is not None
    fixed, name, bits = found.groups()
    if fixed:
        return len(fixed)
    return sum(high - low + 1 for high, low in _ranges(bits)) if bits else WIDTHS[name]


def parse(text: str, where: str = "") -> Pattern:
    """Parse a pattern and its conditions. LanguageError names the pattern and the error."""
    mask = match = position = 0
    pieces: dict[str, list[Piece]] = {}
    bases: dict[str, int] = {}
    for token in reversed(text.split()):
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise LanguageError(f"pattern {text!r}", f"{token!r} is not bits or an operand")
        fixed, name, bits = found.groups()
        if fixed:
            for i, c in enumerate(reversed(fixed)):
                mask |= (c != "-") << (position + i)
                match |= (c == "1") << (position + i)
            position += len(fixed)
            continue
        position = _operand(text, name, bits, position, pieces, bases)
    if position not in (16, 32):
        raise LanguageError(f"pattern {text!r}", f"it has {position} bits, not 16 or 32")
    operands = {n: Operand(n, tuple(p), bases.get(n, 0)) for n, p in pieces.items()}
    conditions = tuple(_condition(text, term, operands) for term in where.split(",") if term)
    return Pattern(text, position // 8, mask, match, operands, conditions)


def _operand(
    text: str, name: str, bits: str | None, position: int,
    pieces: dict[str, list[Piece]], bases: dict[str, int],
) -> int:  # fmt: skip
    """Add the pieces of one operand token; return the next free bit."""
    plain = name.rstrip("'")
    if bits is None:
        if name not in WIDTHS:
            raise LanguageError(f"pattern {text!r}", f"{name!r} needs its bits, as in imm[11:0]")
        ranges = [(WIDTHS[name] - 1, 0)]
    else:
        ranges = _ranges(bits)
    if name.endswith("'"):
        bases[plain] = 8
    for high, low in reversed(ranges):
        earlier = pieces.setdefault(plain, [])
        if high < low:
            raise LanguageError(f"pattern {text!r}", f"{name}[{high}:{low}]: write HIGH:LOW")
        if any(p.to <= high and low < p.to + p.width for p in earlier):
            raise LanguageError(f"pattern {text!r}", f"it has a bit of {name}[{high}:{low}] twice")
        earlier.append(Piece(position, high - low + 1, low))
        position += high - low + 1
    return position


def _condition(text: str, term: str, operands: dict[str, Operand]) -> Condition:
    """Parse one term of `where`: an operand, == or !=, and a number that the operand can have."""
    name, sign, number = (*term.split(), "", "", "")[:3]
    if len(term.split()) != 3 or sign not in ("==", "!=") or name not in operands:
        expected = "expected OPERAND == NUMBER or OPERAND != NUMBER"
        raise LanguageError(f"pattern {text!r}", f"where {term.strip()!r}: {expected}")
    operand = operands[name]
    try:
        bits = operand.insert(int(number, 0))
        fits = operand.extract(bits) == int(number, 0)
    except ValueError:
        fits = False
    if not fits:
        problem = f"where {term.strip()!r}: {name} is never {number}"
        raise LanguageError(f"pattern {text!r}", problem)
    return Condition(operand.mask, bits, sign == "==")
