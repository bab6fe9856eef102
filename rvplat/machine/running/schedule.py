"""Where a round of turns is (round_robin.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

from rvplat.frozen import frozen

SPIN = 64  # instructions of a turn in which a hart only looks whether it can go on
MOST_SPIN = 2048


@frozen
class Place:
    """A place between two instructions of a run with a virtual clock.

    `work`: the instructions that all harts have executed since the machine was built, including
    those that trapped. `hart`: the hart that has the turn; None between two rounds, at the tick
    `ticks`.
    """

    work: int
    ticks: int
    hart: int | None


@dataclass
class Schedule:
    """A round. `work` is counted over all rounds, and `rest` is what did not fill a tick so far.

    Of the round: `start` is its tick, `length` the instructions of a turn, `longest` those of the
    longest one so far, `queue` the harts whose turns are still to come. Of the turn: its `hart`,
    the instructions `done`, the time at its begin (`time_now`, as the hart's `slice_start`), and
    whether it has not begun yet (`is_new`). `chunk` is what native code may execute just now.

    `spins`: all turns of the round so far have ended at a `pause`. `least`: a `pause` ends a turn
    only after so many instructions. `last`: by hart, the `work` after the last instruction that it
    has executed.
    """

    work: int = 0
    rest: int = 0
    start: int = 0
    length: int = 0
    longest: int = 0
    queue: list[int] = field(default_factory=list)
    hart: int | None = None
    done: int = 0
    chunk: int = 0
    time_now: int = 0
    slice_start: int = 0
    is_new: bool = False
    last: list[int] = field(default_factory=list)
    spins: bool = False
    least: int = 0

    def begin_round(self, harts: list[int], length: int) -> None:
        """A round begins: the harts have turns of at most `length` instructions."""
        self.queue, self.length, self.longest = harts, length, 0
        self.spins = len(harts) > 1

    def end_turn(self, yielded: bool) -> None:
        """The turn is over, because the hart `yielded` or for another reason."""
        self.hart = None
        self.spins = self.spins and yielded

    def end_spins(self) -> None:
        """A round is over. If the harts did nothing but wait for each other, or for the time, their
        next turns are longer: else time would pass slowly, and each turn costs the host a lot."""
        waited = self.spins and self.longest <= max(2 * self.least, SPIN)
        self.least = min(max(2 * self.least, SPIN), MOST_SPIN) if waited else 0
