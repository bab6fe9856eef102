"""Introductions ("General Query Packets")."""

from __future__ import annotations

from rvplat.gdb.protocol.errors import Unsupported
from rvplat.gdb.protocol.interfaces import Stopped, Worlds
from rvplat.gdb.protocol.packets import BASE, number
from rvplat.gdb.protocol.session import PACKET_SIZE, Session


@BASE.packet("qSupported")
def supported(session: Session, text: bytes) -> bytes:
    """qSupported[:FEATURE[;FEATURE]...]: the client's features; the reply has ours."""
    names = {part.removesuffix("+") for part in text[1:].decode("ascii", "replace").split(";")}
    session.client = frozenset(names)
    session.interrupted = False
    session.multiprocess = "multiprocess" in names and "multiprocess+" in session.table.features
    session.target.single_process = not session.multiprocess
    if isinstance(session.target, Worlds):
        session.target.set_features(session.client)
        session.selected = session.target.current()
        session.last_event = Stopped(session.selected)
    session.error_message = "error-message" in names
    ours = [f"PacketSize={PACKET_SIZE:x}", *session.table.features]
    return ";".join(ours).encode()


@BASE.packet("QStartNoAckMode")
def start_no_ack(session: Session, text: bytes) -> bytes:
    """QStartNoAckMode: after the reply nothing is acknowledged."""
    session.use_no_ack()
    return b"OK"


@BASE.packet("vMustReplyEmpty")
def must_reply_empty(session: Session, text: bytes) -> bytes:
    """vMustReplyEmpty: the reply to an unknown v packet."""
    return b""


@BASE.packet("!")
def extended(session: Session, text: bytes) -> bytes:
    """!: vRun, vAttach and R may come."""
    return b"OK"


@BASE.packet("qAttached")
def attached(session: Session, text: bytes) -> bytes:
    """qAttached[:PID]: 1, the board existed before the client came, so quitting detaches."""
    return b"1"


@BASE.packet("qSymbol")
def symbols(session: Session, text: bytes) -> bytes:
    """qSymbol:...: we ask for no symbols."""
    return b"OK"


@BASE.packet("QThreadEvents")
def thread_events(session: Session, text: bytes) -> bytes:
    """QThreadEvents:(0|1): whether the client wants stops for new threads; harts are never new."""
    if text not in (b":0", b":1"):
        raise Unsupported
    session.thread_events = text == b":1"
    return b"OK"


@BASE.packet("QNonStop")
def non_stop(session: Session, text: bytes) -> bytes:
    """QNonStop:(0|1): all-stop or non-stop from now on."""
    if text not in (b":0", b":1"):
        raise Unsupported
    session.non_stop = text == b":1"
    session.interrupted = False
    session.pending.clear()
    return b"OK"


@BASE.packet("D")
def detach(session: Session, text: bytes) -> bytes:
    """D[;PID]: detach from a world, or from all; the board goes on."""
    if text[:1] == b";":
        session.target.detach(number(text[1:]))
        return b"OK"
    session.target.detach()
    session.closed = True
    return b"OK"
