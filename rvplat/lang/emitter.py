"""Statements of a definition to LLVM text: one LLVM function at a time.

Locals live in allocas (LLVM makes registers of them). A `raise` goes to `unwind()`.
"""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.calls import Calls
from rvplat.lang.define import Callee
from rvplat.lang.effects import raised_class, resolve
from rvplat.lang.record import Record, ptr
from rvplat.lang.text import RARE
from rvplat.lang.types import s64, u64
from rvplat.lang.values import Literal, Pointer, Value, ir_type, type_name, value_type


class Emitter(Calls):
    """Emits one LLVM function. Subclasses say how control leaves it."""

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
        self.poll(node)
        self.body(node.body)
        self.scope.loops.pop()
        self.go(test)
        if not for_ever or done in self.reached:
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
        self.poll(node)
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
        if not raised_class(node, self.names):
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


def _as_load(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment, read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(target.value, target.slice, ast.Load())
