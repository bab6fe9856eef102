"""Running and stopping ("vCont", "Remote Non-Stop")."""

from __future__ import annotations

from dataclasses import replace

from rvplat.gdb.protocol.errors import GdbError, Malformed, Unsupported
from rvplat.gdb.protocol.interfaces import ALL, Action, Exited, Stopped, Thread
from rvplat.gdb.protocol.packets import BASE, number, quoted, thread_id
from rvplat.gdb.protocol.session import Session

EVERY = Thread(ALL, ALL)


@BASE.packet("vCont?")
def actions(session: Session, text: bytes) -> bytes:
    """vCont?: the actions that vCont may have."""
    return b"vCont;c;C;s;S;t;r"


@BASE.packet("vCont")
def resume(session: Session, text: bytes) -> bytes | None:
    """vCont[;ACTION[:THREAD]]...: each thread does the first action that names it.

    c, C SIGNAL: run; s, S SIGNAL: one instruction; r START,END: step while in the range;
    t: stop (non-stop). Harts ignore signals.
    """
    if text[:1] != b";":
        raise Malformed("expected vCont;ACTION")
    wanted = [_action(part) for part in text[1:].split(b";")]
    if len(wanted) == 1:
        wanted = [(replace(wanted[0][0], alone=True), wanted[0][1])]
    threads = session.target.threads()
    for _, thread in wanted:
        if not any(thread.covers(known) for known in threads):
            if session.is_gone(thread):
                return _ended(session, Exited(thread.pid))
            raise GdbError(f"there is no thread {thread.pid}.{thread.tid}")
    plan: list[tuple[Thread, Action]] = []
    stop: list[Thread] = []
    for known in threads:
        action = next((a for a, thread in wanted if thread.covers(known)), None)
        if action is not None and action.kind == "t":
            stop.append(known)
        elif action is not None:
            plan.append((known, action))
    return _start(session, plan, stop)


def _ended(session: Session, event: Exited) -> bytes | None:
    """The world that the client resumes has ended: tell it so; nothing runs."""
    if session.non_stop:
        session.notify_of(event)
        return b"OK"
    session.stopped(event)
    return None


def _action(text: bytes) -> tuple[Action, Thread]:
    """ACTION[:THREAD]."""
    what, colon, where = text.partition(b":")
    thread = thread_id(where) if colon else EVERY
    kind = what[:1].decode("ascii", "replace").lower()
    if kind == "r":
        start, _, end = what[1:].partition(b",")
        return Action("r", number(start), number(end)), thread
    if what in (b"c", b"s", b"t"):
        return Action(kind), thread
    if what[:1] in (b"C", b"S"):
        number(what[1:])
        return Action(kind), thread
    raise Malformed(f"unknown action {quoted(what)}")


def _start(session: Session, plan: list[tuple[Thread, Action]], stop: list[Thread]) -> bytes | None:
    if session.non_stop:
        session.halt(thread for thread in stop if thread in session.target.listed_threads())
        if plan:
            session.resumed_last = {thread for thread, _ in plan}
            session.stopped_threads -= session.resumed_last
            session.target.resume(plan)
        return b"OK"
    session.target.resume(plan)
    session.await_stop()
    return None


@BASE.packet("c")
def go(session: Session, text: bytes) -> bytes | None:
    """c [ADDR]: run; old clients send it."""
    return _old(session, text, "c")


@BASE.packet("C")
def go_with_signal(session: Session, text: bytes) -> bytes | None:
    """C SIGNAL[;ADDR]: run."""
    return _old(session, _after_signal(text), "c")


@BASE.packet("s")
def step(session: Session, text: bytes) -> bytes | None:
    """s [ADDR]: one instruction; old clients send it."""
    return _old(session, text, "s")


@BASE.packet("S")
def step_with_signal(session: Session, text: bytes) -> bytes | None:
    """S SIGNAL[;ADDR]: one instruction."""
    return _old(session, _after_signal(text), "s")


def _after_signal(text: bytes) -> bytes:
    """The address after SIGNAL[;ADDR]."""
    signal, semicolon, place = text.partition(b";")
    number(signal)
    if semicolon and not place:
        raise Malformed("expected SIGNAL;ADDR")
    return place


def _old(session: Session, place: bytes, kind: str) -> bytes | None:
    one = session.resolve(session.continue_thread if kind == "s" else session.selected)
    if place:
        session.target.write_register(one, 32, number(place))
    others = [(t, Action("c")) for t in session.target.threads() if t != one]
    return _start(session, [(one, Action(kind)), *others], [])


@BASE.packet("?")
def why(session: Session, text: bytes) -> bytes:
    """?: why the threads are stopped. In non-stop mode the reply has one stopped thread; the client
    is notified of the others later (Session.deferred)."""
    if not session.non_stop:
        return session.stop_reply(session.last_event)
    stopped = [t for t in session.target.listed_threads() if not session.target.is_running(t)]
    session.pending.clear()
    session.pending.extend(Stopped(t, 0) for t in stopped[:1])
    session.stopped_threads = set(stopped[:1])
    session.deferred = [Stopped(t, 0) for t in stopped[1:]]
    return session.stop_reply(session.pending[0]) if session.pending else b"OK"


@BASE.packet("vStopped")
def next_stop(session: Session, text: bytes) -> bytes:
    """vStopped: acknowledges a notification; the reply is the next one, or OK."""
    if session.pending:
        session.pending.popleft()
    return session.stop_reply(session.pending[0]) if session.pending else b"OK"


@BASE.packet("vCtrlC")
def control_c(session: Session, text: bytes) -> bytes:
    """vCtrlC: in non-stop mode, what the byte 3 is in all-stop mode."""
    if not session.non_stop:
        raise Unsupported
    session.interrupt()
    return b"OK"
