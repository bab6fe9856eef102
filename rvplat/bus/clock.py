"""The platform's clock: ticks of `mtime`, alarms, and the time of day.

`HostClock` follows the host's monotonic clock. `VirtualClock` moves only by `advance`: a
round-robin schedule advances it by the number of retired instructions, so that a run can be
repeated. Alarms are called under the bus lock.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rvplat.bus.failures import RAISED, Failures, owner_of
from rvplat.bus.lock import BusLock
from rvplat.errors import DeviceError

NS = 1_000_000_000
MASK64 = (1 << 64) - 1
SHORTEST_WAIT_S = 50e-6  # between two checks of the alarms: others need the bus lock too
MOST_RINGS = 100_000  # calls of `ring` at one tick of a virtual clock


@dataclass(order=True)
class Alarm:
    """A call that becomes due at `due` ticks after power-on."""

    due: int
    order: int
    call: Callable[[], None] = field(compare=False)


class Clock:
    """The clock as devices use it. `frequency` is in ticks a second."""

    #: Whether runs with this clock can be repeated: devices then do no work in threads.
    repeatable = False

    def __init__(self, frequency: int, lock: BusLock | None = None) -> None:
        self.frequency = frequency
        self.lock = lock if lock is not None else BusLock()
        self.failures = Failures()
        self.on_set: list[Callable[[], None]] = []
        self._alarms: list[Alarm] = []
        self._due: deque[Alarm] = deque()  # alarms that `ring` is calling
        self._order = 0  # of the next alarm: alarms at one tick ring in their order
        self._base = 0  # the value of `now` at power-on

    def now(self) -> int:
        """Ticks since power-on, or as `set` has set them."""
        raise NotImplementedError

    def set(self, ticks: int) -> None:
        """Make `now()` be `ticks`: a guest wrote `mtime`. Calls `on_set`."""
        raise NotImplementedError

    def wall_ns(self) -> int:
        """The time of day: nanoseconds since 1970-01-01 UTC."""
        raise NotImplementedError

    def elapsed(self) -> int:
        """Ticks since power-on; `set` does not change them."""
        return self._elapsed_at(self.now())

    @property
    def ahead(self) -> int:
        """By how many ticks (64 bits) `now` is ahead of `elapsed`, because of `set`."""
        return self._base & MASK64

    def _elapsed_at(self, now: int) -> int:
        return (now - self._base) & MASK64

    def call_at(self, tick: int, call: Callable[[], None]) -> Alarm:
        """Call `call()` under the bus lock once `tick - now()` ticks have passed, unless the alarm
        is cancelled. If a guest sets the clock meanwhile, the alarm keeps its time."""
        with self.lock:
            now = self.now()
            self._order += 1
            alarm = Alarm(self._elapsed_at(now) + tick - now, self._order, call)
            self._put(alarm)
        return alarm

    def _put(self, alarm: Alarm) -> None:
        heapq.heappush(self._alarms, alarm)
        self._alarms_changed()

    def cancel(self, alarm: Alarm | None) -> None:
        """Cancel an alarm. None, or an alarm that already rang, is no error."""
        with self.lock:
            if alarm is not None and alarm in self._alarms:
                self._alarms.remove(alarm)
                heapq.heapify(self._alarms)
            elif alarm is not None and alarm in self._due:
                self._due.remove(alarm)

    def left(self, alarm: Alarm) -> int:
        """Ticks until an alarm; negative if it is late."""
        return alarm.due - self.elapsed()

    def next_alarm(self) -> int | None:
        """The value of `now` at which the earliest alarm is due, if nobody sets the clock; it may
        have more than 64 bits. None without alarms."""
        with self.lock:
            return self.now() + self.left(self._alarms[0]) if self._alarms else None

    def ring(self) -> None:
        """Call every alarm that is due. An alarm that is set during these calls waits for the next
        `ring`, so that a device whose alarm sets itself anew does not block others."""
        with self.lock:
            while self._alarms and self.left(self._alarms[0]) <= 0:
                self._due.append(heapq.heappop(self._alarms))
            while self._due:
                alarm = self._due.popleft()
                try:
                    alarm.call()
                except RAISED as error:  # from a plugin: the machine goes on
                    self.failures.note("an alarm", error)

    # --- saved state ---

    @property
    def alarms(self) -> list[Alarm]:
        """The alarms that will ring, in order."""
        with self.lock:
            return sorted(self._alarms)

    def save(self) -> dict[str, Any]:
        """The time. Who set the alarms saves them, with `save_alarm`."""
        return {"ahead": self._base, "order": self._order}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a time that `save` returned. Drops all alarms. Calls `on_set`."""
        with self.lock:
            self._alarms.clear()
            self._base, self._order = int(state["ahead"]), int(state["order"])

    def save_alarm(self, alarm: Alarm | None) -> list[int] | None:
        """When an alarm will ring; None if it will not."""
        return [alarm.due, alarm.order] if alarm is not None and alarm in self._alarms else None

    def load_alarm(self, state: list[int] | None, call: Callable[[], None]) -> Alarm | None:
        """Set an alarm again, after `load`. None if it was off."""
        if state is None:
            return None
        with self.lock:
            alarm = Alarm(int(state[0]), int(state[1]), call)
            self._put(alarm)
        return alarm

    def pause(self) -> None:
        """Stop a clock that runs by itself until `resume`: a debugger has stopped the harts. Does
        nothing if the clock is stopped already."""

    def resume(self) -> None:
        """Let a stopped clock go on from where it stands."""

    def close(self) -> None:
        """Stop the thread that rings the alarms, if there is one."""

    def _set_base(self, ticks: int) -> None:
        """Adjust `now` at power-on: `set` is about to change `now` to `ticks`."""
        self._base = ticks - self.elapsed()

    def _alarms_changed(self) -> None:
        """Called when the earliest alarm may have changed."""


