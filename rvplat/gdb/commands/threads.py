"""Threads: harts in worlds ("Multi-Process Extensions")."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from rvplat.gdb.protocol.errors import Malformed
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.protocol.packets import BASE, WORLDS, thread_id
from rvplat.gdb.protocol.session import Session

AT_ONCE = 200  # threads in a reply


@BASE.packet("H")
def select(session: Session, text: bytes) -> bytes:
    """H OP THREAD: the thread for later packets; OP c: for those that run it, g: for the others."""
    wanted = thread_id(text[1:])
    if text[:1] == b"c":
        session.continue_thread = wanted
    elif text[:1] == b"g":
        session.selected = _gone(session, wanted) or session.resolve(wanted)
        session.named.general(session.selected)
    else:
        raise Malformed("expected Hg or Hc")
    return b"OK"


def _gone(session: Session, thread: Thread) -> Thread | None:
    """A thread of a world that has ended. gdb doesn't check whether it was selected, and would show
    the registers of another thread."""
    known = any(thread.tid == t.tid for t in session.target.threads())
    return thread if known and session.is_gone(thread) else None


@BASE.packet("T")
def alive(session: Session, text: bytes) -> bytes:
    """T THREAD: whether it is alive."""
    session.named.note(session.resolve(thread_id(text)))
    return b"OK"


@BASE.packet("qC")
def current(session: Session, text: bytes) -> bytes:
    """qC: QC THREAD, the selected one."""
    return b"QC" + session.thread_text(session.selected)


def shown(session: Session) -> list[Thread]:
    """The threads of this client. Without multiprocess each hart is one thread, in any world."""
    threads = list(session.target.listed_threads())
    if session.multiprocess:
        return threads
    return [session.target.thread_of_hart(tid) for tid in sorted({t.tid for t in threads})]


@BASE.packet("qfThreadInfo")
def first_threads(session: Session, text: bytes) -> bytes:
    """qfThreadInfo: m THREAD,THREAD...; the list goes on in qsThreadInfo."""
    session.threads_left = shown(session)
    return _some_threads(session)


@BASE.packet("qsThreadInfo")
def more_threads(session: Session, text: bytes) -> bytes:
    """qsThreadInfo: more threads, then l."""
    return _some_threads(session)


def _some_threads(session: Session) -> bytes:
    part, session.threads_left = session.threads_left[:AT_ONCE], session.threads_left[AT_ONCE:]
    if not part:
        return b"l"
    return b"m" + b",".join(session.thread_text(thread) for thread in part)


@BASE.packet("qThreadExtraInfo")
def extra(session: Session, text: bytes) -> bytes:
    """qThreadExtraInfo,THREAD: a line about a thread, in hexadecimal digits."""
    thread = session.resolve(thread_id(text[1:]))
    return session.target.describe(thread).encode().hex().encode()


@BASE.object("threads")
def thread_list(session: Session, annex: str) -> bytes:
    """qXfer:threads:read: the list of threads as XML."""
    session.named.listed()
    rows = "".join(
        f"<thread id={quoteattr(session.thread_text(t).decode())} core={quoteattr(str(t.tid - 1))} "
        f'name="hart{t.tid - 1}">{escape(session.target.describe(t))}</thread>\n'
        for t in shown(session)
    )
    return f'<?xml version="1.0"?>\n<threads>\n{rows}</threads>\n'.encode()


@WORLDS.object("osdata")
def osdata(session: Session, annex: str) -> bytes:
    """qXfer:osdata:read:[processes]: the worlds; without an annex the list of tables."""
    if annex == "":
        rows = [{"Type": "processes", "Description": "Worlds: the host and its guests"}]
        return _osdata("types", rows)
    if annex != "processes":
        return _osdata(annex, [])
    rows = [
        {"pid": str(p.pid), "user": "guest" if p.pid > 1 else "host",
         "command": f"{p.name} {p.detail}".strip(), "cores": ",".join(map(str, p.cores))}
        for p in session.target.processes()  # type: ignore[attr-defined]
    ]  # fmt: skip
    return _osdata("processes", rows)


def _osdata(kind: str, rows: list[dict[str, str]]) -> bytes:
    """A table as gdb's osdata.dtd has it."""
    items = "".join(f"<item>{''.join(map(_column, row.items()))}</item>\n" for row in rows)
    head = '<?xml version="1.0"?>\n<!DOCTYPE osdata SYSTEM "osdata.dtd">\n'
    return f"{head}<osdata type={quoteattr(kind)}>\n{items}</osdata>\n".encode()


def _column(entry: tuple[str, str]) -> str:
    name, value = entry
    return f"<column name={quoteattr(name)}>{escape(value)}</column>"
