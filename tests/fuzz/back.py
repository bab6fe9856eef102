"""Trials that go back: from a saved state, or from a place in its history, a machine does the same
again."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz import guest
from tests.fuzz.image import Image
from tests.fuzz.regions import Regions
from tests.fuzz.trial import Finding, Long, Result, count
from tests.machine.snapshots.states import differences, state_of

ROUNDS = 5
LENGTHS = (1, 2, 17, 300, 2_500, 8_000)  # instructions
Steps = list[tuple[int, int]]  # the number of a hart, and of instructions


def run(rng: Random, image: Image, regions: Regions) -> Result:
    """Run a trial."""
    chosen = guest.settings(rng, rng.choice([1, 1, 2]), "virtual")
    with guest.machine(chosen | {"harts.regions": regions.mode}, image) as machine:
        regions.attach(machine)
        return Back(rng, image, machine, regions).run()


class Back(Long):
    """A trial in which each part of the run is done more than once."""

    def run(self) -> Result:
        machine = self.machine
        for hart in machine.harts:
            guest.open_memory(hart)
        history = machine.keep_history()
        for _ in range(ROUNDS):
            self._kick()
            if self.rng.random() < 0.5:
                self._load()
            else:
                self._history(history)
            self.regions.grow()
        for hart in machine.harts:
            guest.readable(hart)
            count(hart, self.result)
        self.result.regions = self.regions.compiled
        return self.result

    def _steps(self) -> Steps:
        harts = range(len(self.machine.harts))
        return [(self.rng.choice(harts), self.rng.choice(LENGTHS)) for _ in range(4)]

    def _do(self, steps: Steps) -> list[Any]:
        """Execute the steps; the state after each."""
        states = []
        for hart, many in steps:
            self.machine.step(many, hart)
            states.append(state_of(self.machine))
        return states

    def _load(self) -> None:
        """The same after `load`."""
        steps = self._steps()
        saved = self.machine.save()
        wanted = self._do(steps)
        self.machine.load(saved)
        for one, two in zip(wanted, self._do(steps), strict=True):
            _compare(one, two, "after load")

    def _history(self, history: Any) -> None:
        """The same at each place of the history, in any order."""
        seen = []
        for step in self._steps():
            [state] = self._do([step])
            seen.append((history.work, state))
        for work, state in self.rng.sample(seen, len(seen)):
            history.go(work)
            _compare(state, state_of(self.machine), f"at instruction {work} of the history", PLACE)
        history.go(history.end)


#: What a place doesn't determine: how far the turn of a hart is, and whether one that doesn't run
#: has seen its timers, which it does before it runs.
PLACE = ("turns", "clock", "timer_lines")


def _compare(one: dict[str, Any], two: dict[str, Any], where: str, but: Any = ()) -> None:
    found = [name for name in differences(one, two) if name.split()[-1] not in but]
    if found:
        raise Finding(f"{where}: {', '.join(found)} is another")
