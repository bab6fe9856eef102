"""What a debugger changes in the order of a run with a virtual clock.

A hart that is stepped gets its turn early; one in WFI is woken; an interrupt is held back for an
instruction, or taken before a step. These are inputs of the run, as what arrives from outside is:
they are noted with their place, so that a replay does the same (inbox.py). The data of each is the
number of the hart. In the past the harts do what they did, so nothing is changed there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rvplat.machine.running.hart import Hart
from rvplat.machine.running.inbox import Inbox
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.system import System

TURN, WAKE, HOLD, INTERRUPT = ".turn", ".wake", ".hold", ".interrupt"


class Turns(Protocol):
    """Who gives the turns (round_robin.py)."""

    inbox: Inbox

    def place(self) -> Place: ...

    def next_place(self) -> Place: ...

    def begin(self, hart: Hart) -> None: ...


class TurnChanges:
    """Changes the order of a run, and notes that. `give`: let a hart have its turn now."""

    def __init__(self, machine: System, turns: Turns, give: Callable[[Hart], None]) -> None:
        self._machine = machine
        self._turns = turns
        self._inbox = turns.inbox
        self._give = give
        self._inbox.sources.update(
            {
                TURN: lambda data: give(machine.harts[data[0]]),
                WAKE: lambda data: self._wake(machine.harts[data[0]]),
                HOLD: lambda data: self._hold(machine.harts[data[0]], data[1]),
                INTERRUPT: self._was_interrupted,
            }
        )

    def _note(self, name: str, *data: int) -> None:
        self._inbox.note(self._turns.next_place(), name, bytes(data))

    def give_turn(self, hart: Hart) -> None:
        """Let a hart have its turn now: others of this round lose theirs."""
        self._note(TURN, hart.number)
        self._give(hart)

    def wake_up(self, hart: Hart) -> None:
        """Let a hart in WFI go on."""
        if hart.waiting and not self._inbox.is_past:
            self._note(WAKE, hart.number)
            self._wake(hart)

    def _wake(self, hart: Hart) -> None:
        hart.waiting = False

    def hold(self, hart: Hart, on: bool) -> None:
        """Let a hart take no interrupts, until `on` is off."""
        if not self._inbox.is_past:
            self._note(HOLD, hart.number, on)
            self._hold(hart, on)

    def _hold(self, hart: Hart, on: int) -> None:
        hart.plain.interrupts_held = on

    def interrupt(self, hart: Hart) -> bool:
        """Let a hart take an interrupt, if one is due. Whether it did."""
        if self._inbox.is_past and self._turns.place().hart != hart.number:
            return False
        taken = self._interrupt(hart)
        if taken:
            self._note(INTERRUPT, hart.number)
        return taken

    def _was_interrupted(self, data: bytes) -> None:
        self._interrupt(self._machine.harts[data[0]])

    def _interrupt(self, hart: Hart) -> bool:
        self._turns.begin(hart)
        return bool(self._machine.export("take_interrupts")(hart.address))
