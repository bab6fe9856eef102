"""Types the expressions of a definition: syntax trees to ir.py. Calls are in type_calls.py."""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.checking.check import no_value
from rvplat.lang.checking.signatures import Signatures
from rvplat.lang.define import Definition, LanguageError
from rvplat.lang.record import Record
from rvplat.lang.struct import is_struct
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import (
    Elements,
    Literal,
    Pointer,
    Static,
    fits,
    type_name,
    value_type,
)
from rvplat.lang.types import Integer, Standing, u64

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.FloorDiv: "udiv", ast.Mod: "urem",
}  # fmt: skip
_SHIFTS = (ast.LShift, ast.RShift)
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"
}  # fmt: skip
_FOLD: dict[type[ast.operator], Any] = {
    ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__, ast.BitAnd: int.__and__,
    ast.BitOr: int.__or__, ast.BitXor: int.__xor__, ast.FloorDiv: int.__floordiv__,
    ast.Mod: int.__mod__, ast.LShift: int.__lshift__, ast.RShift: int.__rshift__,
}  # fmt: skip
_RELATE = {
    "eq": int.__eq__, "ne": int.__ne__, "lt": int.__lt__, "le": int.__le__, "gt": int.__gt__,
    "ge": int.__ge__,
}  # fmt: skip

WIDEST = 128  # bits of the widest type

Operand = ir.Expr | Literal | Elements | Static


