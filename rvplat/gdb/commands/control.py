"""monitor, attaching to worlds, power."""

from __future__ import annotations

from rvplat.gdb.protocol.errors import GdbError, Malformed
from rvplat.gdb.protocol.interfaces import Monitored, Restarting, Stopped, Worlds
from rvplat.gdb.protocol.packets import MONITOR, RESTART, WORLDS, number, unhex
from rvplat.gdb.protocol.session import Session

PIECE = 4096  # characters of text in a packet


@MONITOR.packet("qRcmd")
def monitor(session: Session, text: bytes) -> bytes:
    """qRcmd,COMMAND in hexadecimal digits: O packets with the command's output, then OK."""
    assert isinstance(session.target, Monitored)
    if text[:1] != b",":
        raise Malformed("expected qRcmd,DIGITS")
    line = unhex(text[1:]).decode("utf-8", "replace")
    said: list[str] = []
    try:
        session.target.monitor(session.selected, line, said.append)
    except GdbError as error:
        if session.error_message:
            raise
        _say(session, f"{error}\n")  # old clients don't show E.text
        return b"E01"
    _say(session, "".join(said))
    return b"OK"


def _say(session: Session, text: str) -> None:
    """Send text for the client's user."""
    for at in range(0, len(text), PIECE):
        session.reply(b"O" + text[at : at + PIECE].encode().hex().encode())


@WORLDS.packet("vAttach")
def attach(session: Session, text: bytes) -> bytes:
    """vAttach;PID: a world's stop reply (non-stop: OK); qC then names one of its threads."""
    if text[:1] != b";":
        raise Malformed("expected vAttach;PID")
    pid = number(text[1:])
    assert isinstance(session.target, Worlds)
    session.target.attach_world(pid)
    if not session.non_stop:
        session.target.halt()  # it runs if the client has detached from every world before
    session.selected = session.target.current(pid)
    session.last_event = Stopped(session.selected, 0)
    if session.non_stop:
        session.notify_of(session.last_event)
        return b"OK"
    return session.stop_reply(session.last_event)


def _restart(session: Session, new: bool = False) -> None:
    assert isinstance(session.target, Restarting)
    session.target.restart(new)
    session.interrupted = False
    session.selected = session.target.current()
    session.last_event = Stopped(session.selected)


@RESTART.packet("vRun")
def run(session: Session, text: bytes) -> bytes:
    """vRun;[PROGRAM][;ARGUMENT]...: power on again with the board's own software. gdb kills the
    board first. If it hasn't, a second process 1 would end gdb by an assertion."""
    _restart(session, new=True)
    return session.stop_reply(session.last_event)


@RESTART.packet("R")
def restart(session: Session, text: bytes) -> None:
    """R XX: power on again; no reply."""
    _restart(session)


@RESTART.packet("k")
def kill_all(session: Session, text: bytes) -> None:
    """k: power the board off; no reply."""
    assert isinstance(session.target, Restarting)
    session.closed = True
    session.target.kill(0)


@RESTART.packet("vKill")
def kill(session: Session, text: bytes) -> bytes:
    """vKill;PID: as k, with a reply."""
    assert isinstance(session.target, Restarting)
    if text[:1] != b";":
        raise Malformed("expected vKill;PID")
    session.target.kill(number(text[1:]))
    return b"OK"
