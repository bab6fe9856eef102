"""What an instruction touches besides its destination, read off the text of its definition.

`load_u32(hart, hart.x[rs1] + imm)` says that it loads four bytes, and from where: the expression is
evaluated with the registers as they were. So a trace can show accesses that only native code made.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, SimpleNamespace
from typing import Any

from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import Declaration, Definition
from rvplat.lang.type_expressions import resolve

LOAD, STORE, AMO, CONDITIONAL, ZERO = "load", "store", "amo", "conditional", "zero"
BLOCK_BYTES = 64
_WORDS = re.compile(r"(load_reserved|load|store_conditional|store)_u(\d+)$")
_KINDS = {"load": LOAD, "load_reserved": LOAD, "store": STORE, "store_conditional": CONDITIONAL}

Operands = Mapping[str, int]
Expression = Callable[[list[int], list[int], Operands], int]


@dataclass(frozen=True)
class Access:
    """One access; `address` and `value` (of a store) follow from registers and operands."""

    kind: str
    size: int
    address: Expression
    value: Expression | None = None


@dataclass(frozen=True)
class Touches:
    """Accesses, CSRs (by field of the hart) that it sets itself, and whether it writes the CSR
    that its `csr` operand names."""

    accesses: tuple[Access, ...]
    csrs: frozenset[str]
    writes_csr: Expression | None


def touches_of(instruction: Instruction) -> Touches:
    """What one instruction touches. What its text doesn't say plainly is left out."""
    accesses = []
    writes_csr = None
    fields: set[str] = set()
    for word, arguments in _calls(instruction.definition, {}, fields, 0):
        if word == "csr_check":
            writes_csr = _expression(arguments[2])
        elif (access := _access(word, arguments)) is not None:
            accesses.append(access)
    return Touches(tuple(accesses), frozenset(fields), writes_csr)


def fields_written(row: Csr) -> set[str]:
    """The fields of the hart that a write to the CSR assigns to."""
    if row.write is None:
        return {row.name} if row.storage else set()
    fields: set[str] = set()
    for _ in _calls(row.write, {}, fields, 0, depth_of_fields=8):
        pass
    return fields


def _access(word: str, arguments: list[ast.expr]) -> Access | None:
    address = _expression(arguments[1]) if len(arguments) > 1 else None
    if address is None:
        return None
    if word == "zero_block":
        return Access(ZERO, BLOCK_BYTES, address)
    if word == "amo_address" and isinstance(arguments[2], ast.Constant):
        return Access(AMO, int(arguments[2].value), address)  # type: ignore[arg-type]
    found = _WORDS.match(word)
    if found is None:
        return None
    value = _expression(arguments[2]) if len(arguments) > 2 else None
    return Access(_KINDS[found[1]], int(found[2]) // 8, address, value)


def _calls(
    definition: Definition, bound: dict[str, ast.expr], fields: set[str], depth: int,
    depth_of_fields: int = 0,
) -> Iterator[tuple[str, list[ast.expr]]]:  # fmt: skip
    """The words that a definition speaks, its callees' included, with their arguments in terms of
    its own operands. Fields of the hart that it assigns to go to `fields`."""
    names = definition.globals
    bound = dict(bound)
    for node in _in_order(definition.tree.body):
        if isinstance(node, ast.Assign | ast.AugAssign):
            _assign(node, bound, names, fields if depth <= depth_of_fields else set())
        if not isinstance(node, ast.Call):
            continue
        target = resolve(node.func, names)
        arguments = [_substituted(one, bound, names) for one in node.args]
        if isinstance(target, Declaration):
            yield target.name, arguments
        elif isinstance(target, Definition) and depth < 8:
            inner = dict(zip(target.signature.names, arguments, strict=False))
            yield from _calls(target, inner, fields, depth + 1, depth_of_fields)


def _assign(
    node: ast.Assign | ast.AugAssign, bound: dict[str, ast.expr], names: dict[str, Any],
    fields: set[str],
) -> None:  # fmt: skip
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Name):
        if isinstance(node, ast.Assign):
            bound[target.id] = _substituted(node.value, bound, names)
        else:
            bound.pop(target.id, None)
        return
    if isinstance(target, ast.Subscript):
        target = target.value
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        fields.add(target.attr)


def _in_order(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node; calls in a statement come before what is assigned from them."""
    for node in nodes:
        yield from _in_order(ast.iter_child_nodes(node))
        yield node


class _Substitute(ast.NodeTransformer):
    def __init__(self, bound: dict[str, ast.expr], names: dict[str, Any]) -> None:
        self.bound = bound
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.bound:
            return copy.deepcopy(self.bound[node.id])
        known = self.names.get(node.id)
        return ast.Constant(int(known)) if isinstance(known, int) else node


def _substituted(node: ast.expr, bound: dict[str, ast.expr], names: dict[str, Any]) -> ast.expr:
    found: ast.expr = _Substitute(bound, names).visit(copy.deepcopy(node))
    return found


def _cast(bits: int) -> Callable[[int], int]:
    mask = (1 << bits) - 1
    return lambda value: int(value) & mask


_TYPES = {f"u{bits}": _cast(bits) for bits in (8, 16, 32, 64)}


def _expression(node: ast.expr) -> Expression | None:
    """The expression as a function; None if it depends on more than registers and operands."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr not in ("x", "f"):
            return None
        if isinstance(part, ast.Call) and not (
            isinstance(part.func, ast.Name) and part.func.id in (*_TYPES, "ux")
        ):
            return None
    code = compile(ast.fix_missing_locations(ast.Expression(node)), "<operand>", "eval")
    return _evaluator(code)


def _evaluator(code: CodeType) -> Expression:
    def evaluate(x: list[int], f: list[int], operands: Operands) -> int:
        hart = SimpleNamespace(x=x, f=f)
        return int(eval(code, {**_TYPES, "ux": _TYPES["u64"], "hart": hart}, dict(operands)))

    return evaluate
