"""What a machine is made of, and what its parts tell each other while it runs.

`Machine` builds it and is what users see; a run, a device's access, a trace know no more of the
machine than this.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rvplat.bus.clock import VirtualClock
from rvplat.bus.device import Device
from rvplat.bus.failures import Failure
from rvplat.bus.map import AddressMap
from rvplat.bus.ram import Memory
from rvplat.engine.native import Core
from rvplat.errors import RunFailed
from rvplat.hart import reset as hart_reset
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.board import Board
from rvplat.machine.loading.loader import LoadPlan, Software
from rvplat.machine.running.assembly import Assembly
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.native_records import NativeMachine
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.stop import Stop


class Run(Protocol):
    """A run of the machine, to those who want it to end (run.py)."""

    def wait(self, timeout_s: float | None = None) -> Stop: ...

    def cancel(self, reason: str) -> None: ...

    def is_late(self) -> bool: ...

    def give_up(self, error: BaseException) -> None: ...


class Watch(Protocol):
    """Looks whether plugin code comes back (watchdog.py). `stepping`: harts that execute a single
    instruction just now, in a thread that can't take a request to stop meanwhile."""

    stepping: tuple[int, ...]

    def begin(self) -> None: ...

    def end(self) -> None: ...

    def note_stuck(self) -> None: ...

    def complaints(self) -> list[str]: ...


class StopPointsLike(Protocol):
    """Breakpoints and watchpoints (debugging/stop_points.py)."""

    def stop_of(self, hart: Hart) -> Stop: ...

    def run_ended(self, stop: Stop, others: list[Stop]) -> None: ...


class TurnTaking(Protocol):
    """Harts in turns in one thread (round_robin.py)."""

    virtual: VirtualClock | None
    wake: threading.Event

    def begin(self, hart: Hart) -> None: ...

    def sync(self, hart: Hart) -> None: ...

    def step(self, hart: Hart, count: int) -> int: ...

    def round(self, left: dict[int, int]) -> bool: ...

    def wait(self, in_real_time: bool) -> bool: ...


