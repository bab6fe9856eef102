"""Types the calls of a definition: conversions, structs, intrinsics, definitions, words, tables."""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.checking.type_expressions import ExpressionTyper, Operand, converted
from rvplat.lang.define import Callee, Dispatch
from rvplat.lang.intrinsics import Generic
from rvplat.lang.struct import Struct
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import (
    Elements,
    Literal,
    Pointer,
    Static,
    is_number,
    value_type,
)
from rvplat.lang.types import Integer


class CallTyper(ExpressionTyper):
    """The part of a typer for calls."""

    def on_call(self, node: ast.Call) -> Operand:
        found = self.call(node)
        if isinstance(found, ir.Call) and len(found.types) > 1:
            raise self.fail(node, "several values: unpack them")
        return found

    def call(self, node: ast.Call) -> ir.Expr:
        """A call with any number of values."""
        if node.keywords:
            raise self.fail(node, "keyword arguments are not in the language")
        target = self.static(node.func)
        if target is None and isinstance(node.func, ast.Attribute):
            return self._method(node, node.func)
        if isinstance(target, type) and issubclass(target, Integer):
            return self._convert(node, target)
        if isinstance(target, type) and issubclass(target, Struct):
            kinds = [value_type(kind) for kind in target.fields.values()]
            return ir.Make(target, self._arguments(node, kinds))
        if isinstance(target, Generic):
            return self._generic(node, target)
        if isinstance(target, Callee):
            return self._callee(node, target)
        if isinstance(target, Dispatch):
            kinds = [self.signatures.parameter_type(t, "hart") for t in target.args]
            types = self.signatures.results(target)
            return ir.Call(types, target, self._arguments(node, kinds))
        raise self.fail(node, f"{ast.unparse(node.func)} is not a definition or intrinsic")

    def _convert(self, node: ast.Call, kind: type[Integer]) -> ir.Expr:
        if len(node.args) != 1:
            raise self.fail(node, f"{kind.__name__} converts one value")
        operand = self.operand(node.args[0])
        if isinstance(operand, Literal):
            return ir.Const(kind, int(kind(operand.value)))
        if isinstance(operand, Elements | Static) or not is_number(operand.type):
            raise self.fail(node, f"{kind.__name__} converts integers and bools")
        return converted(kind, operand)

    def _generic(self, node: ast.Call, target: Generic) -> ir.Expr:
        first = self.operand(node.args[0]) if node.args else None
        typed = first is not None and not isinstance(first, Literal | Elements | Static)
        variant = target.variants.get(first.type) if typed else None  # type: ignore[union-attr]
        if variant is None:
            raise self.fail(node, f"{target.name} doesn't take this type")
        kinds = variant.signature.types
        if len(node.args) != len(kinds):
            raise self.fail(node, f"{target.name} takes {len(kinds)} arguments")
        rest = zip(node.args[1:], kinds[1:], strict=True)
        arguments = (first, *(self._loose(a, t) for a, t in rest))
        return ir.Call(variant.signature.parts, variant, arguments)  # type: ignore[arg-type]

    def _loose(self, node: ast.expr, kind: type[Integer]) -> ir.Expr:
        """An argument of a generic intrinsic: converted to the type."""
        operand = self.operand(node)
        if isinstance(operand, Literal):
            return self.adapt(node, operand, kind)
        return converted(kind, self.value(node, operand))

    def _arguments(self, node: ast.Call, kinds: list[Any]) -> tuple[ir.Expr, ...]:
        if len(node.args) != len(kinds):
            raise self.fail(node, f"{ast.unparse(node.func)} takes {len(kinds)} arguments")
        return tuple(self.typed(a, k) for a, k in zip(node.args, kinds, strict=True))

    def _method(self, node: ast.Call, function: ast.Attribute) -> ir.Call:
        """A call of a method of a record (`Record.methods`)."""
        base = self.operand(function.value)
        if isinstance(base, Literal | Elements | Static) or not isinstance(base.type, Pointer):
            raise self.fail(node, f"{ast.unparse(function.value)} is not a record")
        record = self.signatures.layout(base.type.record)
        target = record.methods.get(function.attr)
        if target is None:
            raise self.fail(node, f"{record.name} has no method {function.attr}")
        return self._callee(node, target, base)

    def _callee(self, node: ast.Call, target: Any, first: ir.Expr | None = None) -> ir.Call:
        """A call of a definition, word or intrinsic. `first` is the record of a method."""
        kinds = self.signatures.parameter_types(target)
        before = () if first is None else (first,)
        arguments = (*before, *self._arguments(node, kinds[len(before) :]))
        signature = target.signature
        types = self.signatures.results(target)
        if not signature.fixed:
            return ir.Call(types, target, arguments)
        named = dict(zip(signature.names, arguments, strict=True))
        for name in signature.fixed:
            self._check_fixed(node, name, named[name])
        fixed = tuple((name, named.pop(name)) for name in sorted(signature.fixed))
        return ir.Call(types, target, tuple(named.values()), fixed)

    def _check_fixed(self, node: ast.Call, name: str, argument: ir.Expr) -> None:
        """LanguageError if a fixed argument is neither a constant nor a fixed parameter."""
        own = self.definition.signature.fixed
        for part in ir.walk((argument,)):
            known = isinstance(part, ir.Const | ir.Binary | ir.Compare | ir.Convert | ir.Choice)
            if not known and not (isinstance(part, ir.Local) and part.name in own):
                raise self.fail(node, f"{name} is fixed: give it a constant, or a fixed parameter")
