"""The typed IR of definitions: it lies between their syntax trees and the back ends.

A `Body` is one definition, checked and typed. It is a tree like the text: statements contain blocks
and expressions, and each expression has a type. Other than in the text:

- every literal has a type (`Const`), and no operator mixes two types;
- a name is a local (`Local`), a constant, or the target of a call (`Call.target`); no name is
  looked up later;
- `a.b[i].c` is a `Place` in memory, and `Read` loads its value;
- `-x`, `~x`, `not x` are a `Binary` with a constant; shift amounts are modulo the width.

A type is an Integer class, bool, `Pointer` (a reference to a record), a struct's class, or None
for no value. Back ends evaluate expressions from left to right, and an assigned value before the
place to which it is assigned, as Python does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rvplat.frozen import frozen
from rvplat.lang.define import Declaration, Definition, Dispatch, Intrinsic, Unwind
from rvplat.lang.record import RecordField

# --- expressions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A number, or a bool as 0 or 1."""

    type: Any
    value: int


@dataclass(frozen=True, slots=True)
class Local:
    """The value of a parameter or local."""

    type: Any
    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """add, sub, mul, and, or, xor, udiv, urem, shl, lshr, ashr. Both sides have its type."""

    type: Any
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """eq, ne, ult, ule, ugt, uge, slt, sle, sgt or sge. Its type is bool."""

    type: Any
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` of bools. A part is evaluated only if those before it don't decide."""

    type: Any
    op: str
    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if test else otherwise`. Only one of the two is evaluated."""

    type: Any
    test: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Convert:
    """An integer or bool as an integer type: extended (a signed one by its sign) or truncated."""

    type: Any
    value: Expr


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """The place of a field of the record to which `base` refers."""

    base: Expr
    field: RecordField


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """The place of an element of an array field, or of a record in the array to which a reference
    points. `kind` is the element's type in memory."""

    base: Expr | FieldPlace
    kind: Any
    index: Expr


@dataclass(frozen=True, slots=True)
class Read:
    """The value at a place; for a record in a record, the reference to it."""

    type: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `types` are the types of its values: none, one or several. `fixed` are the arguments
    on which the target is specialised, by name; `arguments` are all others."""

    types: tuple[Any, ...]
    target: Target
    arguments: tuple[Expr, ...]
    fixed: tuple[tuple[str, Expr], ...] = ()

    @property
    def type(self) -> Any:
        return self.types[0] if len(self.types) == 1 else None


@dataclass(frozen=True, slots=True)
class Make:
    """Make a struct from its fields' values."""

    type: Any
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a struct, by its number."""

    type: Any
    value: Expr
    index: int


Expr: TypeAlias = (
    Const | Local | Binary | Compare | Logic | Choice | Convert | Read | Call | Make | Part
)
Place: TypeAlias = FieldPlace | ElementPlace
Target: TypeAlias = Definition | Declaration | Intrinsic | Dispatch

# --- statements -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """Assign a value to a local, or the values of one call to several locals."""

    line: int
    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Store:
    """Store a value of the type at a place. With `op`, combine it with the old value; then the
    place is evaluated once, before the value."""

    line: int
    type: Any
    place: Place
    value: Expr
    op: str = ""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A call whose values are not used."""

    line: int
    call: Call


@dataclass(frozen=True, slots=True)
class If:
    """`rare`: the body always raises."""

    line: int
    test: Expr
    then: Block
    otherwise: Block
    rare: bool


@dataclass(frozen=True, slots=True)
class While:
    """`test` is None for a loop without a condition. `polls`: see effects.Poll."""

    line: int
    test: Expr | None
    body: Block
    polls: bool


@dataclass(frozen=True, slots=True)
class For:
    """Counts in s64 from `first` to before `last`. The local `name` is a u64. `lanes`: how many
    iterations are done at once, if none reads or writes what another one writes."""

    line: int
    name: str
    first: Expr
    last: Expr
    step: int
    body: Block
    polls: bool
    lanes: Expr | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the loop."""

    line: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Go to the loop's next iteration."""

    line: int


@dataclass(frozen=True, slots=True)
class Raise:
    """Go to the handler of the `Try` around, or leave the definition."""

    line: int
    raised: type[Unwind]