class System(metaclass=PublicNames):
    """The parts, and the requests that stop a run.

    `harts` are its harts, `memory` is RAM by physical address, `bus` all that answers at one,
    `devices` and `consoles` go by the devices' names, `console` is the one that a terminal would
    be on.
    """

    assembly: Assembly
    extensions: list[Extension]
    core: Core
    native: NativeMachine
    turns: TurnTaking
    plan: LoadPlan
    watchdog: Watch
    _awaited: Callable[[int], Any]
    stop_points: StopPointsLike | None  # None until a breakpoint or watchpoint was set

    def __init__(self, board: Board, software: Software) -> None:
        self.built_at = time.perf_counter()
        self.started_s = 0.0  # what it took to be built and to begin its first run
        self.ran_s = 0.0  # how long it has run, all in all
        self._ran_at = 0.0
        self._board = board
        self.software = software
        self._harts: list[Hart] = []
        self._closed = False
        self.keeper = ""  # who else runs the machine: a gdb server
        self.requests: list[Stop] = []
        self.failure: BaseException | None = None
        self.current: Run | None = None  # while it runs
        self.last: Run | None = None
        self._lock = threading.Lock()
        self._seen_failures = 0
        self._looker = 0  # the thread that looks at the harts in the middle of a run
        self.lost: BaseException | None = None  # why the machine can't be used any more
        self._exports: dict[str, Callable[..., Any]] = {}
        self.stop_points = None

    def __dir__(self) -> list[str]:
        return [*type(self).public]

    # --- what it is made of ---

    @property
    def harts(self) -> list[Hart]:
        """The harts, by number: `machine.harts[0].pc`, `.x["a0"]`, `.csr("mstatus.MPP")`."""
        return self._harts

    @property
    def board(self) -> Board:
        """The board as it was read and checked: `machine.board.harts.isa`."""
        return self._board

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def memory(self) -> Memory:
        """RAM by physical address: `memory.read(pa, size)`, `write(pa, data)`, `read_int`,
        `write_int`. Writing to code takes effect."""
        return self.assembly.memory

    @property
    def bus(self) -> AddressMap:
        """Everything by physical address, devices' registers too: `bus.read(0x1000_0005, 1)`."""
        return self.assembly.map

    @property
    def devices(self) -> Mapping[str, Device]:
        """The devices, by their names on the board."""
        return self.assembly.devices

    @property
    def console(self) -> HostConsole:
        """The console of the board's main serial line."""
        return self.assembly.console

    @property
    def consoles(self) -> Mapping[str, HostConsole]:
        """Every console, by the name of its device."""
        return self.assembly.consoles

    @property
    def symbols(self) -> Mapping[str, int]:
        """The symbols of the program, addresses by name; none, if its file has none."""
        return self.plan.symbols

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What plugin code raised while the machine ran, in order. To read it is to acknowledge it:
        `run`, `wait`, `step`, `pause` and `close` raise RunFailed only for later failures."""
        found = self.assembly.failures.all()
        self._seen_failures = len(found)
        return found

    def raise_failures(self, stop: Stop | None = None) -> None:
        """RunFailed if there are failures that nobody has acknowledged (`failures`)."""
        seen = self._seen_failures
        new = self.failures[seen:]
        if new:
            raise RunFailed(new, stop) from new[0].error

    # --- what runs tell each other ---

    @property
    def running(self) -> bool:
        """Whether harts may be running: from `start` until the run ends."""
        return self.current is not None and threading.get_ident() != self._looker

    def must_stand_still(self) -> None:
        """RuntimeError while it runs; RunFailed if it was given up."""
        if self.lost is not None:
            raise self.lost
        if self.running:
            raise RuntimeError("the machine runs: pause it first")

    def must_be_free(self) -> None:
        """RuntimeError unless it can be run: it is open, stands still, and nobody else runs it."""
        if self._closed:
            raise RuntimeError("the machine is closed: open another")
        self.must_stand_still()
        if self.keeper:
            raise RuntimeError(f"{self.keeper} runs the machine: close it first")

    def power_on(self) -> None:
        """As `reset`, also in the middle of a run: when no hart is in native code."""
        self.assembly.reset()
        self.plan.apply(self.memory)
        for hart in self.harts:
            hart.retired_before += hart.retired
            hart_reset.reset(hart.view, self.extensions, self.plan.entry)
            hart.waiting = False
            for register, value in self.plan.registers[hart.number].items():
                hart.view.x[register] = value

    def began(self, run: Run) -> None:
        """A run begins. RuntimeError if there is one."""
        with self._lock:
            self.must_be_free()
            self.current = self.last = run
            self.forget_requests()
            for hart in self.harts:
                hart.skip_nothing_else()
        self.watchdog.begin()
        self.tell_consoles(True)
        self.time_begins()

    def time_begins(self) -> None:
        """From here to `time_ends` harts run. What went before the first time was the start."""
        self._ran_at = time.perf_counter()
        self.started_s = self.started_s or self._ran_at - self.built_at

    def time_ends(self) -> None:
        """No hart runs any more."""
        self.ran_s += time.perf_counter() - self._ran_at

    def forget_requests(self) -> None:
        """What ended the run before is not for the next one."""
        self.requests.clear()
        self.failure = None
        for hart in self.harts:
            hart.stop_request.value = 0

    def ended(self) -> None:
        """A run has ended: the consoles' sinks get what they don't have yet."""
        for console in (self.console, *self.consoles.values()):
            console.flush()
        self.time_ends()
        self.current = None
        self.watchdog.end()
        self.tell_consoles(False)

    def tell_consoles(self, runs: bool) -> None:
        """Tell every console whether the machine runs, or a debugger may let it run: who waits for
        output is told when none will come."""
        for console in (self.console, *self.consoles.values()):
            console.running(runs)

    def request_stop(self, stop: Stop, at_once: bool = True) -> None:
        """Let the run end with this; `at_once`: let every hart leave native code."""
        with self._lock:
            self.requests.append(stop)
            if at_once:
                for hart in self.harts:
                    hart.request_stop()
        self.turns.wake.set()

    def break_stop(self, hart: Hart) -> Stop:
        """The stop of a hart that left native code by STOP_BREAK."""
        if self.stop_points is None:
            return Stop("break", hart=hart.number)
        return self.stop_points.stop_of(hart)

    def run_ended(self, stop: Stop) -> None:
        """A run ends with this stop, and every hart stands still."""
        if self.stop_points is not None:
            self.stop_points.run_ended(stop, [one for one in self.requests if one is not stop])

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Let this thread look at the harts in the middle of a run, none in native code."""
        self._looker = threading.get_ident()
        try:
            yield
        finally:
            self._looker = 0

    def withdraw(self, reason: str) -> None:
        """Take away the requests that gave this reason."""
        with self._lock:
            self.requests[:] = [stop for stop in self.requests if stop.reason != reason]

    def take_requests(self, restarts: bool) -> tuple[Stop | None, bool]:
        """When no hart is in native code: what ends the run, if anything does, and whether the
        guest asked for a reset that ends nothing, because the run `restarts`."""
        with self._lock:
            resets = [stop for stop in self.requests if restarts and stop.reason == "reset"]
            self.requests[:] = [stop for stop in self.requests if stop not in resets]
            if self.requests:
                return self.requests[0], False
            for hart in self.harts:
                hart.stop_request.value = 0
            return None, bool(resets)

    def repeat_requests(self) -> None:
        """A power-on has cleared the harts' marks: set them for requests that came meanwhile."""
        with self._lock:
            if self.requests:
                for hart in self.harts:
                    hart.request_stop()

    def fail(self, error: BaseException) -> None:
        """An error of our own, in whatever thread: it ends the run and is raised there."""
        if self.failure is None:
            self.failure = error
        self.request_stop(Stop("error", 1))

    def lose(self, error: BaseException) -> None:
        """One of its threads can't be ended: give the machine up, with what the thread holds."""
        self.lost = self.failure = error
        if self.current is not None:
            self.current.give_up(error)
        self.tell_consoles(False)

    def plugin_failed(self, failure: Failure) -> None:
        """Plugin code raised, and the failure was kept: it ends the run of a strict board."""
        if self.board.general.strict:
            self.request_stop(Stop("failure"))

    def awaited(self, address: int) -> int:
        """The interrupts that would end a hart's WFI, its timers looked at."""
        return int(self._awaited(address))

    def export(self, name: str) -> Callable[..., Any]:
        """A definition as native code (`engine/exports.py`)."""
        if name not in self._exports:
            self._exports[name] = self.core.export(name)
        return self._exports[name]
