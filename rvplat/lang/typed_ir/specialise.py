"""Specialises a definition on constants, so that native code can be made for a special case.

A constant is a parameter (an operand or a format: `ir.Body.fixed`), a field of a record (with the
same value in all harts), or the meaning of a word. Specialisation rewrites the typed IR: it inserts
constants, does operations on constants, and replaces an `if` on a constant by the taken branch. The
whole text was checked before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from rvplat.frozen import frozen
from rvplat.lang.define import Declaration
from rvplat.lang.record import Record
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.evaluate import compare, operate, wrapped
from rvplat.lang.typed_ir.ir import Fixed
from rvplat.lang.typed_ir.values import Pointer


@frozen
class Constants:
    """Constants that are not parameters: `fields` of records, and `words`, which replace declared
    words by others."""

    fields: Mapping[tuple[Record, str], int] = field(default_factory=dict)
    words: Mapping[Declaration, Declaration] = field(default_factory=dict)

    def and_also(self, other: Constants) -> Constants:
        """These constants and others."""
        return Constants({**self.fields, **other.fields}, {**self.words, **other.words})


def specialise(body: ir.Body, constants: Constants, fixed: Fixed) -> ir.Body:
    """The definition for these constants. `fixed` parameters are removed."""
    if not (constants.fields or constants.words or fixed) and not _has_constants(body):
        return body
    change = _Specialise(constants, dict(fixed))
    statements = change.block(body.statements)
    names = dict(fixed)
    parameters = tuple(pair for pair in body.parameters if pair[0] not in names)
    return dataclasses.replace(body, parameters=parameters, statements=statements, fixed=fixed)


def _has_constants(body: ir.Body) -> bool:
    return any(isinstance(node, ir.If) and isinstance(node.test, ir.Const)
               for node in ir.walk(body.statements))  # fmt: skip


class _Specialise:
    """Rewrites one body, from the inside out."""

    def __init__(self, constants: Constants, parameters: dict[str, int]) -> None:
        self.constants = constants
        self.parameters = parameters

    def block(self, statements: ir.Block) -> ir.Block:
        found: list[ir.Statement] = []
        for statement in statements:
            changed = self.change(statement)
            found += changed if isinstance(changed, tuple) else (changed,)
            if found and isinstance(found[-1], ir.Return | ir.Raise | ir.Break | ir.Continue):
                break  # statements after it are not reached
        return tuple(found)

    def change(self, node: Any) -> Any:
        """The rewritten node; for a statement there may be several."""
        if isinstance(node, ir.If):
            return self._if(node)
        node = ir.rebuilt(node, self.change)
        method = getattr(self, "on_" + type(node).__name__.lower(), None)
        return node if method is None else method(node)

    def _if(self, node: ir.If) -> ir.If | ir.Block:
        test = self.change(node.test)
        if isinstance(test, ir.Const):
            return self.block(node.then if test.value else node.otherwise)
        then, otherwise = self.block(node.then), self.block(node.otherwise)
        return dataclasses.replace(node, test=test, then=then, otherwise=otherwise)

    def on_while(self, node: ir.While) -> ir.While | ir.Block:
        if isinstance(node.test, ir.Const):
            return dataclasses.replace(node, test=None) if node.test.value else ()
        return node

    def on_local(self, node: ir.Local) -> ir.Expr:
        value = self.parameters.get(node.name)
        return node if value is None else ir.Const(node.type, value)

    def on_read(self, node: ir.Read) -> ir.Expr:
        place = node.place
        if isinstance(place, ir.FieldPlace) and isinstance(place.base, ir.Local):
            base = place.base.type
            assert isinstance(base, Pointer)
            value = self.constants.fields.get((base.record, place.field.name))
            if value is not None:
                return ir.Const(node.type, value)
        return node

    def on_call(self, node: ir.Call) -> ir.Call:
        if isinstance(node.target, Declaration) and node.target in self.constants.words:
            return dataclasses.replace(node, target=self.constants.words[node.target])
        return node

    def on_binary(self, node: ir.Binary) -> ir.Expr:
        left, right = node.left, node.right
        if not isinstance(left, ir.Const) or not isinstance(right, ir.Const):
            return node
        if node.op in ("udiv", "urem") and right.value == 0:
            return node
        return ir.Const(node.type, operate(node.type, node.op, left.value, right.value))

    def on_compare(self, node: ir.Compare) -> ir.Expr:
        left, right = node.left, node.right
        if not isinstance(left, ir.Const) or not isinstance(right, ir.Const):
            return node
        return ir.Const(bool, int(compare(node.op, left.value, right.value)))

    def on_logic(self, node: ir.Logic) -> ir.Expr:
        absorbing = int(node.op == "or")
        parts: list[ir.Expr] = []
        for part in node.parts:
            if isinstance(part, ir.Const) and part.value != absorbing:
                continue
            parts.append(part)
            if isinstance(part, ir.Const):
                break
        if not parts:
            return ir.Const(bool, 1 - absorbing)
        return parts[0] if len(parts) == 1 else dataclasses.replace(node, parts=tuple(parts))

    def on_choice(self, node: ir.Choice) -> ir.Expr:
        if isinstance(node.test, ir.Const):
            return node.then if node.test.value else node.otherwise
        return node

    def on_convert(self, node: ir.Convert) -> ir.Expr:
        if isinstance(node.value, ir.Const):
            return ir.Const(node.type, wrapped(node.type, node.value.value))
        return node
