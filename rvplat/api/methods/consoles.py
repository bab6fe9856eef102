"""Consoles. The event `console` has what guests write."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.registry import method
from rvplat.api.schema import Hex, HexBytes, hex_of
from rvplat.errors import did_you_mean, nearest
from rvplat.machine.running.console import HostConsole

MOST_INPUT = 1 << 16  # bytes that may wait for the guest
SHOWN_BYTES = 1 << 17


class ConsoleFacts(TypedDict):
    """A console. `main`: it is the board's terminal. `waiting`: bytes of input that the guest has
    not taken yet."""

    name: str
    main: bool
    waiting: int


def _console(session: Session, name: str | None) -> HostConsole:
    machine = session.api.machine
    if name is None:
        return machine.console
    if name not in machine.consoles:
        hint = did_you_mean(nearest(name, machine.consoles))
        raise LookupError(f"there is no console {name!r}{hint}")
    return machine.consoles[name]


@method("free")
def consoles_list(session: Session) -> list[ConsoleFacts]:
    """The board's consoles, by the names of their devices."""
    machine = session.api.machine
    return [
        {"name": name, "main": one is machine.console, "waiting": one.waiting}
        for name, one in machine.consoles.items()
    ]


@method("free")
def consoles_output(session: Session, console: str | None = None) -> Hex:
    """The end of what a guest has written: at most 128 KiB. Without a name of the main console.
    Subscribe to `console` first: then nothing is missed."""
    session.api.flush_consoles()
    return hex_of(_console(session, console).output[-SHOWN_BYTES:])


@method("free")
def consoles_send(session: Session, data: HexBytes, console: str | None = None) -> None:
    """Type into a console. What the guest does not take waits; more than 64 KiB are refused."""
    one = _console(session, console)
    if one.waiting + len(data) > MOST_INPUT:
        waiting = f"{one.waiting} bytes wait for the guest already"
        raise BadParameter(f"{len(data)} bytes: {waiting}, and {MOST_INPUT} may wait")
    if data:
        one.feed(data)
