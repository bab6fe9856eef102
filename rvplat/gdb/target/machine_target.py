"""The target that is a `Machine`: its harts as threads, its worlds as processes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rvplat.gdb.monitor import dispatch
from rvplat.gdb.monitor.command import Command
from rvplat.gdb.protocol.client_view import Seen
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.resume_state import Going, older
from rvplat.gdb.target import programs
from rvplat.gdb.target.hart_control import Control, Job, Outcome
from rvplat.gdb.target.inspector import Looking
from rvplat.gdb.target.interfaces import (
    ALL,
    ANY,
    HOST_PID,
    Action,
    Break,
    Event,
    Exited,
    Process,
    Said,
    Stopped,
    Thread,
)
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.stop_conditions import Stops
from rvplat.gdb.target.world_memory import VIRTUAL, Sight
from rvplat.gdb.target.worlds import WorldTable
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

XML_OF_LLDB = re.compile(r"xmlRegisters=.*\barm\b.*")  # gdb names i386 alone
LISTS = "multi-wp-addr"  # of gdb 18, which, unlike 13, can do with processes that a list shows it


class BoardTarget(Looking):
    """Every protocol of target.py, for a board. `close` gives it back, stopped."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.wake: Callable[[], None] = lambda: None  # no client waits
        control = Control(machine, self._report)
        super().__init__(control, Registers(machine), Sight(machine), WorldTable(machine))
        self.worlds.keep(True)
        self.follows = False  # gdb is known to have detach-on-fork off
        self.going = Going()
        self.seen = Seen()
        self.off = False  # the board is powered off, or killed
        self.stop: Stop | None = None  # how it went off
        self.commands: Mapping[str, Command] = dispatch.added(machine)
        self.stops = Stops(
            machine, self.worlds, self.control, self.registers, self.sight, self.say
        )  # fmt: skip
        self._events: list[Event] = []
        self._lock = threading.Lock()
        self._hart = 0  # the one that stopped last

    # --- what harts report ---

    def _report(self, outcome: Outcome) -> bool:
        """A hart stopped by itself, in its thread. Whether it shall go on."""
        if outcome.reason == "power":
            self.wake()  # whoever takes the events sees to it
        elif outcome.reason == "break":
            reason = self.stops.broke(outcome.hart)
            if reason is None:
                return True
            self.add(self._stopped(outcome.hart, reason))
        elif outcome.reason == "ebreak":
            if not self.stops.at_ebreak(outcome.hart):
                return True
            self.add(self._stopped(outcome.hart))
        elif outcome.reason == "watch":
            self.add(self._stopped(outcome.hart, *self.stops.watched(outcome.hart)))
        elif outcome.reason == "new" and outcome.hart not in self.going.stepping:
            return not self._began(outcome.hart)
        elif self._goes_on(outcome):
            return True
        else:
            self.add(self._stopped(outcome.hart))
        return False

    def _is_shown(self, hart: int) -> bool:
        """Whether the client sees the world that a hart is in."""
        return self.merged or self.worlds.pid_of(hart) in self.seen

    def _began(self, hart: int) -> bool:
        """A hart came into a guest that is new: tell of it, as gdb knows it of fork. Not if another
        hart was quicker."""
        pid = self.worlds.pid_of(hart)
        if self.worlds.mark(pid, True):
            return False
        self._hart = hart
        parent = self._reporting(hart)
        self.seen.fork(pid, parent)
        self.add(Stopped(parent, 5, "fork", f"p{pid:x}.{hart + 1:x}"))
        return True

    def _goes_on(self, outcome: Outcome) -> bool:
        """Whether a hart that did its step, or came to another world, isn't there yet: a step that
        ends in a world that the client doesn't see lasts until the hart is back."""
        pid, who = self.worlds.pid_of(outcome.hart), self.going.stepping.get(outcome.hart)
        if self.merged or who is None or pid == who.pid:
            return False
        return outcome.reason == "switch" or pid not in self.seen

    def _stopped(self, hart: int, reason: str = "", value: str = "") -> Stopped:
        self._hart = hart
        thread = self._reporting(hart)
        if thread != self.where(hart + 1) and reason:
            self.add(Said(f"hart {hart} is at a breakpoint of another world: see info threads\n"))
            reason = value = ""
        if thread != self.where(hart + 1):
            self.add(Said(older(self.where(hart + 1).pid)))
        return Stopped(thread, 5, reason, value)

    def _reporting(self, hart: int) -> Thread:
        """The thread that a hart's stop is told of."""
        here = self.where(hart + 1)
        return here if self.merged else self.going.thread(hart, here)

    def _power(self) -> None:
        """The guest, or the user, asked for the end. A reset begins anew by itself."""
        self.control.halt()
        requests = self.machine.requests[:]
        self.machine.requests.clear()
        if all(stop.reason == "reset" for stop in requests):
            self.machine.power_on()
            self.seen.end(self.worlds.forget())
            if not self._ended():
                self.go()
        elif not self.off:
            self._switch_off(requests[0])
            if self.machine.failure is not None:
                self.say(f"rvplat failed: {self.machine.failure!r}\n")
            self.seen.end(self.seen.shown)
            self._ended()

    def _switch_off(self, stop: Stop) -> None:
        """The board is off, and this is why; every hart is stopped."""
        self.off, self.stop = True, stop
        self.machine.tell_consoles(False)

    def _ended(self) -> bool:
        """Tell of the end of a world that the client let run; whether there is one."""
        known = not self.merged and self.going.pids
        pid = self.seen.next_end(known or self.seen.shown)
        if pid is not None:
            self.add(Exited(pid, self.stop.code if self.stop is not None else 0))
        return pid is not None

    def add(self, event: Event) -> None:
        """Something that a client is to be told."""
        with self._lock:
            self._events.append(event)
        self.wake()

    def say(self, text: str) -> None:
        """Text for the client's user, now or with its next stop."""
        self.add(Said(text))

    def take_events(self) -> list[Event]:
        if self.machine.requests:
            self._power()
        if not self._events:  # who adds one wakes us afterwards
            return []
        with self._lock:
            events, self._events = self._events, []
        for event in events:
            if isinstance(event, Stopped):
                self.control.settle(event.thread.tid - 1)
        return events

    def untold(self, event: Event) -> None:
        if isinstance(event, Stopped):
            self.stops.untold(event.thread.tid - 1)
            if event.reason == "fork":
                pid = int(event.value[1:].partition(".")[0], 16)
                self.seen.forget(pid)
                self.worlds.mark(pid, False)

    # --- threads ---

    def attach(self) -> None:
        self.control.halt()
        self.worlds.look()
        self.going.clear()
        self.sight.space, self.sight.devices, self.masked = VIRTUAL, False, False
        self.hinted = False
        self.control.time.begin()
        self.stops.ebreaks.begin(self.machine.board.debug.ebreak)
        self.seen.begin(())
        self.worlds.announce(False)
        self.take_events()

    def greet(self, features: frozenset[str]) -> None:
        self.lldb = any(XML_OF_LLDB.fullmatch(feature) for feature in features)
        if not self.merged:
            self.seen.begin(self.worlds.guests() if LISTS in features else ())
            self.worlds.announce("fork-events" in features)
            for pid in self.seen.shown:
                self.worlds.mark(pid, True)

    def detach(self, pid: int = ALL) -> None:
        if not self.seen.leave(pid):
            return
        with self.control.quiet():
            self.stops.forget(pid)
        if pid == ALL:
            self.leave()
        if not self.off and (pid == ALL or not self.threads()):
            self.go()

    def leave(self) -> None:
        """A client has gone. Without a detach before, what is stopped stays stopped, for the next
        one; nothing else of the client is left."""
        with self.control.quiet():
            self.stops.forget(ALL)
            self.stops.ebreaks.begin("trap")
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
        pids = [world.pid for world in self.worlds.all()] if self.merged else self.seen.shown
        return self.worlds.threads(p for p in pids if pid in (ALL, ANY, p))

    def listed(self) -> Sequence[Thread]:
        pids = None if self.merged else self.seen.listed()
        return [thread for thread in self.threads() if pids is None or thread.pid in pids]

    def current(self, pid: int = ANY) -> Thread:
        here = self._reporting(self._hart) if pid in (ALL, ANY) else self.where(self._hart + 1)
        if pid in (ALL, ANY, here.pid):
            return here
        self.worlds.get(pid)
        inside = [t for t in self.threads(pid) if self.worlds.is_there(t)]
        return inside[0] if inside else Thread(pid, 1)

    def where(self, tid: int) -> Thread:
        return Thread(self.worlds.pid_of(tid - 1) if self._is_shown(tid - 1) else HOST_PID, tid)

    def is_gone(self, pid: int) -> bool:
        return pid in self.seen.gone

    def adopt(self, pid: int) -> None:
        self.worlds.look()
        if self.worlds.get(pid).ended:
            raise GdbError(f"world {pid} has ended")
        self._refuse_twice(pid)
        self.seen.attach(pid)
        self.worlds.mark(pid, True)

    def _refuse_twice(self, pid: int) -> None:
        """A process that gdb has twice ends gdb by an assertion."""
        if self.seen.has(HOST_PID if self.merged else pid):
            raise GdbError(f"process {pid} is an inferior already: info inferiors shows which")
        if self.seen.is_fresh(pid) and (self.follows or self.seen.keeps):
            raise GdbError(f"process {pid} becomes an inferior by itself when the host goes on")

    def describe(self, thread: Thread) -> str:
        if self.control.is_running(thread.tid - 1):
            return f"hart {thread.tid - 1}: running"
        if not self.worlds.is_there(thread):
            return f"hart {thread.tid - 1}: not in this world now"
        mode, place = self.registers.mode(thread.tid - 1), self.stops.place(thread.tid - 1)
        return f"hart {thread.tid - 1}: {mode} mode{place}"

    def is_running(self, thread: Thread) -> bool:
        return self.control.is_running(thread.tid - 1)

    def processes(self) -> Sequence[Process]:
        named = [(one, Path(self.program(one.pid)).name) for one in self.worlds.processes()]
        return [replace(one, detail=f"({name})" if name else "") for one, name in named]

    # --- breakpoints ---

    def insert(self, point: Break) -> None:
        self.stops.insert(point)

    def remove(self, point: Break) -> None:
        self.stops.remove(point)

    # --- running ---

    def resume(self, plan: Sequence[tuple[Thread, Action]]) -> None:
        self.seen.go_on(thread for thread, _ in plan)
        chosen = self.going.resume(plan, self.control.is_running)
        if self._ended():
            return
        if self.off:
            raise GdbError("the board is off: use run to start it again")
        named = self._names([thread for thread, _ in plan])
        if named is not None:  # in virtual time they run together, or not at all
            turns = self.machine.turns.virtual is not None
            chosen = {n: what for n, what in chosen.items() if n != named and not turns}
        for n, (thread, _) in chosen.items():
            if not self._is_in(thread) or self.stops.place(n):  # it was told already
                hart = self.machine.harts[n].plain
                hart.break_skip = hart.ebreak_skip = int(hart.pc)
        steps = [n for n, (_, action) in chosen.items() if action.kind == "s"]
        others = [n for n in chosen if n not in steps]
        for n in steps:
            self._step(n, *chosen[n], others)
        if not steps:
            self.control.start([(n, self._job(*chosen[n])) for n in others])

    def _names(self, threads: Sequence[Thread]) -> int | None:
        """Tell of the program of a new world, as gdb knows it of exec; the hart whose thread there
        is said to have stopped for it."""
        while (pid := self.seen.next_copy({thread.pid for thread in threads})) is not None:
            if path := self.program(pid):
                last = Thread(pid, self._hart + 1)
                thread = last if last in threads else next(t for t in threads if t.pid == pid)
                self.add(Stopped(thread, 5, "exec", path.encode().hex()))
                return thread.tid - 1
        return None

    def _job(self, thread: Thread, action: Action) -> Job:
        """A thread that steps and whose hart is elsewhere runs until it is back."""
        if action.kind == "r" and not self._is_in(thread):
            return Job(until_back=True)
        return Job(action.start, action.end)

    def _is_in(self, thread: Thread) -> bool:
        return self.merged or self.worlds.is_there(thread)

    def _step(self, hart: int, thread: Thread, action: Action, others: Sequence[int]) -> None:
        """One instruction. No interrupt comes first where gdb steps over a breakpoint."""
        if self._is_in(thread):
            self.control.step(hart, others, self.masked or action.alone)
        else:
            self.control.start([(hart, Job(until_back=True)), *((n, Job()) for n in others)])

    def halt(self, threads: Iterable[Thread] | None = None) -> Sequence[Thread]:
        harts = None if threads is None else sorted({t.tid - 1 for t in threads})
        ran = self.control.halt(harts)
        self.worlds.look()
        return [self._reporting(n) for n in ran]

    # --- power, programs, monitor ---

    def restart(self, new: bool = False) -> None:
        if new and self.seen.has(HOST_PID):
            raise GdbError("the board is process 1, an inferior already: use run in that one")
        self.control.halt()
        self.machine.forget_requests()
        self.machine.power_on()
        self.worlds.forget()
        self.seen.reset()
        self.off, self.stop = False, None
        self.machine.tell_consoles(True)
        self._hart = 0
        self.take_events()

    def kill(self, pid: int) -> None:
        if self.is_gone(pid) or self.seen.is_fresh(pid):  # gdb kills what was forked first
            self.seen.forget(pid)
            return
        if pid not in (ANY, HOST_PID) and not self.merged:
            raise GdbError("a guest can't be killed from outside: kill the host")
        self.control.halt()
        self._switch_off(Stop("off"))
        self.seen.end(self.seen.shown - {HOST_PID})
        self.seen.forget(HOST_PID)

    def power_off(self) -> None:
        self.control.halt()
        self._switch_off(Stop("off"))
        self.seen.end(self.seen.shown)

    def program(self, pid: int) -> str:
        return programs.program(self.machine.software, self.worlds.get(pid or HOST_PID))

    def file(self, path: str) -> bytes | None:
        return programs.contents(self.machine.software, path)

    def monitor(self, thread: Thread, line: str, say: Callable[[str], None]) -> None:
        dispatch.run(self, thread, line, say)

    def close(self) -> None:
        """Stop the harts and forget all breakpoints."""
        self.control.close()
        self.stops.forget(ALL)
