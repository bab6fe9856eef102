"""Breakpoints that monitor commands set: gdb knows nothing of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.breakpoint_table import Points, Spot


@dataclass
class MonitorBreak:
    """One of them. `text` is how the user said it; `seen`: of its hits, those that were told."""

    number: int
    text: str
    row: int
    seen: int = 0


class Breaks:
    """All of them, by number. Harts are still while one comes or goes."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._breaks: dict[int, MonitorBreak] = {}
        self._last = 0
        self._lock = threading.Lock()

    def add(self, spot: Spot, conditions: tuple[bytes, ...], text: str) -> MonitorBreak:
        """Set one."""
        row = self._points.add(spot, conditions)
        self._last += 1
        self._breaks[self._last] = MonitorBreak(self._last, text, row)
        return self._breaks[self._last]

    def delete(self, number: int) -> None:
        """Take one away. GdbError if there is none."""
        if number not in self._breaks:
            known = ", ".join(map(str, self._breaks)) or "there are none"
            raise GdbError(f"there is no monitor breakpoint {number}: {known}")
        self._points.remove(self._breaks.pop(number).row)

    def all(self) -> list[MonitorBreak]:
        """Them, by number."""
        return list(self._breaks.values())

    def hits(self, one: MonitorBreak) -> int:
        """How often harts have met one."""
        return int(self._points.row(one.row).hits)

    def met(self, row: int) -> list[MonitorBreak]:
        """A hart is at a row: whichever of them it has met with it. In the hart's thread."""
        found = []
        with self._lock:
            for one in self._breaks.values():
                hits = self.hits(one)
                if one.row == row or hits != one.seen:
                    one.seen = hits
                    found.append(one)
        return found

    def close(self) -> None:
        """Take all away; numbers begin anew."""
        for number in list(self._breaks):
            self.delete(number)
        self._last = 0
