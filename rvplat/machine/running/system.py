"""The parts of a machine, and the requests between them while it runs.

`Machine` is a subclass, which builds the parts and adds the interface for users. Runs, device
accesses and traces use only this class.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

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
from rvplat.machine.running.inbox import RecordingLike
from rvplat.machine.running.lookers import Lookers
from rvplat.machine.running.native_records import NativeMachine
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.region_pages import Counts, HotPage
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import Stop, StopPoint
from rvplat.machine.running.turn_taking import TurnTaking


class Run(Protocol):
    """A run of the machine, for callers that end it (run.py). `stop`: why it has ended."""

    stop: Stop | None

    def wait(self, timeout_s: float | None = None) -> Stop: ...

    def cancel(self, reason: str) -> None: ...

    def is_late(self) -> bool: ...

    def look(self, function: Callable[[], None]) -> bool: ...

    def give_up(self, error: BaseException) -> None: ...


class WatchdogProtocol(Protocol):
    """Check that plugin code returns (watchdog.py). `stepping`: harts that are executing a single
    instruction, in a thread that can't handle a request to stop meanwhile."""

    stepping: tuple[int, ...]

    def begin(self) -> None: ...

    def end(self) -> None: ...

    def note_stuck(self) -> None: ...

    def complaints(self) -> list[str]: ...


class RegionsLike(Protocol):
    """Native code for hot pages (region_manager.py). `counts` says what was made; `covers`: that
    notes what it executes."""

    mode: str
    counts: Counts
    covers: bool

    def hot_pages(self) -> list[HotPage]: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class StopPointsLike(Protocol):
    """Breakpoints and watchpoints (debugging/stop_points.py)."""

    def take_back(self, point: StopPoint, rearm: bool = True) -> None: ...

    def stop_of(self, hart: Hart) -> Stop: ...

    def run_ended(self, stop: Stop, others: list[Stop]) -> None: ...


