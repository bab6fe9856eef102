"""A replay that can be led to any place of its recording, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rvplat.machine.recordings.replayer import Replayer
from rvplat.machine.running.run import Runner
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.snapshot import Snapshot, put_back, take

PLACE = "place"  # the reason of a stop at a place
NEVER = {"at": [1 << 62, 0, None], "end": "torn", "code": 0}


class Stopping(Replayer):
    """A replay that stops after `target` instructions. A torn recording has no end."""

    def __init__(self, machine: System, path: Path) -> None:
        super().__init__(machine, path)
        self.target: int | None = None
        if not self._events or "end" not in self._events[-1]:
            self._events.append(NEVER)

    def next_work(self) -> int | None:
        found = super().next_work()
        if self.target is None:
            return found
        return self.target if found is None else min(found, self.target)

    def due(self, place: Place) -> list[tuple[str, bytes]]:
        found = super().due(place)
        if self.target is not None and place.work >= self.target:
            self._machine.request_stop(Stop(PLACE))
        return found

    def mark(self) -> Any:
        """Where in the recording it is."""
        return self._events.copy(), self._same, self._done

    def rewind(self, mark: Any) -> None:
        """Go back there."""
        events, self._same, self._done = mark
        self._events = events.copy()


class Replay:
    """A machine that replays a recording. `stop` is why it stands still: "place", or its end."""

    def __init__(self, machine: System, path: Path) -> None:
        self.machine = machine
        self._replayer = Stopping(machine, path)
        machine.recording = self._replayer
        self.stop = Stop(PLACE)
        self._kept: tuple[Snapshot, Any, Stop] | None = None

    @property
    def work(self) -> int:
        """The instructions of all harts so far."""
        return self.machine.turns.place().work

    def reach(self, work: int) -> None:
        """Run until so many instructions have been executed, or to the end before.

        Raises:
            RecordingError: the replay differs from its recording.
        """
        if self.work < work and self.stop.reason == PLACE:
            self._replayer.target = work
            self.stop = Runner(self.machine, ends_idle=True).run()
            self._replayer.target = None

    def keep(self) -> None:
        """Remember this place."""
        self._kept = take(self.machine), self._replayer.mark(), self.stop

    def back(self) -> None:
        """Go back to the place that is remembered."""
        assert self._kept is not None
        snapshot, mark, self.stop = self._kept
        put_back(self.machine, snapshot)
        self._replayer.rewind(mark)
