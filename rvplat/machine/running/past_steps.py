"""A step of one hart in the past, where the harts keep the order that they had."""

from __future__ import annotations

from typing import Protocol

from rvplat.machine.running.hart import Hart
from rvplat.machine.running.inbox import Inbox
from rvplat.machine.running.run import FOREVER
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.stop import MET
from rvplat.machine.running.system import System

OF_HARTS = (*MET, "switch", "guest")  # stops of harts that aren't stepped


class Turns(Protocol):
    """Who gives the turns (round_robin.py)."""

    machine: System
    inbox: Inbox

    def place(self) -> Place: ...

    def go_on_once(self, left: dict[int, int]) -> bool: ...


def await_turn(turns: Turns, hart: Hart) -> bool:
    """In the past, let the others go on until it is the hart's turn; their stop points don't count.
    False if a request to stop comes before."""
    machine = turns.machine
    machine.native.plain.points_off += 1
    try:
        while turns.inbox.follow_history() and turns.place().hart != hart.number:
            if not turns.go_on_once(dict.fromkeys(range(len(machine.harts)), FOREVER)):
                return False
            machine.requests[:] = [one for one in machine.requests if one.reason not in OF_HARTS]
            if machine.requests:
                return False
    finally:
        machine.native.plain.points_off -= 1
    return True
