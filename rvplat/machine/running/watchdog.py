"""Report plugin code that does not return, and end it when the machine has to stop.

Device code is Python. It runs under the bus lock in the thread of a hart that makes an access, of
the clock or of the console. Handlers of hooks are Python too, in the hart's thread. Instructions of
plugins run in native code. None of them checks for a request to stop. So the watchdog checks all
threads every LOOK_S:

    after SLOW_S in Python code, it writes the device's name, or the handler's place, to the log;
    GRACE_S after a request to stop, or after gdb began to step an instruction, it raises an
        exception in the Python code and ends loops in plugins' instructions (engine/poll.py);
    2 * GRACE_S later it gives up: `Machine.wait` and similar methods raise RunFailed, and the
        machine can no longer be used.

It also finds harts that only take traps.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from rvplat.bus.clock import Clock
from rvplat.bus.console import Console
from rvplat.bus.failures import DidNotReturn, device_in, place_of
from rvplat.errors import RunFailed
from rvplat.frozen import frozen
from rvplat.hart.state import STOP_STUCK
from rvplat.machine.running.assembly import Assembly
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.device_accesses import DeviceAccesses
from rvplat.machine.running.native_records import NativeHart
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.stuck_instruction import stuck_instruction
from rvplat.machine.running.system import System

log = logging.getLogger("rvplat.machine")

LOOK_S = 0.5
MOST_S = 2.0  # a longer time between two looks: the process was stopped, or had no processor
SHORT_S = 0.001
SLOW_S = 5.0
GRACE_S = 3.0

_NATIVE = (NativeHart._go.__code__, NativeHart._pass_over.__code__)
#: The thread waits for a reader of the console's output; the device is not the cause.
_WAITING = HostConsole.send.__code__
#: The functions that call a device's code, with a description of the call.
_ENTRIES: dict[CodeType, Callable[[dict[str, Any]], str]] = {
    DeviceAccesses._read.__code__: lambda at: f"a load of {at['size']} at {at['pa']:#x}",
    DeviceAccesses._write.__code__: lambda at: f"a store of {at['size']} at {at['pa']:#x}",
    DeviceAccesses._touched.__code__: lambda at: f"a store of {at['size']} at {at['pa']:#x}",
    DeviceAccesses._asked.__code__: lambda at: "what an access asked for",
    DeviceAccesses._delayed.__code__: lambda at: "a delayed call",
    Clock.ring.__code__: lambda at: "an alarm",
    Console._tell.__code__: lambda at: str(at["operation"]),
    Assembly.reset.__code__: lambda at: "a reset",
}


@frozen
class Call:
    """A call that a thread is in, first found at `since`: of a device's code, of a hook's handler
    (`device` None, `is_python`), or of native code of hart `hart`. `frame` distinguishes it from
    later calls."""

    thread: int
    frame: FrameType
    device: Any
    operation: str
    place: str
    hart: int | None
    since: float
    is_python: bool = True

    def description(self, now: float) -> str:
        name = f"{self.device.wiring.name}: " if self.device is not None else ""
        for_s = f"{now - self.since:.0f} s"
        return f"{name}{self.operation} has not come back for {for_s} ({self.place})"


class Watchdog:
    """The watchdog of a machine. It checks threads between `begin` and `end`, which may be
    nested. It calls `nested_traps` while a hart's trap handler may be raising only further traps.
    """

    def __init__(self, machine: System, nested_traps: Callable[[], None]) -> None:
        self._machine = machine
        self._nested_traps = nested_traps
        self.stepping: tuple[int, ...] = ()
        self._users = 0
        self._lock = threading.Lock()
        self._telling = threading.Lock()  # a run's end waits for a warning that is being made
        self._ended = threading.Event()
        self._calls: dict[int, Call] = {}
        self._reported: Call | None = None
        self._interrupted: dict[FrameType, float] = {}
        self._asked_at: float | None = None
        self._absent = 0.0  # seconds in which the process was stopped, as by Ctrl-Z

    def begin(self) -> None:
        """Start checking: harts may run."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            self._ended = threading.Event()
            self._asked_at = None
            self._calls.clear()
            self._interrupted = {}
        for hart in self._machine.harts:
            hart.abandon.value = 0
        thread = threading.Thread(
            target=self._watch,
            args=[self._ended, self._interrupted],
            name="rvplat-watchdog",
            daemon=True,
        )
        thread.start()

    def end(self) -> None:
        """Stop checking: no hart runs. Returns after all other threads have left devices' code."""
        while self._users == 1 and not self._ended.is_set() and self._is_busy():
            time.sleep(SHORT_S)
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._ended.set()
        self.note_stuck()
        self._look_at_traps()

    def note_stuck(self) -> None:
        """Record the instructions whose loops were ended; their harts have stopped."""
        for hart in self._machine.harts:
            hart.abandon.value = 0
            if hart.stop_code.value == STOP_STUCK:
                hart.stop_code.value = 0
                device = self._machine.stuck_in(hart)
                name, place = stuck_instruction(hart) if device is None else ("an access", "")
                failures, pc = self._machine.assembly.failures, int(hart.view.pc)
                failures.note(name, DidNotReturn(), device, hart.number, pc, place)

    def _is_busy(self) -> bool:
        """Whether another thread is in a device's code, or waits for one that is."""
        mine = threading.get_ident()
        calls = self._calls_now(self._time())
        return any(call.device is not None and call.thread != mine for call in calls)

    def complaints(self) -> list[str]:
        """A line for each call that has not returned for a while."""
        now = self._time()
        return [call.description(now) for call in self._calls.values() if now - call.since > LOOK_S]

    # --- checking ---

    def _time(self) -> float:
        """The seconds in which this process was not stopped."""
        return time.monotonic() - self._absent

    def _watch(self, ended: threading.Event, interrupted: dict[FrameType, float]) -> None:
        last = time.monotonic()
        while not ended.wait(LOOK_S):
            now = time.monotonic()
            if now - last > LOOK_S + MOST_S:
                self._absent += now - last
            last = now
            self._look(self._time())
        if interrupted:
            clear_interrupts()

    def _look_at_traps(self) -> None:
        if any(hart.nested_traps.value for hart in self._machine.harts):
            with self._telling:
                self._nested_traps()

    def _look(self, now: float) -> None:
        self._look_at_traps()
        machine, before = self._machine, self._calls
        found = {call.thread: call for call in self._calls_now(now)}
        self._calls = {
            thread: before[thread] if _is_same(before.get(thread), call) else call
            for thread, call in found.items()
        }
        for call in self._calls.values():
            if call.is_python and now - call.since >= SLOW_S and call is not self._reported:
                self._reported = call
                log.warning("%s", call.description(now))
        if machine.current is not None and machine.current.is_late() and not machine.requests:
            machine.request_stop(Stop("timeout"), False)
        asked = machine.requests or any(hart.stop_request.value for hart in machine.harts)
        if not (asked or self.stepping):
            self._asked_at = None
            return
        self._asked_at = now if self._asked_at is None else self._asked_at
        if now - self._asked_at >= GRACE_S:
            self._insist(now)

    def _calls_now(self, now: float) -> Iterator[Call]:
        for thread, innermost in sys._current_frames().items():
            call = self._call(thread, innermost, now)
            if call is not None:
                yield call

    def _call(self, thread: int, innermost: FrameType, now: float) -> Call | None:
        """The call that a thread is in, if it is of this machine."""
        machine = self._machine
        inner: list[FrameType] = []
        frame: FrameType | None = innermost
        while frame is not None:
            if frame.f_code is _WAITING:
                return None
            if frame.f_code in _ENTRIES and self._is_ours(frame.f_locals["self"]):
                return self._device_call(thread, frame, inner, now)
            if frame.f_code in _NATIVE and frame.f_locals["self"] in machine.harts:
                hart = frame.f_locals["self"].number
                if not inner:
                    return Call(
                        thread, frame, None, "native code", f"hart {hart}", hart, now, False
                    )
                if thread not in machine.lookers.threads:
                    return None
                place = f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
                return Call(thread, inner[0], None, "the handler of a hook", place, hart, now)
            inner.insert(0, frame)
            frame = frame.f_back
        return None

    def _is_ours(self, owner: object) -> bool:
        machine = self._machine
        ours = (machine.assembly, machine.assembly.clock, machine.console)
        if owner in ours or owner in machine.consoles.values():
            return True
        return isinstance(owner, DeviceAccesses) and owner.machine is machine

    def _device_call(
        self, thread: int, entry: FrameType, inner: list[FrameType], now: float
    ) -> Call | None:
        """The call of a device's code; None while the thread only waits for the bus lock."""
        device = device_in(inner)
        if device is None:
            return None
        place = place_of(traceback.extract_stack(inner[-1]), device)
        operation = _ENTRIES[entry.f_code](entry.f_locals)
        hart = entry.f_locals.get("number")
        return Call(thread, entry, device, operation, place, hart, now)

    # --- ending ---

    def _insist(self, now: float) -> None:
        """End the calls that keep the machine, or a hart, from stopping."""
        for call in self._calls.values():
            if now - call.since < GRACE_S or not self._has_to_stop(call):
                continue
            if not call.is_python and call.hart is not None:
                self._machine.harts[call.hart].abandon.value = 1
            if call.frame not in self._interrupted:
                self._interrupted[call.frame] = now
                if call.is_python:
                    _interrupt(call.thread)
            elif now - self._interrupted[call.frame] >= 2 * GRACE_S:
                self._lose(call)
                return

    def _has_to_stop(self, call: Call) -> bool:
        """Whether a call has to end. Native code of a hart that continues while gdb stops another
        one does not."""
        machine = self._machine
        if call.device is not None or call.hart is None or machine.requests:
            return True
        if call.hart in self.stepping:
            return True
        return bool(machine.harts[call.hart].stop_request.value)

    def _lose(self, call: Call) -> None:
        """Give the machine up after a call that cannot be ended, so that callers waiting for the
        run continue."""
        machine = self._machine
        self._ended.set()
        pc = int(machine.harts[call.hart].view.pc) if call.hart is not None else None
        failures = machine.assembly.failures
        failures.note(call.operation, DidNotReturn(), call.device, call.hart, pc, call.place)
        machine.lose(RunFailed(machine.failures))


def _is_same(before: Call | None, now: Call) -> bool:
    return before is not None and before.frame is now.frame


def _interrupt(thread: int) -> None:
    """Make a thread raise DidNotReturn before its next step of Python code."""
    setter = ctypes.pythonapi.PyThreadState_SetAsyncExc
    setter(ctypes.c_ulong(thread), ctypes.py_object(DidNotReturn))


def clear_interrupts() -> None:
    """Clear CPython's flag for exceptions that threads must raise.

    It stays set if a thread ends before it raises its exception. CPython 3.11 then loops for ever
    as soon as a traced function is entered (debuggers, coverage). An exception that the caller's
    own thread raises clears it.
    """
    try:
        _interrupt(threading.get_ident())
        while True:
            time.sleep(0)
    except DidNotReturn:
        return
