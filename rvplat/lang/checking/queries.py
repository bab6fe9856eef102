"""The arguments of a definition's words, and its assignments, in terms of its own parameters.

Tools find from the typed IR which addresses an instruction loads from and which fields it sets.
What depends on a loop or a branch is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rvplat.frozen import frozen
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.define import Declaration, Definition
from rvplat.lang.record import Record, RecordField
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import fixed_values
from rvplat.lang.typed_ir.values import Pointer

DEEPEST = 8  # calls inside calls that are followed

Bound = Mapping[str, ir.Expr]
_UNKNOWN = ir.Local(None, "")  # an unknown value: no parameter has this name


@frozen
class Spoken:
    """A call of a declared word, with its arguments in terms of the definition's parameters."""

    word: Declaration
    arguments: tuple[ir.Expr, ...]


@frozen
class Access:
    """An access to a field of a record, or to an element of it, `depth` calls inside. `index` is in
    terms of the definition's parameters; None for a field that is no array."""

    record: Record
    field: RecordField
    index: ir.Expr | None
    depth: int


class Taken(Access):
    """A read of the value."""


class Assigned(Access):
    """An assignment."""


Event = Spoken | Taken | Assigned


def reached(definitions: Definitions, definition: Definition) -> Iterator[Event]:
    """All words, reads and assignments of a definition and its callees, in the text's order."""
    yield from _Query(definitions, 0).block(definitions.body(definition).statements, {})


@frozen
class Elements:
    """Parameters that index an array which is read or assigned. `others`: it is also accessed with
    other indices."""

    read: frozenset[str]
    assigned: frozenset[str]
    others: bool


def elements(
    definitions: Definitions, definition: Definition, record: Record, name: str
) -> Elements:
    """Which elements of a record's array a definition accesses: the registers of an instruction."""
    found: dict[type, set[str]] = {Taken: set(), Assigned: set()}
    for one in reached(definitions, definition):
        if isinstance(one, Access) and one.record is record and one.field.name == name:
            found[type(one)].add(one.index.name if isinstance(one.index, ir.Local) else "")
    names = frozenset(found[Taken]), frozenset(found[Assigned])
    return Elements(names[0] - {""}, names[1] - {""}, "" in names[0] | names[1])


class _Query:
    """Goes through one definition. `bound` has the known values of its locals."""

    def __init__(self, definitions: Definitions, depth: int) -> None:
        self.definitions = definitions
        self.depth = depth

    def block(self, block: ir.Block, bound: dict[str, ir.Expr]) -> Iterator[Event]:
        for statement in block:
            yield from self.statement(statement, bound)

    def statement(self, node: ir.Statement, bound: dict[str, ir.Expr]) -> Iterator[Event]:
        inner = [getattr(node, name, ()) for name in ("then", "otherwise", "body", "handler")]
        blocks = [block for block in inner if block]
        if isinstance(node, ir.While | ir.For):
            _forget(blocks, bound)
        if isinstance(node, ir.For):
            bound[node.name] = _UNKNOWN
        for part in ir.own_parts(node):
            yield from self.expression(part, bound)
        for block in blocks:
            yield from self.block(block, dict(bound))
        _forget(blocks, bound)
        if isinstance(node, ir.Store):
            if node.op:
                yield from self._access(Taken, node.place, bound)
            yield from self._access(Assigned, node.place, bound)
        elif isinstance(node, ir.Assign):
            several = len(node.names) > 1
            value = _UNKNOWN if several else self.inlined(node.value, bound)
            bound.update(dict.fromkeys(node.names, value))

    def expression(self, node: ir.Expr, bound: Bound) -> Iterator[Event]:
        for one in ir.inside_out(node):
            if isinstance(one, ir.Read):
                yield from self._access(Taken, one.place, bound)
            if not isinstance(one, ir.Call):
                continue
            arguments = tuple(self.inlined(a, bound) for a in one.arguments)
            target: Any = one.target
            if isinstance(target, Declaration):
                yield Spoken(target, arguments)
            elif isinstance(target, Definition) and self.depth < DEEPEST:
                body = self.definitions.body(target, fixed_values(one))
                names = [name for name, _ in body.parameters]
                inner = dict(zip(names, arguments, strict=True))
                yield from _Query(self.definitions, self.depth + 1).block(body.statements, inner)

    def _access(
        self, how: type[Taken | Assigned], place: ir.Place, bound: Bound
    ) -> Iterator[Taken | Assigned]:
        index = None
        if isinstance(place, ir.ElementPlace):
            if not isinstance(place.base, ir.FieldPlace):
                return
            index, place = self.inlined(place.index, bound), place.base
        kind = place.base.type
        assert isinstance(kind, Pointer)
        yield how(kind.record, place.field, index, self.depth)

    def inlined(self, node: Any, bound: Bound) -> Any:
        """An expression with the known values of locals inserted."""
        if isinstance(node, ir.Local):
            known = bound.get(node.name)
            if known is not None:
                return known
            return node if self.depth == 0 else _UNKNOWN
        return ir.rebuilt(node, lambda part: self.inlined(part, bound))


def _forget(blocks: list[ir.Block], bound: dict[str, ir.Expr]) -> None:
    """Forget the locals that are assigned in blocks which may or may not run."""
    bound.update(dict.fromkeys(ir.assigned_names(tuple(blocks)), _UNKNOWN))
