"""Run a machine: with a thread for each hart on the host's clock, in turns on a virtual clock.

The caller's thread only waits, so that Ctrl-C reaches it at once. A thread of the run starts the
harts, watches the time, and restarts the machine when the guest requests a reset.

The thread of a hart in WFI sleeps in native code (hart/sleep.py). If no timer will wake the hart,
it leaves native code once a second, so that the run can end if nothing can wake any hart.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from rvplat.arguments import integer, seconds
from rvplat.hart.state import STOP_LIMIT, STOP_REQUEST, STOP_WFI
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.interrupts_later import InterruptsLater
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System
from rvplat.machine.running.turn_taking import TurnTaking

FOREVER = 1 << 62
LOOK = "look"  # a request to stop for `Runner.look`, which does not end the run
LONGEST_LOOK_S = 2.0  # a hart in a plugin's code may never stop
LOOK_S = 0.25  # between two checks for signals
IDLE_NS = 1_000_000_000  # a run that nothing can wake ends after this time


def _part_of(deadline: float | None) -> float:
    """The length of one wait, in seconds. It is short because another thread may receive a signal,
    and Python runs the handler only when the main thread wakes up."""
    left = LOOK_S if deadline is None else deadline - time.monotonic()
    return min(max(left, 0.0), LOOK_S)


class Runner:
    """One run of a machine, until something stops it.

    `max_instructions`: the limit for each hart, including instructions that trap.
    `ends_idle`: stop when every hart waits and only input could wake one.
    `restarts`: a reset by the guest restarts the machine; else it ends the run.
    `turns`: run the harts in turns in one thread, with any clock.
    """

    def __init__(
        self, machine: System, timeout_s: float | None = None,
        max_instructions: int | None = None, ends_idle: bool = False, restarts: bool = True,
        turns: TurnTaking | None = None,
    ) -> None:  # fmt: skip
        self.machine = machine
        self.restarts = restarts
        self.ends_idle = ends_idle
        self.timeout_s = seconds("timeout_s", timeout_s)
        self.stop: Stop | None = None
        limit = FOREVER
        if max_instructions is not None:
            limit = integer("max_instructions", max_instructions, 1, FOREVER)
        self._limit = limit
        self._left = {hart.number: limit for hart in machine.harts}
        self._turns = turns or (machine.turns if machine.turns.virtual else None)
        self._deadline: float | None = None
        self._began = threading.Event()
        self._done = threading.Event()
        self._looks: list[tuple[Callable[[], None], threading.Event]] = []
        self._thread = threading.Thread(target=self._coordinate, name="rvplat-run", daemon=True)

    # --- the caller's side ---

    def run(self) -> Stop:
        """Start, and wait for the end. Ctrl-C raises KeyboardInterrupt after every hart has
        stopped."""
        self.start()
        return self.wait()

    def start(self) -> None:
        """Run in the background."""
        try:
            with InterruptsLater():
                deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
                self.machine.began(self)
                self._deadline = deadline
                self._thread.start()
        except BaseException as error:
            if self.machine.current is not self:  # it did not begin, or has ended
                raise
            if isinstance(error, RuntimeError) or not self._began.wait(LONGEST_LOOK_S):
                self.machine.ended()  # the host cannot start a thread
            else:  # Ctrl-C while the thread starts
                self.cancel("interrupt")
            raise

    def wait(self, timeout_s: float | None = None) -> Stop:
        """Wait for the end of the run and return its reason.

        Raises:
            TimeoutError: the run has not ended in this time, and continues.
            BaseException: the error that ended the run, of rvplat or of a console's sink.
        """
        seconds("timeout_s", timeout_s)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while not self._done.wait(_part_of(deadline)):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"the machine still runs after {timeout_s} s")
        except TimeoutError:
            raise
        except BaseException:
            self.cancel("interrupt")
            raise
        if self.machine.failure is not None:
            raise self.machine.failure
        assert self.stop is not None
        return self.stop

    def cancel(self, reason: str) -> None:
        """Stop the run; returns after every hart has stopped."""
        self.machine.request_stop(Stop(reason))
        self._done.wait()

    def look(self, function: Callable[[], None]) -> bool:
        """Call a function while every hart is stopped; then the run continues. Returns False if the
        function was not called: the run has ended, or a hart did not stop in some seconds."""
        done = threading.Event()
        look = (function, done)
        self._looks.append(look)
        self.machine.request_stop(Stop(LOOK))
        end = time.monotonic() + LONGEST_LOOK_S
        while not done.wait(LOOK_S):
            if self._done.is_set() or time.monotonic() > end:
                with contextlib.suppress(ValueError):  # the run is calling it
                    self._looks.remove(look)
                    return False
        return True

    def give_up(self, error: BaseException) -> None:
        """Make `wait` raise this error now, because a thread of the run can't be ended."""
        self.machine.failure = error
        self._done.set()

    def input_ended(self) -> None:
        """Note that no more input will come: the run may end when the machine is idle."""
        self.ends_idle = True
        for hart in self.machine.harts:
            hart.alert()

    @property
    def executed(self) -> list[int]:
        """The instructions that each hart has executed, as `max_instructions` counts them. The run
        has ended."""
        return [self._limit - self._left[hart.number] for hart in self.machine.harts]

    # --- the run's thread ---

    def _coordinate(self) -> None:
        machine = self.machine
        self._began.set()
        try:
            self.stop = self._live_on()
        except BaseException as error:
            machine.fail(error)
        finally:
            for hart in machine.harts:
                hart.stop_request.value = 0
            machine.ended()
            self._done.set()

    def _live_on(self) -> Stop:
        """Run until something ends the run. After a reset by the guest, run again. If harts left
        native code without a request to stop, continue."""
        while True:
            if self._turns is None:
                self._run_threads()
            else:
                self._take_turns(self._turns)
            self._take_looks()
            stop, is_reset = self.machine.take_requests(self.restarts)
            if stop is not None and stop.reason != LOOK:
                self.machine.run_ended(stop)
                return stop
            if is_reset:
                self.machine.power_on()
                self.machine.repeat_requests()

    def _take_looks(self) -> None:
        """Call the functions of waiting `look` calls."""
        self.machine.withdraw(LOOK)
        while self._looks:
            function, done = self._looks.pop()
            try:
                with self.machine.lookers.looking():
                    function()
            finally:
                done.set()

    def is_late(self) -> bool:
        """Whether the run has passed its deadline."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    # --- turns ---

    def _take_turns(self, turns: TurnTaking) -> None:
        machine = self.machine
        for hart in machine.harts:
            hart.wake = turns.wake
        while not machine.requests:
            for hart in machine.harts:  # an earlier request may have interrupted a turn
                hart.stop_request.value = 0
            if machine.requests:
                break
            if self.is_late():
                machine.request_stop(Stop("timeout"))
            elif turns.round(self._left) or turns.wait(not self.ends_idle):
                continue
            elif self.ends_idle and not self._is_busy():
                machine.request_stop(Stop("idle"))

    # --- threads ---

    def _run_threads(self) -> None:
        threads = [
            threading.Thread(
                target=self._guard, args=[hart], name=f"hart{hart.number}", daemon=True
            )
            for hart in self.machine.harts
        ]
        for hart, thread in zip(self.machine.harts, threads, strict=True):
            hart.wake = None
            hart.idle_since.value = 0
            hart.allow(self._left[hart.number])
            thread.start()
        for hart, thread in zip(self.machine.harts, threads, strict=True):
            self._join(thread)
            self._left[hart.number] = hart.left

    def _join(self, thread: threading.Thread) -> None:
        if self._deadline is not None:
            thread.join(max(0.0, self._deadline - time.monotonic()))
            if thread.is_alive():
                self.machine.request_stop(Stop("timeout"))
        thread.join()

    def _guard(self, hart: Hart) -> None:
        """The body of a hart's thread: an error ends the run, which raises it."""
        try:
            self._live(hart)
        except BaseException as error:
            self.machine.fail(error)

    def _live(self, hart: Hart) -> None:
        run = self.machine.core.run
        hart.sleeps.value = 1
        try:
            while (reason := hart.enter(run)) != STOP_REQUEST:
                stop = self._why(hart, reason)
                if stop is not None:
                    self.machine.request_stop(stop)
                    return
        finally:
            hart.sleeps.value = 0

    def _why(self, hart: Hart, reason: int) -> Stop | None:
        """The stop of the run after a hart has left native code for a reason; None: it
        continues."""
        if reason not in (STOP_WFI, STOP_LIMIT):
            return self.machine.break_stop(hart)
        if hart.left <= 0:
            return Stop("limit", hart=hart.number)
        return Stop("idle") if self.ends_idle and self._is_idle() else None

    def sleep(self, hart: Hart) -> bool:
        """Let a hart in WFI sleep. Returns True if a pending interrupt ends the wait, False after a
        request to stop or some time."""
        self.machine.export("sleep")(hart.address)
        return not hart.waiting

    def _is_idle(self) -> bool:
        """Whether every hart has waited for IDLE_NS and nothing can wake one."""
        times = [int(hart.idle_since.value) for hart in self.machine.harts]
        if 0 in times or time.monotonic_ns() - max(times) < IDLE_NS:
            return False
        return self.machine.assembly.clock.next_alarm() is None and not self._is_busy()

    def _is_busy(self) -> bool:
        return any(device.is_working for device in self.machine.devices.values())
