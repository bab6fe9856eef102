"""The definitions of a compilation. Each is parsed, checked and typed once.

`Definitions` gives back ends and tools a definition's typed body, specialised on constants, and its
effects. It emits no code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rvplat.lang.checking.check import check_body, check_text
from rvplat.lang.checking.signatures import Signatures
from rvplat.lang.checking.type_statements import Typer
from rvplat.lang.define import Declaration, Definition, Dispatch, Intrinsic, LanguageError
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import Effects, Poll, effects_of_body
from rvplat.lang.typed_ir.ir import Fixed
from rvplat.lang.typed_ir.specialise import Constants, specialise
from rvplat.lang.types import Integer


class Definitions(Signatures):
    """Typed definitions."""

    def __init__(
        self, implied: dict[str, Any], poll: Poll | None = None,
        stands_for: Mapping[type, type[Integer]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(implied, poll, stands_for)
        self.constants = Constants()
        self.plain = self  # the definitions without constants
        self._typed: dict[Definition, ir.Body] = {}
        self._bodies: dict[tuple[Definition, Fixed], ir.Body] = {}
        self._effects: dict[Any, Effects] = {}
        self._open: list[Any] = []  # what `effects` is called for: a definition inside its callers

    def specialised(self, constants: Constants) -> Definitions:
        """The same definitions with further constants."""
        made = Definitions(self.implied, self.poll, self.stands_for)
        made.layouts = self.layouts
        made.plain = self.plain
        made.constants = self.constants.and_also(constants)
        return made

    def typed(self, definition: Definition) -> ir.Body:
        """A definition's body, not specialised. LanguageError if the definition is refused."""
        known = self.plain._typed.get(definition)
        if known is None and definition.general is not None:
            general = self.typed(definition.general)
            fixed = tuple(sorted(definition.constants.items()))
            made = specialise(general, Constants(), fixed)
            left = tuple(pair for pair in made.fixed if pair not in fixed)
            known = dataclasses.replace(made, definition=definition, fixed=left)
            self.plain._typed[definition] = known
        elif known is None:
            check_text(definition)
            known = self.plain._typed[definition] = Typer(self.plain, definition).body()
            try:
                check_body(known, self.plain.effects, self.poll)  # needs the callees' bodies
            except LanguageError:
                del self.plain._typed[definition]
                raise
        return known

    def body(self, definition: Definition, fixed: Fixed = ()) -> ir.Body:
        """A definition's body, specialised on `fixed` parameters and on the constants."""
        key = definition, fixed
        if key not in self._bodies:
            self._bodies[key] = specialise(self.typed(definition), self.constants, fixed)
        return self._bodies[key]

    def effects(self, target: Any, fixed: Fixed = ()) -> Effects:
        """The effects of a call of a definition, word, table or intrinsic."""
        if isinstance(target, Declaration):
            found = Effects(words={target.name})
            if target.implementation is not None:
                found.absorb(self.effects(target.implementation), caught=False)
            return found
        if isinstance(target, Intrinsic):
            return Effects(writes=target.writes)
        key = target, fixed
        if key in self._open:
            self._refuse_circle([one for one, _ in self._open[self._open.index(key) :]])
        elif key not in self._effects:
            self._open.append(key)
            try:
                self._find_effects(key)
            except LanguageError:
                del self._effects[key]
                raise
            finally:
                self._open.pop()
        return self._effects[key]

    def _find_effects(self, key: tuple[Definition | Dispatch, Fixed]) -> None:
        target, fixed = key
        found = self._effects[key] = Effects(cold=isinstance(target, Dispatch) or target.cold)
        if isinstance(target, Dispatch):
            rows = [*self.rows(target).values(), *filter(None, [target.default])]
            for row in dict.fromkeys(rows):
                found.absorb(self.effects(row), caught=False)
        else:
            block = self.body(target, fixed).statements
            effects_of_body(block, self.effects, self.poll, found)

    def _refuse_circle(self, calls: list[Definition | Dispatch]) -> None:
        """Refuse definitions that call each other in a circle, if one is a plugin's: nothing ends
        it before the host's stack is full, and then the process dies."""
        circle = [one for one in calls if isinstance(one, Definition)]
        theirs = [one for one in circle if self.poll and self.poll.applies(one)]
        if theirs:
            at = circle.index(theirs[0])
            first, *others = [*circle[at:], *circle[:at]]
            way = f" through {', '.join(one.name for one in others)}" if others else ""
            raise LanguageError(
                first.place, f"{first.name} calls itself{way}: write a loop instead"
            )
