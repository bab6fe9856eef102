"""What a client is told of stops: the one place that decides it.

`report` takes the `Stop` of a hart, in the hart's thread, and says whether the hart goes on. If it
does not, the events that the client is to get wait here until the session takes them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rvplat.gdb.protocol.interfaces import HOST_PID, ConsoleText, Event, Stopped, Thread
from rvplat.gdb.target.client_breakpoints import ClientBreakpoints
from rvplat.gdb.target.client_view import ClientView
from rvplat.gdb.target.resume_state import ResumeState, outdated
from rvplat.gdb.target.worlds import WorldTable
from rvplat.machine.running.stop import Stop


class StopReports:
    """Turns stops into events. `wake` is called from any thread when there are new ones.

    `single_process`: the client knows one process, so a thread is a hart, in whichever world it is.
    """

    def __init__(self, worlds: WorldTable) -> None:
        self.wake: Callable[[], None] = lambda: None  # no client waits
        self.single_process = False
        self.client_view = ClientView()
        self.resume_state = ResumeState()
        self.last_hart = 0  # the one that stopped last
        self._worlds = worlds
        self._events: list[Event] = []
        self._lock = threading.Lock()

    # --- events ---

    def add(self, event: Event) -> None:
        """Tell the client something."""
        with self._lock:
            self._events.append(event)
        self.wake()

    def say(self, text: str) -> None:
        """Tell the client's user something, now or with the next stop."""
        self.add(ConsoleText(text))

    def take(self) -> list[Event]:
        """The events since the last call."""
        if not self._events:  # whoever adds one wakes us afterwards
            return []
        with self._lock:
            events, self._events = self._events, []
        return events

    # --- a hart stopped by itself; in its thread ---

    def report(self, stop: Stop, breakpoints: ClientBreakpoints) -> bool:
        """A hart stopped: whether it goes on. If not, the client is told why."""
        hart = stop.hart
        if stop.reason == "power":
            self.wake()  # MachineTarget.take_events sees to it
        elif stop.reason == "break":
            reason = breakpoints.at_breakpoint(stop)
            if reason is None:
                return True
            self.tell(hart, reason)
        elif stop.reason == "ebreak":
            if not breakpoints.at_ebreak(hart):
                return True
            self.tell(hart)
        elif stop.reason in ("critical", "hook"):
            self.say(f"{stop}\n")
            self.tell(hart)
        elif stop.reason == "watch":
            self.tell(hart, *breakpoints.at_watchpoint(stop))
        elif stop.reason == "guest" and hart not in self.resume_state.stepping:
            return not self._tell_of_guest(hart)
        elif self._is_on_its_way(stop):
            return True
        else:
            self.tell(hart)
        return False

    def tell(self, hart: int, reason: str = "", value: str = "") -> None:
        """Tell of a stop, with a stop reply's reason and its value."""
        self.last_hart = hart
        thread, here = self.thread_to_report(hart), self.thread_of_hart(hart + 1)
        if thread != here and reason:
            self.say(f"hart {hart} is at a breakpoint of another world: see info threads\n")
            reason = value = ""
        if thread != here:
            self.say(outdated(here.pid))
        self.add(Stopped(thread, 5, reason, value))

    def tell_of_begin(self, thread: Thread) -> None:
        """Tell a thread that the client resumed backwards that it is at the start of history."""
        self.last_hart = thread.tid - 1
        here = self.thread_of_hart(thread.tid)
        if thread != here:
            self.say(outdated(here.pid))
        self.add(Stopped(thread, 5, "replaylog", "begin"))

    def _tell_of_guest(self, hart: int) -> bool:
        """A hart entered a guest that is new: tell of it as of a fork, which gdb knows. False: the
        client was told before, because another hart was quicker."""
        pid = self._worlds.pid_of(hart)
        if self._worlds.mark(pid, True):
            return False
        self.last_hart = hart
        parent = self.thread_to_report(hart)
        self.client_view.fork(pid, parent)
        self.add(Stopped(parent, 5, "fork", f"p{pid:x}.{hart + 1:x}"))
        return True

    def _is_on_its_way(self, stop: Stop) -> bool:
        """Whether the hart of a step must go on. A step that ends in a world which the client
        doesn't see lasts until the hart is back."""
        pid, stepping = self._worlds.pid_of(stop.hart), self.resume_state.stepping.get(stop.hart)
        if self.single_process or stepping is None or pid == stepping.pid:
            return False
        return stop.reason == "switch" or pid not in self.client_view

    # --- threads ---

    def thread_of_hart(self, tid: int) -> Thread:
        """The thread of a hart in its world; the host's for a world that the client doesn't see."""
        pid = self._worlds.pid_of(tid - 1)
        return Thread(pid if self.single_process or pid in self.client_view else HOST_PID, tid)

    def thread_to_report(self, hart: int) -> Thread:
        """The thread whose stop the client is told of when a hart stops."""
        here = self.thread_of_hart(hart + 1)
        return here if self.single_process else self.resume_state.thread(hart, here)
