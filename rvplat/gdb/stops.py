"""What stops a board's harts: breakpoints and watchpoints of clients, by world."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rvplat.gdb import bytecode
from rvplat.gdb.errors import GdbError
from rvplat.gdb.points import Points, Spot
from rvplat.gdb.target import ALL, Break, Said, Thread
from rvplat.gdb.watches import KINDS, NAMES, Watches

if TYPE_CHECKING:
    from rvplat.gdb.board import BoardTarget

log = logging.getLogger("rvplat.gdb")
REASONS = {0: "swbreak", 1: "hwbreak"}


@dataclass(frozen=True)
class ThreadEyes:
    """What expressions see of a thread."""

    target: BoardTarget
    thread: Thread

    def register(self, number: int) -> int:
        return self.target.registers.read(self.thread.tid - 1, number, self.thread.pid != 1)

    def memory(self, address: int, size: int) -> bytes:
        data = self.target.sight.read(self.thread.tid - 1, {}, address, size)
        if len(data) < size:
            raise GdbError(f"{address + len(data):#x} is not mapped")
        return data


class Stops:
    """The points that are set, and what to do where one is met."""

    def __init__(self, target: BoardTarget) -> None:
        self._target = target
        self.points = Points(target.machine)
        self.watches = Watches(target.machine)
        self._rows: dict[Break, list[int]] = {}
        self._by_row: dict[int, Break] = {}  # breakpoints
        self._watched: dict[int, Break] = {}

    def insert(self, point: Break) -> None:
        """Set a point; one that is there gets the new conditions and commands."""
        for code in point.conditions:
            bytecode.check(code)
        for code in point.commands:
            bytecode.check(code, printing=True)
        world = self._target.worlds.get(point.pid).number
        with self._target.control.quiet():
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
        with self._target.control.quiet():
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
        """Take every point of a world away, or all."""
        for point in [p for p in self._rows if pid in (ALL, p.pid)]:
            self._remove(point)

    # --- what was met; in the hart's thread ---

    def broke(self, hart: int) -> str:
        """A hart is at a breakpoint: the reason to stop; "" if its commands were all of it."""
        row = int(self._target.machine.harts[hart].view.break_row)
        point = self._by_row.get(row)
        if point is None:  # a monitor command's, or one that another client left
            return REASONS[0]
        if not point.commands:
            return REASONS[point.kind]
        thread = Thread(point.pid, hart + 1)
        runner = bytecode.Runner(
            ThreadEyes(self._target, thread), lambda text: self._target.add(Said(text))
        )
        for code in point.commands:
            try:
                runner.run(code)
            except GdbError as error:
                self._target.add(Said(f"breakpoint at {point.address:#x}: {error}\n"))
        return ""

    def watched(self, hart: int) -> tuple[str, str]:
        """A hart is before an access that is watched: the reason, and the address."""
        view = self._target.machine.harts[hart].view
        point = self._watched.get(int(view.watch_row))
        return (NAMES[point.kind] if point else "watch"), f"{int(view.watch_address):x}"
