"""What parameters without an annotation are in the definitions of harts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rvplat.engine.decode import IMPLIED
from rvplat.hart.state import MachineState, SlotHeader
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import Record, u64


def implied_types(instructions: Iterable[Instruction], layout: Record) -> dict[str, Any]:
    """Their types by name: the hart, whose record is `layout`, its parts, and u64 for the
    instructions' operands."""
    operands = {name: u64 for instruction in instructions for name in instruction.operands}
    return {**operands, **IMPLIED, "hart": layout, "machine": MachineState, "header": SlotHeader}
