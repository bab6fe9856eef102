"""The thread of a hart that a client resumes: it runs, or steps, until something stops the hart.

On a virtual clock the harts take turns in one of these threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rvplat.frozen import frozen
from rvplat.gdb.target.timekeeper import Timekeeper
from rvplat.hart.debugging.watchpoints import NOWHERE
from rvplat.hart.state import STOP_BREAK, STOP_LIMIT, STOP_WFI
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.round_robin import RoundRobin
from rvplat.machine.running.run import FOREVER, Runner
from rvplat.machine.running.stop import MET, Stop
from rvplat.machine.running.turn_taking import TurnTaking

LOOK_S = 0.25  # between two looks whether the machine was given up
STOPS_OF_HARTS = (*MET, "switch", "guest", "critical", "hook")

#: Called in a hart's thread with the stop of a hart; whether the hart is to go on. The reasons are
#: those of `StopPoints.stop_of`, "step" (a step is done) and "power" (the machine is to go off, or
#: to be reset).
Report = Callable[[Stop], bool]


@frozen
class Job:
    """What a hart is to do: run, or step while its pc is in start..end."""

    start: int = 0
    end: int = 0
    until_back: bool = False  # run until V changes: the hart may be back in the stepping world

    @property
    def is_range(self) -> bool:
        return self.end != 0

    def holds(self, pc: int) -> bool:
        """Whether an address is in the range."""
        return self.start <= pc < self.end


class HartDriver:
    """The thread of one hart. It hands each stop of the hart to `report`."""

    def __init__(self, machine: Machine, hart: Hart, report: Report, time: Timekeeper) -> None:
        self.hart = hart
        self._time = time
        self.machine = machine
        self.job: Job | None = None  # while it runs, or is to run on after a pause
        self._report = report
        self._runner = Runner(machine)
        self._take_interrupts = machine.export("take_interrupts")
        self._halting = False
        self._posted = threading.Semaphore(0)
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None
        self._turns = machine.turns if machine.turns.virtual is not None else None
        self._tracer: RoundRobin | None = None
        self.step_done = Stop("step", hart=hart.number)

    @property
    def running(self) -> bool:
        """Whether the hart may be in native code or asleep in its thread."""
        return not self._idle.is_set()

    def use(self, tracer: RoundRobin | None) -> None:
        """Let a tracer run the stopped hart; None: native code."""
        self._tracer = tracer
        if self._turns is not None:
            self._turns = tracer or self.machine.turns

    def go(self, job: Job) -> None:
        """Let the stopped hart do a job."""
        assert self._idle.is_set()
        self._halting = False
        self.job = job
        self._idle.clear()
        self._time.began()
        if self._thread is None:
            name = f"gdb-hart{self.hart.number}"
            self._thread = threading.Thread(target=self._live, name=name, daemon=True)
            self._thread.start()
        self._posted.release()

    def ask(self) -> None:
        """Ask the hart to stop, without waiting."""
        self._halting = True
        self.hart.stop_request.value = 1
        self.hart.alert()

    def wait(self) -> None:
        """Wait until it has stopped. RunFailed if it doesn't stop and the machine was given up."""
        while not self._idle.wait(LOOK_S):
            if self.machine.lost is not None:
                raise self.machine.lost

    def _live(self) -> None:
        while True:
            self._posted.acquire()
            job = self.job
            if job is None:
                return
            try:
                self._work(job)
            except BaseException as error:  # the thread must go on: others wait for it
                self.job = None
                self.machine.fail(error)
            finally:
                self._time.ended()
                self._idle.set()

    def close(self) -> None:
        """End the thread. The hart must have stopped."""
        if self._thread is not None:
            self.job = None
            self._posted.release()
            self._thread.join()
            self._thread = None

    def _work(self, job: Job) -> None:
        """Run until something stops the hart."""
        here = int(self.hart.plain.pc)  # a stop here was told before
        while True:
            self.hart.stop_request.value = 0
            if self._halting or self.machine.requests:
                break
            sleeps = self.hart.waiting and not job.is_range and self._turns is None
            if sleeps and not self._runner.sleep(self.hart):
                continue
            stop = self._do(job, here)
            here = NOWHERE
            if stop is not None and not self._report(stop):
                self.job = None
                return
            if stop is not None and stop.reason in MET:  # its commands have run: go past it
                self.hart.stop_request.value = 0  # the end of a turn has set it too
                self.step_once(int(self.hart.plain.pc), masked=True)  # else it is met once more
            elif job.is_range and not job.holds(int(self.hart.plain.pc)):
                job = Job(until_back=True)
        if self.machine.requests:
            self._report(Stop("power", hart=self.hart.number))

    def _do(self, job: Job, here: int) -> Stop | None:
        """Do a part of the job; the stop, if the hart stopped by itself."""
        self.hart.plain.stop_switch = int(job.until_back)
        if not job.is_range:
            stop = self._run_on()
            self.hart.plain.stop_switch = 0
            return stop
        reason = self.step_once(here)
        self.hart.plain.stop_switch = 0
        self._wake_up()
        if reason == STOP_BREAK:
            return self.machine.break_stop(self.hart)
        done = not job.holds(int(self.hart.plain.pc))
        return self.step_done if done else None

    def _run_on(self) -> Stop | None:
        """Native code until something happens; on a virtual clock for a round of all harts. Only
        here a WFI may put the thread to sleep."""
        if self._turns is not None:
            return self._run_round(self._turns)
        self.hart.sleeps.value = int(self._tracer is None)
        reason = self._enter(FOREVER)
        self.hart.sleeps.value = 0
        if reason == STOP_WFI:
            self.hart.waiting = True
        return self.machine.break_stop(self.hart) if reason == STOP_BREAK else None

    def _run_round(self, turns: TurnTaking) -> Stop | None:
        """A turn for every hart; the stop, if this thread's hart stopped."""
        machine = self.machine
        for hart in machine.harts:
            hart.wake = turns.wake
            hart.stop_request.value = 0
        if not turns.round({hart.number: FOREVER for hart in machine.harts}):
            turns.wait(True)
        for stop in [one for one in machine.requests if one.reason in STOPS_OF_HARTS]:
            machine.requests.remove(stop)
            if stop.hart == self.hart.number:
                return stop
            if not self._report(stop):
                self._halting, self.job = True, None
        return None

    def _enter(self, limit: int) -> int:
        """Native code for at most `limit` instructions; hart.stop."""
        if self._turns is not None:
            return self._turns.step(self.hart, limit)
        if self._tracer is not None:
            return self._tracer.take(self.hart, min(limit, self._tracer.at_once))[0]
        self.hart.allow(limit)
        return self.hart.enter(self.machine.core.run)

    def step_once(self, past: int, masked: bool = False) -> int:
        """One instruction, or the trap that it takes, or the interrupt that comes first.
        Breakpoints at `past` are not met. Watchpoints are: a client removes them while it steps
        over one. `masked`: no interrupt comes first."""
        state: Any = self.hart.plain
        self._wake_up()
        if not masked and self._interrupted():
            return STOP_LIMIT
        self.hart.before_skip(past)
        state.break_skip = state.ebreak_skip = past
        if masked:
            self._hold(True)
        reason = self._enter(1)
        if masked:
            self._hold(False)
        state.break_skip = state.ebreak_skip = NOWHERE
        return reason

    def _interrupted(self) -> bool:
        """Take an interrupt, if one is due; whether one was."""
        if self._turns is not None:
            return self._turns.changes.interrupt(self.hart)
        self.machine.turns.begin(self.hart)
        return bool(self._take_interrupts(self.hart.address))

    def _wake_up(self) -> None:
        """A step of a hart in WFI goes on after it."""
        if self._turns is not None:
            self._turns.changes.wake_up(self.hart)
        else:
            self.hart.waiting = False

    def _hold(self, on: bool) -> None:
        """Let the hart take no interrupts, or again."""
        if self._turns is not None:
            self._turns.changes.hold(self.hart, on)
        else:
            self.hart.plain.interrupts_held = int(on)

    def burst(self, limit: int) -> int:
        """A few instructions in the caller's thread, if the hart isn't waiting."""
        if self.hart.waiting and not self.machine.awaited(self.hart.address):
            return STOP_WFI
        if self._turns is not None:
            return self._turns.step(self.hart, limit, wakes=False)
        reason = self._enter(limit)
        self.hart.waiting = reason == STOP_WFI
        return reason
