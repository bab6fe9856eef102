"""Finds the first instruction after which two recorded runs differ: checkpoints bracket it, and
halving the bracket leaves one instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rvplat.frozen import frozen
from rvplat.machine.debugging.searches import search
from rvplat.machine.debugging.when import When
from rvplat.machine.differences.replays import PLACE, Replay
from rvplat.machine.differences.states import (
    Row,
    are_same,
    other_outputs,
    other_registers,
    other_words,
)

Say = Callable[[str], Any]


@frozen
class Difference:
    """Where two runs differ first. `work`: so many instructions are the same. `steps`: the next
    instruction of each, or why there is none. `registers` (with the number of the hart), `words`
    of RAM and `outputs` of consoles differ after it, by name, A, B."""

    work: int
    steps: tuple[When | str, When | str]
    registers: tuple[tuple[int, Row], ...]
    words: tuple[Row, ...]
    outputs: tuple[tuple[str, bytes, bytes], ...]


class Pair:
    """Two replays, at the same place."""

    def __init__(self, one: Replay, two: Replay, say: Say) -> None:
        self.both = (one, two)
        self._say = say

    def reach(self, work: int) -> bool:
        """Run both to a place. Whether they are the same there."""
        one, two = self.both
        for replay in self.both:
            replay.reach(work)
        return one.work == two.work and are_same(one.machine, two.machine)

    def keep(self) -> None:
        for replay in self.both:
            replay.keep()

    def back(self) -> None:
        for replay in self.both:
            replay.back()

    @property
    def has_ended(self) -> bool:
        """Whether a run has ended."""
        return any(replay.stop.reason != PLACE for replay in self.both)

    def bracket(self, begin: int, works: Sequence[int]) -> tuple[int, int] | None:
        """Of these places, the last at which they are the same, which is kept, and the next one.
        None: they are the same at each."""
        self._say(f"running both to {begin:,} instructions")
        same = 0
        self.keep()
        for work in [begin, *works] if begin else works:
            if not self.reach(work):
                return same, work
            same = work
            self.keep()
            if self.has_ended:
                break
        return None

    def halve(self, same: int, other: int) -> int:
        """Find the last place where they are the same, between two that are the same and not. Both
        are there."""
        while other - same > 1:
            self._say(f"between {same:,} and {other:,} instructions")
            middle = (same + other) // 2
            self.back()
            if self.reach(middle):
                same = middle
                self.keep()
            else:
                other = middle
        self.back()
        return same

    def step(self, work: int) -> Difference:
        """Execute one instruction in both."""
        steps = tuple(_step(replay, work) for replay in self.both)
        one, two = (replay.machine for replay in self.both)
        assert len(steps) == 2
        return Difference(
            work, (steps[0], steps[1]), tuple(other_registers(one, two)),
            tuple(other_words(one, two)), tuple(other_outputs(one, two)),
        )  # fmt: skip

    def first_difference(self, begin: int, works: Sequence[int]) -> Difference | None:
        """The first instruction after which they differ; None if harts and RAM are the same at each
        of the places."""
        found = self.bracket(begin, works)
        return None if found is None else self.step(self.halve(*found))


def _step(replay: Replay, work: int) -> When | str:
    """Execute one instruction; interrupts that are due come first."""
    while True:
        found = search(replay.machine, "1")
        if not found:
            return f"ends there: {found.stop}"
        if found.work > work:
            return found
