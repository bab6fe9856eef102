"""The target that is a `Machine`: its harts as threads, its worlds as processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import (
    ALL,
    ANY,
    HOST_PID,
    Action,
    ClientPoint,
    Event,
    Exited,
    Process,
    Stopped,
    Thread,
)
from rvplat.gdb.target import programs
from rvplat.gdb.target.backwards import Backwards
from rvplat.gdb.target.client_breakpoints import ClientBreakpoints
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.hart_driver import Job
from rvplat.gdb.target.inspector import Inspector
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.stop_reports import StopReports
from rvplat.gdb.target.world_memory import VIRTUAL, WorldMemory
from rvplat.gdb.target.worlds import WorldTable
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

if TYPE_CHECKING:
    from rvplat.machine.snapshots.snapshot import Snapshot

XML_OF_LLDB = re.compile(r"xmlRegisters=.*\barm\b.*")  # gdb names i386 alone
#: A feature of gdb 18, which accepts guests in the first list of threads. gdb 13 doesn't.
ACCEPTS_LISTED_GUESTS = "multi-wp-addr"


class MachineTarget(Inspector):
    """The protocols of protocol/interfaces.py for a machine. `close` gives it back, stopped.

    `keeps_forks`: gdb is known to have detach-on-fork off.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.worlds = WorldTable(machine)
        self.reports = StopReports(self.worlds)
        self.snapshots: dict[str, Snapshot] = {}  # in memory, by the names of the client's user
        self.client_view = self.reports.client_view
        self.resume_state = self.reports.resume_state
        control = HartControl(machine, lambda stop: self.reports.report(stop, self.breakpoints))
        super().__init__(control, Registers(machine), WorldMemory(machine), self.worlds)
        self.worlds.keep(True)
        self.keeps_forks = False
        self.off = False  # the board is powered off, or killed
        self.stop: Stop | None = None  # how it went off
        self.breakpoints = ClientBreakpoints(
            machine, self.worlds, self.control, self.registers, self.world_memory, self.say
        )
        self.backwards = Backwards(machine, control, self.worlds, self.breakpoints, self.reports)
        self.world_memory.before_read = self.changes

    # --- what the client is told ---

    @property
    def wake(self) -> Callable[[], None]:
        """Called from any thread when there are new events."""
        return self.reports.wake

    @wake.setter
    def wake(self, function: Callable[[], None]) -> None:
        self.reports.wake = function

    @property
    def single_process(self) -> bool:
        """Whether the client knows one process."""
        return self.reports.single_process

    @single_process.setter
    def single_process(self, on: bool) -> None:
        self.reports.single_process = on

    def say(self, text: str) -> None:
        """Tell the client's user something, now or with the next stop."""
        self.reports.say(text)

    def changes(self) -> None:
        self.backwards.changed()

    def take_events(self) -> list[Event]:
        if self.machine.requests:
            self._power()
        events = self.reports.take()
        for event in events:
            if isinstance(event, Stopped):
                self.control.settle(event.thread.tid - 1)
        return events

    def report_again(self, event: Event) -> None:
        if isinstance(event, Stopped):
            self.breakpoints.report_again(event.thread.tid - 1)
            if event.reason == "fork":
                pid = int(event.value[1:].partition(".")[0], 16)
                self.client_view.forget(pid)
                self.worlds.mark(pid, False)

    def _power(self) -> None:
        """The guest or the user asked for the end, or for a reset, after which the board runs."""
        self.control.halt()
        requests = self.machine.requests[:]
        self.machine.requests.clear()
        if all(stop.reason == "reset" for stop in requests):
            self.machine.power_on()
            self.client_view.end(self.worlds.forget())
            if not self._tell_of_end():
                self.go()
        elif not self.off:
            self._switch_off(requests[0])
            if self.machine.failure is not None:
                self.say(f"rvplat failed: {self.machine.failure!r}\n")
            self.client_view.end(self.client_view.shown)
            self._tell_of_end()

    def _switch_off(self, stop: Stop) -> None:
        """The board is off because of this stop. Every hart is stopped."""
        self.off, self.stop = True, stop
        self.machine.tell_consoles(False)

    def _tell_of_end(self) -> bool:
        """Tell of the end of a world that the client has resumed; whether there is one."""
        known = not self.single_process and self.resume_state.pids
        pid = self.client_view.next_end(known or self.client_view.shown)
        if pid is not None:
            self.reports.add(Exited(pid, self.stop.code if self.stop is not None else 0))
        return pid is not None

    # --- threads ---

    def attach(self) -> None:
        self.control.halt()
        self.worlds.look()
        self.resume_state.clear()
        self.world_memory.space, self.world_memory.devices = VIRTUAL, False
        self.masks_interrupts = self.device_hint_given = False
        self.control.time.begin()
        self.breakpoints.ebreak_stops.begin(self.machine.board.debug.ebreak)
        self.client_view.begin(())
        self.worlds.announce(False)
        self.take_events()

    def set_features(self, features: frozenset[str]) -> None:
        self.lldb = any(XML_OF_LLDB.fullmatch(feature) for feature in features)
        if not self.single_process:
            listed = ACCEPTS_LISTED_GUESTS in features
            self.client_view.begin(self.worlds.guests() if listed else ())
            self.worlds.announce("fork-events" in features)
            for pid in self.client_view.shown:
                self.worlds.mark(pid, True)

    def detach(self, pid: int = ALL) -> None:
        if not self.client_view.leave(pid):
            return
        with self.control.quiet():
            self.breakpoints.forget(pid)
        if pid == ALL:
            self.leave()
        if not self.off and (pid == ALL or not self.threads()):
            self.go()

    def leave(self) -> None:
        """A client has gone, and nothing of it is left. Without a detach before, stopped harts stay
        stopped for the next client."""
        with self.control.quiet():
            self.breakpoints.forget(ALL)
            self.breakpoints.ebreak_stops.begin("trap")
        self.worlds.announce(False)
        self.control.end_trace()

    @property
    def stands_still(self) -> bool:
        """Whether the board is on, and no hart runs."""
        harts = range(len(self.machine.harts))
        return not self.off and not any(self.control.is_running(n) for n in harts)

    def go(self) -> None:
        """Let every hart run."""
        self.control.start([(n, Job()) for n in range(len(self.machine.harts))])

    def threads(self, pid: int = ALL) -> Sequence[Thread]:
        pids = (
            [world.pid for world in self.worlds.all()]
            if self.single_process
            else self.client_view.shown
        )
        return self.worlds.threads(p for p in pids if pid in (ALL, ANY, p))

    def listed_threads(self) -> Sequence[Thread]:
        pids = None if self.single_process else self.client_view.listed_pids()
        return [thread for thread in self.threads() if pids is None or thread.pid in pids]

    def current(self, pid: int = ANY) -> Thread:
        here = (
            self.reports.thread_to_report(self.reports.last_hart)
            if pid in (ALL, ANY)
            else self.thread_of_hart(self.reports.last_hart + 1)
        )
        if pid in (ALL, ANY, here.pid):
            return here
        self.worlds.get(pid)
        inside = [t for t in self.threads(pid) if self.worlds.is_there(t)]
        return inside[0] if inside else Thread(pid, 1)

    def thread_of_hart(self, tid: int) -> Thread:
        return self.reports.thread_of_hart(tid)

    def is_gone(self, pid: int) -> bool:
        return pid in self.client_view.gone

    def attach_world(self, pid: int) -> None:
        self.worlds.look()
        if self.worlds.get(pid).ended:
            raise GdbError(f"world {pid} has ended")
        self._refuse_twice(pid)
        self.client_view.attach(pid)
        self.worlds.mark(pid, True)

    def _refuse_twice(self, pid: int) -> None:
        """GdbError for a process that the client has. gdb ends by an assertion if it gets one
        twice."""
        if self.client_view.has(HOST_PID if self.single_process else pid):
            raise GdbError(f"process {pid} is an inferior already: info inferiors shows which")
        if self.client_view.is_fresh(pid) and (self.keeps_forks or self.client_view.keeps):
            raise GdbError(f"process {pid} becomes an inferior by itself when the host goes on")

    def describe(self, thread: Thread) -> str:
        if self.control.is_running(thread.tid - 1):
            return f"hart {thread.tid - 1}: running"
        if not self.worlds.is_there(thread):
            return f"hart {thread.tid - 1}: not in this world now"
        mode, place = self.registers.mode(thread.tid - 1), self.breakpoints.place(thread.tid - 1)
        return f"hart {thread.tid - 1}: {mode} mode{place}"

    def is_running(self, thread: Thread) -> bool:
        return self.control.is_running(thread.tid - 1)

    def processes(self) -> Sequence[Process]:
        named = [(one, Path(self.program(one.pid)).name) for one in self.worlds.processes()]
        return [replace(one, detail=f"({name})" if name else "") for one, name in named]

    # --- breakpoints ---

    def insert(self, point: ClientPoint) -> None:
        self.breakpoints.insert(point)

    def remove(self, point: ClientPoint) -> None:
        self.breakpoints.remove(point)

    # --- running ---

    def resume(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        self.breakpoints.remove_spent()
        self.client_view.go_on(thread for thread, _ in plan)
        chosen = self.resume_state.resume(plan, self.control.is_running)
        if self._tell_of_end():
            return
        if self.off:
            raise GdbError("the board is off: use run to start it again")
        named = self._tell_of_program([thread for thread, _ in plan])
        if named is not None:  # in virtual time they run together, or not at all
            turns = self.machine.turns.virtual is not None
            chosen = {n: what for n, what in chosen.items() if n != named and not turns}
        for n, (thread, _) in chosen.items():
            if not self._is_in(thread) or self.breakpoints.place(n):  # it was told already
                self.breakpoints.skip_here(n)
        steps = [n for n, (_, action) in chosen.items() if action.kind == "s"]
        others = [n for n in chosen if n not in steps]
        for n in steps:
            self._step(n, *chosen[n], others)
        if not steps:
            self.control.start([(n, self._job(*chosen[n])) for n in others])

    def resume_backwards(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        self.backwards.must_be_possible()
        if self.off:
            raise GdbError("the board is off: use run to start it again")
        self.breakpoints.remove_spent()
        self.client_view.go_on(thread for thread, _ in plan)
        self.resume_state.resume(plan, self.control.is_running)
        self.backwards.begin(*plan[0])

    def _tell_of_program(self, threads: Sequence[Thread]) -> int | None:
        """Tell of the program of a new world as of an exec, which gdb knows; the hart whose thread
        is said to have stopped for it."""
        while (pid := self.client_view.next_copy({thread.pid for thread in threads})) is not None:
            if path := self.program(pid):
                last = Thread(pid, self.reports.last_hart + 1)
                thread = last if last in threads else next(t for t in threads if t.pid == pid)
                self.reports.add(Stopped(thread, 5, "exec", path.encode().hex()))
                return thread.tid - 1
        return None

    def _job(self, thread: Thread, action: Action) -> Job:
        """The job of a thread. If its hart is in another world, a step runs until it is back."""
        if action.kind == "r" and not self._is_in(thread):
            return Job(until_back=True)
        return Job(action.start, action.end)

    def _is_in(self, thread: Thread) -> bool:
        return self.single_process or self.worlds.is_there(thread)

    def _step(self, hart: int, thread: Thread, action: Action, others: Sequence[int]) -> None:
        """One instruction. No interrupt is taken first when gdb steps over a breakpoint."""
        if self._is_in(thread):
            self.control.step(hart, others, self.masks_interrupts or action.alone)
        else:
            self.control.start([(hart, Job(until_back=True)), *((n, Job()) for n in others)])

    def halt(self, threads: Iterable[Thread] | None = None) -> Sequence[Thread]:
        harts = None if threads is None else sorted({t.tid - 1 for t in threads})
        ran = self.control.halt(harts)
        self.worlds.look()
        return [self.reports.thread_to_report(n) for n in ran]

    # --- power, programs, monitor ---

    def restart(self, new: bool = False) -> None:
        if new and self.client_view.has(HOST_PID):
            raise GdbError("the board is process 1, an inferior already: use run in that one")
        self.control.halt()
        self.machine.forget_requests()
        self.machine.power_on()
        self.machine.state_replaced()
        self._begin_again()

    def go_back(self, snapshot: Snapshot) -> None:
        """Stop every hart and give the board the state of a snapshot. SnapshotError if it doesn't
        fit."""
        from rvplat.machine.snapshots.snapshot import load_whole

        self.control.halt()
        self.machine.forget_requests()
        load_whole(self.machine, snapshot)
        self.machine.state_replaced()
        self._begin_again()

    def _begin_again(self) -> None:
        """The board's state was replaced."""
        self.worlds.forget()
        self.client_view.reset()
        self.backwards.checkpoints.clear()
        self.off, self.stop = False, None
        self.machine.tell_consoles(True)
        self.reports.last_hart = 0
        self.take_events()

    def kill(self, pid: int) -> None:
        if self.is_gone(pid) or self.client_view.is_fresh(pid):  # gdb kills what was forked first
            self.client_view.forget(pid)
            return
        if pid not in (ANY, HOST_PID) and not self.single_process:
            raise GdbError("a guest can't be killed from outside: kill the host")
        self.control.halt()
        self._switch_off(Stop("off"))
        self.client_view.end(self.client_view.shown - {HOST_PID})
        self.client_view.forget(HOST_PID)

    def power_off(self) -> None:
        self.control.halt()
        self._switch_off(Stop("off"))
        self.client_view.end(self.client_view.shown)

    def program(self, pid: int) -> str:
        return programs.program(self.machine.software, self.worlds.get(pid or HOST_PID))

    def file(self, path: str) -> bytes | None:
        return programs.contents(self.machine.software, path)

    def close(self) -> None:
        """Stop the harts and forget all breakpoints."""
        self.control.close()
        self.breakpoints.forget(ALL)
