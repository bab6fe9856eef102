"""One client's conversation: bytes in, bytes out, no socket.

session = session_for(target, send)     # commands/__init__.py
session.feed(b"+$qSupported:multiprocess+#...")
session.poll()      # when target.wake was called: something happened
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from rvplat.gdb.protocol.errors import GdbError, Malformed, Unsupported
from rvplat.gdb.protocol.framing import Arrival, Framer, Kind, escape, frame
from rvplat.gdb.protocol.interfaces import (
    ANY,
    ConsoleText,
    Event,
    Exited,
    Stopped,
    Target,
    Thread,
    Worlds,
)
from rvplat.gdb.protocol.named_threads import NamedThreads
from rvplat.gdb.protocol.packets import Table, digits

log = logging.getLogger("rvplat.gdb")
PACKET_SIZE = 0x20000
INTERRUPTED, TRAPPED = 2, 5  # SIGINT, SIGTRAP
_STOP_QUESTIONS = (b"?", b"vStopped")
_NUMBERED = b"gpmMXxT"  # old clients take E.text as data in replies to these


class Session:
    """A client's state. `closed`: the client has ended the conversation."""

    def __init__(self, target: Target, send: Callable[[bytes], None], table: Table) -> None:
        self.target = target
        self.table = table
        self.closed = False
        self.multiprocess = False
        self.error_message = False
        self.non_stop = False
        self.thread_events = False
        self.client: frozenset[str] = frozenset()  # the features that it announced
        self.selected: Thread = target.current()  # Hg
        self.continue_thread = Thread(ANY, ANY)  # Hc
        self.named = NamedThreads()
        self.running = False  # all-stop: a stop reply is due
        self.interrupted = False  # Ctrl-C came while nothing ran: the next resume is interrupted
        self.resumed_last: set[Thread] = set()  # non-stop: by the last vCont
        self.last_event: Event = Stopped(self.selected)
        self.pending: deque[Event] = deque()  # non-stop: not acknowledged; the first one was sent
        self.stopped_threads: set[Thread] = set()  # non-stop: stopped, as the client knows it
        self.held_text: list[ConsoleText] = []  # all-stop: to be sent when something runs
        self.deferred: list[Stopped] = []  # non-stop: to be notified when the client goes on
        self.threads_left: list[Thread] = []  # qsThreadInfo
        self.files: dict[int, bytes] = {}  # vFile's open files
        self._framer = Framer()
        self._send = send
        self._sent = b""

    # --- in ---

    def feed(self, data: bytes) -> None:
        """Take bytes from the client. No bytes make it raise."""
        for arrival in self._framer.feed(data):
            if not self.closed:
                self._take(arrival)

    def _take(self, arrival: Arrival) -> None:
        if arrival.kind is Kind.INTERRUPT:
            self.interrupt()
        elif arrival.kind is Kind.NACK:
            if self._sent and not self._framer.no_ack:
                self._send(self._sent)
        elif arrival.kind is Kind.BAD:
            if not self._framer.no_ack:
                self._send(b"-")
        elif arrival.kind is Kind.PACKET:
            if not self._framer.no_ack:
                self._send(b"+")
            reply = self.answer(arrival.data)
            if reply is not None:
                self.reply(reply)
            if self.deferred and not arrival.data.startswith(_STOP_QUESTIONS):
                self._tell_deferred()

    def answer(self, data: bytes) -> bytes | None:
        """The reply to a packet; None if it comes later."""
        handler, rest = self.table.find(data)
        self.named.saw(data)
        if handler is None:
            return b""
        try:
            return handler(self, rest)
        except Unsupported:
            return b""
        except GdbError as error:
            return self.error(error, data)
        except Exception:
            log.exception("packet %r", data[:60])
            return b"E.internal error; the server's log has the traceback"

    def error(self, error: GdbError, data: bytes) -> bytes:
        """An error reply: E.text if the client understands it."""
        if not self.error_message and (isinstance(error, Malformed) or data[:1] in _NUMBERED):
            return b"E01"
        text = str(error).replace("\n", " ").encode("ascii", "replace")
        return b"E." + text.replace(b"#", b"?").replace(b"$", b"?").replace(b"}", b"?")

    # --- out ---

    def reply(self, data: bytes) -> None:
        """Send a packet."""
        self._sent = frame(data)
        self._send(self._sent)

    def notify(self, data: bytes) -> None:
        """Send a notification."""
        self._send(frame(data, b"%"))

    def use_no_ack(self) -> None:
        """Acknowledge nothing from the next packet on."""
        self._framer.no_ack = True

    # --- events ---

    def poll(self) -> None:
        """Tell the client what happened. A Ctrl-C that is due stops the threads first."""
        if self.interrupted and self.running:
            self._interrupt_all()
        elif self.interrupted and not self.resumed_last <= self.stopped_threads:
            self._interrupt_some(self.resumed_last)
        self._tell()

    def _tell(self) -> None:
        for event in self.target.take_events():
            if isinstance(event, ConsoleText):
                self._say(event)
            elif self.non_stop:
                self.notify_of(event)
            elif self.running:
                self.stopped(event)
            else:
                self.target.report_again(event)

    def _say(self, event: ConsoleText) -> None:
        if not self.running and not self.non_stop:
            self.held_text.append(event)  # gdb accepts text only while something runs
        elif not self.non_stop:
            self.reply(b"O" + event.text.encode().hex().encode())

    def await_stop(self) -> None:
        """All-stop: threads run. Until the stop reply is sent, text may be sent."""
        self.running = True
        unsaid, self.held_text = self.held_text, []
        for event in unsaid:
            self._say(event)

    def notify_of(self, event: Event) -> None:
        """Non-stop: notify of an event, or queue it behind those that are not acknowledged."""
        event = self._as_interrupt(event)
        if isinstance(event, Stopped):
            self.stopped_threads.add(event.thread)
        self.pending.append(event)
        if len(self.pending) == 1:
            self.notify(b"Stop:" + self.stop_reply(event))

    def _tell_deferred(self) -> None:
        """Notify of the stops that the reply to `?` left out, if the threads are still stopped.

        gdb (13 to 18) ends by an assertion if it learns of a second stop before it has handled the
        first one. It has handled it when it sends another packet than `?` and `vStopped`.
        """
        deferred, self.deferred = self.deferred, []
        for event in deferred:
            if not self.target.is_running(event.thread):
                self.notify_of(event)

    def stopped(self, event: Event) -> None:
        """All-stop: the first event stops everything."""
        self.running = False
        self.target.halt()
        event = self._as_interrupt(event)
        self.last_event = event
        if isinstance(event, Stopped):
            self.selected = event.thread
            self.named.stopped(event.thread)
        self.reply(self.stop_reply(event))

    def interrupt(self) -> None:
        """Ctrl-C or vCtrlC: stop what runs. gdb steps a line by many steps, so often nothing runs
        when the byte comes. Then the next resume is interrupted, as by a pending signal."""
        if self.non_stop:
            told = self._interrupt_some(None)
            self.interrupted = self.resumed_last.isdisjoint(told)
        else:
            self.interrupted = True
            if self.running:
                self._interrupt_all()

    def _interrupt_all(self) -> None:
        """All-stop: stop everything. If a breakpoint was met at the same time, the client is told
        of that first, and of Ctrl-C at its next resume."""
        self.target.halt()
        self._tell()
        if self.running:
            self.stopped(Stopped(self.target.current(), TRAPPED))

    def _interrupt_some(self, threads: Iterable[Thread] | None) -> list[Thread]:
        """Non-stop: stop threads (or all) with SIGINT; returns those that it stopped."""
        ran = self.target.halt(threads)
        self._tell()  # some may have stopped by themselves
        told = [thread for thread in ran if thread not in self.stopped_threads]
        for thread in told:
            self.notify_of(Stopped(thread, INTERRUPTED))
        self.interrupted = self.interrupted and not told
        return told

    def _as_interrupt(self, event: Event) -> Event:
        """The event as the client is told: the end of a step becomes the Ctrl-C that is due."""
        if isinstance(event, Exited):
            self.interrupted = False
        if not self.interrupted or not isinstance(event, Stopped):
            return event
        if event.signal != TRAPPED or event.reason:
            return event
        self.interrupted = False
        return replace(event, signal=INTERRUPTED)

    def halt(self, threads: Iterable[Thread]) -> None:
        """Non-stop: stop threads. The client is told of each thread that it believes to run, also
        if its hart has stopped already, in another world."""
        asked = [thread for thread in threads if thread not in self.stopped_threads]
        if asked:
            self.target.halt(asked)
            self.poll()  # some may have stopped by themselves
        for thread in asked:
            if thread not in self.stopped_threads:
                self.notify_of(Stopped(thread, 0))

    # --- texts ---

    def thread_text(self, thread: Thread) -> bytes:
        """A thread's id as this client writes it."""
        if self.multiprocess:
            return b"p%x.%x" % (thread.pid, thread.tid)
        return b"%x" % thread.tid

    def stop_reply(self, event: Event) -> bytes:
        """T SIGNAL REASON:VALUE;thread:ID;core:N;REGISTER:DIGITS;...  or  W CODE ;process:PID."""
        if isinstance(event, Exited):
            tail = b";process:%x" % event.pid if self.multiprocess else b""
            return b"W%02x" % (event.code & 0xFF) + tail
        assert isinstance(event, Stopped)
        text = b"T%02x" % event.signal
        reason = event.reason
        if reason and (reason not in ("swbreak", "hwbreak") or reason in self.client):
            text += f"{reason}:{event.value};".encode()
        text += b"thread:%b;core:%x;" % (self.thread_text(event.thread), event.thread.tid - 1)
        registers = self.target.expedited(event.thread)
        return text + b"".join(b"%x:%b;" % (n, digits(value, size)) for n, size, value in registers)

    def resolve(self, thread: Thread) -> Thread:
        """A definite thread for an id with wildcards. GdbError if there is none."""
        alive = self.target.threads()
        if thread in alive:
            return thread
        if thread.pid in (ANY, -1) and thread.tid in (ANY, -1):
            return self.selected if self.selected in alive else self.target.current()
        if thread.tid in (ANY, -1):
            if any(t.pid == thread.pid for t in self.target.threads()):
                return self.target.current(thread.pid)
        elif thread.pid in (ANY, -1):
            return self._by_hart(thread.tid)
        raise GdbError(f"there is no thread {thread.pid}.{thread.tid}")

    def is_gone(self, thread: Thread) -> bool:
        """Whether a thread's world has ended and the client still sees it."""
        return isinstance(self.target, Worlds) and self.target.is_gone(thread.pid)

    def _by_hart(self, tid: int) -> Thread:
        """Without multiprocess a thread is a hart, in any world."""
        if not any(t.tid == tid for t in self.target.threads()):
            raise GdbError(f"there is no thread {tid}")
        return self.target.thread_of_hart(tid)


__all__ = ["PACKET_SIZE", "Session", "escape"]