class HostClock(Clock):
    """Ticks that follow the host's monotonic clock; a thread of the clock rings the alarms.

    `now() = (monotonic_ns - origin_ns) * frequency / 1e9 + ahead`, modulo 2**64. Native code
    computes the same. `set` changes only `ahead`. `origin_ns` changes only while the clock is
    stopped, and then every hart is stopped too. So a reader without the lock gets the time before
    or after a change, never a mixture.
    """

    def __init__(self, frequency: int, lock: BusLock | None = None) -> None:
        super().__init__(frequency, lock)
        #: origin_ns, and the host's time at which this clock was stopped (None: it runs)
        self._since: tuple[int, int | None] = time.monotonic_ns(), None
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def origin_ns(self) -> int:
        """The host's monotonic time at which `elapsed` is 0."""
        return self._since[0]

    @property
    def paused(self) -> bool:
        """Whether the clock is stopped."""
        return self._since[1] is not None

    def now(self) -> int:
        return self.elapsed() + self._base & MASK64

    def elapsed(self) -> int:
        origin_ns, paused_ns = self._since
        now_ns = time.monotonic_ns() if paused_ns is None else paused_ns
        return (now_ns - origin_ns) * self.frequency // NS & MASK64

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
        if not self.paused:  # without the lock: a device that does not return may hold it
            return
        with self.lock:
            origin_ns, paused_ns = self._since
            if paused_ns is not None:
                self._since = origin_ns + time.monotonic_ns() - paused_ns, None
                self._tell()

    def save(self) -> dict[str, Any]:
        origin_ns, paused_ns = self._since
        now_ns = time.monotonic_ns() if paused_ns is None else paused_ns
        return {**super().save(), "elapsed_ns": now_ns - origin_ns}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved time. A stopped clock stays stopped."""
        with self.lock:
            super().load(state)
            paused_ns = self._since[1]
            now_ns = time.monotonic_ns() if paused_ns is None else paused_ns
            self._since = now_ns - int(state["elapsed_ns"]), paused_ns
            self._tell()

    def _tell(self) -> None:
        """Tell all who keep a copy of the clock's state that it has changed."""
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
                else:  # a day at most: `wait` has a limit (threading.TIMEOUT_MAX)
                    left_s = self.left(self._alarms[0]) / self.frequency
                    self._changed.wait(min(max(left_s, SHORTEST_WAIT_S), 86_400))


class VirtualClock(Clock):
    """Ticks that move only by `advance`; the same run gives the same time."""

    repeatable = True

    def __init__(self, frequency: int, lock: BusLock | None = None, epoch_ns: int = 0) -> None:
        super().__init__(frequency, lock)
        self.epoch_ns = epoch_ns
        self.ticks = 0
        self.on_alarm: list[Callable[[], None]] = []  # called when an alarm was set

    def now(self) -> int:
        return self.ticks

    def set(self, ticks: int) -> None:
        with self.lock:
            self._set_base(ticks)
            self.ticks = ticks & MASK64
            for call in self.on_set:
                call()

    def save(self) -> dict[str, Any]:
        return {**super().save(), "ticks": self.ticks}

    def load(self, state: Mapping[str, Any]) -> None:
        with self.lock:
            super().load(state)
            self.ticks = int(state["ticks"]) & MASK64
            for call in self.on_set:
                call()

    def advance(self, ticks: int) -> None:
        """Let `ticks` pass, and ring each alarm that becomes due in them at its own tick. `now` has
        64 bits and wraps to 0."""
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
        """Drop an alarm that sets itself again and again at the tick at which it rings: otherwise
        `advance` would never return."""
        device, place = owner_of(alarm.call)
        error = DeviceError(f"set anew {MOST_RINGS} times at tick {self.ticks}, dropped")
        self.failures.note("an alarm", error, device, place=place)

    def _alarms_changed(self) -> None:
        for call in self.on_alarm:
            call()

    def _move(self, ticks: int) -> None:
        self.ticks = (self.ticks + ticks) & MASK64

    def wall_ns(self) -> int:
        return self.epoch_ns + self.elapsed() * NS // self.frequency
