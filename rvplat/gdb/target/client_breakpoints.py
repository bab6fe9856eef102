"""A client's breakpoints and watchpoints, by world, and what is to be said of a stop.

They are rows in the same tables as those of `machine.breakpoints` and `machine.watchpoints`, of
which the client knows nothing. A stop at one of the machine's is shown by text.
"""

from __future__ import annotations

from collections.abc import Callable

from rvplat.frozen import frozen
from rvplat.gdb.evaluation import bytecode
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import ALL, HOST_PID, ClientPoint, Thread
from rvplat.gdb.target.ebreak_stops import EbreakStops
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.world_memory import WorldMemory
from rvplat.gdb.target.worlds import WorldTable
from rvplat.hart.debugging.watchpoints import READS, WRITES
from rvplat.machine.debugging.breakpoint_table import Place
from rvplat.machine.debugging.errors import DebuggingError
from rvplat.machine.debugging.stop_points import met_rows
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop, StopPoint, Watchpoint

BREAK_REASONS = {0: "swbreak", 1: "hwbreak"}
WATCH_REASONS = {2: "watch", 3: "rwatch", 4: "awatch"}
KINDS = {2: WRITES, 3: READS, 4: READS | WRITES}  # by gdb's type


@frozen
class ThreadState:
    """What expressions read: the registers and the memory of a thread."""

    registers: Registers
    memory_of_worlds: WorldMemory
    thread: Thread

    def register(self, number: int) -> int:
        return self.registers.read(self.thread.tid - 1, number, self.thread.pid != HOST_PID)

    def memory(self, address: int, size: int) -> bytes:
        data = self.memory_of_worlds.read(self.thread.tid - 1, {}, address, size)
        if len(data) < size:
            raise GdbError(f"{address + len(data):#x} is not mapped")
        return data


@frozen
class UnnamedStop:
    """What stopped a hart that the client has no name for, the pc there, and the machine's
    breakpoints or watchpoints among it."""

    pc: int
    what: str
    hits: tuple[StopPoint, ...] = ()


