"""The arithmetic of the typed IR on plain ints, and expressions evaluated with it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from rvplat.lang.typed_ir import ir

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_,
    "or": operator.or_, "xor": operator.xor, "udiv": operator.floordiv, "urem": operator.mod,
}  # fmt: skip
_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le,
    "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip

Held = Callable[[ir.Place, int], "int | None"]
"""The value at a place, and at an index for an element; None if it is not known."""


def wrapped(kind: Any, value: int) -> int:
    """A number as a value of the type: truncated, and with the type's sign."""
    bits: int = 1 if kind is bool else kind.bits
    value &= (1 << bits) - 1
    negative = kind is not bool and kind.signed and value >> bits - 1 != 0
    return int(value - (1 << bits) if negative else value)


def operate(kind: Any, op: str, left: int, right: int) -> int:
    """An operation of `ir.Binary`. ZeroDivisionError."""
    if op == "shl":
        return wrapped(kind, left << right % kind.bits)
    if op in ("lshr", "ashr"):
        return int(left >> right % kind.bits)
    return wrapped(kind, _OPERATIONS[op](left, right))


def compare(op: str, left: int, right: int) -> bool:
    """A relation of `ir.Compare`. Both values have the signedness of the relation."""
    return _RELATIONS[op[-2:]](left, right)


def evaluate(node: ir.Expr, names: Mapping[str, int], held: Held) -> int | None:
    """The value of an expression with the locals `names`. None if it is not known, because of a
    call or of memory that `held` doesn't know."""
    if isinstance(node, ir.Const):
        return node.value
    if isinstance(node, ir.Local):
        return names.get(node.name)
    if isinstance(node, ir.Read):
        index = 0
        if isinstance(node.place, ir.ElementPlace):
            found = evaluate(node.place.index, names, held)
            if found is None:
                return None
            index = found
        return held(node.place, index)
    parts = _PARTS.get(type(node))
    if parts is None:
        return None
    values = [evaluate(part, names, held) for part in parts(node)]
    return None if None in values else _combined(node, values)


_PARTS: dict[type, Callable[[Any], tuple[ir.Expr, ...]]] = {
    ir.Binary: lambda node: (node.left, node.right),
    ir.Compare: lambda node: (node.left, node.right),
    ir.Convert: lambda node: (node.value,),
    ir.Logic: lambda node: node.parts,
    ir.Choice: lambda node: (node.test, node.then, node.otherwise),
}


def _combined(node: Any, values: list[Any]) -> int:
    if isinstance(node, ir.Binary):
        return operate(node.type, node.op, *values)
    if isinstance(node, ir.Compare):
        return compare(node.op, *values)
    if isinstance(node, ir.Convert):
        return wrapped(node.type, values[0])
    if isinstance(node, ir.Logic):
        return all(values) if node.op == "and" else any(values)
    return int(values[1] if values[0] else values[2])
