"""Replays a recorded run: gives its input at the recorded places, and finds the first difference.

A difference lies between two checkpoints; the error names both and the first register that differs.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from rvplat.errors import RecordingError
from rvplat.isa.machinery.disassemble import X_NAMES
from rvplat.machine.recordings.facts import check
from rvplat.machine.recordings.file import place_of, read
from rvplat.machine.recordings.recorder import begin_of, end_of, must_be_new, state_of
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System

#: Ends of a run that come by themselves in a replay.
OF_THE_GUEST = ("off", "fail", "reset", "idle", "critical")


class Replayer:
    """The input of a recording, for a machine that has executed nothing, or nothing since the
    snapshot at which the recording begins."""

    yields = False

    def __init__(self, machine: System, path: Path) -> None:
        must_be_new(machine, "a replay")
        first, lines = read(path)
        _check_begin(machine, first.get("begin"), path)
        check(machine, first, path)
        self._machine = machine
        self._path = path
        self._same = (
            machine.turns.place().work
        )  # the work up to which the replay is known to be the same
        ends = [n for n, line in enumerate(lines) if "end" in line]
        is_whole = bool(lines) and "end" in lines[-1]
        #: The events: the ends of all runs but the last are no events.
        self._events = deque(
            line for n, line in enumerate(lines) if n not in ends or (is_whole and n == ends[-1])
        )
        self._done = False
        machine.turns.inbox.replayer = self

    def next_work(self) -> int | None:
        """After how many instructions the next event is."""
        return place_of(self._events[0]).work if self._events else None

    def next_tick(self, work: int) -> int | None:
        """The tick of the next event, if it comes before any instruction."""
        if not self._events:
            return None
        place = place_of(self._events[0])
        return place.ticks if place.work == work and place.hart is None else None

    def due(self, place: Place) -> list[tuple[str, bytes]]:
        """The input that arrives at a place. RecordingError if the replay differs."""
        found: list[tuple[str, bytes]] = []
        while self._events and place_of(self._events[0]) == place:
            line = self._events[0]
            if "end" in line:
                if line["end"] not in OF_THE_GUEST:
                    self._machine.request_stop(Stop(line["end"], line["code"]))
                return found
            self._events.popleft()
            if "input" in line:
                found.append((line["input"], bytes.fromhex(line["data"])))
            else:
                self._compare(line, {"state": state_of(self._machine)})
        if not self._events and not self._done:
            raise RecordingError(
                f"{self._path}: the recording ends early, after {place.work:,} instructions; up to "
                "there the replay was the same"
            )
        self._refuse_passed(place)
        return found

    def _refuse_passed(self, place: Place) -> None:
        """RecordingError if the next event should have come before."""
        if not self._events:
            return
        wanted = place_of(self._events[0])
        late = place.hart is None and wanted.hart is None and place.ticks > wanted.ticks
        if place.work > wanted.work or (place.work == wanted.work and late):
            what = next(one for one in ("input", "end", "state") if one in self._events[0])
            raise self._differs(f"it has no place for the {what} of the recording", wanted.work)

    def _compare(self, line: dict[str, Any], here: dict[str, Any]) -> None:
        """RecordingError if a state is another."""
        work = place_of(line).work
        for number, (was, now) in enumerate(zip(line["state"], here["state"], strict=True)):
            names = ["pc", "instret", *X_NAMES[1:]]
            for name, one, two in zip(names, was, now, strict=True):
                if one != two:
                    what = f"hart {number}: {name} is {two:#x}, and was {one:#x}"
                    raise self._differs(what, work)
        for name in ("memory", "output"):
            if name in line and line[name] != here.get(name):
                raise self._differs(f"{name} is another", work)
        self._same = work

    def _differs(self, what: str, work: int) -> RecordingError:
        return RecordingError(
            f"{self._path}: the replay differs from the recording, first between {self._same:,} "
            f"and {work:,} instructions: {what}"
        )

    def run_ended(self, stop: Stop) -> None:
        """The run has ended. RecordingError if the recorded run did not end so."""
        line = self._events[0] if self._events else None
        if line is None or "end" not in line or place_of(line) != self._machine.turns.place():
            if stop.reason in OF_THE_GUEST:
                work = self._machine.turns.place().work
                raise self._differs(f"the run ends: {stop}", work)
            return  # the user of the replay has stopped it
        if line["end"] != stop.reason:
            if stop.reason not in OF_THE_GUEST:
                return  # just where the recorded run has ended
            raise self._differs(f"the run ends: {stop}", place_of(line).work)
        self._events.popleft()
        self._done = True
        self._compare(line, end_of(self._machine))

    def close(self) -> None:
        """The machine is closed."""


def _check_begin(machine: System, begin: dict[str, Any] | None, path: Path) -> None:
    """RecordingError if the machine is not where the recording begins."""
    here = begin_of(machine)
    if begin is None and here is not None:
        raise RecordingError(f"{path}: the recording begins at power-on, not at a snapshot")
    if begin is not None and here is None:
        raise RecordingError(f"{path}: the recording begins at a snapshot: load it before")
    if begin != here:
        raise RecordingError(f"{path}: the recording begins at another snapshot")
