"""Back in time, on a board with a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from rvplat.api.control import Control
from rvplat.api.interfaces import Session
from rvplat.api.methods.running import State, state_of
from rvplat.api.names import hart_of
from rvplat.api.registry import method
from rvplat.errors import HistoryError
from rvplat.machine.history.history import Cancelled, History
from rvplat.machine.running.stop import Stop


class Past(TypedDict):
    """The history, in instructions that all harts have executed: from `begin` to `end`, the machine
    is at `here`. `problem` says why there is none; then the rest is 0."""

    begin: int
    here: int
    end: int
    places: list[int]
    bytes_used: int
    problem: str


def _history(control: Control) -> History:
    found = control.machine.history
    if found is None:
        raise HistoryError("there is no history: run the board with --set clock=virtual")
    if found.problem:
        raise HistoryError(found.problem)
    return found


@method("still")
def history_state(session: Session) -> Past:
    """How far the machine can go back."""
    try:
        found = _history(session.api.control)
    except HistoryError as error:
        return {"begin": 0, "here": 0, "end": 0, "places": [], "bytes_used": 0,
                "problem": str(error)}  # fmt: skip
    return {"begin": found.begin, "here": found.work, "end": found.end, "places": found.places,
            "bytes_used": found.bytes_used, "problem": ""}  # fmt: skip


@method("free")
def history_step(session: Session, hart: int = 0, count: int = 1) -> State:
    """Go back by `count` instructions of a hart. The reason is "history" at the history's start."""
    control = session.api.control
    _history(control)
    number = hart_of(control.machine, hart).number
    _travel(control, lambda: control.machine.reverse_step(count, number))
    return state_of(control)


@method("free")
def history_continue(session: Session) -> State:
    """Go back to the last stop at a breakpoint or watchpoint; the reason is "history" if there is
    none, and the machine then is at the start of its history. It may take long:
    `history.cancel`."""
    control = session.api.control
    _history(control)
    _travel(control, control.machine.reverse_continue)
    return state_of(control)


def _travel(control: Control, way: Callable[[], Stop]) -> None:
    """Go a way that `history.cancel` may end."""

    def go() -> Stop:
        try:
            return way()
        except Cancelled:
            return Stop("pause", detail="the way back was cancelled")

    control.moved(go)


@method("free")
def history_go(session: Session, place: int) -> State:
    """Go to the place after so many instructions of all harts."""
    control = session.api.control

    def go() -> Stop:
        _history(control).go(place)
        return Stop("history", detail=f"the machine is after {place:,} instructions")

    _travel(control, go)
    return state_of(control)


@method("free")
def history_cancel(session: Session) -> None:
    """End a way back that takes long. The machine is then somewhere in the past. It needs another
    connection than the one that waits for the way's end."""
    found = session.api.machine.history
    if found is not None:
        found.cancel = True
