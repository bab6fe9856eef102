"""What stops a board's harts: breakpoints and watchpoints of clients, by world, and breakpoints
that monitor commands set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rvplat.gdb.evaluation import bytecode
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.breakpoint_table import Points, Spot
from rvplat.gdb.target.ebreaks import Ebreaks
from rvplat.gdb.target.hart_control import Control
from rvplat.gdb.target.interfaces import ALL, HOST_PID, Break, Thread
from rvplat.gdb.target.monitor_breakpoints import Breaks
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.watchpoint_table import KINDS, NAMES, Watches
from rvplat.gdb.target.world_memory import Sight
from rvplat.gdb.target.worlds import WorldTable
from rvplat.machine.machine import Machine

REASONS = {0: "swbreak", 1: "hwbreak"}


@dataclass(frozen=True)
class ThreadEyes:
    """What expressions see of a thread."""

    registers: Registers
    sight: Sight
    thread: Thread

    def register(self, number: int) -> int:
        return self.registers.read(self.thread.tid - 1, number, self.thread.pid != HOST_PID)

    def memory(self, address: int, size: int) -> bytes:
        data = self.sight.read(self.thread.tid - 1, {}, address, size)
        if len(data) < size:
            raise GdbError(f"{address + len(data):#x} is not mapped")
        return data


class Stops:
    """The points that are set, and what to do where one is met. `say` tells the client's user."""

    def __init__(
        self, machine: Machine, worlds: WorldTable, control: Control, registers: Registers,
        sight: Sight, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._harts = machine.harts
        self._worlds = worlds
        self._control = control
        self._eyes = registers, sight
        self._say = say
        self.points = Points(machine)
        self.watches = Watches(machine)
        self.breaks = Breaks(self.points)
        self.ebreaks = Ebreaks(machine)
        self._rows: dict[Break, list[int]] = {}
        self._by_row: dict[int, Break] = {}  # breakpoints
        self._watched: dict[int, Break] = {}
        # By hart: the pc at which what gdb doesn't know stopped it last, and what that is.
        self._told: dict[int, tuple[int, str]] = {}

    def insert(self, point: Break) -> None:
        """Set a point; one that is there gets the new conditions and commands."""
        for code in point.conditions:
            bytecode.check(code)
        for code in point.commands:
            bytecode.check(code, printing=True)
        world = self._worlds.get(point.pid).number
        with self._control.quiet():
            self._remove(point)
            if point.kind >= 2:
                rows = self.watches.add(point.address, point.size, KINDS[point.kind], world)
                self._watched.update(dict.fromkeys(rows, point))
            else:
                rows = [self.points.add(Spot(point.address, world), point.conditions)]
                self._by_row[rows[0]] = point
            self._rows[point] = rows

    def remove(self, point: Break) -> None:
        """Take a point away; one that isn't there is no error."""
        with self._control.quiet():
            self._remove(point)

    def _remove(self, point: Break) -> None:
        rows = self._rows.pop(point, [])
        if point.kind >= 2:
            self.watches.remove(rows)
        for row in rows:
            if point.kind < 2:
                del self._by_row[row]
                self.points.remove(row)
            else:
                del self._watched[row]

    def forget(self, pid: int) -> None:
        """Take every point of a world away, or all. A monitor command's are the host's."""
        for point in [p for p in self._rows if pid in (ALL, p.pid)]:
            self._remove(point)
        if pid in (ALL, HOST_PID):
            self.breaks.close()
            self._told.clear()

    # --- what was met; in the hart's thread ---

    def broke(self, hart: int) -> str | None:
        """A hart is at a breakpoint: the reason to stop, "" if it is none of gdb's; None if its
        commands were all of it."""
        view = self._harts[hart].plain
        row = int(view.break_row)
        met, point = self.breaks.met(row), self._by_row.get(row)
        world = self._worlds.get(self._worlds.pid_of(hart))
        for one in met:
            where = f"hart {hart}, {world.name} (process {world.pid})"
            self._say(f"monitor breakpoint {one.number}, {one.text}: {where}\n")
        if point is not None and point.commands:
            self._run_commands(point, hart)
        if met:
            numbers = ", ".join(str(one.number) for one in met)
            self._told[hart] = int(view.pc), f"monitor breakpoint {numbers}"
        if point is None or (met and point.commands):
            return ""
        return None if point.commands else REASONS[point.kind]

    def _run_commands(self, point: Break, hart: int) -> None:
        eyes = ThreadEyes(*self._eyes, Thread(point.pid, hart + 1))
        runner = bytecode.Runner(eyes, self._say)
        for code in point.commands:
            try:
                runner.run(code)
            except GdbError as error:
                self._say(f"breakpoint at {point.address:#x}: {error}\n")

    def at_ebreak(self, hart: int) -> bool:
        """A hart is at an ebreak: whether it stops for it."""
        world = self._worlds.get(self._worlds.pid_of(hart))
        if not self.ebreaks.stops_in(world.number):
            return False
        pc = int(self._harts[hart].plain.pc)
        self._say(f"ebreak at {pc:#x}: hart {hart}, {world.name} (process {world.pid}); "
                  "it traps when the hart goes on\n")  # fmt: skip
        self._told[hart] = pc, "an ebreak"
        return True

    def place(self, hart: int) -> str:
        """What stopped a hart that gdb doesn't know of, if it is still there: a clause; else "".
        gdb doesn't step over it."""
        pc, what = self._told.get(hart, (0, ""))
        here = pc == int(self._harts[hart].plain.pc)
        return f", at {what}" if what and here else ""

    def untold(self, hart: int) -> None:
        """Nobody heard that a hart stopped: a breakpoint there is met once more."""
        self._told.pop(hart, None)

    def watched(self, hart: int) -> tuple[str, str]:
        """A hart is before an access that is watched: the reason, and the address."""
        view = self._harts[hart].plain
        point = self._watched.get(int(view.watch_row))
        return (NAMES[point.kind] if point else "watch"), f"{int(view.watch_address):x}"
