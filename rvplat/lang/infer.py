"""The type that an expression will have, without emitting anything for it.

A conditional expression needs it: both of its values have one type, and one of them may be a
literal, which takes the type of the other.
"""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.define import Callee, Dispatch
from rvplat.lang.effects import resolve
from rvplat.lang.intrinsics import Generic
from rvplat.lang.record import Record
from rvplat.lang.text import Text
from rvplat.lang.types import Integer
from rvplat.lang.values import Pointer, value_type


class Inference(Text):
    """The part of an emitter that knows types. A type is None for a literal, and for whatever the
    emitter is going to refuse."""

    def type_of(self, node: ast.expr) -> Any:
        """The type of an expression."""
        method = getattr(self, "type_of_" + type(node).__name__.lower(), None)
        return method(node) if method is not None else None

    def type_of_constant(self, node: ast.Constant) -> Any:
        return bool if isinstance(node.value, bool) else None

    def type_of_name(self, node: ast.Name) -> Any:
        if node.id in self.locals:
            return self.locals[node.id][0]
        return self._type_of_static(self.names.get(node.id))

    def _type_of_static(self, found: Any) -> Any:
        return type(found) if isinstance(found, Integer | bool) else None

    def type_of_attribute(self, node: ast.Attribute) -> Any:
        if not (isinstance(node.value, ast.Name) and node.value.id in self.locals):
            found = resolve(node, self.names)
            if found is not None:
                return self._type_of_static(found)
        field = self._field(node)
        return None if field is None or field.count else value_type(field.type)

    def _field(self, node: ast.expr) -> Any:
        """The field of a record that an attribute names."""
        base = self.type_of(node.value) if isinstance(node, ast.Attribute) else None
        if not isinstance(base, Pointer) or not isinstance(node, ast.Attribute):
            return None
        return base.record.fields.get(node.attr)

    def type_of_subscript(self, node: ast.Subscript) -> Any:
        field = self._field(node.value)
        if field is not None and field.count:
            kind = field.type
            return Pointer(kind) if isinstance(kind, Record) else value_type(kind)
        return self.type_of(node.value)  # a pointer's first record, or one after it

    def type_of_binop(self, node: ast.BinOp) -> Any:
        left = self.type_of(node.left)
        if left is not None or isinstance(node.op, ast.LShift | ast.RShift):
            return left
        return self.type_of(node.right)

    def type_of_unaryop(self, node: ast.UnaryOp) -> Any:
        return bool if isinstance(node.op, ast.Not) else self.type_of(node.operand)

    def type_of_compare(self, node: ast.Compare) -> Any:
        return bool

    def type_of_boolop(self, node: ast.BoolOp) -> Any:
        return bool

    def type_of_ifexp(self, node: ast.IfExp) -> Any:
        then = self.type_of(node.body)
        return then if then is not None else self.type_of(node.orelse)

    def type_of_call(self, node: ast.Call) -> Any:
        target = resolve(node.func, self.names)
        if isinstance(target, type) and issubclass(target, Integer):
            return target
        if isinstance(target, Generic):
            target = target.variants.get(self.type_of(node.args[0])) if node.args else None
        if isinstance(target, Callee):
            parts = target.signature.parts
            return value_type(parts[0]) if len(parts) == 1 else None
        if isinstance(target, Dispatch):
            return value_type(target.returns)
        return None