class ClientBreakpoints:
    """The points that a client has set. `say` tells the client's user something."""

    def __init__(
        self, machine: Machine, worlds: WorldTable, control: HartControl, registers: Registers,
        world_memory: WorldMemory, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._harts = machine.harts
        self._worlds = worlds
        self._control = control
        self._state = registers, world_memory
        self._say = say
        self.machine_points = machine.debugged
        self.ebreak_stops = EbreakStops(machine)
        self._rows: dict[ClientPoint, tuple[int, ...]] = {}
        self._breakpoints: dict[int, ClientPoint] = {}  # by row
        self._watchpoints: dict[int, ClientPoint] = {}  # by row
        self._unnamed: dict[int, UnnamedStop] = {}  # by hart
        self._commanded: list[int] = []  # the machine's breakpoints that this client has set
        self._met_backwards: list[ClientPoint] = []  # at the last stop that was wanted

    def insert(self, point: ClientPoint) -> None:
        """Set a point. One that is set already gets the new conditions and commands."""
        for code in point.conditions:
            bytecode.check(code)
        for code in point.commands:
            bytecode.check(code, printing=True)
        world = self._worlds.get(point.pid).number
        with self._control.quiet():
            self._remove(point)
            try:
                self._rows[point] = self._add(point, world)
            except DebuggingError as error:
                raise GdbError(str(error)) from None

    def _add(self, point: ClientPoint, world: int) -> tuple[int, ...]:
        """The rows of a point."""
        points = self.machine_points
        if point.kind in KINDS:
            kinds = KINDS[point.kind]
            rows = points.watchpoint_rows.add(point.address, point.size, kinds, world)
            self._watchpoints.update(dict.fromkeys(rows, point))
            return rows
        row = points.breakpoint_rows.add(Place(point.address, world), point.conditions)
        self._breakpoints[row] = point
        return (row,)

    def remove(self, point: ClientPoint) -> None:
        """Remove a point. One that isn't set is no error."""
        with self._control.quiet():
            self._remove(point)

    def _remove(self, point: ClientPoint) -> None:
        rows = self._rows.pop(point, ())
        if point.kind in KINDS:
            self.machine_points.watchpoint_rows.remove(rows)
        for row in rows:
            if point.kind in KINDS:
                del self._watchpoints[row]
            else:
                del self._breakpoints[row]
                self.machine_points.breakpoint_rows.remove(row)

    def forget(self, pid: int) -> None:
        """Remove every point of a world, or all. With the host's go those that the client has set
        by monitor commands."""
        for point in [p for p in self._rows if pid in (ALL, p.pid)]:
            self._remove(point)
        if pid in (ALL, HOST_PID):
            points = self.machine_points
            for one in [*points.breakpoints]:
                if one.number in self._commanded:
                    points.breakpoints.delete(one)
            self._commanded.clear()
            self._unnamed.clear()

    def note_commanded(self, number: int) -> None:
        """The client has set a breakpoint of the machine's by a monitor command."""
        self._commanded.append(number)

    # --- what was met; in the hart's thread ---

    def at_breakpoint(self, stop: Stop) -> str | None:
        """The reason that the client is told, "" if it has none for this stop. None: the hart goes
        on, because the point's commands were all that the client wants."""
        points = self._met(stop.hart, self._breakpoints)
        self._say_hits(stop, "")
        for point in points:
            if point.commands:
                self._run_commands(point, stop.hart)
        stopping = [point for point in points if not point.commands]
        if stopping:
            return BREAK_REASONS[stopping[0].kind]
        return None if points and not stop.hits else ""

    def at_watchpoint(self, stop: Stop) -> tuple[str, str]:
        """The reason that the client is told, and the address; "" if it has none for this stop."""
        points = self._met(stop.hart, self._watchpoints)
        self._say_hits(stop, f" before {_ACCESSES[stop.access]} {stop.address:#x}")
        if not points and stop.hits:
            return "", ""
        reason = WATCH_REASONS[points[0].kind] if points else "watch"
        return reason, f"{stop.address:x}"

    def at_ebreak(self, hart: int) -> bool:
        """A hart is at an ebreak: whether it stops for it."""
        world = self._worlds.get(self._worlds.pid_of(hart))
        if not self.ebreak_stops.stops_in(world.number):
            return False
        pc = int(self._harts[hart].plain.pc)
        self._say(f"ebreak at {pc:#x}: hart {hart}, {world.name} (process {world.pid}); "
                  "it traps when the hart goes on\n")  # fmt: skip
        self._unnamed[hart] = UnnamedStop(pc, "an ebreak")
        return True

    def _met(self, hart: int, by_row: dict[int, ClientPoint]) -> list[ClientPoint]:
        """The client's points among the rows that a hart has met."""
        return [by_row[row] for row in met_rows(self._harts[hart]) if row in by_row]

    def _say_hits(self, stop: Stop, doing: str) -> None:
        """Tell of the machine's breakpoints or watchpoints that were met."""
        if not stop.hits:
            return
        kind = "breakpoint" if stop.breakpoint is not None else "watchpoint"
        world = self._worlds.get(self._worlds.pid_of(stop.hart))
        for one in stop.hits:
            where = f"hart {stop.hart}{doing}, {world.name} (process {world.pid})"
            self._say(f"monitor {kind} {one.number}, {one}: {where}\n")
        numbers = ", ".join(str(one.number) for one in stop.hits)
        pc = int(self._harts[stop.hart].plain.pc)
        self._unnamed[stop.hart] = UnnamedStop(pc, f"monitor {kind} {numbers}", stop.hits)

    def _run_commands(self, point: ClientPoint, hart: int) -> None:
        state = ThreadState(*self._state, Thread(point.pid, hart + 1))
        evaluator = bytecode.Evaluator(state, self._say)
        for code in point.commands:
            try:
                evaluator.run(code)
            except GdbError as error:
                self._say(f"breakpoint at {point.address:#x}: {error}\n")

    # --- what is met on the way back; nothing of it is said, counted or spent ---

    @property
    def watches(self) -> bool:
        """Whether the client has a watchpoint."""
        return bool(self._watchpoints)

    def stops_backwards(self, stop: Stop) -> bool:
        """Whether a hart that has just met this stops for it. A point with commands never stops."""
        for one in stop.hits:
            self.machine_points.take_back(one)
        found: list[ClientPoint] = []
        if stop.reason == "break":
            found = [p for p in self._met(stop.hart, self._breakpoints) if not p.commands]
        elif stop.reason == "watch":
            found = self._met(stop.hart, self._watchpoints)
        elif stop.reason == "ebreak":
            world = self._worlds.number_of(self._harts[stop.hart].plain)
            return self.ebreak_stops.stops_in(world)
        if found or stop.hits:
            self._met_backwards = found
            return True
        return False

    def is_watched(self, stop: Stop) -> bool:
        """Whether the stop that `stops_backwards` took last is at a watchpoint of the client's."""
        return stop.reason == "watch" and bool(self._met_backwards)

    def reason_backwards(self, stop: Stop) -> tuple[str, str]:
        """What the client is told of the stop where the way back ends: as `at_watchpoint`."""
        points = self._met_backwards
        if stop.reason == "watch" and points:
            return WATCH_REASONS[points[0].kind], f"{stop.address:x}"
        if stop.reason == "ebreak":
            self.at_ebreak(stop.hart)
        if stop.reason not in ("break", "watch"):
            return "", ""
        self._say_hits(
            stop, f" before {_ACCESSES[stop.access]} {stop.address:#x}" * bool(stop.access)
        )
        for one in stop.hits:
            if one.temporary:
                self.machine_points.delete(one)
        return (BREAK_REASONS[points[0].kind] if points else "", "")

    # --- afterwards ---

    def place(self, hart: int) -> str:
        """A clause about what stopped a hart, if the client has no name for that and the hart is
        still there; else "". A client doesn't step over it."""
        told = self._unnamed.get(hart)
        here = told is not None and told.pc == int(self._harts[hart].plain.pc)
        return f", at {told.what}" if told is not None and here else ""

    def skip_here(self, hart: int) -> None:
        """A hart is about to go on: what stopped it there is not met again first."""
        stopped, told = self._harts[hart], self._unnamed.get(hart)
        hits = told.hits if told is not None else ()
        stopped.skip_here(watchpoints=any(isinstance(one, Watchpoint) for one in hits))
        stopped.plain.ebreak_skip = int(stopped.plain.pc)

    def report_again(self, hart: int) -> None:
        """Nobody was told that a hart stopped: it is to meet the same once more."""
        told = self._unnamed.pop(hart, None)
        for point in told.hits if told is not None else ():
            self.machine_points.take_back(point)

    def remove_spent(self) -> None:
        """Remove the machine's temporary breakpoints and watchpoints that were hit."""
        if self.machine_points.spent:
            with self._control.quiet():
                self.machine_points.remove_spent()


_ACCESSES = {"read": "a read of", "write": "a write to", "access": "a read and write of", None: ""}
