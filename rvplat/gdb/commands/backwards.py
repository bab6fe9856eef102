"""Running backwards ("bs" and "bc", gdb's reverse-stepi, reverse-continue, ...)."""

from __future__ import annotations

import logging

from rvplat.gdb.protocol.errors import Unsupported
from rvplat.gdb.protocol.interfaces import Action, Reversing, Stopped, Thread
from rvplat.gdb.protocol.packets import REVERSE
from rvplat.gdb.protocol.session import Session

log = logging.getLogger("rvplat.gdb")
NON_STOP = (
    "gdb wants to go back in time in non-stop mode, but the board goes back as a whole: "
    "set non-stop off before target extended-remote"
)


@REVERSE.packet("b")
def backwards(session: Session, text: bytes) -> bytes | None:
    """bs, bc: back by one instruction of a thread, or to the last stop; Hc says what is resumed."""
    if text not in (b"s", b"c"):
        raise Unsupported
    assert isinstance(session.target, Reversing)
    thread = _meant(session)
    if session.non_stop:  # gdb reads no reply then, and can't show a text
        log.warning(NON_STOP)
        session.notify_of(Stopped(thread, 5, "replaylog", "begin"))
        return None
    kind = text.decode()
    resumed = [t for t in session.target.threads() if session.continue_thread.covers(t)]
    others = [(t, Action("c")) for t in resumed if t != thread]
    session.target.resume_backwards([(thread, Action(kind)), *others])
    session.await_stop()
    return None


def _meant(session: Session) -> Thread:
    """The thread that goes back by a step, or is told of the start of history."""
    alive, resumed = session.target.threads(), session.continue_thread
    found = session.named.last(resumed)
    return found if found in alive and found is not None else session.resolve(resumed)
