"""What a definition may do, read from its typed IR: raise, write state, call cold code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rvplat.lang import ir
from rvplat.lang.define import Definition, Unwind


@dataclass(frozen=True)
class Poll:
    """What loops do at each turn, so that they can be ended from outside: they call `definition`,
    which may raise, with what `kind`, its one parameter's type, stands for. `applies` says in which
    definitions' texts they do so."""

    definition: Definition
    kind: Any
    applies: Callable[[Definition], bool]


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


class EffectsOf(Protocol):
    """What a call of a definition, word, table or intrinsic may do: Definitions.effects."""

    def __call__(self, target: Any, fixed: ir.Fixed = ()) -> Effects: ...


def fixed_values(call: ir.Call) -> ir.Fixed:
    """The constants that a call's target is specialised on; () if one of them is still open, for
    the caller itself isn't specialised."""
    known = [(name, e.value) for name, e in call.fixed if isinstance(e, ir.Const)]
    return tuple(known) if len(known) == len(call.fixed) else ()


def effects_of_body(
    block: ir.Block, effects: EffectsOf, poll: Poll | None, found: Effects, caught: bool = False
) -> None:
    """Add what statements may do to `found`."""
    for node in ir.outside_try(block):
        if isinstance(node, ir.Try):
            effects_of_body(node.body, effects, poll, found, True)
            effects_of_body(node.handler, effects, poll, found, caught)
        elif isinstance(node, ir.Raise):
            if not caught:
                found.raised.add(node.raised)
        elif isinstance(node, ir.Store):
            found.writes = True
        elif isinstance(node, ir.Call):
            found.absorb(effects(node.target, fixed_values(node)), caught)
        elif isinstance(node, ir.While | ir.For) and node.polls and poll is not None:
            found.polls = True
            found.absorb(effects(poll.definition), caught)
