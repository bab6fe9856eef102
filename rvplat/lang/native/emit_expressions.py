"""LLVM text for expressions of the typed IR."""

from __future__ import annotations

from typing import Any

from rvplat.lang.define import Callee, Declaration, Dispatch, Intrinsic
from rvplat.lang.native.function_text import RARE, Scope, Text
from rvplat.lang.native.unit import NativeFunction
from rvplat.lang.record import Record, held_as
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import fixed_values
from rvplat.lang.typed_ir.values import Value, ir_type, is_number
from rvplat.lang.types import s64


class Expressions(Text):
    """The part of an emitter for expressions. A call of a definition becomes a call of its LLVM
    function, or the definition's text if `inlines` is true for it."""

    def value(self, node: ir.Expr) -> Value:
        """Emit an expression. `Value(None, "")` for a call without a value."""
        method = getattr(self, "on_" + type(node).__name__.lower())
        found: Value = method(node)
        return found

    def body(self, block: ir.Block) -> None:
        """Emit statements (emit_statements.py)."""
        raise NotImplementedError

    def bind(self, name: str, value: Value) -> None:
        """Assign a local."""
        if name not in self.locals:
            self.locals[name] = (value.type, self.alloca(ir_type(value.type)))
        kind, place = self.locals[name]
        self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")

    def on_const(self, node: ir.Const) -> Value:
        return Value(node.type, str(node.value))

    def on_local(self, node: ir.Local) -> Value:
        kind, place = self.locals[node.name]
        return self.result(kind, f"load {ir_type(kind)}, ptr {place}")

    # --- memory ---

    def place(self, node: ir.Place) -> str:
        """The address of a place."""
        if isinstance(node, ir.FieldPlace):
            base = self.value(node.base)
            offset = f"getelementptr inbounds i8, ptr {base.text}, i64 {node.field.offset}"
            return self.result(None, offset).text
        if isinstance(node.base, ir.FieldPlace):
            start = self.place(node.base)
        else:
            start = self.value(node.base).text
        index = self.resize(self.value(node.index), s64).text
        kind = node.kind
        unit = f"[{kind.size} x i8]" if isinstance(kind, Record) else ir_type(held_as(kind))
        return self.result(None, f"getelementptr inbounds {unit}, ptr {start}, i64 {index}").text

    def on_read(self, node: ir.Read) -> Value:
        return self.read(node, node.place)

    def read(self, node: ir.Read, place: ir.Place) -> Value:
        """Load the value at a place; for a nested record, its address."""
        address = self.place(place)
        held = place.field.type if isinstance(place, ir.FieldPlace) else place.kind
        if isinstance(held, Record):
            return Value(node.type, address)
        return self.result(node.type, f"load {ir_type(node.type)}, ptr {address}")

    # --- operators ---

    def on_binary(self, node: ir.Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        return self.operation(node.type, node.op, left, right)

    def operation(self, kind: Any, op: str, left: Value, right: Value) -> Value:
        """An operation of `ir.Binary`. Shift amounts are modulo the width."""
        amount = right.text
        if op in ("shl", "lshr", "ashr") and not amount.lstrip("-").isdigit():
            amount = self.result(kind, f"and {ir_type(kind)} {amount}, {kind.bits - 1}").text
        elif op in ("shl", "lshr", "ashr"):
            amount = str(int(amount) % kind.bits)
        return self.result(kind, f"{op} {ir_type(kind)} {left.text}, {amount}")

    def on_compare(self, node: ir.Compare) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        return self.result(bool, f"icmp {node.op} {ir_type(left.type)} {left.text}, {right.text}")

    def on_logic(self, node: ir.Logic) -> Value:
        place = self.alloca("i1")
        done = self.label()
        for i, part in enumerate(node.parts):
            answer = self.value(part)
            self.line(f"store i1 {answer.text}, ptr {place}")
            if i + 1 < len(node.parts):
                further = self.label()
                ways = (further, done) if node.op == "and" else (done, further)
                self.branch_on(answer, *ways)
                self.start(further)
        self.go(done)
        self.start(done)
        return self.result(bool, f"load i1, ptr {place}")

    def on_choice(self, node: ir.Choice) -> Value:
        then, otherwise, done = self.label(), self.label(), self.label()
        self.branch_on(self.value(node.test), then, otherwise)
        kind = ir_type(node.type)
        place = self.alloca(kind)
        for label, part in ((then, node.then), (otherwise, node.otherwise)):
            self.start(label)
            answer = self.value(part)
            self.line(f"store {kind} {answer.text}, ptr {place}")
            self.go(done)
        self.start(done)
        return self.result(node.type, f"load {kind}, ptr {place}")

    def on_convert(self, node: ir.Convert) -> Value:
        return self.resize(self.value(node.value), node.type)

    def resize(self, value: Value, kind: Any) -> Value:
        """`kind(value)`: extend (a signed source by its sign), truncate, or reinterpret."""
        source = 1 if value.type is bool else value.type.bits
        if source == kind.bits:
            return Value(kind, value.text)
        operation = "trunc"
        if source < kind.bits:
            operation = "sext" if value.type is not bool and value.type.signed else "zext"
        text = f"{operation} {ir_type(value.type)} {value.text} to {ir_type(kind)}"
        return self.result(kind, text)

    # --- structs ---

    def on_make(self, node: ir.Make) -> Value:
        return self.whole(node.type, [self.value(value) for value in node.values])

    def whole(self, kind: Any, values: list[Value]) -> Value:
        """A struct with these values as fields."""
        text = "poison"
        for i, value in enumerate(values):
            part = f"{ir_type(value.type)} {value.text}"
            text = self.result(kind, f"insertvalue {ir_type(kind)} {text}, {part}, {i}").text
        return Value(kind, text)

    def on_part(self, node: ir.Part) -> Value:
        value = self.value(node.value)
        kind = ir_type(value.type)
        return self.result(node.type, f"extractvalue {kind} {value.text}, {node.index}")

    # --- calls ---

    def on_call(self, node: ir.Call) -> Value:
        parts = self.call(node)
        return parts[0] if parts else Value(None, "")

    def call(self, node: ir.Call) -> list[Value]:
        """Emit a call. Returns its values in order."""
        arguments = [self.value(argument) for argument in node.arguments]
        target = node.target
        while isinstance(target, Declaration):
            spoken = self.speak(target, arguments)
            if spoken is not None:
                return [spoken]
            if target.implementation is None:
                raise self.fail(f"{target.name} is declared, and nothing implements it")
            target = target.implementation
        if self.definitions.stands_for and not isinstance(target, Dispatch):
            arguments = self._extended(target, arguments)
        if isinstance(target, Intrinsic):
            return self._intrinsic(target, fixed_values(node), arguments)
        if isinstance(target, Dispatch):
            return self.call_function(target, arguments)
        return self.definition(self.definitions.body(target, fixed_values(node)), arguments)

    def _extended(self, target: Callee, arguments: list[Value]) -> list[Value]:
        """The arguments of a word as its implementation takes them: it may have a wider type where
        the word has a `Standing` one."""
        kinds = self.definitions.parameter_types(target)
        named = zip(target.signature.names, kinds, strict=True)
        open_ = [kind for name, kind in named if name not in target.signature.fixed]
        return [
            self.resize(one, kind) if one.type != kind and is_number(kind) else one
            for one, kind in zip(arguments, open_, strict=True)
        ]

    def definition(self, body: ir.Body, arguments: list[Value]) -> list[Value]:
        """Emit a call of a definition."""
        if self.inlines(body):
            return self.in_place(body, arguments)
        return self.call_function(body, arguments)

    def context(self) -> Value:
        """The argument of polls (Poll.kind)."""
        raise NotImplementedError

    def poll(self) -> None:
        """Emit the poll at the begin of an iteration."""
        assert self.definitions.poll is not None
        body = self.definitions.body(self.definitions.poll.definition)
        self.definition(body, [self.context()])

    def _intrinsic(self, target: Intrinsic, fixed: ir.Fixed, arguments: list[Value]) -> list[Value]:
        text, declares = target.text(fixed)
        for declaration in declares:
            self.unit.declare(declaration)
        if target.writes:
            self.wrote()
        name = self.temp()
        texts = [a.text for a in arguments]
        for line in text.format(*texts, result=name, t=name[1:]).splitlines():
            self.line(line)
        return [Value(kind, name) for kind in self.unit.results(target)]

    def call_function(self, target: ir.Body | Dispatch, arguments: list[Value]) -> list[Value]:
        """Call the LLVM function of a definition, extract its values, and pass on a raise."""
        native = self.unit.native(target)
        if len(arguments) < len(native.parameters):  # the context of its polls
            arguments = [*arguments, self.context()]
        given = ", ".join(f"{ir_type(a.type)} {a.text}" for a in arguments)
        call = f"call {native.returns_ir} {self.symbol_of(native)}({given})"
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

    def symbol_of(self, native: NativeFunction) -> str:
        """What a call names as its function."""
        return native.symbol

    def _pass_on(self, raised: Value, always: bool) -> None:
        if always:
            self.unwind()
            return
        away, on = self.label(), self.label()
        self.branch_on(raised, away, on, RARE)
        self.start(away)
        self.unwind()
        self.start(on)

    def in_place(self, body: ir.Body, arguments: list[Value]) -> list[Value]:
        """Emit the text of a definition instead of a call."""
        results = [(kind, self.alloca(ir_type(kind))) for kind in body.results]
        outer, inner = self.scope, Scope(body, results=results, exit=self.label())
        self.enter(inner)
        for (name, _), value in zip(body.parameters, arguments, strict=True):
            self.bind(name, value)
        self.body(body.statements)
        never = self.ended and inner.exit not in self.reached
        self.go(inner.exit)
        self.enter(outer)
        if never:
            return [Value(kind, "poison") for kind in body.results]
        self.start(inner.exit)
        return [self.result(k, f"load {ir_type(k)}, ptr {p}") for k, p in results]
