"""The typed IR of definitions: what stands between their syntax trees and the back ends.

A `Body` is one definition's text, checked and typed. It is a tree, as the text is: statements
with blocks inside, expressions with a type each. What the text leaves open is settled here:

- every literal has a type (`Const`), and no operator mixes two types;
- a name is a local (`Local`), a constant, or what a call calls (`Call.target`): nothing is looked
  up later;
- `a.b[i].c` is a `Place`: where something stands in memory. `Read` loads what is there;
- `-x`, `~x`, `not x` are a `Binary` with a constant; shifts take their amount modulo the width.

A type is an Integer class, bool, `Pointer` (a reference to a record), a struct's class, or None
for nothing. Expressions have no order of their own: a back end evaluates them from left to right,
and what is assigned before the place that it goes to, as Python does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    """What a parameter or local holds."""

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
    """eq, ne, ult, ule, ugt, uge, slt, sle, sgt, sge; a bool."""

    type: Any
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` of bools: a part is evaluated only if those before leave it open."""

    type: Any
    op: str
    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if test else otherwise`: only one of them is evaluated."""

    type: Any
    test: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Convert:
    """An integer or bool as an integer type: extended by its own sign, or cut off."""

    type: Any
    value: Expr


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a field of the record that `base` refers to stands."""

    base: Expr
    field: RecordField


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """Where an element stands: of an array field, or of the records that a reference begins.
    `kind` is the element's type in memory."""

    base: Expr | FieldPlace
    kind: Any
    index: Expr


@dataclass(frozen=True, slots=True)
class Read:
    """What stands at a place; of a record in a record, the reference to it."""

    type: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `types` are those of its values: none, one or several. `fixed` are the arguments
    that the target is specialised on, by name; `arguments` are all others."""

    types: tuple[Any, ...]
    target: Target
    arguments: tuple[Expr, ...]
    fixed: tuple[tuple[str, Expr], ...] = ()

    @property
    def type(self) -> Any:
        return self.types[0] if len(self.types) == 1 else None


@dataclass(frozen=True, slots=True)
class Make:
    """A struct of its fields' values."""

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
    """A local gets values of a call, or one value: `values` has one expression for all names."""

    line: int
    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Store:
    """A place gets a value of the type. `op`: it is combined with what stands there, of which the
    place is found once, before the value is evaluated."""

    line: int
    type: Any
    place: Place
    value: Expr
    op: str = ""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A call for what it does."""

    line: int
    call: Call


@dataclass(frozen=True, slots=True)
class If:
    """`rare`: what is inside always raises."""

    line: int
    test: Expr
    then: Block
    otherwise: Block
    rare: bool


@dataclass(frozen=True, slots=True)
class While:
    """`test` is None for a loop that only `break` and `return` end. `polls`: see effects.Poll."""

    line: int
    test: Expr | None
    body: Block
    polls: bool


@dataclass(frozen=True, slots=True)
class For:
    """Counts in s64 from `first` to before `last`; the local `name` is a u64."""

    line: int
    name: str
    first: Expr
    last: Expr
    step: int
    body: Block
    polls: bool


@dataclass(frozen=True, slots=True)
class Break:
    """Out of the loop."""

    line: int


@dataclass(frozen=True, slots=True)
class Continue:
    """To the loop's next turn."""

    line: int


@dataclass(frozen=True, slots=True)
class Raise:
    """To the `Try` around, or out of the definition."""

    line: int
    raised: type[Unwind]


@dataclass(frozen=True, slots=True)
class Try:
    """The handler catches whatever its body raises: the checker saw to it."""

    line: int
    body: Block
    caught: type[Unwind]
    handler: Block


@dataclass(frozen=True, slots=True)
class Return:
    """`values` has the definition's results, or one call that has them all."""

    line: int
    values: tuple[Expr, ...]


Statement: TypeAlias = (
    Assign | Store | Evaluate | If | While | For | Break | Continue | Raise | Try | Return
)
Block: TypeAlias = tuple[Statement, ...]
Node: TypeAlias = Expr | Place | Statement


Fixed: TypeAlias = tuple[tuple[str, int], ...]
"""Parameters and their constants, in the order of the names."""


@dataclass(frozen=True)
class Body:
    """One definition, typed. `fixed` are the parameters it was specialised on, which are not among
    the others."""

    definition: Definition
    parameters: tuple[tuple[str, Any], ...]
    results: tuple[Any, ...]
    statements: Block
    fixed: Fixed = ()


# --- going through it -----------------------------------------------------------------------------

_NODES = (
    Const, Local, Binary, Compare, Logic, Choice, Convert, FieldPlace, ElementPlace, Read, Call,
    Make, Part, Assign, Store, Evaluate, If, While, For, Break, Continue, Raise, Try, Return,
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
    """A node and those in it, in the order in which they are evaluated."""
    found: list[Node] = []
    for name in _INNER[type(node)]:
        held = getattr(node, name)
        for one in held if isinstance(held, tuple) else (held,):
            if type(one) in _INNER:
                found += inside_out(one)
    return [*found, node]


def outside_try(nodes: Any) -> list[Node]:
    """As `walk`, but without what stands inside a try statement."""
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
    """The node with `change` of each node inside it: a node, or several statements for one."""
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
