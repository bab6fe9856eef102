"""Runs a machine for clients: it starts and stops it, and lets them look at it meanwhile.

Requests come in the threads of the clients, and are served one after another. While the machine
runs, a request that reads it stops every hart for the time of the request (`Runner.look`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal, TypeVar

from rvplat.api.errors import NotNow
from rvplat.api.names import Names
from rvplat.machine.machine import Machine
from rvplat.machine.running.run import Runner
from rvplat.machine.running.stop import Stop

T = TypeVar("T")
State = Literal["running", "stopped", "off"]
LOOK_S = 0.1  # between two looks at requests of the user, while the machine is stopped
ENDS = ("off", "fail", "timeout", "leave", "interrupt", "failure", "idle")
OFF = ("off", "fail")
RUNS = "the machine runs: pause it first"
IS_OFF = "the machine is off: reset it, load a snapshot or go back in time"


class Control:
    """A machine that clients run. `on_state` is called when it has started or stopped."""

    def __init__(self, machine: Machine, on_state: Callable[[], None]) -> None:
        self.machine = machine
        self.stop: Stop | None = None  # why it stands still; None before its first run
        self.clients = 0
        self.names = Names(machine)
        self._on_state = on_state
        self._lock = threading.RLock()  # one request at a time
        self._runner: Runner | None = None
        self._looking = 0  # the thread in which a request looks at a machine that runs
        self._stands = threading.Event()
        self._stands.set()
        self._told = threading.Event()  # `on_state` has been called for the end of the last run
        self._told.set()
        self._over = threading.Event()
        self.error: BaseException | None = None
        self._keep_time()

    # --- state ---

    @property
    def state(self) -> State:
        """Whether the machine runs, is stopped, or the guest has switched it off."""
        if not self._stands.is_set():
            return "running"
        return "off" if self.stop is not None and self.stop.reason in OFF else "stopped"

    def _keep_time(self) -> None:
        """While it is stopped, the guest's time stands still, unless the board says otherwise."""
        clock = self.machine.assembly.clock
        if self._stands.is_set() and self.machine.board.debug.time != "runs":
            clock.pause()
        else:
            clock.resume()

    # --- requests ---

    def still(self, function: Callable[[], T]) -> T:
        """Call a function while every hart stands still."""
        if self._looking == threading.get_ident():  # a part of a batch
            return function()
        with self._lock:
            runner = self._runner
            if runner is None or self._stands.is_set():
                return function()
            found: list[T] = []
            problems: list[BaseException] = []

            def look() -> None:
                self._looking = threading.get_ident()
                try:
                    found.append(function())
                except Exception as error:  # it is the client's, not the run's
                    problems.append(error)
                finally:
                    self._looking = 0

            if not runner.look(look):
                return self._after(runner, function)
        if problems:
            raise problems[0]
        return found[0]

    def _after(self, runner: Runner, function: Callable[[], T]) -> T:
        """The run would not be looked at: it has just ended, or a hart does not stop."""
        if not self._stands.wait(LOOK_S) and self.machine.running:
            raise NotNow("a hart does not stop, perhaps in a plugin's code: ask again later")
        self._stands.wait()
        return function()

    def stopped(self, function: Callable[[], T]) -> T:
        """Call a function that needs a stopped machine."""
        with self._lock:
            if not self._stands.is_set():
                raise NotNow(RUNS)
            return function()

    def moved(self, function: Callable[[], Stop]) -> Stop:
        """Call a function that steps the machine or takes it back; returns its stop."""
        clock = self.machine.assembly.clock
        with self._lock:
            if not self._stands.is_set():
                raise NotNow(RUNS)
            self._told.wait()  # why it stands still now must not be told as this one's reason
            clock.resume()
            try:
                self.stop = function()
            finally:
                self._keep_time()
        self._on_state()
        return self.stop

    # --- running ---

    def run(self) -> None:
        """Let the machine run in the background. NotNow if it runs, or is off."""
        with self._lock:
            if self.state != "stopped":
                raise NotNow("the machine runs already" if self.state == "running" else IS_OFF)
            self._told.wait()
            runner = Runner(self.machine)
            self._stands.clear()
            self._keep_time()
            try:
                runner.start()
            except BaseException:
                self._stands.set()
                raise
            self._told.clear()
            self._runner = runner
        threading.Thread(target=self._watch, args=[runner], name="api-run", daemon=True).start()
        self._on_state()

    def _watch(self, runner: Runner) -> None:
        """Wait for the end of a run."""
        try:
            self.stop = runner.wait()
        except BaseException as error:
            self.error = error
            self._over.set()
        self._stands.set()
        try:
            self._keep_time()
            self._on_state()
        finally:
            self._told.set()
        if self.stop is not None and self.stop.reason in ENDS and not self._is_awaited():
            self._over.set()

    def _is_awaited(self) -> bool:
        """Whether clients may still look at a machine that the guest has switched off."""
        return self.state == "off" and self.clients > 0

    def pause(self) -> None:
        """Stop the machine. It does nothing if it is stopped."""
        with self._lock:
            if self._runner is not None and not self._stands.is_set():
                self._runner.cancel("pause")
                self._stands.wait()

    def client_gone(self) -> None:
        """A client has left: the last one is not waited for any more."""
        self.clients -= 1
        if self.state == "off" and not self.clients:
            self._over.set()

    def quit(self, reason: str = "leave") -> None:
        """End: `wait` returns."""
        if self.state != "off":
            self.stop = Stop(reason)
        self._over.set()

    def wait(self, wanted: Callable[[], Stop | None] = lambda: None) -> Stop:
        """Wait until the guest, a client or the user has ended it; returns the reason. `wanted` is
        how the user wants it to end: a request of the machine can be lost, because a run that a
        client begins drops earlier ones.

        Raises:
            The error that made the run fail.
        """
        while not self._over.wait(LOOK_S):
            if stop := wanted():
                self.stop = stop
                break
            if self._stands.is_set() and self.machine.requests:
                asked = [one for one in self.machine.requests if one.reason in ENDS]
                if asked and self.stop not in asked:
                    self.stop = asked[0]
                    break
        why = self.stop or Stop("leave")
        self.end(why.reason)
        if self.error is not None:
            raise self.error
        return why

    def end(self, reason: str) -> None:
        """Stop the machine for good, from another thread than its own."""
        if not self._stands.is_set() and self._runner is not None:
            self._runner.cancel(reason)
            self._stands.wait()
        self.machine.assembly.clock.resume()

    def deadline(self, timeout_s: float | None) -> None:
        """End after so many seconds of the host's time."""
        if timeout_s is not None:
            end = time.monotonic() + timeout_s
            threading.Thread(target=self._end_at, args=[end], daemon=True).start()

    def _end_at(self, end: float) -> None:
        if not self._over.wait(max(0.0, end - time.monotonic())):
            self.quit("timeout")
