"""Statements and calls of a definition to LLVM text: one LLVM function at a time.

Locals live in allocas (LLVM makes registers of them). A call of a definition is a call of its
LLVM function, or, where `inlines` says so, its text put in place. A `raise` goes to `unwind()`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rvplat.lang.define import Callee, Declaration, Definition, Dispatch, Intrinsic, Unwind
from rvplat.lang.effects import resolve
from rvplat.lang.expressions import Expressions
from rvplat.lang.intrinsics import Generic
from rvplat.lang.record import Record, ptr
from rvplat.lang.types import Integer, s64, u64
from rvplat.lang.values import Literal, Pointer, Value, ir_type, type_name, value_type

if TYPE_CHECKING:
    from rvplat.lang.unit import Unit

RARE = "!prof !0"  # branch weights: the first label is rare


@dataclass
class Scope:
    """The text being emitted: a definition's own, or that of one put in place."""

    definition: Definition
    locals: dict[str, tuple[Any, str]] = field(default_factory=dict)
    results: list[tuple[Any, str]] = field(default_factory=list)  # where return values go
    exit: str = ""  # label after the text; "" for the function itself
    loops: list[tuple[str, str]] = field(default_factory=list)  # continue and break labels


class Emitter(Expressions):
    """Emits one LLVM function. Subclasses say how control leaves it."""

    def __init__(self, unit: Unit, definition: Definition) -> None:
        self.unit = unit
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.count = 0
        self.ended = False  # the current block has its last instruction
        self.catchers: list[str] = []  # labels of the try statements around, innermost last
        self.enter(Scope(definition))

    def enter(self, scope: Scope) -> None:
        """Go on with the text of another definition."""
        self.scope = scope
        self.file = scope.definition.file
        self.names = scope.definition.globals
        self.locals = scope.locals

    # --- text ---

    def line(self, text: str) -> None:
        if not self.ended:
            self.lines.append("  " + text)

    def temp(self) -> str:
        self.count += 1
        return f"%t{self.count}"

    def label(self) -> str:
        self.count += 1
        return f"L{self.count}"

    def alloca(self, kind: str) -> str:
        name = self.temp()
        self.allocas.append(f"  {name} = alloca {kind}")
        return name

    def start(self, label: str) -> None:
        self.go(label)
        self.lines.append(f"{label}:")
        self.ended = False

    def go(self, label: str) -> None:
        self.line(f"br label %{label}")
        self.ended = True

    def branch_on(self, condition: Value, then: str, otherwise: str, rare: str = "") -> None:
        weights = f", {rare}" if rare else ""
        self.line(f"br i1 {condition.text}, label %{then}, label %{otherwise}{weights}")
        self.ended = True

    def finish(self, text: str) -> None:
        """The last instruction of a block."""
        self.line(text)
        self.ended = True

    # --- hooks for the kinds of function ---

    def unwind(self) -> None:
        """Leave because something was raised: to the try around, or out of the function."""
        if self.catchers:
            self.go(self.catchers[-1])
        else:
            self.leave_raised()

    def leave_raised(self) -> None:
        raise NotImplementedError

    def leave(self, values: list[Value]) -> None:
        raise NotImplementedError

    def inlines(self, target: Definition) -> bool:
        """Whether a call is replaced by the text."""
        return False

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        """A declared word with a meaning of its own here; None: call its implementation."""
        return None

    def wrote(self) -> None:
        """State is being written."""

    # --- statements ---

    def body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.ended:
                return
            method = getattr(self, "do_" + type(statement).__name__.lower(), None)
            if method is None:
                name = type(statement).__name__
                raise self.fail(statement, f"{name} statements are not in the language")
            method(statement)

    def do_pass(self, node: ast.Pass) -> None:
        pass

    def do_expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return
        if not isinstance(node.value, ast.Call):
            raise self.fail(node, "an expression without effect")
        self.call(node.value)

    def do_assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1:
            raise self.fail(node, "one target in an assignment")
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            self._unpack(target, node.value)
        elif isinstance(target, ast.Name):
            known = self.locals.get(target.id)
            self.bind(target.id, self.value(node.value, known[0] if known else None))
        else:
            kind, place = self._place(target)
            value = self.value(node.value, kind)
            self.wrote()
            self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")

    def _unpack(self, target: ast.Tuple, source: ast.expr) -> None:
        if not isinstance(source, ast.Call):
            raise self.fail(target, "only a call's values are unpacked")
        parts = self.call_values(source)
        if len(parts) != len(target.elts):
            raise self.fail(target, f"{len(parts)} values for {len(target.elts)} names")
        for name, value in zip(target.elts, parts, strict=True):
            if not isinstance(name, ast.Name):
                raise self.fail(target, "values are unpacked to local names")
            self.bind(name.id, value)

    def bind(self, name: str, value: Value) -> None:
        """Assign a local; the first assignment fixes its type."""
        if name not in self.locals:
            self.locals[name] = (value.type, self.alloca(ir_type(value.type)))
        kind, place = self.locals[name]
        self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")

    def _place(self, target: ast.expr) -> tuple[Any, str]:
        """Type and address of a field or element that is assigned to."""
        if isinstance(target, ast.Subscript):
            kind, place = self.element(target)
        elif isinstance(target, ast.Attribute):
            base = self.value(target.value)
            if not isinstance(base.type, Pointer):
                raise self.fail(target, f"{ast.unparse(target.value)} is not a record")
            found, place = self.field_address(target, base, target.attr)
            kind = found.type
        else:
            raise self.fail(target, f"cannot assign to {type(target).__name__}")
        if isinstance(kind, Record):
            raise self.fail(target, "a record is assigned to field by field")
        return (Pointer(kind.target) if isinstance(kind, ptr) else kind), place

    def do_annassign(self, node: ast.AnnAssign) -> None:
        kind = resolve(node.annotation, self.names)
        if not isinstance(node.target, ast.Name) or node.value is None or kind is None:
            raise self.fail(node, "an annotated assignment is name: type = value")
        self.bind(node.target.id, self.value(node.value, value_type(kind)))

    def do_augassign(self, node: ast.AugAssign) -> None:
        load = ast.copy_location(_as_load(node.target), node)
        combined = ast.copy_location(ast.BinOp(load, node.op, node.value), node)
        assign = ast.Assign([node.target], combined)
        self.do_assign(ast.copy_location(assign, node))

    def do_if(self, node: ast.If) -> None:
        then, otherwise, done = self.label(), self.label(), self.label()
        self.branch_on(self.condition(node.test), then, otherwise, self.weight(node))
        self.start(then)
        self.body(node.body)
        ended = self.ended
        self.go(done)
        self.start(otherwise)
        self.body(node.orelse)
        ended = ended and self.ended
        self.go(done)
        if not ended:
            self.start(done)

    def weight(self, node: ast.If) -> str:
        """A branch whose body always raises is rare."""
        last = node.body[-1]
        if isinstance(last, ast.Raise):
            return RARE
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
            target = resolve(last.value.func, self.names)
            if isinstance(target, Callee) and target.signature.never_returns:
                return RARE
        return ""

    def do_while(self, node: ast.While) -> None:
        if node.orelse:
            raise self.fail(node, "while with else is not in the language")
        test, inside, done = self.label(), self.label(), self.label()
        self.start(test)
        for_ever = isinstance(node.test, ast.Constant) and node.test.value is True
        if for_ever:
            self.go(inside)
        else:
            self.branch_on(self.condition(node.test), inside, done)
        self.start(inside)
        self.scope.loops.append((test, done))
        self.body(node.body)
        self.scope.loops.pop()
        self.go(test)
        if not for_ever or self._jumps_to(done):
            self.start(done)

    def do_for(self, node: ast.For) -> None:
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.fail(node, "a for loop is: for name in range(...)")
        first, last, step = self._range(node)
        name = node.target.id
        if name in self.locals and self.locals[name][0] is not u64:
            raise self.fail(node, f"{name} is {type_name(self.locals[name][0])} already")
        counter = self.alloca("i64")
        self.line(f"store i64 {first.text}, ptr {counter}")
        test, inside, again, done = self.label(), self.label(), self.label(), self.label()
        self.start(test)
        now = self.result(s64, f"load i64, ptr {counter}")
        relation = "slt" if step > 0 else "sgt"
        more = self.result(bool, f"icmp {relation} i64 {now.text}, {last.text}")
        self.branch_on(more, inside, done)
        self.start(inside)
        self.bind(name, Value(u64, now.text))
        self.scope.loops.append((again, done))
        self.body(node.body)
        self.scope.loops.pop()
        self.start(again)
        old = self.result(s64, f"load i64, ptr {counter}")
        new = self.result(s64, f"add i64 {old.text}, {step}")
        self.line(f"store i64 {new.text}, ptr {counter}")
        self.go(test)
        self.start(done)

    def _range(self, node: ast.For) -> tuple[Value, Value, int]:
        call = node.iter
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "range" or call.keywords:
            raise self.fail(node, "a for loop is over range(...)")
        given = [self.operand(a) for a in call.args]
        step = given[2] if len(given) == 3 else Literal(1)
        if not isinstance(step, Literal) or step.value == 0 or len(given) not in (1, 2, 3):
            raise self.fail(node, "range takes a first, a last and a literal step")
        bounds = [self._bound(node, g) for g in given[:2]]
        first = bounds[0] if len(bounds) == 2 else Value(u64, "0")
        return first, bounds[-1], step.value

    def _bound(self, node: ast.For, operand: Any) -> Value:
        if isinstance(operand, Literal):
            return Value(u64, str(operand.value))
        if not isinstance(operand, Value) or operand.type is bool:
            raise self.fail(node, "range is over integers")
        return self.resize(operand, u64)

    def do_break(self, node: ast.Break) -> None:
        self.go(self.scope.loops[-1][1])

    def do_continue(self, node: ast.Continue) -> None:
        self.go(self.scope.loops[-1][0])

    def do_raise(self, node: ast.Raise) -> None:
        name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        found = resolve(name, self.names) if name is not None else None
        if not (isinstance(found, type) and issubclass(found, Unwind)):
            raise self.fail(node, "raise takes an Unwind class")
        self.unwind()

    def do_try(self, node: ast.Try) -> None:
        if len(node.handlers) != 1 or node.orelse or node.finalbody:
            raise self.fail(node, "try has one except and nothing else")
        catch, done = self.label(), self.label()
        self.catchers.append(catch)
        self.body(node.body)
        self.catchers.pop()
        ended = self.ended
        self.go(done)
        self.start(catch)
        self.body(node.handlers[0].body)
        if not (ended and self.ended):
            self.go(done)
            self.start(done)

    def do_return(self, node: ast.Return) -> None:
        kinds = [value_type(k) for k in self.scope.definition.signature.parts]
        given: list[ast.expr] = []
        if node.value is not None:
            given = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        if len(kinds) > 1 and len(given) == 1 and isinstance(given[0], ast.Call):
            values = self.call_values(given[0])
        else:
            if len(given) != len(kinds):
                raise self.fail(node, f"{len(kinds)} values are returned, not {len(given)}")
            values = [self.value(v, k) for v, k in zip(given, kinds, strict=True)]
        self.give_back(values)

    def give_back(self, values: list[Value]) -> None:
        """Return from the definition's text."""
        if not self.scope.exit:
            self.leave(values)
            return
        for (kind, place), value in zip(self.scope.results, values, strict=True):
            self.line(f"store {ir_type(kind)} {value.text}, ptr {place}")
        self.go(self.scope.exit)

    # --- calls ---

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
        if self.inlines(target):
            return self.in_place(target, arguments)
        return self._function_call(target, arguments)

    def _intrinsic(self, target: Intrinsic, arguments: list[Value]) -> list[Value]:
        for text in target.declares:
            self.unit.declare(text)
        if self.unit.effects.of(target).writes:
            self.wrote()
        name = self.temp()
        assert isinstance(target.ir, str)
        texts = [a.text for a in arguments]
        for text in target.ir.format(*texts, result=name, t=name[2:]).splitlines():
            self.line(text)
        parts = target.signature.parts
        return [Value(value_type(parts[0]), name)] if parts else []

    def _function_call(self, target: Definition | Dispatch, arguments: list[Value]) -> list[Value]:
        """Call the LLVM function of a definition; take its values apart; pass on a raise."""
        native = self.unit.function(target)
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
        never = self.ended and not self._jumps_to(inner.exit)
        self.go(inner.exit)
        self.enter(outer)
        if never:
            return [Value(k, "poison") for k in kinds]
        self.start(inner.exit)
        return [self.result(k, f"load {ir_type(k)}, ptr {p}") for k, p in results]

    def _jumps_to(self, label: str) -> bool:
        return any(
            line.endswith(f"%{label}") or f"label %{label}," in line for line in self.lines
        )

    def type_of(self, node: ast.expr) -> Any:
        kept = (len(self.lines), len(self.allocas), self.ended)
        operand = self.operand(node)
        del self.lines[kept[0] :], self.allocas[kept[1] :]
        self.ended = kept[2]
        return operand.type if isinstance(operand, Value) else None


def _as_load(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment, read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(target.value, target.slice, ast.Load())


Emit = Callable[[Emitter], None]
