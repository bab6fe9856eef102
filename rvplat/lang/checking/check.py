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
from collections.abc import Iterable

from rvplat.lang.define import Callee, Definition, LanguageError
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import Effects, EffectsOf, Poll, effects_of_body

Assigned = frozenset[str] | None
"""The locals that have a value on every path to a place; None if no path leads there."""


def check_text(definition: Definition) -> None:
    """Check what needs no types. LanguageError for the first thing that is refused."""
    _check_parameters(definition)
    _check_names(definition)


def check_body(body: ir.Body, effects: EffectsOf, poll: Poll | None) -> None:
    """Check a typed definition. LanguageError for the first thing that is refused."""
    _Assignments(body).check()
    _check_handlers(body, effects, poll)


def no_value(definition: Definition, line: int, name: str) -> LanguageError:
    """The error for a local that is read and has no value on some path."""
    problem = f"{name} may have no value here: assign it on every path"
    return LanguageError(f"{definition.file}:{line}", problem)


def _check_handlers(body: ir.Body, effects: EffectsOf, poll: Poll | None) -> None:
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
    if "range" not in definition.function.__code__.co_names:
        return  # to look at every node takes long
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


class _Assignments:
    """Goes through a definition's statements in the order of control."""

    def __init__(self, body: ir.Body) -> None:
        self.body = body
        self.breaks: list[list[Assigned]] = []

    def check(self) -> None:
        """LanguageError for a local that is read where it may have no value."""
        signature = self.body.definition.signature
        self.after_block(self.body.statements, frozenset(signature.names))

    def after_block(self, block: ir.Block, known: Assigned) -> Assigned:
        """The locals that have a value after these statements."""
        for statement in block:
            if known is None:
                return None
            for part in ir.walk(ir.own_parts(statement)):
                if isinstance(part, ir.Local) and part.name not in known:
                    raise no_value(self.body.definition, statement.line, part.name)
            known = self.after(statement, known)
        return known

    def after(self, node: ir.Statement, known: frozenset[str]) -> Assigned:
        """The locals that have a value after a statement."""
        match node:
            case ir.Assign():
                return known.union(node.names)
            case ir.Evaluate(call=ir.Call(target=Callee() as target)):
                return None if target.signature.never_returns else known
            case ir.If():
                ways = node.then, node.otherwise
                return _meet(self.after_block(block, known) for block in ways)
            case ir.Try():  # any statement may raise, so the handler knows no assignment
                return _meet(self.after_block(block, known) for block in (node.body, node.handler))
            case ir.While():
                return self._after_loop(node.body, known, None if node.test is None else known)
            case ir.For():
                return self._after_loop(node.body, known | {node.name}, known)
            case ir.Break():
                self.breaks[-1].append(known)
                return None
            case ir.Continue() | ir.Raise() | ir.Return():
                return None
        return known

    def _after_loop(self, body: ir.Block, known: frozenset[str], over: Assigned) -> Assigned:
        """`over`: the locals that have a value when the loop ends without `break`."""
        self.breaks.append([over])
        self.after_block(body, known)
        return _meet(self.breaks.pop())
