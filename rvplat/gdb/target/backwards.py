"""Going back in time: one instruction of a hart, or to the last stop.

A history (machine/history/) can go to any earlier place by running forward from a checkpoint. That
may take seconds, so it is done in a thread: the session can be asked to interrupt it meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rvplat.errors import HistoryError, SnapshotError
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Action, Thread
from rvplat.gdb.target.client_breakpoints import ClientBreakpoints
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.stop_reports import StopReports
from rvplat.gdb.target.worlds import WorldTable
from rvplat.machine.backwards import LEAST_BYTES
from rvplat.machine.history.history import Cancelled, History
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

HOST_CLOCK = (
    "the board can't go back in time, because it runs on the host's clock: "
    "start it with --set clock=virtual --set debug.history=512M, or by rvplat debug"
)
OFF = "the board can't go back in time: start it with --set debug.history=512M"
CANCELLED = "interrupted on the way back: monitor when says where the board is now\n"
NEW_FUTURE = "a new future begins here: what came later is forgotten\n"
LOOK_S = 0.02
BEGIN = Stop("history")


def keep_history(machine: Machine, most_bytes: int = 0) -> None:
    """Let a machine with a virtual clock keep a history of about so many bytes, or of as many as
    its board says; 0: none."""
    wanted = machine.board.debug.history
    most = most_bytes if wanted is None else wanted
    if most and machine.history is None and machine.turns.virtual is not None:
        machine.keep_history(max(most, LEAST_BYTES))


class Backwards:
    """Takes the board of a client back."""

    def __init__(
        self, machine: Machine, control: HartControl, worlds: WorldTable,
        breakpoints: ClientBreakpoints, reports: StopReports,
    ) -> None:  # fmt: skip
        self._machine = machine
        self._control = control
        self._worlds = worlds
        self._breakpoints = breakpoints
        self._reports = reports
        self.checkpoints: list[int] = []  # those of the user: instructions of all harts
        self._thread: threading.Thread | None = None
        self._done = threading.Event()
        self._done.set()
        control.journey = self

    @property
    def history(self) -> History:
        """The history. GdbError, with the setting that is needed, if there is none."""
        if self._machine.history is None:
            raise GdbError(HOST_CLOCK if self._machine.turns.virtual is None else OFF)
        if self._machine.history.problem:
            raise GdbError(self._machine.history.problem)
        return self._machine.history

    def move(self, go: Callable[[History], object]) -> None:
        """Go to a place in the history. GdbError if there is none, or not that place."""
        history = self.history
        if any(driver.running for driver in self._control.drivers):
            raise GdbError("the board runs: stop every hart first")
        self._control.end_trace()
        try:
            go(history)
        except (LookupError, HistoryError, SnapshotError) as error:
            raise GdbError(str(error)) from None
        self._worlds.look()

    def must_be_possible(self) -> None:
        """GdbError if there is no history."""
        assert self.history is not None

    def changed(self) -> None:
        """The client's user is about to change something here. GdbError if it is refused."""
        try:
            forgot = self._machine.history is not None and self._machine.history.changed()
        except HistoryError as error:
            raise GdbError(str(error)) from None
        if forgot:
            self.checkpoints = [one for one in self.checkpoints if one <= self.history.work]
            self._reports.say(NEW_FUTURE)

    # --- the client's side ---

    @property
    def running(self) -> bool:
        """Whether a thread takes the board back."""
        return not self._done.is_set()

    def cancel(self) -> None:
        """End the journey, wherever it is, and wait. The client is told of a stop."""
        while self.running:
            self.history.cancel = True  # again: a search clears it when it begins
            self._done.wait(LOOK_S)
        self.wait()

    def wait(self) -> None:
        """Wait for its end."""
        self._done.wait()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def begin(self, thread: Thread, action: Action) -> None:
        """Begin to go back by one instruction of a thread (action "s"), or to the last stop. The
        thread is told of the start of history."""
        self.wait()
        self._control.end_trace()  # a trace has turns of its own
        self._done.clear()
        self._thread = threading.Thread(
            target=self._travel, args=[thread, action], name="gdb-backwards", daemon=True
        )
        self._thread.start()

    # --- in the thread ---

    def _travel(self, thread: Thread, action: Action) -> None:
        try:
            self._tell(thread, self._step(thread) if action.kind == "s" else self._search())
        except Cancelled:
            self._reports.say(CANCELLED)
            self._tell(thread, Stop("step", hart=thread.tid - 1))
        except (HistoryError, SnapshotError) as error:
            self._reports.say(f"{error}\n")
            self._tell(thread, Stop("step", hart=thread.tid - 1))
        except BaseException as error:
            self._machine.fail(error)
        finally:
            self._done.set()
            self._reports.wake()

    def _tell(self, thread: Thread, stop: Stop) -> None:
        """Tell the client where the way back has ended."""
        self._worlds.look()
        if stop is BEGIN:
            self._reports.tell_of_begin(thread)
        else:
            self._reports.tell(stop.hart, *self._breakpoints.reason_backwards(stop))

    def _search(self) -> Stop:
        """Go back to the last stop that the client wants."""
        stop = self.history.search_back(self._breakpoints.stops_backwards)
        if stop is None:
            return BEGIN
        if self._breakpoints.is_watched(stop):
            self.history.go(self.history.work + 1)  # gdb steps back over the access itself
        return stop

    def _step(self, thread: Thread) -> Stop:
        """Go back by one instruction of a thread's hart; if the thread is in another world, to its
        last instruction."""
        hart, here = thread.tid - 1, self.history.work
        if not self._is_in(thread):
            return self._return_to(thread)
        if self.history.reverse_step(hart) == 0:
            return BEGIN
        stop = (
            self.history.met_by_step(hart, self._is_watched) if self._breakpoints.watches else None
        )
        if stop is not None:
            self.history.go(here)
            return stop
        return Stop("step", hart=hart) if self._may_end(thread) else self._return_to(thread)

    def _is_in(self, thread: Thread) -> bool:
        return self._reports.single_process or self._worlds.is_there(thread)

    def _may_end(self, thread: Thread) -> bool:
        """Whether a step of a thread may end where its hart is now: in a world that the client
        sees."""
        pid = self._worlds.pid_of(thread.tid - 1)
        return self._is_in(thread) or pid in self._reports.client_view

    def _is_watched(self, stop: Stop) -> bool:
        counts = self._breakpoints.stops_backwards(stop)
        return counts and self._breakpoints.is_watched(stop)

    def _return_to(self, thread: Thread) -> Stop:
        """Go back to where a hart was last in the thread's world, unless something that the client
        wants comes before."""
        hart = self._machine.harts[thread.tid - 1]
        while not self._worlds.is_there(thread):
            hart.plain.stop_switch = 1
            try:
                stop = self.history.search_back(lambda one: self._leaves(one, hart.number))
            finally:
                hart.plain.stop_switch = 0
            if stop is None:
                return BEGIN
            if stop.reason != "switch":
                return stop
            self.history.reverse_step(hart.number)
        return Stop("step", hart=hart.number)

    def _leaves(self, stop: Stop, hart: int) -> bool:
        """Whether a stop is that of a hart that changes its world, or one that the client wants."""
        switches = stop.reason == "switch" and stop.hart == hart
        return switches or self._breakpoints.stops_backwards(stop)