@dataclass(frozen=True, slots=True)
class Try:
    """The handler catches all that the body raises (checking/check.py refuses other texts)."""

    line: int
    body: Block
    caught: type[Unwind]
    handler: Block


@dataclass(frozen=True, slots=True)
class Return:
    """`values` are the definition's results, or one call that returns all of them."""

    line: int
    values: tuple[Expr, ...]


Statement: TypeAlias = (
    Assign | Store | Evaluate | If | While | For | Break | Continue | Raise | Try | Return
)
Block: TypeAlias = tuple[Statement, ...]
Node: TypeAlias = Expr | Place | Statement


Fixed: TypeAlias = tuple[tuple[str, int], ...]
"""Parameters and their constants, in the order of the names."""


@frozen
class Body:
    """One definition, typed. `fixed` are the parameters on which it was specialised; `parameters`
    has only the others."""

    definition: Definition
    parameters: tuple[tuple[str, Any], ...]
    results: tuple[Any, ...]
    statements: Block
    fixed: Fixed = ()


# --- traversal ------------------------------------------------------------------------------------

_STATEMENTS = (
    Assign, Store, Evaluate, If, While, For, Break, Continue, Raise, Try, Return
)  # fmt: skip
_NODES = (
    Const, Local, Binary, Compare, Logic, Choice, Convert, FieldPlace, ElementPlace, Read, Call,
    Make, Part, *_STATEMENTS,
)  # fmt: skip


_PLAIN = {
    "type", "types", "op", "name", "names", "line", "field", "kind", "target", "rare", "polls",
    "step", "raised", "caught",
}  # fmt: skip


def _inner(kind: Any) -> tuple[str, ...]:
    """The fields of a node's class that may hold nodes, in the order of evaluation."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in _PLAIN]
    return tuple(reversed(names) if kind is Store else names)


_INNER = {kind: _inner(kind) for kind in _NODES}


def walk(nodes: Any) -> list[Node]:
    """Every node in a node or block, outer ones first."""
    found: list[Node] = []
    _gather(nodes, found, True)
    return found


def inside_out(node: Node) -> list[Node]:
    """A node and the nodes in it, in the order of evaluation."""
    found: list[Node] = []
    for name in _INNER[type(node)]:
        held = getattr(node, name)
        for one in held if isinstance(held, tuple) else (held,):
            if type(one) in _INNER:
                found += inside_out(one)
    return [*found, node]


def own_parts(statement: Statement) -> tuple[Any, ...]:
    """The expressions and places of a statement, without the statements in it."""
    held = [getattr(statement, name) for name in _INNER[type(statement)]]
    parts = [one for part in held for one in (part if isinstance(part, tuple) else (part,))]
    return tuple(one for one in parts if type(one) in _INNER and not isinstance(one, _STATEMENTS))


def assigned_names(nodes: Any) -> frozenset[str]:
    """The locals that statements, and the statements in them, assign."""
    names: set[str] = set()
    for node in walk(nodes):
        if isinstance(node, Assign):
            names.update(node.names)
        elif isinstance(node, For):
            names.add(node.name)
    return frozenset(names)


def outside_try(nodes: Any) -> list[Node]:
    """As `walk`, without the nodes inside try statements."""
    found: list[Node] = []
    _gather(nodes, found, False)
    return found


def _gather(held: Any, found: list[Node], inside: bool) -> None:
    if isinstance(held, tuple):
        for one in held:
            _gather(one, found, inside)
    elif type(held) in _INNER:
        found.append(held)
        if inside or type(held) is not Try:
            for name in _INNER[type(held)]:
                _gather(getattr(held, name), found, inside)


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """The node, with `change` of each node inside it: a node, or several statements."""
    changes = {}
    for name in _INNER[type(node)]:
        old = getattr(node, name)
        new = _changed(old, change)
        if new is not old:
            changes[name] = new
    return dataclasses.replace(node, **changes) if changes else node


def _changed(held: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(held, tuple):
        return change(held) if type(held) in _INNER else held
    new: list[Any] = []
    for one in held:
        changed = _changed(one, change)
        several = isinstance(changed, tuple) and not isinstance(one, tuple)
        new += changed if several else (changed,)
    same = len(new) == len(held) and all(a is b for a, b in zip(new, held, strict=True))
    return held if same else tuple(new)
