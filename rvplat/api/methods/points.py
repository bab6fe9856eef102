"""Breakpoints and watchpoints."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.interfaces import Session
from rvplat.api.registry import method
from rvplat.api.schema import Address, Word, text_of
from rvplat.machine.running.stop import Access, GuestOrHost, StopPoint


class Point(TypedDict):
    """A breakpoint or watchpoint. `text` is what gdb's `monitor break` would take."""

    number: int
    kind: str
    address: Word
    text: str
    hits: int


def _point(one: StopPoint, kind: str) -> Point:
    return {"number": one.number, "kind": kind, "address": text_of(one.address),
            "text": str(one), "hits": one.hits}  # fmt: skip


@method("still")
def points_list(session: Session) -> list[Point]:
    """The breakpoints and watchpoints of every client."""
    machine = session.api.machine
    return [
        *(_point(one, "breakpoint") for one in machine.breakpoints),
        *(_point(one, "watchpoint") for one in machine.watchpoints),
    ]


@method("stopped")
def points_break(
    session: Session, address: Address, world: GuestOrHost | None = None,
    condition: str | None = None, temporary: bool = False,
) -> Point:  # fmt: skip
    """Set a breakpoint: harts stop before the instruction, in `world` or in every one, where the
    `condition` holds ("$a0 > 3")."""
    machine = session.api.machine
    vmid = world if isinstance(world, int) else None
    at = session.api.control.names.address(vmid, address)
    made = machine.breakpoints.add(at, world, condition=condition, temporary=temporary)
    return _point(made, "breakpoint")


@method("stopped")
def points_watch(
    session: Session, address: Address, length: int = 8, access: Access = "write",
    world: GuestOrHost | None = None, condition: str | None = None,
) -> Point:  # fmt: skip
    """Set a watchpoint: harts stop before an access of these bytes."""
    machine = session.api.machine
    vmid = world if isinstance(world, int) else None
    at = session.api.control.names.address(vmid, address)
    made = machine.watchpoints.add(at, length, access, world, condition=condition)
    return _point(made, "watchpoint")


@method("stopped")
def points_remove(session: Session, number: int) -> None:
    """Remove a breakpoint or watchpoint by its number."""
    machine = session.api.machine
    for one in list(machine.breakpoints):
        if one.number == number:
            machine.breakpoints.remove(one)
            return
    for other in list(machine.watchpoints):
        if other.number == number:
            machine.watchpoints.remove(other)
            return
    raise LookupError(f"there is no breakpoint or watchpoint {number}")
