"""Input from outside, for a machine with a virtual clock.

Input may come from any thread at any time. It waits here until the thread that runs the harts
takes it, between two instructions, at a place that can be told (schedule.py). So a recording can
say where it arrived, and a replay gives it at the same place.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop

Deliver = Callable[[bytes], None]
#: What a hook that changes such a run is told.
UNCHANGED = "a hook can't change a run that is recorded or replayed"


class Recorder(Protocol):
    """Who writes down what arrives (recordings/)."""

    def arrived(self, place: Place, name: str, data: bytes) -> None: ...

    def passed(self, place: Place) -> None: ...

    def hook_changes(self) -> None: ...  # a hook's handler is about to; HistoryError refuses it


class Replayer(Protocol):
    """Who gives what arrived in an earlier run."""

    def due(self, place: Place) -> list[tuple[str, bytes]]: ...

    def next_work(self) -> int | None: ...

    def next_tick(self, work: int) -> int | None: ...


class HistoryLike(Protocol):
    """Who keeps what was, so that the machine can go back (history/). In the past, its events are
    the replayer's."""

    is_past: bool

    @property
    def may_change(self) -> bool: ...

    def passed(self, place: Place) -> None: ...

    def arrived(self, place: Place, name: str, data: bytes) -> None: ...

    def goes_on(self) -> None: ...

    def change(self) -> None: ...


class RecordingLike(Protocol):
    """A recording that is made or replayed (recordings/). `yields`: to one that the user wants."""

    yields: bool

    def run_ended(self, stop: Stop) -> None: ...

    def close(self) -> None: ...


class Inbox:
    """What has arrived. `interrupt` ends the turn of the hart that is running."""

    def __init__(self, interrupt: Callable[[], None], place: Callable[[], Place]) -> None:
        self.running = False  # a thread runs the harts: it takes what arrives
        self.is_giving = False  # a device takes what has arrived
        self.recorder: Recorder | None = None
        self.replayer: Replayer | None = None
        self.history: HistoryLike | None = None
        self.limit: int | None = None  # the `work` at which a repeated part of the run ends
        self.holds = False  # what arrives waits: the machine is on its way to another place
        self.sources: dict[str, Deliver] = {}
        self._interrupt = interrupt
        self._place = place
        self._lock = threading.RLock()
        self._posted: deque[tuple[str, bytes]] = deque()

    def post(self, name: str, data: bytes) -> None:
        """Take input for the device `name`, from any thread. While the machine stands still it
        arrives at once. In a replay it is ignored, and in the past of a run that is recorded."""
        past = self.history if self.history is not None and self.history.is_past else None
        if self.replays if past is None else not past.may_change:
            return
        with self._lock:
            self._posted.append((name, bytes(data)))
            if not self.running:
                self.deliver(self._place())
        if not self.holds:
            self._interrupt()

    @property
    def is_pressing(self) -> bool:
        """Whether something waits for its delivery."""
        return bool(self._posted) and not self.holds

    @property
    def is_past(self) -> bool:
        """Whether the run repeats a part of its history."""
        return self.history is not None and self.history.is_past

    @property
    def replays(self) -> bool:
        """Whether the input is that of an earlier run."""
        return self.replayer is not None

    def deliver(self, place: Place) -> None:
        """Give the devices what has arrived. The run is at this place."""
        if self.history is not None:
            self.history.passed(place)
        if self.recorder is not None:
            self.recorder.passed(place)
        if self.replayer is not None:
            for name, data in self.replayer.due(place):
                self._give(place, name, data)
        while self.is_pressing:
            if self.history is not None and self.history.is_past:
                self.history.change()  # a new future begins
            with self._lock:
                name, data = self._posted.popleft()
            self._give(place, name, data)

    def _give(self, place: Place, name: str, data: bytes) -> None:
        self.note(place, name, data)
        self.is_giving = True
        try:
            self.sources[name](data)
        finally:
            self.is_giving = False

    def note(self, place: Place, name: str, data: bytes) -> None:
        """Something arrives here. A debugger that changes the order of the run notes this, too: a
        replay gives it to the source of that name."""
        if self.recorder is not None:
            self.recorder.arrived(place, name, data)
        if self.history is not None:
            self.history.arrived(place, name, data)

    def follow_history(self) -> bool:
        """Where a repeated part of the run ends, go on with the next. Whether it is repeated."""
        if self.history is None or not self.history.is_past:
            return False
        self.history.goes_on()
        return self.history.is_past

    def is_at_limit(self, work: int) -> bool:
        """Whether a repeated part of the run ends here."""
        return self.limit is not None and work >= self.limit

    def until_next(self, work: int, count: int) -> int:
        """How many of `count` instructions come before the next input of a replay. `work` have been
        executed."""
        after = self.replayer.next_work() if self.replayer is not None else None
        places = [one for one in (after, self.limit) if one is not None and one > work]
        return min(count, min(places) - work) if places else count

    def due(self, work: int, due: int | None) -> int | None:
        """The tick at which a machine in which every hart waits goes on: `due`, or earlier if input
        of a replay arrives before."""
        tick = self.replayer.next_tick(work) if self.replayer is not None else None
        return min(one for one in (due, tick) if one is not None) if (due or tick) else due
