"""What parameters without an annotation are in the definitions of harts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rvplat.engine.decode import IMPLIED
from rvplat.hart.state import MachineState, SlotHeader
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Record, u64


def implied_types(instructions: Iterable[Instruction], layout: Record) -> dict[str, Any]:
    """Their types by name: the hart, whose record is `layout`, its parts, and the instructions'
    operands."""
    operands = {n: operand_type(n) for instruction in instructions for n in instruction.operands}
    return {**operands, **IMPLIED, "hart": layout, "machine": MachineState, "header": SlotHeader}


def operand_type(name: str) -> Any:
    """The type of an operand: an immediate is a number as registers hold them, the others are
    indexes and small numbers."""
    return ux if name == "imm" else u64
