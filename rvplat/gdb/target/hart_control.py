"""Harts that run and stop one by one: each in a thread, or in turns on a virtual clock.

A hart that has stopped stands still. Registers, memory and breakpoints may be changed then, or
inside `quiet()`, which pauses every hart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from rvplat.gdb.target.hart_driver import HartDriver, Job, Report
from rvplat.gdb.target.timekeeper import Timekeeper
from rvplat.hart.state import STOP_BREAK, STOP_REQUEST, STOP_STUCK
from rvplat.machine.machine import Machine
from rvplat.machine.running.round_robin import RoundRobin
from rvplat.machine.running.stop import Stop

BURST = 200  # instructions that other harts execute while one does a step
_STILL = nullcontext()  # nothing runs


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


class Journey(Protocol):
    """A thread that takes the board back in time (backwards.py)."""

    @property
    def running(self) -> bool: ...

    def cancel(self) -> None: ...

    def wait(self) -> None: ...


class HartControl:
    """All harts of a machine. `trace`: the trace that a client has begun. `journey`: who takes the
    board back in time; meanwhile every hart runs, as far as a client can tell."""

    def __init__(self, machine: Machine, report: Report) -> None:
        self.machine = machine
        self.time = Timekeeper(machine)
        self.drivers = [HartDriver(machine, hart, report, self.time) for hart in machine.harts]
        self._report = report
        self.trace: Trace | None = None
        self.journey: Journey | None = None
        machine.forget_requests()
        machine.watchdog.begin()
        machine.tell_consoles(True)
        machine.turns.inbox.running = True
        for hart in machine.harts:
            hart.skip_nothing_else()

    def start(self, harts: Sequence[tuple[int, Job]]) -> None:
        """Let stopped harts run."""
        if self.machine.turns.virtual is not None and harts:
            chosen = next((pair for pair in harts if pair[1] != Job()), harts[0])
            harts = [] if self.is_running(chosen[0]) else [chosen]  # its thread gives the turns
        for number, job in harts:
            if not self.drivers[number].running:
                self.drivers[number].go(job)

    def step(self, number: int, others: Sequence[int], masked: bool = False) -> None:
        """One instruction of a hart, in this thread. Other harts execute some instructions too."""
        driver = self.drivers[number]
        driver.hart.stop_request.value = 0
        self.machine.watchdog.stepping = (number, *others)
        try:
            with self.time.step():
                self._burst(others)
                reason = driver.step_once(int(driver.hart.plain.pc), masked)
        finally:
            self.machine.watchdog.stepping = ()
        if reason == STOP_STUCK:
            self.machine.watchdog.note_stuck()
        stop = self.machine.break_stop(driver.hart) if reason == STOP_BREAK else None
        if self.machine.requests:
            self._report(Stop("power", hart=number))
        elif stop is not None and stop.reason != "guest":  # of an interrupt's handler
            self._report(stop)
        elif reason != STOP_REQUEST and self._report(driver.step_done):
            self.start([(number, Job(until_back=True))])

    def _burst(self, harts: Sequence[int]) -> None:
        """Let harts run a little, each in turn. In the past they do what they did."""
        for number in harts if not self.machine.turns.inbox.is_past else ():
            driver = self.drivers[number]
            driver.hart.stop_request.value = 0
            if driver.burst(BURST) == STOP_BREAK:
                self._report(self.machine.break_stop(driver.hart))

    def halt(self, harts: Sequence[int] | None = None) -> list[int]:
        """Stop harts, or all; returns those that were running. A journey ends."""
        if self.journey is not None:
            self.journey.cancel()
        chosen = range(len(self.drivers)) if harts is None else harts
        ran = [n for n in chosen if self.drivers[n].running]
        for n in ran:
            self.drivers[n].ask()
        for n in ran:
            self.drivers[n].wait()
            self.drivers[n].hart.stop_request.value = 0  # it may have stopped by itself just then
        self.machine.watchdog.note_stuck()
        return ran

    def settle(self, number: int) -> None:
        """Wait until a hart that has reported a stop stands still, which comes a little later."""
        turns = self.machine.turns.virtual is not None
        if self.journey is not None:
            self.journey.wait()
        for driver in self.drivers if turns else [self.drivers[number]]:
            driver.wait()

    def is_running(self, number: int) -> bool:
        """Whether a hart runs. On a virtual clock either all harts run or none."""
        if self.machine.turns.virtual is not None:
            return self._any_runs()
        return self.drivers[number].running

    def _any_runs(self) -> bool:
        travels = self.journey is not None and self.journey.running
        return travels or any(driver.running for driver in self.drivers)

    def quiet(self) -> AbstractContextManager[None]:
        """Inside, no hart runs. Harts that ran go on afterwards, unless they stopped themselves."""
        return self._paused() if self._any_runs() else _STILL

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

    def use(self, tracer: RoundRobin | None) -> None:
        """Let a tracer run the stopped harts; None: native code."""
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
        self.machine.turns.inbox.running = False
        self.end_trace()
        for driver in self.drivers:
            driver.close()
        self.time.close()
