"""The platform's clock: ticks of `mtime`, alarms, and the time of day.

`HostClock` follows the host's monotonic clock, `VirtualClock` moves only when it is told to (a
round-robin schedule advances it by retired instructions, so that a run can be repeated). Alarms are
called under the bus lock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rvplat.bus.failures import RAISED, Failures, owner_of
from rvplat.bus.lock import BusLock
from rvplat.errors import DeviceError

NS = 1_000_000_000
MASK64 = (1 << 64) - 1
SHORTEST_WAIT_S = 50e-6  # between two looks at alarms: others need the bus lock too
MOST_RINGS = 100_000  # how often alarms may be set anew at one tick of a virtual clock


@dataclass(order=True)
class Alarm:
    """A call that is due `due` ticks after power-on."""

    due: int
    order: int
    call: Callable[[], None] = field(compare=False)


class Clock:
    """What devices see of time. `frequency` is in ticks a second."""

    #: Whether time is part of a run that can be repeated: a device then does nothing on its own.
    repeatable = False

    def __init__(self, frequency: int, lock: BusLock | None = None) -> None:
        self.frequency = frequency
        self.lock = lock if lock is not None else BusLock()
        self.failures = Failures()
        self.on_set: list[Callable[[], None]] = []
        self._alarms: list[Alarm] = []
        self._due: deque[Alarm] = deque()  # that are being rung
        self._orders = itertools.count()
        self._base = 0  # what `now` would have been at power-on

    def now(self) -> int:
        """Ticks since power-on (or since what `set` said)."""
        raise NotImplementedError

    def set(self, ticks: int) -> None:
        """Make `now()` be `ticks`: a guest wrote `mtime`. Everyone in `on_set` is told."""
        raise NotImplementedError

    def wall_ns(self) -> int:
        """The time of day: nanoseconds since 1970-01-01 UTC."""
        raise NotImplementedError

    def elapsed(self) -> int:
        """Ticks since power-on, whatever was set."""
        return self._elapsed_at(self.now())

    def _elapsed_at(self, now: int) -> int:
        return (now - self._base) & MASK64

    def call_at(self, tick: int, call: Callable[[], None]) -> Alarm:
        """Call `call()` under the bus lock once `tick - now()` ticks have passed, unless it is
        cancelled; a guest that sets the clock meanwhile doesn't move it."""
        with self.lock:
            now = self.now()
            alarm = Alarm(self._elapsed_at(now) + tick - now, next(self._orders), call)
            heapq.heappush(self._alarms, alarm)
            self._alarms_changed()
        return alarm

    def cancel(self, alarm: Alarm | None) -> None:
        """Forget an alarm. One that already rang, or None, is no error."""
        with self.lock:
            if alarm is not None and alarm in self._alarms:
                self._alarms.remove(alarm)
                heapq.heapify(self._alarms)
            elif alarm is not None and alarm in self._due:
                self._due.remove(alarm)

    def left(self, alarm: Alarm) -> int:
        """Ticks until an alarm; it may be late."""
        return alarm.due - self.elapsed()

    def next_alarm(self) -> int | None:
        """The tick of the earliest alarm as things stand (which may have more than 64 bits), or
        None."""
        with self.lock:
            return self.now() + self.left(self._alarms[0]) if self._alarms else None

    def ring(self) -> None:
        """Call every alarm that is due. One that is set meanwhile waits for the next time, so that
        a device whose alarm sets itself anew lets others in."""
        with self.lock:
            while self._alarms and self.left(self._alarms[0]) <= 0:
                self._due.append(heapq.heappop(self._alarms))
            while self._due:
                alarm = self._due.popleft()
                try:
                    alarm.call()
                except RAISED as error:  # a plugin's: the machine goes on
                    self.failures.note("an alarm", error)

    def pause(self) -> None:
        """Let time stand still until `resume`, where it moves by itself: a debugger has stopped the
        harts. Does nothing if it stands still already."""

    def resume(self) -> None:
        """Let time go on from where it stands."""

    def close(self) -> None:
        """Stop whatever drives the alarms."""

    def _set_base(self, ticks: int) -> None:
        """`now` is about to be something else."""
        self._base = ticks - self.elapsed()

    def _alarms_changed(self) -> None:
        """The earliest alarm may be another one now."""


