"""Run harts in turns in one thread, so that a run with a virtual clock is reproducible.

In a round every hart that isn't asleep gets a turn of a fixed number of instructions. All turns of
a round begin at the same tick; then the clock advances by the length of the longest turn. When
every hart waits, the clock jumps to the next timer or alarm. While all others wait, a hart has
longer turns.

A turn may be interrupted anywhere: by a request to stop, a breakpoint, input from outside. It goes
on later where it was, so that interruptions do not change what the harts do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from rvplat.bus.clock import VirtualClock
from rvplat.hart.counters import NEVER
from rvplat.hart.state import STOP_BREAK, STOP_LIMIT, STOP_REQUEST, STOP_WFI
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.idle_time import LONGEST_WAIT_S, next_due, wait_in_real_time
from rvplat.machine.running.inbox import Inbox
from rvplat.machine.running.past_steps import await_turn
from rvplat.machine.running.schedule import Place, Schedule
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System
from rvplat.machine.running.turn_changes import TurnChanges

TURN = 200_000  # instructions; a multiple of the usual instructions_per_tick
ALONE = 1_000_000  # the same of a hart while all others wait
STEP_AT_ONCE = 1_000_000  # instructions between two checks for signals
MASK64 = (1 << 64) - 1
Execute = Callable[[Hart], int]


class RoundRobin:
    """Run harts in turns. `execute(hart)` runs the instructions that `hart.allow` set and returns
    hart.stop. `like`: go on with the rounds of another object."""

    def __init__(self, machine: System, like: RoundRobin | None = None) -> None:
        self.machine = machine
        self.execute: Execute = self._native
        clock = machine.assembly.clock
        self.virtual = clock if isinstance(clock, VirtualClock) else None
        self.wake = threading.Event()
        self._time_now = machine.native.field("time_now")
        self._turn_hart = machine.native.field("turn_hart")
        self._turn_end = machine.native.field("turn_end")
        self._least_turn = machine.native.field("least_turn")
        self._per_tick = machine.board.general.instructions_per_tick
        self.schedule: Schedule = Schedule() if like is None else like.schedule
        self.inbox: Inbox = Inbox(self._interrupt, self.next_place) if like is None else like.inbox
        self.at_once = ALONE  # instructions between two looks at requests and the deadline
        self.schedule.last = self.schedule.last or [0] * machine.board.harts.count
        self.changes: TurnChanges = (
            TurnChanges(machine, self, self._give) if like is None else like.changes
        )
        self.open()

    def open(self) -> None:
        """Take part: be told of changes of the clock."""
        if self.virtual is not None:
            self.virtual.on_set.append(self._clock_was_set)
            self.virtual.on_alarm.append(self._alarm_was_set)

    def close(self) -> None:
        """Let another object give the turns."""
        if self.virtual is not None:
            self.virtual.on_set.remove(self._clock_was_set)
            self.virtual.on_alarm.remove(self._alarm_was_set)

    def place(self) -> Place:
        """Where the run is: between two rounds, or in the turn of a hart."""
        schedule = self.schedule
        hart = schedule.queue[0] if schedule.hart is None and schedule.queue else schedule.hart
        ticks = self.virtual.ticks if self.virtual is not None else 0
        return Place(schedule.work, ticks if hart is None else 0, hart)

    def next_place(self) -> Place:
        """Where the run goes on. If it has stopped just after the last turn of a round, the round
        ends now."""
        if self.schedule.hart is None and not self.schedule.queue:
            self._end_round()
        return self.place()

    def power_on(self) -> None:
        """The harts have been reset: a new round begins."""
        self._end_round()

    def _native(self, hart: Hart) -> int:
        return hart.enter(self.machine.core.run)

    def save(self) -> dict[str, Any]:
        """The start of the last turn in ticks, and the round, which may be interrupted."""
        return {"began": self._time_now.value, "round": asdict(self.schedule)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `save` returned, after the clock."""
        if self.virtual is not None:
            self._time_now.value = state["began"]
            for name, value in state["round"].items():
                setattr(self.schedule, name, list(value) if isinstance(value, list) else value)

    # --- time ---

    def begin(self, hart: Hart) -> None:
        """Set the hart's time: to the clock's, or in its turn to what it was. From then on its
        instructions advance it."""
        if self.virtual is None:
            return
        schedule = self.schedule
        self._least_turn.value = schedule.least
        if schedule.hart != hart.number:
            self._time_now.value = self.virtual.ticks
            hart.slice_start.value = hart.retired
        elif schedule.is_new:
            self._time_now.value = schedule.time_now = schedule.start
            hart.slice_start.value = schedule.slice_start = hart.retired
            schedule.is_new = False
        else:
            self._time_now.value = schedule.time_now
            hart.slice_start.value = schedule.slice_start

    def sync(self, hart: Hart) -> None:
        """Set the clock to the hart's time, before a device reads it."""
        if self.virtual is not None:
            elapsed = hart.retired - hart.slice_start.value
            self.virtual.ticks = (self._time_now.value + elapsed // self._per_tick) & MASK64

    def _clock_was_set(self) -> None:
        """A guest, or Python, has set the clock: the round goes on from there."""
        assert self.virtual is not None
        self._time_now.value = self.virtual.ticks
        schedule = self.schedule
        if schedule.hart is None:
            return
        schedule.start = schedule.time_now = self.virtual.ticks
        hart = self.machine.harts[schedule.hart]
        hart.slice_start.value = schedule.slice_start = hart.retired

    def _alarm_was_set(self) -> None:
        """A device has set an alarm: the turns of this round end there."""
        schedule = self.schedule
        if schedule.hart is None:
            return
        length = self._until_alarm(schedule.length)
        if length >= schedule.length:
            return
        schedule.length = length
        if schedule.chunk:
            hart = self.machine.harts[schedule.hart]
            before = self.left(hart)
            now = max(length - schedule.done - (schedule.chunk - before), 1)
            if now < before:
                schedule.chunk -= before - now
                self.shorten(hart, now)

    def left(self, hart: Hart) -> int:
        """The instructions left to the hart that is running."""
        return hart.left

    def shorten(self, hart: Hart, left: int) -> None:
        """Let the running hart execute only so many more instructions."""
        hart.allow(left)
        hart.attention.value = 1

    def _until_alarm(self, most: int) -> int:
        """The instructions of a turn of this round that ends at the next alarm, or `most`."""
        assert self.virtual is not None
        alarm = self.virtual.next_alarm()
        return most if alarm is None else min(most, max(self._until(alarm), 1))

    def _until(self, tick: int) -> int:
        """The instructions from the start of this round to a tick."""
        return (tick - self.schedule.start) * self._per_tick - self.schedule.rest

    def _longest_turn(self, harts: list[int]) -> int:
        """The instructions of a turn of a round of some harts. While all others wait, a single
        hart may go on until the timer of one of them is due: each turn costs the host time."""
        others = [hart for hart in self.machine.harts if hart.number not in harts]
        if len(harts) > 1 or not all(hart.waiting for hart in others):
            return TURN
        due = min((int(hart.deadline.value) for hart in others), default=NEVER)
        return min(max(self._until(due), TURN), ALONE)

    # --- turns ---

    def take(self, hart: Hart, count: int) -> tuple[int, int]:
        """Let a hart execute `count` instructions: (hart.stop, instructions done, including
        trapping ones)."""
        self.begin(hart)
        self.schedule.chunk = count
        self._turn_hart.value = hart.number
        self._turn_end.value = self.schedule.work + count
        hart.allow(count)
        reason = self.execute(hart)
        done = self.schedule.chunk - hart.left
        self.schedule.chunk = 0
        self.schedule.work += done
        if done:
            self.schedule.last[hart.number] = self.schedule.work
        hart.waiting = reason == STOP_WFI
        return reason, done

    def _continue(self, hart: Hart, most: int) -> tuple[int, int]:
        """Let a hart go on with its turn for at most so many instructions; as `take`."""
        schedule = self.schedule
        count = min(schedule.length - schedule.done, most, self.at_once)
        if self.virtual is not None:
            count = self.inbox.until_next(schedule.work, count)
        hart.yields.value = 0
        reason, done = self.take(hart, count)
        self.sync(hart)
        schedule.done += done
        schedule.longest = max(schedule.longest, schedule.done)
        if reason == STOP_WFI or hart.yields.value or schedule.done >= schedule.length:
            self._end_turn(bool(hart.yields.value))
        return reason, done

    def step(self, hart: Hart, count: int, wakes: bool = True) -> int:
        """Execute instructions of one hart alone; hart.stop. They belong to the hart's turn. If
        another hart has it, that turn ends. `wakes`: WFI ends at once; else the step ends there."""
        left = count
        while True:
            if not await_turn(self, hart):
                return STOP_REQUEST
            self._give_turn(hart)
            self.inbox.deliver(self.place())
            at_limit = self.inbox.is_at_limit(self.schedule.work)
            if at_limit or self.schedule.hart != hart.number:
                continue
            reason, done = self._continue(hart, min(left, STEP_AT_ONCE))
            left -= done
            if reason == STOP_WFI and not wakes:
                return reason
            if reason not in (STOP_WFI, STOP_LIMIT) or left <= 0:
                self.changes.wake_up(hart)
                self.inbox.follow_history()
                return reason

    def go_on_once(self, left: dict[int, int]) -> bool:
        """Let one hart go on with its turn, or time pass. False: nothing is due."""
        if self.schedule.hart is None and not self.schedule.queue:
            return self._new_round() or self.wait(False)
        if self.schedule.hart is None:
            self._next_turn()
        assert self.schedule.hart is not None
        self._run_turn(self.machine.harts[self.schedule.hart], left)
        return True

    def last_of(self, hart: int) -> int:
        """The `work` after the last instruction that a hart has executed."""
        return self.schedule.last[hart]

    def done_by(self, hart: int) -> int:
        """The instructions that a hart has executed in its turn, if it still has it."""
        return self.schedule.done if self.schedule.hart == hart else 0

    def _give_turn(self, hart: Hart) -> None:
        """Let a hart have its turn now: others of this round lose theirs."""
        if self.schedule.hart != hart.number:
            self.changes.give_turn(hart)

    def _give(self, hart: Hart) -> None:
        schedule = self.schedule
        if schedule.hart == hart.number:  # in a replay it may be next by itself
            return
        if schedule.hart is not None:
            self._end_turn()
        while schedule.queue and schedule.queue[0] != hart.number:
            schedule.queue.pop(0)
        if not schedule.queue:
            self._end_round()
            self._begin_round([hart.number])
        self._next_turn()

    def round(self, left: dict[int, int]) -> bool:
        """Give a turn to every hart that is awake, or go on with the round that was interrupted.
        `left` is the number of instructions left to each. Returns whether any hart had a turn."""
        schedule = self.schedule
        self.inbox.follow_history()
        if schedule.hart is None and not schedule.queue and not self._new_round():
            return False
        while schedule.hart is not None or schedule.queue:
            if schedule.hart is None:
                self._next_turn()
            assert schedule.hart is not None
            may_go_on = self._run_turn(self.machine.harts[schedule.hart], left)
            if not may_go_on or schedule.hart is not None:
                self.inbox.follow_history()
                return True
        self._end_round()
        return True

    def _run_turn(self, hart: Hart, left: dict[int, int]) -> bool:
        """Let a hart go on with its turn. Returns whether others may go on as well."""
        self.inbox.deliver(self.place())
        if self.inbox.is_at_limit(self.schedule.work) or self.schedule.hart != hart.number:
            return False
        reason, done = self._continue(hart, left[hart.number])
        left[hart.number] -= done
        if reason == STOP_BREAK:
            self.machine.request_stop(self.machine.break_stop(hart))
        elif left[hart.number] <= 0:
            self.machine.request_stop(Stop("limit", hart=hart.number))
        return reason in (STOP_WFI, STOP_LIMIT) and not self.machine.requests

    # --- rounds ---

    def _new_round(self) -> bool:
        """Begin a round of all harts that are awake. False if there are none."""
        schedule = self.schedule
        self._end_round()  # if its last turn was interrupted just at its end
        self.inbox.deliver(self.place())
        if schedule.hart is not None:  # a debugger gave a hart its turn here
            return True
        awake = [hart.number for hart in self.machine.harts if self._is_awake(hart)]
        if awake:
            self._begin_round(awake)
        return bool(awake)

    def _begin_round(self, harts: list[int]) -> None:
        schedule = self.schedule
        schedule.begin_round(harts, TURN)
        if self.virtual is not None:
            schedule.start = self.virtual.ticks
            schedule.length = self._until_alarm(self._longest_turn(harts))

    def _next_turn(self) -> None:
        schedule = self.schedule
        schedule.hart, schedule.done, schedule.is_new = schedule.queue.pop(0), 0, True

    def _end_turn(self, yielded: bool = False) -> None:
        self.schedule.end_turn(yielded)
        if self.virtual is not None and self.schedule.queue:  # input may come before the next
            self.virtual.ticks = self.schedule.start  # turn begins, or just after: at one time

    def _end_round(self) -> None:
        """Advance the clock by the longest turn."""
        schedule = self.schedule
        schedule.hart, schedule.queue = None, []
        if self.virtual is None or not schedule.longest:
            return
        schedule.end_spins()
        ticks, schedule.rest = divmod(schedule.longest + schedule.rest, self._per_tick)
        schedule.longest = 0
        self.virtual.ticks = schedule.start
        self.virtual.advance(ticks)

    def _is_awake(self, hart: Hart) -> bool:
        if hart.waiting:
            self.begin(hart)
            hart.waiting = not self.machine.awaited(hart.address)
        return not hart.waiting

    def _interrupt(self) -> None:
        """Input has come: it shall not wait for the end of the turn."""
        current = self.schedule.hart
        if current is not None:
            self.machine.harts[current].request_stop()
        self.wake.set()

    # --- when every hart waits ---

    def wait(self, in_real_time: bool) -> bool:
        """Let time pass while every hart waits, until something is due. False: nothing is."""
        clock = self.machine.assembly.clock
        self.wake.clear()
        if any(self._is_awake(hart) for hart in self.machine.harts) or self.machine.requests:
            return True
        if self.inbox.is_pressing:
            return True
        due = self.inbox.due(self.schedule.work, next_due(self.machine))
        if self.virtual is None:
            now = clock.now()
            left_s = LONGEST_WAIT_S if due is None else (due - now) / clock.frequency
            return self.wake.wait(min(left_s, LONGEST_WAIT_S)) or due is not None
        if in_real_time and not self.inbox.replays:
            return wait_in_real_time(self.virtual, self.wake, due)
        if due is None:
            return not self.inbox.replays and self.wake.wait(LONGEST_WAIT_S)
        self.virtual.advance(max(0, due - self.virtual.ticks))
        return True