class System(metaclass=PublicNames):
    """The parts, and the requests that stop a run.

    `harts` are the harts, `memory` is RAM by physical address, `bus` is everything with a physical
    address, `devices` and `consoles` are by the name of the device, `console` is the terminal's.
    """

    assembly: Assembly
    extensions: list[Extension]
    core: Core
    native: NativeMachine
    turns: TurnTaking
    plan: LoadPlan
    watchdog: WatchdogProtocol
    stuck_in: Callable[[Hart], Device | None]  # the native device in which a hart's loop was ended
    regions: RegionsLike
    _awaited: Callable[[int], Any]
    recording: RecordingLike | None  # what is recorded or replayed
    stop_points: StopPointsLike | None  # None until the first breakpoint or watchpoint

    def __init__(self, board: Board, software: Software) -> None:
        self.built_at = time.perf_counter()
        self.started_s = 0.0  # the time from the building to the first run
        self.ran_s = 0.0  # the time in all runs so far
        self._ran_at = 0.0
        self._board = board
        self.software = software
        self._harts: list[Hart] = []
        self._closed = False
        self.keeper = ""  # the name of another user that runs the machine: a gdb server
        self.requests: list[Stop] = []
        self.failure: BaseException | None = None
        self.current: Run | None = None  # the run in progress
        self.last: Run | None = None
        self._lock = threading.Lock()
        self._seen_failures = 0
        self.lookers = Lookers()
        self.lost: BaseException | None = None  # why the machine can no longer be used
        self._exports: dict[str, Callable[..., Any]] = {}
        self.stop_points = None
        self.recording = None
        self.loaded_at: Place | None = None  # where the machine was when a snapshot was loaded
        self.told_loops: set[tuple[int, int, int]] = set()  # loops of traps that the log names

    def __dir__(self) -> list[str]:
        return [*type(self).public]

    # --- parts ---

    @property
    def harts(self) -> list[Hart]:
        """The harts, by number: `machine.harts[0].pc`, `.x["a0"]`, `.csr("mstatus.MPP")`."""
        return self._harts

    @property
    def board(self) -> Board:
        """The board as it was read and checked: `machine.board.harts.isa`."""
        return self._board

    @property
    def decoded(self) -> list[Sequence[Extension]]:
        """The extensions of each hart."""
        return [hart.extensions for hart in self._harts]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def memory(self) -> Memory:
        """RAM by physical address: `memory.read(pa, size)`, `write(pa, data)`, `read_int`,
        `write_int`. Harts execute code that was written so."""
        return self.assembly.memory

    @property
    def bus(self) -> AddressMap:
        """All physical addresses, including devices' registers: `bus.read(0x1000_0005, 1)`."""
        return self.assembly.map

    @property
    def devices(self) -> Mapping[str, Device]:
        """The devices, by their names in the board."""
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
        """The symbols of the program: addresses by name; empty if its file has none."""
        return self.plan.symbols

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The errors of plugin code while the machine ran, in order. Reading them acknowledges
        them: `run`, `wait`, `step`, `pause` and `close` raise RunFailed only for later ones."""
        found = self.assembly.failures.all()
        self._seen_failures = len(found)
        return found

    def raise_failures(self, stop: Stop | None = None) -> None:
        """Raise RunFailed if there are failures that the caller has not acknowledged
        (`failures`)."""
        seen = self._seen_failures
        new = self.failures[seen:]
        if new:
            raise RunFailed(new, stop) from new[0].error

    # --- runs and requests ---

    @property
    def running(self) -> bool:
        """Whether harts may be running: from `start` until the run ends."""
        return self.current is not None and not self.lookers.sees_all

    def stands_still(self, hart: Hart) -> bool:
        """Whether the caller may use a hart: the machine doesn't run, or the hart is that of the
        hook whose handler calls."""
        return not self.running or self.lookers.hart is hart

    def must_stand_still(self) -> None:
        """Raise RuntimeError while the machine runs; RunFailed if it can no longer be used
        (`lose`)."""
        if self.lost is not None:
            raise self.lost
        if self.running:
            raise RuntimeError("the machine runs: pause it first")

    def must_be_free(self) -> None:
        """Raise RuntimeError unless the machine is open, stopped, and without another user that
        runs it."""
        if self._closed:
            raise RuntimeError("the machine is closed: open another")
        self.must_stand_still()
        if self.current is not None or self.lookers.hart is not None:
            raise RuntimeError("the machine runs: a hook's handler can't do this")
        if self.keeper:
            raise RuntimeError(f"{self.keeper} runs the machine: close it first")

    def power_on(self) -> None:
        """Like `reset`, but also during a run while no hart is in native code."""
        self.turns.power_on()
        self.assembly.reset()
        self.plan.apply(self.memory)
        for hart in self.harts:
            hart.retired_before += hart.retired
            hart_reset.reset(hart.view, hart.extensions, self.plan.entry)
            hart.withhold_csrs()
            hart.waiting = False
            for register, value in self.plan.registers[hart.number].items():
                hart.view.x[register] = value

    def began(self, run: Run) -> None:
        """Register a new run. RuntimeError if there is one."""
        with self._lock:
            self.must_be_free()
            self.current = self.last = run
            self.forget_requests()
            for hart in self.harts:
                hart.skip_nothing_else()
        self.watchdog.begin()
        self.regions.start()
        self.tell_consoles(True)
        self.turns.inbox.running = True
        self.time_begins()

    def time_begins(self) -> None:
        """Count time as running from here to `time_ends`. The time before the first call is the
        start."""
        self._ran_at = time.perf_counter()
        self.started_s = self.started_s or self._ran_at - self.built_at

    def time_ends(self) -> None:
        """Stop counting time as running."""
        self.ran_s += time.perf_counter() - self._ran_at

    def forget_requests(self) -> None:
        """Drop the requests of the previous run."""
        self.requests.clear()
        self.failure = None
        for hart in self.harts:
            hart.stop_request.value = 0

    def ended(self) -> None:
        """End a run: pass the remaining output to the consoles' sinks."""
        self.turns.inbox.running = False
        for console in (self.console, *self.consoles.values()):
            console.flush()
        self.time_ends()
        self.current = None
        self.watchdog.end()
        self.tell_consoles(False)

    def tell_consoles(self, runs: bool) -> None:
        """Tell every console whether the machine runs or a debugger may let it run. If not, waits
        for output end."""
        for console in (self.console, *self.consoles.values()):
            console.running(runs)

    def connect_console(self, console: HostConsole, where: Callable[[], str]) -> None:
        """Give a console what its waits and their messages need of the machine."""
        console.failed, console.where = self.fail, where
        console.hurried = lambda: bool(self.requests)
        console.why_stopped, console.guest_s = self._why_stopped, self.guest_time_s

    def _why_stopped(self) -> str:
        stop = self.last.stop if self.last is not None else None
        return f"the machine stopped: {stop}" if stop is not None else "the machine stopped"

    def guest_time_s(self) -> float:
        """The guest's time since power-on, in seconds."""
        clock = self.assembly.clock
        return clock.elapsed() / clock.frequency

    def request_stop(self, stop: Stop, at_once: bool = True) -> None:
        """Request the end of the run with `stop`. `at_once`: make every hart leave native code."""
        with self._lock:
            self.requests.append(stop)
            if at_once:
                for hart in self.harts:
                    hart.request_stop()
        self.turns.wake.set()

    def break_stop(self, hart: Hart) -> Stop:
        """The stop of a hart that left native code with STOP_BREAK."""
        if self.stop_points is None:
            return Stop("break", hart=hart.number)
        return self.stop_points.stop_of(hart)

    def run_ended(self, stop: Stop) -> None:
        """Update the stop points after a run has ended with `stop` and every hart has stopped."""
        if self.recording is not None and not self.turns.inbox.is_past:
            self.recording.run_ended(stop)
        if self.stop_points is not None:
            self.stop_points.run_ended(stop, [one for one in self.requests if one is not stop])

    def withdraw(self, reason: str) -> None:
        """Remove the requests with this reason."""
        with self._lock:
            self.requests[:] = [stop for stop in self.requests if stop.reason != reason]

    def take_requests(self, restarts: bool) -> tuple[Stop | None, bool]:
        """Take the requests while no hart is in native code: the stop that ends the run, or None;
        and whether the guest requested a reset that does not end the run, because it `restarts`."""
        with self._lock:
            resets = [stop for stop in self.requests if restarts and stop.reason == "reset"]
            self.requests[:] = [stop for stop in self.requests if stop not in resets]
            if self.requests:
                return self.requests[0], False
            for hart in self.harts:
                hart.stop_request.value = 0
            return None, bool(resets)

    def repeat_requests(self) -> None:
        """Set the harts' stop requests again after a power-on, which clears them."""
        with self._lock:
            if self.requests:
                for hart in self.harts:
                    hart.request_stop()

    def fail(self, error: BaseException) -> None:
        """End the run with an error of rvplat from any thread; the run raises it."""
        if self.failure is None:
            self.failure = error
        self.request_stop(Stop("error", 1))

    def lose(self, error: BaseException) -> None:
        """Mark the machine as unusable, because one of its threads can't be ended and may hold
        locks."""
        self.lost = self.failure = error
        if self.current is not None:
            self.current.give_up(error)
        self.tell_consoles(False)

    def plugin_failed(self, failure: Failure) -> None:
        """End the run if the board is strict. The failure of the plugin code is recorded
        already."""
        if self.board.general.strict:
            self.request_stop(Stop("failure"))

    def awaited(self, address: int) -> int:
        """The pending interrupts that would end a hart's WFI, after a check of its timers."""
        return int(self._awaited(address))

    def export(self, name: str) -> Callable[..., Any]:
        """The native code of a definition (`engine/exports.py`)."""
        if name not in self._exports:
            self._exports[name] = self.core.export(name)
        return self._exports[name]
