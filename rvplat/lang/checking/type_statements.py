"""Types the statements of a definition: makes an `ir.Body` from the syntax tree.

A local has the type of its first assignment in the text. Every statement is typed and checked, even
if it is never reached.
"""

from __future__ import annotations

import ast
from typing import Any

from rvplat.lang.checking.type_calls import CallTyper
from rvplat.lang.checking.type_expressions import Operand, converted, resolve
from rvplat.lang.define import Callee, Unwind
from rvplat.lang.record import Record
from rvplat.lang.struct import is_struct
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import Elements, Literal, Static, is_number, type_name
from rvplat.lang.types import u64

SHORT = 256  # iterations of a loop that needs no poll


class Typer(CallTyper):
    """Types one definition."""

    def body(self) -> ir.Body:
        """The typed definition. LanguageError for constructs that the language doesn't have."""
        definition = self.definition
        signature = definition.signature
        kinds = self.signatures.parameter_types(definition)
        parameters = tuple(zip(signature.names, kinds, strict=True))
        self.locals.update(parameters)
        self.results = self.signatures.results(definition)
        statements = self.block(definition.tree.body)
        return ir.Body(definition, parameters, self.results, statements)

    def block(self, statements: list[ast.stmt]) -> ir.Block:
        found: list[ir.Statement] = []
        for statement in statements:
            method = getattr(self, "do_" + type(statement).__name__.lower(), None)
            if method is None:
                name = type(statement).__name__
                raise self.fail(statement, f"{name} statements are not in the language")
            made = method(statement)
            if made is not None:
                found.append(made)
        return tuple(found)

    def do_pass(self, node: ast.Pass) -> None:
        return None

    def do_expr(self, node: ast.Expr) -> ir.Statement | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        call = self.call(node.value) if isinstance(node.value, ast.Call) else None
        if not isinstance(call, ir.Call):
            raise self.fail(node, "an expression without effect")
        return ir.Evaluate(node.lineno, call)

    # --- assignments ---

    def bind(self, node: ast.AST, name: str, kind: Any) -> str:
        """Note that a local gets a value of a type."""
        if name in self.definition.signature.fixed:
            raise self.fail(node, f"{name} is fixed: it can't be assigned to")
        known = self.locals.setdefault(name, kind)
        if known != kind:
            raise self.fail(node, f"{name} is {type_name(known)}, not {type_name(kind)}")
        if kind is None:
            raise self.fail(node, f"{name}: the call returns no value")
        return name

    def do_assign(self, node: ast.Assign) -> ir.Statement:
        if len(node.targets) != 1:
            raise self.fail(node, "one target in an assignment")
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            return self._unpack(node, target)
        if isinstance(target, ast.Name):
            value = self.typed_by_itself(node.value, self.locals.get(target.id))
            return ir.Assign(node.lineno, (self.bind(node, target.id, value.type),), value)
        kind, place = self._place(target)
        return ir.Store(node.lineno, kind, place, self.typed(node.value, kind))

    def _unpack(self, node: ast.Assign, target: ast.Tuple) -> ir.Statement:
        call = self.call(node.value) if isinstance(node.value, ast.Call) else None
        if not isinstance(call, ir.Call):
            raise self.fail(target, "only a call's values are unpacked")
        if len(call.types) != len(target.elts):
            raise self.fail(target, f"{len(call.types)} values for {len(target.elts)} names")
        names = []
        for name, kind in zip(target.elts, call.types, strict=True):
            if not isinstance(name, ast.Name):
                raise self.fail(target, "values are unpacked to local names")
            names.append(self.bind(node, name.id, kind))
        return ir.Assign(node.lineno, tuple(names), call)

    def _place(self, target: ast.expr) -> tuple[Any, ir.Place]:
        """Type and place of the field or element that is a target."""
        place: ir.Place
        if isinstance(target, ast.Subscript):
            place = self.element(target)
            kind = place.kind
        elif isinstance(target, ast.Attribute):
            base = self.typed(target.value)
            if is_struct(base.type):
                raise self.fail(target, f"a {base.type.__name__} can't be changed: make another")
            place = self.field(target, base)
            kind = place.field.type
            if place.field.count:
                raise self.fail(target, f"{target.attr} is an array: assign to its elements")
        else:
            raise self.fail(target, f"cannot assign to {type(target).__name__}")
        if isinstance(kind, Record):
            raise self.fail(target, "a record is assigned to field by field")
        return self.signatures.value_type(kind), place

    def do_annassign(self, node: ast.AnnAssign) -> ir.Statement:
        kind = resolve(node.annotation, self.names)
        if not isinstance(node.target, ast.Name) or node.value is None or kind is None:
            raise self.fail(node, "an annotated assignment is name: type = value")
        value = self.typed_by_itself(node.value, self.signatures.value_type(kind))
        return ir.Assign(node.lineno, (self.bind(node, node.target.id, value.type),), value)

    def do_augassign(self, node: ast.AugAssign) -> ir.Statement:
        right = self.operand(node.value)
        if isinstance(node.target, ast.Name):
            left = self.operand(node.target)
            value = self.combined(node, node.op, left, right)
            return ir.Assign(node.lineno, (self.bind(node, node.target.id, value.type),), value)
        kind, place = self._place(node.target)
        combined = self.combined(node, node.op, ir.Read(kind, place), right)
        return ir.Store(node.lineno, kind, place, combined.right, combined.op)

    # --- control ---

    def do_if(self, node: ast.If) -> ir.Statement:
        test = self.condition(node.test)
        then, otherwise = self.block(node.body), self.block(node.orelse)
        return ir.If(node.lineno, test, then, otherwise, self._is_rare(node))

    def _is_rare(self, node: ast.If) -> bool:
        """A branch whose body always raises is rare."""
        last = node.body[-1]
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
            target = self.static(last.value.func)
            return isinstance(target, Callee) and target.signature.never_returns
        return isinstance(last, ast.Raise)

    def do_while(self, node: ast.While) -> ir.Statement:
        if node.orelse:
            raise self.fail(node, "while with else is not in the language")
        for_ever = isinstance(node.test, ast.Constant) and node.test.value is True
        test = None if for_ever else self.condition(node.test)
        body = self.block(node.body)
        return ir.While(node.lineno, test, body, self.signatures.polls(self.definition))

    def do_for(self, node: ast.For) -> ir.Statement:
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.fail(node, "a for loop is: for name in range(...)")
        first, last, step, lanes = self._range(node)
        name = node.target.id
        if self.locals.get(name, u64) is not u64:
            raise self.fail(node, f"{name} is {type_name(self.locals[name])} already")
        self.bind(node, name, u64)
        polls = self.signatures.polls(self.definition) and not _is_short(first, last, step)
        return ir.For(node.lineno, name, first, last, step, self.block(node.body), polls, lanes)

    def _range(self, node: ast.For) -> tuple[ir.Expr, ir.Expr, int, ir.Expr | None]:
        """The first and last value, the step, and the lanes."""
        call = node.iter
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "lanes" and len(call.args) == 2:
            count, lanes = [self._bound(node, self.operand(a)) for a in call.args]
            return ir.Const(u64, 0), count, 1, lanes
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "range" or call.keywords:
            raise self.fail(node, "a for loop is over range(...) or lanes(count, width)")
        given = [self.operand(a) for a in call.args]
        step = given[2] if len(given) == 3 else Literal(1)
        if not isinstance(step, Literal) or step.value == 0 or len(given) not in (1, 2, 3):
            raise self.fail(node, "range takes a first, a last and a literal step")
        bounds = [self._bound(node, one) for one in given[:2]]
        return bounds[0] if len(bounds) == 2 else ir.Const(u64, 0), bounds[-1], step.value, None

    def _bound(self, node: ast.For, operand: Operand) -> ir.Expr:
        if isinstance(operand, Literal):
            return ir.Const(u64, int(u64(operand.value)))
        if isinstance(operand, Elements | Static) or not _counts(operand.type):
            raise self.fail(node, "the bounds of range must be integers")
        return converted(u64, operand)

    def do_break(self, node: ast.Break) -> ir.Statement:
        return ir.Break(node.lineno)

    def do_continue(self, node: ast.Continue) -> ir.Statement:
        return ir.Continue(node.lineno)

    # --- leaving ---

    def do_raise(self, node: ast.Raise) -> ir.Statement:
        name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        found = self.static(name) if name is not None else None
        if not (isinstance(found, type) and issubclass(found, Unwind)):
            raise self.fail(node, "raise takes an Unwind class")
        return ir.Raise(node.lineno, found)

    def do_try(self, node: ast.Try) -> ir.Statement:
        if len(node.handlers) != 1 or node.orelse or node.finalbody:
            raise self.fail(node, "try has one except and nothing else")
        handler = node.handlers[0]
        if handler.name is not None:
            raise self.fail(handler, "an exception has no arguments: give it no name")
        caught = self.static(handler.type) if handler.type is not None else None
        if not (isinstance(caught, type) and issubclass(caught, Unwind)):
            raise self.fail(handler, "except takes one Unwind class")
        body = self.block(node.body)
        return ir.Try(handler.lineno, body, caught, self.block(handler.body))

    def do_return(self, node: ast.Return) -> ir.Statement:
        kinds = self.results
        given: list[ast.expr] = []
        if node.value is not None:
            given = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        if len(kinds) > 1 and len(given) == 1 and isinstance(given[0], ast.Call):
            call = self.call(given[0])
            if not isinstance(call, ir.Call) or call.types != kinds:
                raise self.fail(node, f"the call doesn't return {len(kinds)} such values")
            return ir.Return(node.lineno, (call,))
        if len(given) != len(kinds):
            raise self.fail(node, f"{len(kinds)} values are returned, not {len(given)}")
        pairs = zip(given, kinds, strict=True)
        return ir.Return(node.lineno, tuple(self.typed(value, kind) for value, kind in pairs))


def _counts(kind: Any) -> bool:
    return is_number(kind) and kind is not bool


def _is_short(first: ir.Expr, last: ir.Expr, step: int) -> bool:
    """Whether the bounds of a loop are literals with few iterations in between."""
    if not isinstance(first, ir.Const) or not isinstance(last, ir.Const):
        return False
    bounds = [value - (1 << 64) if value >> 63 else value for value in (first.value, last.value)]
    return len(range(bounds[0], bounds[1], step)) <= SHORT
