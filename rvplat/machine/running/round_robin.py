"""Run harts in turns in one thread, so that a run with a virtual clock is reproducible.

In a round every hart that isn't asleep gets a turn of a fixed number of instructions. All turns of
a round begin at the same tick; then the clock advances by the length of the longest turn. When
every hart waits, the clock jumps to the next timer or alarm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from rvplat.bus.clock import VirtualClock
from rvplat.hart.counters import NEVER
from rvplat.hart.state import STOP_BREAK, STOP_LIMIT, STOP_WFI
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System

TURN = 20_000  # instructions; a multiple of the usual instructions_per_tick
LONGEST_WAIT_S = 1.0
STEP_AT_ONCE = 1_000_000  # instructions between two checks for signals
MASK64 = (1 << 64) - 1
Execute = Callable[[Hart], int]


class RoundRobin:
    """Run harts in turns. `execute(hart)` runs the instructions that `hart.allow` set and returns
    hart.stop."""

    def __init__(self, machine: System, turn: int = TURN) -> None:
        self.machine = machine
        self.turn = turn
        self.execute: Execute = self._native
        clock = machine.assembly.clock
        self.virtual = clock if isinstance(clock, VirtualClock) else None
        self.wake = threading.Event()
        self._record = machine.native.view
        self._per_tick = machine.board.general.instructions_per_tick
        self._rest = 0  # instructions that do not fill a tick so far
        self._hart: Hart | None = None  # the hart that has the turn
        if self.virtual is not None:
            self.virtual.on_set.append(self._clock_was_set)

    def _native(self, hart: Hart) -> int:
        return hart.enter(self.machine.core.run)

    def save(self) -> dict[str, int]:
        """What a virtual clock does not know of the time: the start of the last turn in ticks, and
        the instructions that don't fill a tick."""
        return {"began": int(self._record.time_now), "rest": self._rest}

    def load(self, state: Mapping[str, int]) -> None:
        """Restore what `save` returned, after the clock."""
        if self.virtual is not None:
            self._record.time_now, self._rest = state["began"], state["rest"]

    # --- time ---

    def begin(self, hart: Hart) -> None:
        """Set the hart's time to the clock's; from then on its instructions advance it."""
        if self.virtual is not None:
            self._record.time_now = self.virtual.ticks
            hart.view.slice_start = hart.retired

    def sync(self, hart: Hart) -> None:
        """Set the clock to the hart's time, before a device reads it."""
        if self.virtual is not None:
            elapsed = hart.retired - int(hart.view.slice_start)
            self.virtual.ticks = (int(self._record.time_now) + elapsed // self._per_tick) & MASK64

    def _clock_was_set(self) -> None:
        assert self.virtual is not None
        self._record.time_now = self.virtual.ticks
        if self._hart is not None:
            self._hart.view.slice_start = self._hart.retired

    def _advance(self, start: int, spent: int) -> None:
        """End the round that began at tick `start`: advance the clock by `spent` instructions."""
        if self.virtual is None:
            return
        ticks, self._rest = divmod(spent + self._rest, self._per_tick)
        self.virtual.ticks = start
        self.virtual.advance(ticks)

    # --- turns ---

    def take(self, hart: Hart, count: int) -> tuple[int, int]:
        """Give a turn of `count` instructions: (hart.stop, instructions done, including trapping
        ones)."""
        self._hart = hart
        self.begin(hart)
        hart.allow(count)
        reason = self.execute(hart)
        self._hart = None
        hart.waiting = reason == STOP_WFI
        return reason, count - hart.left

    def step(self, hart: Hart, count: int) -> int:
        """Execute instructions of one hart alone; WFI ends at once. Returns hart.stop."""
        left = count
        while True:
            start = self._now()
            reason, done = self.take(hart, min(left, STEP_AT_ONCE))
            self._advance(start, done)
            left -= done
            if reason not in (STOP_WFI, STOP_LIMIT) or left <= 0:
                hart.waiting = False
                return reason

    def round(self, left: dict[int, int]) -> bool:
        """Give a turn to every hart that is awake; `left` is the number of instructions left to
        each. Returns whether any hart had a turn."""
        start = self._now()
        longest = 0
        awake = [hart for hart in self.machine.harts if self._is_awake(hart)]
        for hart in awake:
            if self.virtual is not None:
                self.virtual.ticks = start
            reason, done = self.take(hart, min(self.turn, left[hart.number]))
            start = self._begun(start)
            left[hart.number] -= done
            longest = max(longest, done)
            if reason == STOP_BREAK:
                self.machine.request_stop(self.machine.break_stop(hart))
            elif left[hart.number] <= 0:
                self.machine.request_stop(Stop("limit", hart=hart.number))
            if reason not in (STOP_WFI, STOP_LIMIT) or self.machine.requests:
                break
        if awake:
            self._advance(start, longest)
        return bool(awake)

    def _now(self) -> int:
        return self.virtual.ticks if self.virtual is not None else 0

    def _begun(self, start: int) -> int:
        """The first tick of the round; it changes if the guest sets the clock."""
        return int(self._record.time_now) if self.virtual is not None else start

    def _is_awake(self, hart: Hart) -> bool:
        if hart.waiting:
            self.begin(hart)
            hart.waiting = not self.machine.awaited(hart.address)
        return not hart.waiting

    # --- when every hart waits ---

    def wait(self, in_real_time: bool) -> bool:
        """Let time pass while every hart waits, until something is due. False: nothing is."""
        clock = self.machine.assembly.clock
        self.wake.clear()
        if any(self._is_awake(hart) for hart in self.machine.harts) or self.machine.requests:
            return True
        due = self._next_due()
        if self.virtual is None:
            now = clock.now()
            left_s = LONGEST_WAIT_S if due is None else (due - now) / clock.frequency
            return self.wake.wait(min(left_s, LONGEST_WAIT_S)) or due is not None
        if in_real_time:
            return self._wait_virtual(self.virtual, due)
        if due is None:
            return self.wake.wait(LONGEST_WAIT_S)
        self.virtual.advance(max(0, due - self.virtual.ticks))
        return True

    def _wait_virtual(self, clock: VirtualClock, due: int | None) -> bool:
        """Let virtual time pass at the rate of real time, because input may come."""
        began = time.monotonic()
        left_s = LONGEST_WAIT_S if due is None else (due - clock.ticks) / clock.frequency
        woken = self.wake.wait(min(max(left_s, 0), LONGEST_WAIT_S))
        passed = int((time.monotonic() - began) * clock.frequency)
        if due is not None and not woken and left_s <= LONGEST_WAIT_S:
            passed = max(0, due - clock.ticks)
        elif due is not None:
            passed = min(passed, max(0, due - clock.ticks))
        clock.advance(passed)
        return woken or due is not None

    def _next_due(self) -> int | None:
        """The tick of the next timer or alarm."""
        due = [int(hart.deadline.value) for hart in self.machine.harts]
        due = [tick for tick in due if tick != NEVER]
        alarm = self.machine.assembly.clock.next_alarm()
        return min([*due, alarm] if alarm is not None else due, default=None)
