"""Calls in a definition: conversions, intrinsics, definitions, declared words, dispatch tables."""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.define import Callee, Declaration, Definition, Dispatch, Intrinsic
from rvplat.lang.effects import resolve
from rvplat.lang.expressions import Expressions
from rvplat.lang.intrinsics import Generic
from rvplat.lang.text import RARE, Scope
from rvplat.lang.types import Integer
from rvplat.lang.values import Literal, Pointer, Value, ir_type, value_type


class Calls(Expressions):
    """The part of an emitter that turns calls into text. A call of a definition is a call of its
    LLVM function, or, where `inlines` says so, its text put in place."""

    def body(self, statements: list[ast.stmt]) -> None:
        """Emit statements (statements.py)."""
        raise NotImplementedError

    def bind(self, name: str, value: Value) -> None:
        """Assign a local; the first assignment fixes its type."""
        if name not in self.locals:
            self.locals[name] = (value.type, self.alloca(ir_type(value.type)))
        kind, place = self.locals[name]
        self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")

    def call(self, node: ast.Call) -> Value:
        parts = self.call_values(node)
        if len(parts) > 1:
            raise self.fail(node, "several values: unpack them")
        return parts[0] if parts else Value(None, "")

    def call_values(self, node: ast.Call) -> list[Value]:
        """Emit a call; its values in order."""
        if node.keywords:
            raise self.fail(node, "keyword arguments are not in the language")
        target = resolve(node.func, self.names)
        if isinstance(target, type) and issubclass(target, Integer):
            return [self._convert(node, target)]
        if isinstance(target, Generic):
            return self._generic(node, target)
        if isinstance(target, Callee):
            return self._callee(node, target)
        if isinstance(target, Dispatch):
            kinds = [self.unit.parameter_type(t, "hart") for t in target.args]
            return self._function_call(target, self._arguments(node, kinds))
        raise self.fail(node, f"{ast.unparse(node.func)} is not a definition or intrinsic")

    def _convert(self, node: ast.Call, kind: type[Integer]) -> Value:
        if len(node.args) != 1:
            raise self.fail(node, f"{kind.__name__} converts one value")
        operand = self.operand(node.args[0])
        if isinstance(operand, Literal):
            return Value(kind, str(int(kind(operand.value))))
        if not isinstance(operand, Value) or isinstance(operand.type, Pointer):
            raise self.fail(node, f"{kind.__name__} converts integers and bools")
        return self.resize(operand, kind)

    def _generic(self, node: ast.Call, target: Generic) -> list[Value]:
        first = self.operand(node.args[0])
        variant = target.variants.get(first.type) if isinstance(first, Value) else None
        if variant is None:
            raise self.fail(node, f"{target.name} has no form for this type")
        assert isinstance(first, Value)
        rest = zip(node.args[1:], variant.signature.types[1:], strict=True)
        return self._intrinsic(variant, [first, *(self._loose(a, t) for a, t in rest)])

    def _loose(self, node: ast.expr, kind: type[Integer]) -> Value:
        """An argument of a generic intrinsic: resized to the type."""
        operand = self.operand(node)
        if isinstance(operand, Literal):
            return self.adapt(node, operand, kind)
        assert isinstance(operand, Value)
        return self.resize(operand, kind)

    def _arguments(self, node: ast.Call, kinds: list[Any]) -> list[Value]:
        if len(node.args) != len(kinds):
            raise self.fail(node, f"{ast.unparse(node.func)} takes {len(kinds)} arguments")
        return [self.value(a, k) for a, k in zip(node.args, kinds, strict=True)]

    def _callee(self, node: ast.Call, target: Callee) -> list[Value]:
        kinds = self.unit.parameter_types(target)
        arguments = self._arguments(node, kinds)
        while isinstance(target, Declaration):
            spoken = self.speak(target, arguments)
            if spoken is not None:
                return [spoken]
            if target.implementation is None:
                raise self.fail(node, f"{target.name} is declared, and nothing implements it")
            target = target.implementation
        if isinstance(target, Intrinsic):
            return self._intrinsic(target, arguments)
        assert isinstance(target, Definition)
        return self._definition(target, arguments)

    def _definition(self, target: Definition, arguments: list[Value]) -> list[Value]:
        if self.inlines(target):
            return self.in_place(target, arguments)
        return self._function_call(target, arguments)

    def context(self) -> Value:
        """What loops poll with (Poll.kind)."""
        raise NotImplementedError

    def poll(self, loop: ast.While | ast.For) -> None:
        """A turn of a loop begins: look whether it shall end."""
        poll = self.unit.poll
        if poll is not None and poll.at(loop, self.scope.definition):
            self._definition(poll.definition, [self.context()])

    def _intrinsic(self, target: Intrinsic, arguments: list[Value]) -> list[Value]:
        for text in target.declares:
            self.unit.declare(text)
        if self.unit.effects.of(target).writes:
            self.wrote()
        name = self.temp()
        texts = [a.text for a in arguments]
        for text in target.ir.format(*texts, result=name, t=name[2:]).splitlines():
            self.line(text)
        parts = target.signature.parts
        return [Value(value_type(parts[0]), name)] if parts else []

    def _function_call(self, target: Definition | Dispatch, arguments: list[Value]) -> list[Value]:
        """Call the LLVM function of a definition; take its values apart; pass on a raise."""
        native = self.unit.function(target)
        if len(arguments) < len(native.parameters):  # its loops poll with what it isn't given
            arguments = [*arguments, self.context()]
        given = ", ".join(f"{ir_type(a.type)} {a.text}" for a in arguments)
        call = f"call {native.returns_ir} {native.symbol}({given})"
        if not native.slots:
            self.line(call)
            return []
        whole = self.result(None, call)
        values = []
        for i, kind in enumerate(native.slots):
            if len(native.slots) == 1:
                values.append(Value(kind, whole.text))
            else:
                text = f"extractvalue {native.returns_ir} {whole.text}, {i}"
                values.append(self.result(kind, text))
        if native.raises:
            self._pass_on(values.pop(), native.never_returns)
        return values

    def _pass_on(self, raised: Value, always: bool) -> None:
        if always:
            self.unwind()
            return
        away, on = self.label(), self.label()
        self.branch_on(raised, away, on, RARE)
        self.start(away)
        self.unwind()
        self.start(on)

    def in_place(self, target: Definition, arguments: list[Value]) -> list[Value]:
        """Put the text of a definition here instead of a call."""
        kinds = [value_type(k) for k in target.signature.parts]
        results = [(k, self.alloca(ir_type(k))) for k in kinds]
        outer, inner = self.scope, Scope(target, results=results, exit=self.label())
        self.enter(inner)
        for name, value in zip(target.signature.names, arguments, strict=True):
            self.bind(name, value)
        self.body(target.tree.body)
        never = self.ended and inner.exit not in self.reached
        self.go(inner.exit)
        self.enter(outer)
        if never:
            return [Value(k, "poison") for k in kinds]
        self.start(inner.exit)
        return [self.result(k, f"load {ir_type(k)}, ptr {p}") for k, p in results]
