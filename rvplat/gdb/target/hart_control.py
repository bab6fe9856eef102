"""Harts that run and stop one by one: a thread for each, or turns on a virtual clock.

A hart that has stopped is still; whoever changes registers, memory or breakpoints does so then, or
inside `quiet()`, which lets nothing run meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rvplat.gdb.target.timekeeper import Timekeeper
from rvplat.hart.state import STOP_BREAK, STOP_LIMIT, STOP_REQUEST, STOP_STUCK, STOP_WFI
from rvplat.hart.trap import EBREAK_MET
from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.round_robin import Turns
from rvplat.machine.running.run import FOREVER, Runner

LOOK_S = 0.25  # between two looks whether the machine was given up
NOWHERE = 1  # of hart.break_skip: no instruction is at an odd address
BURST = 200  # instructions that other harts get while one does a step
_STILL = nullcontext()  # nothing runs anyway


@dataclass(frozen=True)
class Outcome:
    """Why a hart left native code by itself: "break", "watch", "ebreak", "step", "switch" (it is in
    another world than it was), "new" (in one that nobody was in before), or "power"."""

    hart: int
    reason: str


@dataclass(frozen=True)
class Job:
    """What a hart shall do: run, or step while its pc is in start..end."""

    start: int = 0
    end: int = 0
    until_back: bool = False  # run until the hart is in the world that steps

    @property
    def is_range(self) -> bool:
        return self.end != 0

    def holds(self, pc: int) -> bool:
        """Whether an address is in the range."""
        return self.start <= pc < self.end


def why(cell: Hart) -> str:
    """Why a hart stopped with STOP_BREAK."""
    met, cell.plain.switch_met = int(cell.plain.switch_met), 0
    if met != 0:
        return {1: "switch", EBREAK_MET: "ebreak"}.get(met, "new")
    return "break" if cell.plain.break_row != 0 else "watch"


class Driver:
    """One hart's thread. `report` is called in it with what happened, and says whether the hart
    shall go on; "switch", it is in another world."""

    def __init__(
        self, machine: Machine, cell: Hart, report: Callable[[Outcome], bool], time: Timekeeper
    ) -> None:
        self.cell = cell
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
        self._tracer: Turns | None = None

    @property
    def running(self) -> bool:
        """Whether the hart may be in native code or asleep in its thread."""
        return not self._idle.is_set()

    def use(self, tracer: Turns | None) -> None:
        """Let a tracer run the stopped hart, or native code again."""
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
            name = f"gdb-hart{self.cell.number}"
            self._thread = threading.Thread(target=self._live, name=name, daemon=True)
            self._thread.start()
        self._posted.release()

    def ask(self) -> None:
        """Ask the hart to stop, without waiting."""
        self._halting = True
        self.cell.stop_request.value = 1
        self.cell.alert()

    def wait(self) -> None:
        """Wait until it has stopped. RunFailed if the machine was given up, because it doesn't."""
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
            except BaseException as error:  # the thread lives on: others wait for it
                self.job = None
                self.machine.fail(error)
            finally:
                self._time.ended()
                self._idle.set()

    def close(self) -> None:
        """End the thread; the hart has stopped."""
        if self._thread is not None:
            self.job = None
            self._posted.release()
            self._thread.join()
            self._thread = None

    def _work(self, job: Job) -> None:
        """Run until something stops the hart."""
        here = int(self.cell.plain.pc)  # what is met here was told before
        while True:
            self.cell.stop_request.value = 0
            if self._halting or self.machine.requests:
                break
            sleeps = self.cell.waiting and not job.is_range and self._turns is None
            if sleeps and not self._runner.sleep(self.cell):
                continue
            self.cell.plain.stop_switch = int(job.until_back)
            reason = self.step_once(here) if job.is_range else self._go_on()
            here = NOWHERE
            self.cell.plain.stop_switch = 0
            if reason == STOP_WFI or job.is_range:
                self.cell.waiting = not job.is_range
            what = self._met(job, reason)
            if what and not self._report(Outcome(self.cell.number, what)):
                self.job = None
                return
            if what in ("break", "watch", "ebreak"):  # its commands have run: on, past it
                self.cell.stop_request.value = 0  # the end of a turn has set it too
                self.step_once(int(self.cell.plain.pc), masked=True)  # else it is met once more
            elif job.is_range and not job.holds(int(self.cell.plain.pc)):
                job = Job(until_back=True)
        if self.machine.requests:
            self._report(Outcome(self.cell.number, "power"))

    def _met(self, job: Job, reason: int) -> str:
        """Why the hart is to be looked at (Outcome.reason), or ""."""
        if reason == STOP_BREAK:
            return why(self.cell)
        return "step" if job.is_range and not job.holds(int(self.cell.plain.pc)) else ""

    def _go_on(self) -> int:
        """Native code until something happens; on a virtual clock for a round of all harts. Only
        here a WFI may put the thread to sleep."""
        if self._turns is None:
            self.cell.sleeps.value = int(self._tracer is None)
            reason = self._enter(FOREVER)
            self.cell.sleeps.value = 0
            return reason
        machine = self.machine
        for cell in machine.harts:
            cell.wake = self._turns.wake
            cell.stop_request.value = 0
        if not self._turns.round({cell.number: FOREVER for cell in machine.harts}):
            self._turns.wait(True)
        met = [stop for stop in machine.requests if stop.reason == "break"]
        for stop in met:
            machine.requests.remove(stop)
            if stop.hart == self.cell.number:
                return STOP_BREAK
            if not self._report(Outcome(stop.hart, why(machine.harts[stop.hart]))):
                self._halting, self.job = True, None
        return STOP_LIMIT

    def _enter(self, limit: int) -> int:
        """Native code for at most `limit` instructions; hart.stop."""
        if self._turns is not None:
            return self._turns.step(self.cell, limit)
        if self._tracer is not None:
            return self._tracer.take(self.cell, min(limit, self._tracer.turn))[0]
        self.cell.allow(limit)
        return self.cell.enter(self.machine.core.run)

    def step_once(self, past: int, masked: bool = False) -> int:
        """One instruction, or the trap that it takes, or the interrupt that comes first;
        breakpoints at `past` aren't met. Watchpoints are: who steps over one takes it away.
        `masked`: no interrupt comes first."""
        hart: Any = self.cell.plain
        self.cell.waiting = False
        if not masked and self._interrupted():
            return STOP_LIMIT
        hart.break_skip = hart.ebreak_skip = past
        hart.interrupts_held = int(masked)
        reason = self._enter(1)
        hart.interrupts_held = 0
        hart.break_skip = hart.ebreak_skip = NOWHERE
        return reason

    def _interrupted(self) -> bool:
        """Enter the handler of an interrupt, if one is due; whether it was."""
        self.machine.turns.begin(self.cell)
        return bool(self._take_interrupts(self.cell.address))

    def burst(self, limit: int) -> int:
        """A few instructions in the caller's thread, if the hart isn't waiting."""
        if self.cell.waiting and not self.machine.awaited(self.cell.address):
            return STOP_WFI
        reason = self._enter(limit)
        self.cell.waiting = reason == STOP_WFI
        return reason


