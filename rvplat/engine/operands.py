"""The places of an instruction's operands in its slot, which has four bytes and a 32-bit immediate.

Register numbers and other small operands are in the bytes, rd in the first. The immediate, or
another operand that needs more than a byte, is in `imm`.
"""

from __future__ import annotations

from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import LanguageError

IMM = 4  # the place that is not one of the four bytes


@frozen
class Place:
    """The place of one operand: byte 0 to 3, or IMM."""

    name: str
    index: int


def places(instruction: Instruction) -> tuple[Place, ...]:
    """The places of the operands that the definition takes. LanguageError if they don't fit."""
    wide: list[str] = []
    small: list[str] = []
    for name in instruction.operands:
        operand = instruction.pattern.operands[name]
        (wide if operand.signed or operand.width > 7 else small).append(name)
    small.sort(key=lambda name: name != "rd")
    if len(wide) == 0 and len(small) == 5:
        wide.append(small.pop())
    if len(wide) > 1 or len(small) > 4:
        where = f"{instruction.extension.name} {instruction.name}"
        raise LanguageError(where, f"{len(small) + len(wide)} operands don't fit a slot")
    found = [Place(name, i) for i, name in enumerate(small)]
    return tuple(found + [Place(name, IMM) for name in wide])
