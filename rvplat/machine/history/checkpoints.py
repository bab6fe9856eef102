"""Checkpoints of a run: close together where it is now, and wider apart with age."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass, replace

from rvplat.machine.snapshots.snapshot import Snapshot

MOST = 96  # checkpoints; each has a copy of the devices' state
FEWEST = 4


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A snapshot after `work` instructions of all harts and the first `events` events of the
    history. `retired`: the instructions that each hart has retired.

    `begins`: the state was changed here by a user, or the history begins: the run before doesn't
    lead to it. `is_kept`: a user asked for it, so it isn't dropped for being close to others.
    """

    work: int
    events: int
    retired: tuple[int, ...]
    snapshot: Snapshot
    begins: bool = False
    is_kept: bool = False


def place_of(one: Checkpoint) -> tuple[int, int]:
    """The order of checkpoints."""
    return one.work, one.events


class Checkpoints:
    """The checkpoints of a history, in order. `bytes_used` is the host's memory that they take."""

    def __init__(self, most_bytes: int, bytes_used: Callable[[], int]) -> None:
        self.most_bytes = most_bytes
        self.bytes_used = bytes_used
        self._all: list[Checkpoint] = []

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Checkpoint:
        return self._all[index]

    def add(self, one: Checkpoint, may_drop: bool = True) -> None:
        """Add a checkpoint, and drop others if they take too much memory."""
        insort(self._all, one, key=place_of)
        if not may_drop:
            return
        while len(self._all) > MOST or (
            len(self._all) > FEWEST and self.bytes_used() > self.most_bytes
        ):
            self._drop(self._least())

    def _drop(self, index: int) -> None:
        del self._all[index]
        if index == 0 and not self._all[0].begins:
            self._all[0] = replace(self._all[0], begins=True)

    def before(self, work: int) -> Checkpoint | None:
        """The last one that is after fewer instructions."""
        index = bisect_left(self._all, work, key=lambda one: one.work)
        return self._all[index - 1] if index else None

    def at(self, work: int) -> Checkpoint | None:
        """The last one after at most so many instructions."""
        return self.before(work + 1)

    def part_of(self, one: Checkpoint) -> Checkpoint:
        """The begin of the part that a checkpoint is in: a run leads from there to it."""
        index = bisect_right(self._all, place_of(one), key=place_of)
        if one in self._all:
            index = self._all.index(one) + 1
        return next(one for one in reversed(self._all[:index]) if one.begins)

    def next_begin(self, part: Checkpoint) -> Checkpoint | None:
        """The begin of the part after that one; None after the last part."""
        later = self._all[self._all.index(part) + 1 :]
        return next((one for one in later if one.begins), None)

    def before_instret(self, hart: int, instret: int) -> Checkpoint | None:
        """The last one at which a hart has retired fewer instructions; or exactly as many, if it is
        the first one."""
        found = [one for one in self._all if one.retired[hart] < instret]
        if found:
            return found[-1]
        return self._all[0] if self._all and self._all[0].retired[hart] == instret else None

    def forget_after(self, work: int, events: int) -> None:
        """Drop those that are later."""
        self._all = [one for one in self._all if place_of(one) <= (work, events)]

    def clear(self) -> None:
        """Drop all."""
        self._all.clear()

    def _least(self) -> int:
        """The index of the one that is needed least: it leaves the smallest gap for its age. The
        first one is dropped when the others can't be: the history then begins later."""
        now = self._all[-1].work
        best, chosen = -1.0, 0
        for n in range(1, len(self._all) - 1):
            one = self._all[n]
            if one.begins or one.is_kept:
                continue
            gap = self._all[n + 1].work - self._all[n - 1].work
            worth = (now - one.work + 1) / (gap + 1)
            if worth > best:
                best, chosen = worth, n
        return chosen if best >= 1 or len(self._all) > MOST else 0