def resolve(node: ast.expr | None, names: dict[str, Any]) -> Any:
    """The Python object of a name or dotted name; None if it is not static."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        base = resolve(node.value, names)
        return None if base is None else getattr(base, node.attr, None)
    return None


class ExpressionTyper:
    """Types the expressions of one definition. `locals` has the types of the locals so far."""

    def __init__(self, signatures: Signatures, definition: Definition) -> None:
        self.signatures = signatures
        self.definition = definition
        self.file = definition.file
        self.names = signatures.names(definition)
        self.local_names = frozenset(definition.function.__code__.co_varnames)
        self.locals: dict[str, Any] = {}

    def fail(self, node: ast.AST, problem: str) -> LanguageError:
        """An error with the place of a construct."""
        return LanguageError(f"{self.file}:{getattr(node, 'lineno', 0)}", problem)

    # --- entry points ---

    def typed(self, node: ast.expr, want: Any = None) -> ir.Expr:
        """A typed value. A literal gets the type `want`."""
        operand = self.operand(node)
        if isinstance(operand, Literal):
            if want is bool and operand.value in (0, 1):
                return ir.Const(bool, operand.value)
            if not (isinstance(want, type) and issubclass(want, Integer)):
                raise self.fail(node, f"the literal {operand.value} needs a type, as in u64(...)")
            return self.adapt(node, operand, want)
        found = self.value(node, operand)
        if want is not None and not fits(found.type, want):
            raise self.fail(
                node, f"{ast.unparse(node)} is {type_name(found.type)}, not {type_name(want)}"
            )
        return found

    def typed_by_itself(self, node: ast.expr, want: Any = None) -> ir.Expr:
        """As `typed`, for a place at which CPython keeps a literal as an int: it needs a type."""
        operand = self.operand(node)
        if isinstance(operand, Literal):
            kind = want.__name__ if want is not None else "u64"
            shown = f"{kind}({ast.unparse(node)})"
            raise self.fail(node, f"the literal {operand.value} needs a type, as in {shown}")
        return self.typed(node, want)

    def value(self, node: ast.AST, operand: Operand) -> ir.Expr:
        """An operand that must be a typed value."""
        if isinstance(operand, Literal | Elements | Static):
            raise self.fail(node, f"{ast.unparse(node)} is not a value")
        return operand

    def condition(self, node: ast.expr) -> ir.Expr:
        """A bool: ints are refused."""
        operand = self.operand(node)
        if isinstance(operand, Literal) and isinstance(node, ast.Constant):
            raise self.fail(node, "a condition must be a comparison, not an int")
        if isinstance(operand, Literal | Elements | Static) or operand.type is not bool:
            raise self.fail(node, f"{ast.unparse(node)} is not a condition: compare it with 0")
        return operand

    def adapt(self, node: ast.AST, literal: Literal, kind: type[Integer]) -> ir.Const:
        """A literal as a value of the type. LanguageError if it doesn't fit."""
        if not -(1 << (kind.bits - 1)) <= literal.value < (1 << kind.bits):
            raise self.fail(node, f"the literal {literal.value:#x} does not fit {kind.__name__}")
        return ir.Const(kind, int(kind(literal.value)))

    def operand(self, node: ast.expr) -> Operand:
        """Any expression."""
        method = getattr(self, "on_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.fail(node, f"{type(node).__name__} is not in the language")
        found: Operand = method(node)
        return found

    def static(self, node: ast.expr) -> Any:
        """The Python object of a name; None for other expressions and for names of locals."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in self.local_names:
            return None
        found = resolve(node, self.names)
        return self.signatures.value_type(found) if isinstance(found, Standing) else found

    # --- names, fields, elements ---

    def on_constant(self, node: ast.Constant) -> Operand:
        return self._constant(node, node.value)

    def _constant(self, node: ast.AST, found: Any) -> Operand:
        """A literal, or a Python object that the text names."""
        if isinstance(found, Integer | bool):
            return ir.Const(type(found), int(found))
        if isinstance(found, int):
            return Literal(int(found))
        if isinstance(node, ast.Constant):
            raise self.fail(node, f"{type(found).__name__} literals are not in the language")
        return Static(found)

    def on_name(self, node: ast.Name) -> Operand:
        if node.id in self.locals:
            return ir.Local(self.locals[node.id], node.id)
        if node.id in self.local_names:
            raise no_value(self.definition, node.lineno, node.id)
        if node.id not in self.names:
            raise self.fail(node, f"{node.id} is not defined")
        return self._constant(node, self.names[node.id])

    def on_attribute(self, node: ast.Attribute) -> Operand:
        found = self.static(node)
        if found is not None:
            return self._constant(node, found)
        base = self.operand(node.value)
        if not isinstance(base, Literal | Elements | Static) and is_struct(base.type):
            return self._part(node, base)
        place = self.field(node, base)
        return Elements(place) if place.field.count else self.read(place, place.field.type)

    def _part(self, node: ast.Attribute, base: ir.Expr) -> ir.Expr:
        fields = list(base.type.fields)
        if node.attr not in fields:
            raise self.fail(node, f"{base.type.__name__} has no field {node.attr}")
        kind = value_type(base.type.fields[node.attr])
        return ir.Part(kind, base, fields.index(node.attr))

    def field(self, node: ast.Attribute, base: Operand) -> ir.FieldPlace:
        """The place of a record's field."""
        if isinstance(base, Literal | Elements | Static) or not isinstance(base.type, Pointer):
            raise self.fail(node, f"{ast.unparse(node.value)} is not a record")
        field = self.signatures.layout(base.type.record).fields.get(node.attr)
        if field is None:
            raise self.fail(node, f"{base.type.record.name} has no field {node.attr}")
        return ir.FieldPlace(base, field)

    def read(self, place: ir.Place, kind: Any) -> ir.Read:
        """The value of a field or element; for a nested record, its address."""
        value = Pointer(kind) if isinstance(kind, Record) else self.signatures.value_type(kind)
        return ir.Read(value, place)

    def on_subscript(self, node: ast.Subscript) -> Operand:
        place = self.element(node)
        return self.read(place, place.kind)

    def element(self, node: ast.Subscript) -> ir.ElementPlace:
        """The place of `array[i]` or `pointer[i]`."""
        base = self.operand(node.value)
        index = self.operand(node.slice)
        if isinstance(index, Literal):
            index = self.adapt(node, index, u64)
        if isinstance(index, Elements | Static) or not _is_integer(index.type):
            raise self.fail(node, "an index must be an integer")
        if isinstance(base, Elements):
            field = base.place.field
            if isinstance(index, ir.Const) and not 0 <= index.value < field.count:
                size = f"{field.name} has {field.count} elements"
                raise self.fail(node, f"{ast.unparse(node)}: {size}")
            return ir.ElementPlace(base.place, field.type, index)
        if isinstance(base, Literal | Static) or not isinstance(base.type, Pointer):
            raise self.fail(node, f"{ast.unparse(node.value)} is not an array")
        return ir.ElementPlace(base, base.type.record, index)

    # --- operators ---

    def on_binop(self, node: ast.BinOp) -> Operand:
        left, right = self.operand(node.left), self.operand(node.right)
        if isinstance(left, Literal) and isinstance(right, Literal):
            return self._fold(node, left.value, right.value)
        return self.combined(node, node.op, left, right)

    def combined(
        self, node: ast.AST, operator: ast.operator, left: Operand, right: Operand
    ) -> ir.Binary:
        """An operator with two operands that are not both literals."""
        if isinstance(operator, _SHIFTS):
            return self._shift(node, operator, left, right)
        operation = ARITHMETIC.get(type(operator))
        if operation is None:
            raise self.fail(node, f"the operator {type(operator).__name__} is not in the language")
        a, b = self.same(node, left, right)
        if operation in ("udiv", "urem"):
            if a.type.signed:
                raise self.fail(node, "// and % are for unsigned types: use sdiv, srem")
            if isinstance(b, ir.Const) and b.value == 0:
                raise self.fail(node, f"{ast.unparse(node)} divides by zero")
        return ir.Binary(a.type, operation, a, b)

    def _fold(self, node: ast.BinOp, left: int, right: int) -> Literal:
        """The result of an operation on two literals."""
        operation = _FOLD.get(type(node.op))
        if operation is None:
            raise self.fail(node, f"the operator {type(node.op).__name__} is not in the language")
        if isinstance(node.op, ast.FloorDiv | ast.Mod) and right == 0:
            raise self.fail(node, f"{ast.unparse(node)} divides by zero")
        if isinstance(node.op, _SHIFTS) and not 0 <= right < WIDEST:
            raise self.fail(node, f"{ast.unparse(node)}: a shift amount is 0 to {WIDEST - 1}")
        return Literal(operation(left, right))

    def _shift(
        self, node: ast.AST, operator: ast.operator, left: Operand, right: Operand
    ) -> ir.Binary:
        if isinstance(left, Literal | Elements | Static) or not _is_integer(left.type):
            raise self.fail(node, "a shifted literal needs a type, as in u64(1) << n")
        kind = left.type
        amount: ir.Expr
        if isinstance(right, Literal):
            amount = ir.Const(kind, right.value % kind.bits)
        elif isinstance(right, Elements | Static) or not _is_integer(right.type):
            raise self.fail(node, "a shift amount must be an integer")
        else:
            amount = converted(kind, right)
        operation = "shl" if isinstance(operator, ast.LShift) else "lshr"
        if operation == "lshr" and kind.signed:
            operation = "ashr"
        return ir.Binary(kind, operation, left, amount)

    def same(self, node: ast.AST, left: Operand, right: Operand) -> tuple[ir.Expr, ir.Expr]:
        """Both operands as one integer type. A literal adapts; different types are refused."""
        if isinstance(left, Elements | Static) or isinstance(right, Elements | Static):
            raise self.fail(node, "an operand is not a value")
        if isinstance(left, Literal):
            assert not isinstance(right, Literal)
            left = self._beside(node, left, right)
        elif isinstance(right, Literal):
            right = self._beside(node, right, left)
        if left.type != right.type or not _is_integer(left.type):
            names = f"{type_name(left.type)} with {type_name(right.type)}"
            raise self.fail(node, f"{names}: convert one of them first")
        return left, right

    def _beside(self, node: ast.AST, literal: Literal, other: ir.Expr) -> ir.Expr:
        if not _is_integer(other.type):
            raise self.fail(node, f"an int literal can't be combined with {type_name(other.type)}")
        return self.adapt(node, literal, other.type)

    def on_unaryop(self, node: ast.UnaryOp) -> Operand:
        if isinstance(node.op, ast.Not):
            return ir.Binary(bool, "xor", self.condition(node.operand), ir.Const(bool, 1))
        operand = self.operand(node.operand)
        if isinstance(node.op, ast.UAdd):
            raise self.fail(node, "unary + is not in the language")
        if isinstance(operand, Literal):
            return Literal(-operand.value if isinstance(node.op, ast.USub) else ~operand.value)
        if isinstance(operand, Elements | Static) or not _is_integer(operand.type):
            raise self.fail(node, "the operand is not an integer")
        kind = operand.type
        if isinstance(node.op, ast.Invert):
            return ir.Binary(kind, "xor", operand, ir.Const(kind, int(kind(-1))))
        return ir.Binary(kind, "sub", ir.Const(kind, 0), operand)

    def on_compare(self, node: ast.Compare) -> Operand:
        if len(node.ops) != 1:
            raise self.fail(node, "chained comparisons are not in the language")
        relation = _COMPARE.get(type(node.ops[0]))
        if relation is None:
            raise self.fail(node, f"{type(node.ops[0]).__name__} is not in the language")
        left, right = self.operand(node.left), self.operand(node.comparators[0])
        if isinstance(left, Literal) and isinstance(right, Literal):
            return ir.Const(bool, int(_RELATE[relation](left.value, right.value)))
        if relation in ("eq", "ne") and _both_bool(left, right):
            return ir.Compare(bool, relation, left, right)  # type: ignore[arg-type]
        a, b = self.same(node, left, right)
        if relation not in ("eq", "ne"):
            relation = ("s" if a.type.signed else "u") + relation
        return ir.Compare(bool, relation, a, b)

    def on_boolop(self, node: ast.BoolOp) -> Operand:
        op = "and" if isinstance(node.op, ast.And) else "or"
        return ir.Logic(bool, op, tuple(self.condition(part) for part in node.values))

    def on_ifexp(self, node: ast.IfExp) -> Operand:
        test = self.condition(node.test)
        then = self.typed_by_itself(node.body)
        return ir.Choice(then.type, test, then, self.typed_by_itself(node.orelse, then.type))

    def on_call(self, node: ast.Call) -> Operand:
        """A call with one value (type_calls.py)."""
        raise NotImplementedError


def converted(kind: Any, value: ir.Expr) -> ir.Expr:
    """The value converted to the type."""
    return value if value.type is kind else ir.Convert(kind, value)


def _is_integer(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Integer)


def _both_bool(left: Operand, right: Operand) -> bool:
    """Two bools may be compared for equality."""
    return all(not isinstance(o, Literal | Elements | Static) and o.type is bool
               for o in (left, right))  # fmt: skip
