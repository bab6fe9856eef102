"""Checks the integer registers that definitions write, so that x0 stays zero.

A definition receives SINK instead of 0 as `rd`, but not as other operands, because it also reads
those. A definition that writes `hart.x[rs1]` would change x0 if rs1 is 0, so it has to write
`hart.x[destination(rs1)]`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rvplat.isa.machinery.encoding import Operand, Pattern
from rvplat.isa.machinery.extension import SINK, Instruction
from rvplat.lang import define, u64


@define
def destination(register: u64) -> u64:
    """The index with which to write `hart.x` for a register that may be x0."""
    return register if register != 0 else u64(SINK)


def unguarded(instruction: Instruction) -> Iterator[str]:
    """Messages (FILE:LINE: ...) about writes in the instruction's definition that may change x0."""
    pattern = instruction.pattern
    for node in ast.walk(instruction.definition.tree):
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Store):
            continue
        name = node.slice.id if isinstance(node.slice, ast.Name) else ""
        is_x = isinstance(node.value, ast.Attribute) and node.value.attr == "x"
        operand = pattern.operands.get(name)
        if is_x and operand is not None and name != "rd" and _may_be_x0(pattern, operand):
            yield (
                f"{instruction.definition.file}:{node.lineno}: hart.x[{name}] is written, and "
                f'{name} may be 0: write hart.x[destination({name})], or say where="{name} != 0"'
            )


def _may_be_x0(pattern: Pattern, operand: Operand) -> bool:
    """Whether the pattern allows a register operand to be x0."""
    excluded = any(
        term.mask == operand.mask and term.value == 0 and not term.equal
        for term in pattern.conditions
    )
    return operand.base == 0 and not excluded
