"""The effects of a definition, from its typed IR: raise, write state, call cold code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rvplat.frozen import frozen
from rvplat.lang.define import Definition, Unwind
from rvplat.lang.typed_ir import ir


@frozen
class Poll:
    """A call in each iteration of loops, so that another thread can end them. Loops call
    `definition`, which may raise; its one parameter has the type `kind`. `applies` selects the
    definitions whose loops do so. Those may not call themselves: nothing would end that."""

    definition: Definition
    kind: Any
    applies: Callable[[Definition], bool]


@dataclass
class Effects:
    """Effects on any path. `raised`: the Unwind classes that can leave the definition; `writes`: it
    can change state; `cold`: it can reach cold code; `polls`: it has loops that poll (Poll);
    `words`: the words that it can reach."""

    raised: set[type[Unwind]] = field(default_factory=set)
    cold: bool = False
    writes: bool = False
    polls: bool = False
    words: set[str] = field(default_factory=set)

    @property
    def raises(self) -> bool:
        """Whether an exception can leave the definition."""
        return bool(self.raised)

    def absorb(self, other: Effects, caught: bool) -> None:
        """Add the effects of a part. `caught`: a try around the part catches what it raises."""
        if not caught:
            self.raised |= other.raised
        self.cold |= other.cold
        self.writes |= other.writes
        self.polls |= other.polls
        self.words |= other.words


class EffectsOf(Protocol):
    """Definitions.effects: the effects of a call of a definition, word, table or intrinsic."""

    def __call__(self, target: Any, fixed: ir.Fixed = ()) -> Effects: ...


def fixed_values(call: ir.Call) -> ir.Fixed:
    """The constants on which a call's target is specialised; () if one is not known yet, because
    the caller itself is not specialised."""
    known = [(name, e.value) for name, e in call.fixed if isinstance(e, ir.Const)]
    return tuple(known) if len(known) == len(call.fixed) else ()


def effects_of_body(
    block: ir.Block, effects: EffectsOf, poll: Poll | None, found: Effects, caught: bool = False
) -> None:
    """Add the effects of statements to `found`."""
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