class HostClock(Clock):
    """Ticks that follow the host's monotonic clock; a thread of its own rings the alarms.

    `now() = (monotonic_ns - origin_ns) * frequency / 1e9 + ahead`, modulo 2**64. Native code
    computes the same. `set` changes only `ahead`. `origin_ns` changes only while time stands still,
    and then every hart is stopped. So whoever reads the clock without the lock sees the time before
    a change or after it, never a mixture.
    """

    def __init__(self, frequency: int, lock: BusLock | None = None) -> None:
        super().__init__(frequency, lock)
        #: origin_ns, and the host's time at which this clock stands still; None: it doesn't
        self._since: tuple[int, int | None] = time.monotonic_ns(), None
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def origin_ns(self) -> int:
        """The host's monotonic time at which nothing had elapsed."""
        return self._since[0]

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return self._since[1] is not None

    def now(self) -> int:
        return self.elapsed() + self._base & MASK64

    def elapsed(self) -> int:
        origin_ns, paused_ns = self._since
        now_ns = time.monotonic_ns() if paused_ns is None else paused_ns
        return (now_ns - origin_ns) * self.frequency // NS & MASK64

    @property
    def ahead(self) -> int:
        """Ticks, of 64 bits: how far `set` has put the clock ahead of what has elapsed."""
        return self._base & MASK64

    def set(self, ticks: int) -> None:
        with self.lock:
            self._set_base(ticks)
            self._tell()

    def pause(self) -> None:
        if self.paused:
            return
        with self.lock:
            if not self.paused:
                self._since = self.origin_ns, time.monotonic_ns()
                self._tell()

    def resume(self) -> None:
        if not self.paused:  # without the lock: a device that doesn't come back may hold it
            return
        with self.lock:
            origin_ns, paused_ns = self._since
            if paused_ns is not None:
                self._since = origin_ns + time.monotonic_ns() - paused_ns, None
                self._tell()

    def _tell(self) -> None:
        """Tell everybody who keeps a copy of the clock's state that it has changed."""
        for call in self.on_set:
            call()
        self._alarms_changed()

    def wall_ns(self) -> int:
        return time.time_ns()

    def close(self) -> None:
        with self.lock:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _alarms_changed(self) -> None:
        if self._thread is None and self._alarms and not self._closed:
            self._thread = threading.Thread(target=self._run, name="rvplat-clock", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        with self.lock.in_haste():
            while not self._closed:
                self.ring()
                if not self._alarms or self.paused:
                    self._changed.wait()
                else:  # a day at most: an alarm may be set to the end of time
                    left_s = self.left(self._alarms[0]) / self.frequency
                    self._changed.wait(min(max(left_s, SHORTEST_WAIT_S), 86_400))


class VirtualClock(Clock):
    """Ticks that move only by `advance`; the same run gives the same time."""

    repeatable = True

    def __init__(self, frequency: int, lock: BusLock | None = None, epoch_ns: int = 0) -> None:
        super().__init__(frequency, lock)
        self.epoch_ns = epoch_ns
        self.ticks = 0

    def now(self) -> int:
        return self.ticks

    def set(self, ticks: int) -> None:
        with self.lock:
            self._set_base(ticks)
            self.ticks = ticks & MASK64
            for call in self.on_set:
                call()

    def advance(self, ticks: int) -> None:
        """Let `ticks` pass, and ring what falls due in them, each at its own tick. After the last
        tick of 64 bits comes 0."""
        with self.lock:
            rings = 0
            while self._alarms and (wait := max(self.left(self._alarms[0]), 0)) <= ticks:
                rings = rings + 1 if wait == 0 else 0
                if rings > MOST_RINGS:
                    self._give_up(heapq.heappop(self._alarms))
                    continue
                self._move(wait)
                ticks -= wait
                self.ring()
            self._move(ticks)

    def _give_up(self, alarm: Alarm) -> None:
        """Drop an alarm that sets itself anew at the tick at which it rings: time would stand
        still."""
        device, place = owner_of(alarm.call)
        error = DeviceError(f"set anew {MOST_RINGS} times at tick {self.ticks}, dropped")
        self.failures.note("an alarm", error, device, place=place)

    def _move(self, ticks: int) -> None:
        self.ticks = (self.ticks + ticks) & MASK64

    def wall_ns(self) -> int:
        return self.epoch_ns + self.elapsed() * NS // self.frequency
