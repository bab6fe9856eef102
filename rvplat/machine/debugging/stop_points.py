"""What stops a machine's harts: the breakpoints and watchpoints that are set, and the `Stop` that
comes of a hit."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial

from rvplat.hart.debugging.worlds import current_world
from rvplat.hart.trap import EBREAK_MET
from rvplat.machine.debugging.arguments import Arguments, named_world
from rvplat.machine.debugging.breakpoint_table import BreakpointTable
from rvplat.machine.debugging.breakpoints import Breakpoints
from rvplat.machine.debugging.watchpoint_table import WatchpointTable
from rvplat.machine.debugging.watchpoints import Watchpoints
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.native_records import PASSES, STOPS
from rvplat.machine.running.stop import Access, Breakpoint, GuestOrHost, Stop, StopPoint, Watchpoint
from rvplat.machine.running.system import System

ACCESSES: dict[int, Access] = {1: "read", 2: "write", 3: "access"}


def met_rows(hart: Hart) -> list[int]:
    """The rows that the hart met at its last stop by STOP_BREAK: of watchpoints if
    hart.break_row is 0, else of breakpoints."""
    view = hart.view
    return [int(view.met_rows[n]) for n in range(int(view.met_count))]


def world_here(hart: Hart) -> GuestOrHost:
    """The world that a hart is in."""
    return named_world(int(current_world(hart.view)))


class StopPoints:
    """The breakpoints and watchpoints of a machine.

    `breakpoint_rows` and `watchpoint_rows` are the tables that native code reads; a debugger may
    have rows of its own in them. `breakpoints` and `watchpoints` are what users set.
    """

    def __init__(self, machine: System) -> None:
        self._harts = machine.harts
        self.breakpoint_rows = BreakpointTable(machine)
        self.watchpoint_rows = WatchpointTable(machine)
        self.arguments = Arguments(machine)
        numbers = itertools.count(1)
        self.spent: dict[int, StopPoint] = {}  # temporary ones that were hit, not removed yet
        others = self.arguments, numbers, self.spent
        self.breakpoints = Breakpoints(machine, self.breakpoint_rows, *others)
        self.watchpoints = Watchpoints(machine, self.watchpoint_rows, *others)
        for hart in machine.harts:
            hart.meets = partial(self._meets, hart)

    # --- in the thread that runs the hart ---

    def _meets(self, hart: Hart) -> int:
        """What follows a stop by STOP_BREAK (`Hart.meets`)."""
        view = hart.plain
        if not self.watchpoints.has_conditions or view.break_row != 0:
            return STOPS
        if view.switch_met != 0 or view.critical != 0:
            return STOPS
        return PASSES if self.pass_watchpoints(hart, met_rows(hart)) else STOPS

    def pass_watchpoints(self, hart: Hart, rows: list[int]) -> bool:
        """Whether a hart goes on, because the conditions of all the watchpoints that it met, by
        their rows, are false."""
        if not self.watchpoints.has_conditions:
            return False
        return self.watchpoints.are_these(rows) and not self.watchpoints.met(hart, rows)

    def _hits(self, hart: Hart) -> tuple[StopPoint, ...]:
        """The users' breakpoints or watchpoints that a hart has just met, by number. Watchpoints
        count their hits here, and temporary ones are disarmed."""
        rows = met_rows(hart)
        if hart.plain.break_row == 0:
            watched = self.watchpoints.met(hart, rows)
            self.watchpoints.count(watched)
            self.watchpoints.spend(watched)
            return tuple(watched)
        found = {p.number: p for row in rows if (p := self.breakpoints.at_row(row)) is not None}
        points = [point for _, point in sorted(found.items())]
        self.breakpoints.spend(points)
        return tuple(points)

    def stop_of(self, hart: Hart) -> Stop:
        """The stop of a hart that left native code by STOP_BREAK. It is asked once for each stop.

        A debugger may have asked for stops that are no hits: "ebreak", "switch" (the hart is in
        another world now), "guest" (it is in a guest that is new).
        """
        asked, hart.stop_asked = hart.stop_asked, None
        if asked is not None:  # a hook's handler wants it
            return asked
        met, hart.plain.switch_met = int(hart.plain.switch_met), 0
        if met != 0:
            return Stop({1: "switch", EBREAK_MET: "ebreak"}.get(met, "guest"), hart=hart.number)
        hits, view = self._hits(hart), hart.view
        world = world_here(hart)
        if int(view.break_row):
            return Stop("break", 0, hart.number, world, int(view.pc), None, hits)
        access = ACCESSES[int(view.watch_kind)]
        return Stop("watch", 0, hart.number, world, int(view.watch_address), access, hits)

    # --- when every hart stands still ---

    def run_ended(self, stop: Stop, others: Iterable[Stop]) -> None:
        """A run ends with a stop. The other stops came at the same time, and nobody is told of
        them: their harts are to meet the same again."""
        if stop.reason in ("break", "watch"):
            self._harts[stop.hart].skip_here(watchpoints=stop.reason == "watch")
        for other in others:
            for point in other.hits:
                self.take_back(point, rearm=point not in stop.hits)
        self.remove_spent()

    def take_back(self, point: StopPoint, rearm: bool = True) -> None:
        """A hart met this, and nobody was told: don't count the hit. `rearm`: a temporary one is
        not spent either."""
        if isinstance(point, Breakpoint):
            self.breakpoints.take_back(point, rearm)
        elif isinstance(point, Watchpoint):
            self.watchpoints.take_back(point, rearm)

    def delete(self, point: StopPoint) -> None:
        """Remove one that is set."""
        if isinstance(point, Breakpoint):
            self.breakpoints.delete(point)
        elif isinstance(point, Watchpoint):
            self.watchpoints.delete(point)

    def remove_spent(self) -> None:
        """Remove the temporary ones that were hit."""
        for point in list(self.spent.values()):
            self.delete(point)
