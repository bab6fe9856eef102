"""What a definition may do, seen from its text: raise, write state, call cold code, speak words."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rvplat.lang.define import Declaration, Definition, Dispatch, Intrinsic, Unwind

SHORT = 256  # turns of a loop that is over soon, whatever it does


def resolve(node: ast.expr, names: dict[str, Any]) -> Any:
    """The Python object that a name or dotted name stands for; None if it is not static."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        base = resolve(node.value, names)
        return None if base is None else getattr(base, node.attr, None)
    return None


def raised_class(node: ast.Raise, names: dict[str, Any]) -> set[type[Unwind]]:
    """The class that a raise statement names; none if it names no Unwind class."""
    name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    found = resolve(name, names) if name is not None else None
    return {found} if isinstance(found, type) and issubclass(found, Unwind) else set()


@dataclass(frozen=True)
class Poll:
    """What loops do at each turn, so that they can be ended from outside: they call `definition`,
    which may raise, with what `kind`, its one parameter's type, stands for. `applies` says in which
    definitions' texts they do so."""

    definition: Definition
    kind: Any
    applies: Callable[[Definition], bool]

    def at(self, loop: ast.While | ast.For, definition: Definition) -> bool:
        """Whether a loop in a definition polls."""
        return self.applies(definition) and not _is_short(loop, definition.globals)


def _is_short(loop: ast.While | ast.For, names: dict[str, Any]) -> bool:
    """Whether a loop is over a range of a few literal numbers."""
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
        return False
    bounds = [_literal(argument, names) for argument in loop.iter.args]
    numbers = [bound for bound in bounds if bound is not None]
    return len(numbers) == len(bounds) in (1, 2, 3) and len(_range(*numbers)) <= SHORT


def _literal(node: ast.expr, names: dict[str, Any]) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, names)
        return None if value is None else -value
    found = node.value if isinstance(node, ast.Constant) else resolve(node, names)
    return found if isinstance(found, int) else None


def _range(*numbers: int) -> range:
    step = numbers[2] if len(numbers) == 3 else 1
    first, last = numbers[:2] if len(numbers) > 1 else (0, numbers[0])
    return range(first, last, step or 1)


@dataclass
class Effects:
    """`raised`: the Unwind classes that can leave it; `writes`: it can change state; `cold`: it can
    reach cold code; `polls`: it has loops that look whether they shall end (Poll); `words`: words
    that it reaches. All by any path."""

    raised: set[type[Unwind]] = field(default_factory=set)
    cold: bool = False
    writes: bool = False
    polls: bool = False
    words: set[str] = field(default_factory=set)

    @property
    def raises(self) -> bool:
        """Whether something raised can leave it."""
        return bool(self.raised)

    def absorb(self, other: Effects, caught: bool) -> None:
        """Add what a part does; `caught`: a try around the part catches what it raises."""
        if not caught:
            self.raised |= other.raised
        self.cold |= other.cold
        self.writes |= other.writes
        self.polls |= other.polls
        self.words |= other.words


class EffectTable:
    """Effects of definitions, each worked out once."""

    def __init__(self, poll: Poll | None = None) -> None:
        self._poll = poll
        self._known: dict[int, Effects] = {}

    def of(self, target: Any) -> Effects:
        """The effects of calling a definition, declaration, dispatch table or intrinsic."""
        if isinstance(target, Declaration):
            inner = self.of(target.implementation)
            words = inner.words | {target.name}
            return Effects(inner.raised, inner.cold, inner.writes, inner.polls, words)
        if isinstance(target, Dispatch):
            return self._dispatch(target)
        if isinstance(target, Definition):
            known = self._known.get(id(target))
            if known is None:
                known = self._known[id(target)] = Effects(cold=target.cold)
                self._scan(target, target.tree.body, known)
            return known
        if isinstance(target, Intrinsic):
            return Effects(writes=target.writes)
        return Effects()

    def _dispatch(self, table: Dispatch) -> Effects:
        known = self._known.get(id(table))
        if known is None:
            known = self._known[id(table)] = Effects(cold=True)
            targets = [*table.targets.values(), *filter(None, [table.default])]
            for target in {id(t): t for t in targets}.values():
                known.absorb(self.of(target), caught=False)
        return known

    def raised_in(self, definition: Definition, statements: list[ast.stmt]) -> set[type[Unwind]]:
        """The Unwind classes that can leave these statements of a definition, by what its text
        says: polls say nothing there."""
        found = Effects()
        self._scan(definition, statements, found)
        polls = self.of(self._poll.definition).raised if self._poll is not None else set()
        return found.raised - polls

    def _scan(self, definition: Definition, body: list[ast.stmt], effects: Effects) -> None:
        names = definition.globals
        for node, caught in _walk(body, False):
            if isinstance(node, ast.Raise):
                if not caught:
                    effects.raised |= raised_class(node, names)
            elif isinstance(node, ast.Attribute | ast.Subscript):
                effects.writes |= isinstance(node.ctx, ast.Store)
            elif isinstance(node, ast.Call):
                target = resolve(node.func, names)
                effects.absorb(self.of(target), caught)
            elif isinstance(node, ast.While | ast.For):
                self._scan_loop(node, definition, effects, caught)

    def _scan_loop(
        self, node: ast.While | ast.For, definition: Definition, effects: Effects, caught: bool
    ) -> None:
        if self._poll is not None and self._poll.at(node, definition):
            effects.polls = True
            effects.absorb(self.of(self._poll.definition), caught)


def _walk(nodes: list[Any], caught: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether a try around it catches what it raises."""
    for node in nodes:
        yield node, caught
        if isinstance(node, ast.Try):
            yield from _walk(node.body, True)
            for handler in node.handlers:
                yield from _walk(handler.body, caught)
        else:
            yield from _walk(list(ast.iter_child_nodes(node)), caught)
