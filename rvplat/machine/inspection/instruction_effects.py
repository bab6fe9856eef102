"""Find the memory accesses and CSR writes of an instruction in its typed definition.

`load_u32(hart, hart.x[rs1] + imm)` shows that it loads four bytes. The address expression is
evaluated with the registers before the instruction. So a trace can show accesses that native code
made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rvplat.engine.architecture import Architecture
from rvplat.engine.implied import implied_types
from rvplat.frozen import frozen
from rvplat.hart.state import HartState
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.machinery.xlen import TYPES
from rvplat.lang import Definition
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.checking.queries import Assigned, Spoken, reached
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.evaluate import evaluate

LOAD, STORE, AMO, CONDITIONAL, ZERO = "load", "store", "amo", "conditional", "zero"
BLOCK_BYTES = 64
_WORDS: dict[Any, tuple[str, int]] = {
    vocabulary.load_u8: (LOAD, 1), vocabulary.load_u16: (LOAD, 2),
    vocabulary.load_u32: (LOAD, 4), vocabulary.load_u64: (LOAD, 8),
    vocabulary.store_u8: (STORE, 1), vocabulary.store_u16: (STORE, 2),
    vocabulary.store_u32: (STORE, 4), vocabulary.store_u64: (STORE, 8),
    vocabulary.load_reserved_u32: (LOAD, 4), vocabulary.load_reserved_u64: (LOAD, 8),
    vocabulary.store_conditional_u32: (CONDITIONAL, 4),
    vocabulary.store_conditional_u64: (CONDITIONAL, 8),
    vocabulary.zero_block: (ZERO, BLOCK_BYTES),
}  # fmt: skip

Operands = Mapping[str, int]
Expression = Callable[[list[int], list[int], Operands], int]


@frozen
class Access:
    """One access; functions of registers and operands give `address` and `value` (of a store)."""

    kind: str
    size: int
    address: Expression
    value: Expression | None = None


@frozen
class KnownEffects:
    """The accesses of an instruction, the fields of the hart that it sets, and a function that
    tells whether it writes the CSR of its `csr` operand."""

    accesses: tuple[Access, ...]
    csrs: frozenset[str]
    writes_csr: Expression | None


class InstructionEffects:
    """The effects of an architecture's instructions."""

    def __init__(self, architecture: Architecture) -> None:
        instructions = (form.instruction for form in architecture.forms)
        implied = implied_types(instructions, architecture.layout)
        self._definitions = Definitions(implied, None, TYPES[architecture.xlen])

    def of(self, instruction: Instruction) -> KnownEffects:
        """The effects that the definition of an instruction states directly."""
        accesses = []
        writes_csr = None
        fields: set[str] = set()
        for found in reached(self._definitions, instruction.definition):
            if isinstance(found, Assigned):
                if found.record is HartState and found.depth == 0:
                    fields.add(found.field.name)
            elif not isinstance(found, Spoken):
                continue
            elif found.word is vocabulary.csr_check:
                writes_csr = _expression(found.arguments[2])
            elif (access := _access(found)) is not None:
                accesses.append(access)
        return KnownEffects(tuple(accesses), frozenset(fields), writes_csr)

    def fields_written(self, row: Csr) -> set[str]:
        """The fields of the hart that a write to the CSR assigns to."""
        if row.write is None:
            return {row.name} if row.storage else set()
        assert isinstance(row.write, Definition)
        found = reached(self._definitions, row.write)
        return {one.field.name for one in found if isinstance(one, Assigned)}


def _access(spoken: Spoken) -> Access | None:
    arguments = spoken.arguments
    kind, size = _WORDS.get(spoken.word, ("", 0))
    if spoken.word is vocabulary.amo_address and isinstance(arguments[2], ir.Const):
        kind, size = AMO, arguments[2].value
    address = _expression(arguments[1]) if kind else None
    if address is None:
        return None
    stores = kind in (STORE, CONDITIONAL)
    return Access(kind, size, address, _expression(arguments[2]) if stores else None)


def _expression(node: ir.Expr) -> Expression | None:
    """The expression as a function; None if it depends on anything but registers and operands."""
    for part in ir.walk(node):
        if isinstance(part, ir.Call | ir.Part | ir.Make) or part == ir.Local(None, ""):
            return None
        if isinstance(part, ir.FieldPlace) and part.field.name not in ("x", "f"):
            return None

    def expression(x: list[int], f: list[int], operands: Operands) -> int:
        def held(place: ir.Place, index: int) -> int | None:
            assert isinstance(place, ir.ElementPlace) and isinstance(place.base, ir.FieldPlace)
            return (x if place.base.field.name == "x" else f)[index]

        found = evaluate(node, operands, held)
        assert found is not None
        return found

    return expression
