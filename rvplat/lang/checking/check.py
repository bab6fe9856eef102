"""Checks of a definition before native code is made from it.

CPython and native code must not differ silently. So errors that CPython would find only at run
time, and constructs that CPython and native code would run differently, are refused here, with file
and line:

- a local that has no value on some path: CPython raises UnboundLocalError when it reads the local,
  native code would read any value;
- an `except` of a class that doesn't catch all that its `try` can raise: native code has no classes
  of exceptions and catches everything;
- default values, keyword-only parameters, `*` and `**`: a call in a definition gives every argument
  by position.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from rvplat.lang.checking.type_expressions import resolve
from rvplat.lang.define import Callee, Definition, LanguageError
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import Effects, EffectsOf, Poll, effects_of_body

Assigned = frozenset[str] | None
"""The locals that have a value on every path to a place; None if no path leads there."""


def check(definition: Definition) -> None:
    """Check what needs no types. LanguageError for the first thing that is refused."""
    _check_parameters(definition)
    _check_names(definition)
    _Check(definition).run()


def check_handlers(body: ir.Body, effects: EffectsOf, poll: Poll | None) -> None:
    """LanguageError for an `except` that doesn't catch all that the text of its `try` can raise.
    What polls raise is ignored here."""
    polls = effects(poll.definition).raised if poll is not None else set()
    for node in ir.walk(body.statements):
        if not isinstance(node, ir.Try):
            continue
        found = Effects()
        effects_of_body(node.body, effects, poll, found)
        for raised in found.raised - polls:
            if not issubclass(raised, node.caught):
                raise LanguageError(
                    f"{body.definition.file}:{node.line}",
                    f"the try can raise {raised.__name__}, which except {node.caught.__name__} "
                    "doesn't catch: catch a class above both",
                )


def _check_names(definition: Definition) -> None:
    for node in ast.walk(definition.tree):
        if isinstance(node, ast.Attribute) and node.attr == "range":
            raise _fail(definition, node, "a field can't be called range, a name of the language")


def _fail(definition: Definition, node: ast.AST, problem: str) -> LanguageError:
    return LanguageError(f"{definition.file}:{getattr(node, 'lineno', 0)}", problem)


def _check_parameters(definition: Definition) -> None:
    tree = definition.tree
    given = tree.args
    if given.defaults or any(given.kw_defaults):
        raise _fail(definition, tree, "default values are not in the language: give the argument")
    if given.kwonlyargs:
        name = given.kwonlyargs[0].arg
        raise _fail(definition, tree, f"{name} is keyword-only: arguments are given by position")
    if given.vararg or given.kwarg:
        raise _fail(definition, tree, "* and ** parameters are not in the language: name them all")


def _meet(ways: Iterable[Assigned]) -> Assigned:
    """The locals that have a value after several paths join."""
    open_ways = [way for way in ways if way is not None]
    return frozenset.intersection(*open_ways) if open_ways else None


class _Check:
    """Walks a definition's statements in the order of control."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.names = definition.globals
        self.locals = frozenset(definition.function.__code__.co_varnames)
        self.breaks: list[list[Assigned]] = []

    def run(self) -> None:
        self.block(self.definition.tree.body, frozenset(self.definition.signature.names))

    def block(self, statements: Sequence[ast.stmt], known: Assigned) -> Assigned:
        """The locals that have a value after these statements."""
        for statement in statements:
            if known is None:
                return None
            method = getattr(self, "after_" + type(statement).__name__.lower(), self.after_other)
            known = method(statement, known)
        return known

    def reads(self, node: ast.AST | None, known: frozenset[str]) -> None:
        """LanguageError for a local that is read here and has no value."""
        for part in ast.walk(node) if node is not None else ():
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                name = part.id
                if name in self.locals and name not in known:
                    problem = f"{name} may have no value here: assign it on every path"
                    raise _fail(self.definition, part, problem)

    # --- statements ---

    def after_other(self, node: ast.stmt, known: frozenset[str]) -> Assigned:
        self.reads(node, known)
        return known

    def after_expr(self, node: ast.Expr, known: frozenset[str]) -> Assigned:
        self.reads(node, known)
        call = node.value
        target = resolve(call.func, self.names) if isinstance(call, ast.Call) else None
        if isinstance(target, Callee) and target.signature.never_returns:
            return None
        return known

    def after_assign(self, node: ast.Assign, known: frozenset[str]) -> Assigned:
        self.reads(node, known)
        return known | _names_of(node.targets)

    def after_annassign(self, node: ast.AnnAssign, known: frozenset[str]) -> Assigned:
        self.reads(node.value, known)
        return known | _names_of([node.target])

    def after_augassign(self, node: ast.AugAssign, known: frozenset[str]) -> Assigned:
        self.reads(node, known)
        for name in _names_of([node.target]) - known:
            raise _fail(
                self.definition, node, f"{name} may have no value here: assign it on every path"
            )
        return known

    def after_if(self, node: ast.If, known: frozenset[str]) -> Assigned:
        self.reads(node.test, known)
        return _meet([self.block(node.body, known), self.block(node.orelse, known)])

    def after_while(self, node: ast.While, known: frozenset[str]) -> Assigned:
        self.reads(node.test, known)
        for_ever = isinstance(node.test, ast.Constant) and node.test.value is True
        return self._loop(node.body, known, None if for_ever else known)

    def after_for(self, node: ast.For, known: frozenset[str]) -> Assigned:
        self.reads(node.iter, known)
        self._loop(node.body, known | _names_of([node.target]), known)
        return known

    def _loop(self, body: list[ast.stmt], known: frozenset[str], over: Assigned) -> Assigned:
        """`over`: the locals that have a value when the loop ends without `break`."""
        self.breaks.append([over])
        self.block(body, known)
        return _meet(self.breaks.pop())

    def after_break(self, node: ast.Break, known: frozenset[str]) -> Assigned:
        self.breaks[-1].append(known)
        return None

    def after_continue(self, node: ast.Continue, known: frozenset[str]) -> Assigned:
        return None

    def after_return(self, node: ast.Return, known: frozenset[str]) -> Assigned:
        self.reads(node, known)
        return None

    def after_raise(self, node: ast.Raise, known: frozenset[str]) -> Assigned:
        return None

    def after_try(self, node: ast.Try, known: frozenset[str]) -> Assigned:
        """Any statement of the body may raise, so its assignments are ignored in the handler."""
        ways = [self.block(node.body, known)]
        ways += [self.block(handler.body, known) for handler in node.handlers]
        return _meet(ways)


def _names_of(targets: Sequence[ast.expr]) -> frozenset[str]:
    """The locals that an assignment to these targets gives a value."""
    found = [part for target in targets for part in ast.walk(target)]
    return frozenset(
        part.id for part in found if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