class Trace(Protocol):
    """A trace that is being written."""

    @property
    def path(self) -> Path: ...

    @property
    def problem(self) -> str:
        """Why nothing more is written; "" if it is."""
        ...

    def end(self) -> None:
        """Harts run on without it."""
        ...


class Control:
    """All harts of a machine. `trace`: what a client began to trace ends with it."""

    def __init__(self, machine: Machine, report: Callable[[Outcome], bool]) -> None:
        self.machine = machine
        self.time = Timekeeper(machine)
        self.drivers = [Driver(machine, cell, report, self.time) for cell in machine.harts]
        self._report = report
        self.trace: Trace | None = None
        machine.forget_requests()
        machine.watchdog.begin()
        machine.tell_consoles(True)
        for cell in machine.harts:
            cell.plain.break_skip = cell.plain.ebreak_skip = NOWHERE
            cell.plain.watch_skip = NOWHERE

    def start(self, harts: Sequence[tuple[int, Job]]) -> None:
        """Let stopped harts run."""
        if self.machine.turns.virtual is not None and harts:
            chosen = next((pair for pair in harts if pair[1] != Job()), harts[0])
            harts = [] if self.is_running(chosen[0]) else [chosen]  # its thread gives the turns
        for number, job in harts:
            if not self.drivers[number].running:
                self.drivers[number].go(job)

    def step(self, number: int, others: Sequence[int], masked: bool = False) -> None:
        """One instruction of a hart, here and now; other harts run a little too."""
        driver = self.drivers[number]
        driver.cell.stop_request.value = 0
        self.machine.watchdog.stepping = (number, *others)
        try:
            with self.time.step():
                self._burst(others)
                reason = driver.step_once(int(driver.cell.plain.pc), masked)
        finally:
            self.machine.watchdog.stepping = ()
        if reason == STOP_STUCK:
            self.machine.watchdog.note_stuck()
        met = why(driver.cell) if reason == STOP_BREAK else ""
        if self.machine.requests:
            self._report(Outcome(number, "power"))
        elif met not in ("", "new"):  # of the handler of an interrupt that came first
            self._report(Outcome(number, met))
        elif reason != STOP_REQUEST and self._report(Outcome(number, "step")):
            self.start([(number, Job(until_back=True))])

    def _burst(self, harts: Sequence[int]) -> None:
        """Let harts run a little, each in turn."""
        for number in harts:
            driver = self.drivers[number]
            driver.cell.stop_request.value = 0
            if driver.burst(BURST) == STOP_BREAK:
                self._report(Outcome(number, why(driver.cell)))

    def halt(self, harts: Sequence[int] | None = None) -> list[int]:
        """Stop harts, or all; those that were running."""
        chosen = range(len(self.drivers)) if harts is None else harts
        ran = [n for n in chosen if self.drivers[n].running]
        for n in ran:
            self.drivers[n].ask()
        for n in ran:
            self.drivers[n].wait()
            self.drivers[n].cell.stop_request.value = 0  # it may have stopped by itself just then
        self.machine.watchdog.note_stuck()
        return ran

    def settle(self, number: int) -> None:
        """Wait until a hart that reported a stop is still; it does so before it is."""
        turns = self.machine.turns.virtual is not None
        for driver in self.drivers if turns else [self.drivers[number]]:
            driver.wait()

    def is_running(self, number: int) -> bool:
        """Whether a hart runs; on a virtual clock all do, or none."""
        if self.machine.turns.virtual is not None:
            return any(driver.running for driver in self.drivers)
        return self.drivers[number].running

    def quiet(self) -> AbstractContextManager[None]:
        """Nothing runs inside; what ran goes on afterwards, unless it stopped by itself."""
        return self._paused() if any(d.running for d in self.drivers) else _STILL

    @contextmanager
    def _paused(self) -> Iterator[None]:
        ran = self.halt()
        try:
            yield
        finally:
            for n in ran:
                job = self.drivers[n].job
                if job is not None:
                    self.drivers[n].go(job)

    def use(self, tracer: Turns | None) -> None:
        """Let a tracer run the harts, which are still; without one native code does."""
        for driver in self.drivers:
            driver.use(tracer)

    def end_trace(self) -> None:
        """End the trace, if there is one."""
        if self.trace is not None:
            self.trace.end()
            self.trace = None

    def close(self) -> None:
        """Stop everything and end the threads."""
        self.halt()
        self.machine.watchdog.end()
        self.machine.tell_consoles(False)
        self.end_trace()
        for driver in self.drivers:
            driver.close()
        self.time.close()
