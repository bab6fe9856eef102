"""Expressions of a definition to LLVM text; calls are in calls.py."""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.effects import resolve
from rvplat.lang.infer import Inference
from rvplat.lang.record import Record
from rvplat.lang.types import Integer, u64
from rvplat.lang.values import (
    Elements,
    Literal,
    Pointer,
    Static,
    Value,
    constant,
    ir_type,
    type_name,
    value_type,
)

_ARITHMETIC = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.FloorDiv: "udiv", ast.Mod: "urem",
}  # fmt: skip
_COMPARE = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"
}  # fmt: skip
_FOLD: dict[type[ast.operator], Any] = {
    ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__, ast.BitAnd: int.__and__,
    ast.BitOr: int.__or__, ast.BitXor: int.__xor__, ast.FloorDiv: int.__floordiv__,
    ast.Mod: int.__mod__, ast.LShift: int.__lshift__, ast.RShift: int.__rshift__,
}  # fmt: skip

WIDEST = 128  # bits of the widest type

Operand = Value | Literal | Elements | Static


class Expressions(Inference):
    """The part of an emitter that turns expressions into values."""

    # --- entry points ---

    def value(self, node: ast.expr, want: Any = None) -> Value:
        """A typed value; a literal takes the type that is wanted."""
        operand = self.operand(node)
        if isinstance(operand, Literal):
            if want is bool and operand.value in (0, 1):
                return Value(bool, str(operand.value))
            if not (isinstance(want, type) and issubclass(want, Integer)):
                raise self.fail(node, f"the literal {operand.value} needs a type, as in u64(...)")
            return self.adapt(node, operand, want)
        if not isinstance(operand, Value):
            raise self.fail(node, f"{ast.unparse(node)} is not a value")
        if want is not None and operand.type != want:
            raise self.fail(
                node, f"{ast.unparse(node)} is {type_name(operand.type)}, not {type_name(want)}"
            )
        return operand

    def condition(self, node: ast.expr) -> Value:
        """A bool: ints are refused."""
        operand = self.operand(node)
        if isinstance(operand, Literal) and isinstance(node, ast.Constant):
            raise self.fail(node, "a condition is a comparison, not an int")
        if not isinstance(operand, Value) or operand.type is not bool:
            raise self.fail(node, f"{ast.unparse(node)} is not a condition: compare it with 0")
        return operand

    def adapt(self, node: ast.AST, literal: Literal, kind: type[Integer]) -> Value:
        """A literal as a value of the type; it has to fit."""
        if not -(1 << (kind.bits - 1)) <= literal.value < (1 << kind.bits):
            raise self.fail(node, f"the literal {literal.value:#x} does not fit {kind.__name__}")
        return Value(kind, constant(kind, literal.value))

    def operand(self, node: ast.expr) -> Operand:
        """Any expression."""
        method = getattr(self, "on_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.fail(node, f"{type(node).__name__} is not in the language")
        found: Operand = method(node)
        return found

    # --- kinds of expression ---

    def on_constant(self, node: ast.Constant) -> Operand:
        if isinstance(node.value, bool):
            return Value(bool, str(int(node.value)))
        if isinstance(node.value, int):
            return Literal(node.value)
        raise self.fail(node, f"{type(node.value).__name__} literals are not in the language")

    def on_name(self, node: ast.Name) -> Operand:
        found = self.locals.get(node.id)
        if found is not None:
            kind, place = found
            return self.result(kind, f"load {ir_type(kind)}, ptr {place}")
        if node.id not in self.names:
            raise self.fail(node, f"{node.id} is not defined")
        return self._static(node, self.names.get(node.id))

    def _static(self, node: ast.AST, found: Any) -> Operand:
        if isinstance(found, Integer):
            return Value(type(found), str(int(found)))
        if isinstance(found, bool):
            return Value(bool, str(int(found)))
        if isinstance(found, int):
            return Literal(int(found))
        return Static(found)

    def on_attribute(self, node: ast.Attribute) -> Operand:
        if not (isinstance(node.value, ast.Name) and node.value.id in self.locals):
            found = resolve(node, self.names)
            if found is not None:
                return self._static(node, found)
        base = self.operand(node.value)
        if not isinstance(base, Value) or not isinstance(base.type, Pointer):
            raise self.fail(node, f"{ast.unparse(node.value)} is not a record")
        return self.read_field(node, base, node.attr)

    def field_address(self, node: ast.AST, base: Value, name: str) -> tuple[Any, str]:
        """The field's description and the address of its bytes."""
        field = base.type.record.fields.get(name)
        if field is None:
            raise self.fail(node, f"{base.type.record.name} has no field {name}")
        place = self.temp()
        self.line(f"{place} = getelementptr inbounds i8, ptr {base.text}, i64 {field.offset}")
        return field, place

    def read_field(self, node: ast.AST, base: Value, name: str) -> Operand:
        field, place = self.field_address(node, base, name)
        if field.count:
            return Elements(Value(base.type, place), field)
        return self.load(field.type, place)

    def load(self, kind: Any, place: str) -> Value:
        """What a field or element holds; a nested record is its address."""
        if isinstance(kind, Record):
            return Value(Pointer(kind), place)
        return self.result(value_type(kind), f"load {ir_type(kind)}, ptr {place}")

    def on_subscript(self, node: ast.Subscript) -> Operand:
        kind, place = self.element(node)
        return self.load(kind, place)

    def element(self, node: ast.Subscript) -> tuple[Any, str]:
        """Type and address of `array[i]` or `pointer[i]`."""
        base = self.operand(node.value)
        index = self.operand(node.slice)
        if isinstance(index, Literal):
            index = self.adapt(node, index, u64)
        if not isinstance(index, Value) or index.type is bool:
            raise self.fail(node, "an index is an integer")
        wide = self.widen_index(index)
        if isinstance(base, Elements):
            kind: Any = base.field.type
            text = base.base.text
        elif isinstance(base, Value) and isinstance(base.type, Pointer):
            kind, text = base.type.record, base.text
        else:
            raise self.fail(node, f"{ast.unparse(node.value)} is not an array")
        unit = f"[{kind.size} x i8]" if isinstance(kind, Record) else ir_type(kind)
        place = self.temp()
        self.line(f"{place} = getelementptr inbounds {unit}, ptr {text}, i64 {wide}")
        return kind, place

    def widen_index(self, index: Value) -> str:
        if index.type.bits == 64:
            return index.text
        operation = "sext" if index.type.signed else "zext"
        if index.type.bits > 64:
            operation = "trunc"
        return self.result(None, f"{operation} {ir_type(index.type)} {index.text} to i64").text

    def on_binop(self, node: ast.BinOp) -> Operand:
        left, right = self.operand(node.left), self.operand(node.right)
        if isinstance(left, Literal) and isinstance(right, Literal):
            return self._fold(node, left.value, right.value)
        if isinstance(node.op, ast.LShift | ast.RShift):
            return self._shift(node, left, right)
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            raise self.fail(node, f"the operator {type(node.op).__name__} is not in the language")
        a, b = self.same(node, left, right)
        if operation in ("udiv", "urem") and a.type.signed:
            raise self.fail(node, "// and % are for unsigned types: use sdiv, srem")
        return self.result(a.type, f"{operation} {ir_type(a.type)} {a.text}, {b.text}")

    def _fold(self, node: ast.BinOp, left: int, right: int) -> Literal:
        """An operation on two literals, done here."""
        operation = _FOLD.get(type(node.op))
        if operation is None:
            raise self.fail(node, f"the operator {type(node.op).__name__} is not in the language")
        if operation in (int.__floordiv__, int.__mod__) and right == 0:
            raise self.fail(node, f"{ast.unparse(node)} divides by zero")
        if operation in (int.__lshift__, int.__rshift__) and not 0 <= right < WIDEST:
            raise self.fail(node, f"{ast.unparse(node)}: a shift is by 0 to {WIDEST - 1}")
        return Literal(operation(left, right))

    def _shift(self, node: ast.BinOp, left: Operand, right: Operand) -> Value:
        if not isinstance(left, Value):
            raise self.fail(node, "a shifted literal needs a type, as in u64(1) << n")
        kind = left.type
        if isinstance(right, Literal):
            amount = str(right.value % kind.bits)
        else:
            assert isinstance(right, Value)
            resized = self.resize(right, kind).text
            amount = self.result(kind, f"and {ir_type(kind)} {resized}, {kind.bits - 1}").text
        operation = "shl" if isinstance(node.op, ast.LShift) else "lshr"
        if operation == "lshr" and kind.signed:
            operation = "ashr"
        return self.result(kind, f"{operation} {ir_type(kind)} {left.text}, {amount}")

    def same(self, node: ast.AST, left: Operand, right: Operand) -> tuple[Value, Value]:
        """Both operands as one type: a literal adapts, two different types are refused."""
        if isinstance(left, Literal) and isinstance(right, Value):
            left = self._beside(node, left, right)
        elif isinstance(right, Literal) and isinstance(left, Value):
            right = self._beside(node, right, left)
        if not isinstance(left, Value) or not isinstance(right, Value):
            raise self.fail(node, "an operand is not a value")
        if left.type != right.type or left.type is bool or isinstance(left.type, Pointer):
            names = f"{type_name(left.type)} with {type_name(right.type)}"
            raise self.fail(node, f"{names}: convert one of them first")
        return left, right

    def _beside(self, node: ast.AST, literal: Literal, other: Value) -> Value:
        if other.type is bool or isinstance(other.type, Pointer):
            raise self.fail(node, f"an int beside {type_name(other.type)}")
        return self.adapt(node, literal, other.type)

    def on_unaryop(self, node: ast.UnaryOp) -> Operand:
        if isinstance(node.op, ast.Not):
            inner = self.condition(node.operand)
            return self.result(bool, f"xor i1 {inner.text}, 1")
        operand = self.operand(node.operand)
        if isinstance(operand, Literal):
            return Literal(-operand.value if isinstance(node.op, ast.USub) else ~operand.value)
        if not isinstance(operand, Value) or operand.type is bool:
            raise self.fail(node, "the operand is not an integer")
        kind = ir_type(operand.type)
        if isinstance(node.op, ast.Invert):
            return self.result(operand.type, f"xor {kind} {operand.text}, -1")
        if isinstance(node.op, ast.USub):
            return self.result(operand.type, f"sub {kind} 0, {operand.text}")
        raise self.fail(node, "unary + is not in the language")

    def on_compare(self, node: ast.Compare) -> Operand:
        if len(node.ops) != 1:
            raise self.fail(node, "chained comparisons are not in the language")
        relation = _COMPARE.get(type(node.ops[0]))
        if relation is None:
            raise self.fail(node, f"{type(node.ops[0]).__name__} is not in the language")
        left, right = self.operand(node.left), self.operand(node.comparators[0])
        if isinstance(left, Literal) and isinstance(right, Literal):
            answer = eval(compile(ast.Expression(node), self.file, "eval"), dict(self.names))
            return Value(bool, str(int(answer)))
        if relation in ("eq", "ne") and _both_bool(left, right):
            assert isinstance(left, Value) and isinstance(right, Value)
            a, b = left, right
        else:
            a, b = self.same(node, left, right)
        if relation not in ("eq", "ne"):
            relation = ("s" if a.type.signed else "u") + relation
        return self.result(bool, f"icmp {relation} {ir_type(a.type)} {a.text}, {b.text}")

    def on_boolop(self, node: ast.BoolOp) -> Operand:
        place = self.alloca("i1")
        done = self.label()
        for i, part in enumerate(node.values):
            answer = self.condition(part)
            self.line(f"store i1 {answer.text}, ptr {place}")
            if i + 1 < len(node.values):
                further = self.label()
                ways = (further, done) if isinstance(node.op, ast.And) else (done, further)
                self.branch_on(answer, *ways)
                self.start(further)
        self.go(done)
        self.start(done)
        return self.result(bool, f"load i1, ptr {place}")

    def on_ifexp(self, node: ast.IfExp) -> Operand:
        then, otherwise, done = self.label(), self.label(), self.label()
        self.branch_on(self.condition(node.test), then, otherwise)
        kind = self.type_of_ifexp(node)
        if kind is None:
            raise self.fail(node, "both values are literals: give one a type, as in u64(1)")
        place = self.alloca(ir_type(kind))
        for label, part in ((then, node.body), (otherwise, node.orelse)):
            self.start(label)
            answer = self.value(part, kind)
            self.line(f"store {ir_type(kind)} {answer.text}, ptr {place}")
            self.go(done)
        self.start(done)
        return self.result(kind, f"load {ir_type(kind)}, ptr {place}")

    def call(self, node: ast.Call) -> Value:
        """Emit a call of one value (calls.py)."""
        raise NotImplementedError

    def on_call(self, node: ast.Call) -> Operand:
        return self.call(node)

    # --- conversions ---

    def resize(self, value: Value, kind: type[Integer]) -> Value:
        """`kind(value)`: extend by the source's sign, truncate, or reinterpret."""
        source = 1 if value.type is bool else value.type.bits
        if source == kind.bits:
            return Value(kind, value.text)
        operation = "trunc"
        if source < kind.bits:
            operation = "sext" if value.type is not bool and value.type.signed else "zext"
        text = f"{operation} {ir_type(value.type)} {value.text} to {ir_type(kind)}"
        return self.result(kind, text)


def _both_bool(left: Operand, right: Operand) -> bool:
    """Two bools may be compared for equality."""
    return all(isinstance(o, Value) and o.type is bool for o in (left, right))
