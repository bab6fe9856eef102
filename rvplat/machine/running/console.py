r"""The host's side of a console: it keeps the guest's output, and callers can wait for text in it.

machine.console.wait_for(b"login: ", timeout_s=30)
machine.console.send_line("root")
machine.console.expect(r"Linux (\d+)", timeout_s=30)[1]
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rvplat.arguments import seconds
from rvplat.arguments import text as text_argument
from rvplat.bus.console import Console
from rvplat.bus.lock import BusLock
from rvplat.machine.running.expecting import (
    PAUSES,
    QUIET_S,
    SHORTEST_PAUSE_S,
    Expectation,
    compiled,
)

if TYPE_CHECKING:
    from rvplat.machine.consoles.connection import Connection

KEPT_BYTES = 1 << 20
SHOWN_BYTES = 200
GUEST_LOOK_S = 0.02  # between two looks at the guest's time


class HostConsole(Console):
    """A console that keeps about the last megabyte of the guest's output."""

    def __init__(self, lock: BusLock | None = None) -> None:
        super().__init__(lock)
        self._changed = threading.Condition()
        self._output = bytearray()
        self._start = 0  # the position of _output[0] in the whole output
        self._seen = 0  # `wait_for` searches from here
        self._wanted = b""  # the text that `wait_for` waits for
        self._expected: Expectation | None = None  # what `expect` waits for
        self._began = self._ended = False
        self.is_silent = False  # the sinks have had this output: the run repeats what was
        #: Called with the error of a sink, which must not reach the guest.
        self.failed: Callable[[BaseException], None] | None = None
        #: Returns the places of the harts, for the message of a timeout.
        self.where: Callable[[], str] | None = None
        #: Returns why the machine has stopped.
        self.why_stopped: Callable[[], str] = lambda: "the machine stopped"
        #: Returns the guest's time since power-on, in seconds.
        self.guest_s: Callable[[], float] = time.monotonic
        #: Whether the machine's run shall end, so that nobody may wait.
        self.hurried: Callable[[], bool] = lambda: False
        #: The name of its device, for messages.
        self.name = "console"
        self._connections: list[Connection] = []

    def connect(self, place: str) -> Connection:
        """Connect to a place on this host, until the machine is closed: its output goes there, and
        input comes from there. `where` of the result is the place, with the port that was chosen;
        its `close` disconnects.

        Args:
            place: "tcp:[HOST:]PORT" or "unix:PATH", which clients connect to, one at a time; "pty",
                a pseudoterminal; or "file:PATH", for output only. The host is the loopback
                interface if none is named; port 0 is a free one.

        Raises:
            HostError: it is no such place, or the host refuses it.
        """
        from rvplat.machine.consoles.connect import connect
        from rvplat.machine.consoles.places import parse_place

        found = parse_place(text_argument("place", place), f"console {self.name}: {place}")
        made = connect(self, self.name, found, self.hurried)
        self._connections.append(made)
        return made

    def disconnect(self) -> None:
        """Close what `connect` has opened."""
        for one in self._connections:
            one.close()
        self._connections.clear()

    def write(self, data: bytes) -> None:
        """Send the device's `data` to the host."""
        with self._changed:
            expected = self._expected
            if expected is not None:
                self._expected_came(expected, data)
            self._output += data
            wanted = self._wanted
            if wanted and wanted in self._output[-len(wanted) - len(data) :]:
                self._changed.notify_all()
            if len(self._output) > 2 * KEPT_BYTES:
                cut = len(self._output) - KEPT_BYTES
                del self._output[:cut]
                self._start += cut
        super().write(data)

    def _expected_came(self, expected: Expectation, data: bytes) -> None:
        """Before `data` is kept: tell `expect`, or search for it, if much has come."""
        total = self._start + len(self._output)
        if expected.guest_end_s is not None:
            expected.came(self.guest_s(), total)
        if expected.is_due(total):
            expected.look(self._output, self._start)
        if expected.is_waiting:
            expected.is_waiting = False
            self._changed.notify_all()

    def send(self, data: bytes) -> None:
        """Pass `data` to the sinks."""
        if self.is_silent:
            return
        try:
            super().send(data)
        except Exception as error:
            if self.failed is None:
                raise
            self.failed(error)

    @property
    def output(self) -> bytes:
        """The guest's output; only the end of it if it is long."""
        with self._changed:
            return bytes(self._output)

    def save(self) -> dict[str, Any]:
        """Its input, and the guest's output with the place up to which `wait_for` has seen it."""
        with self._changed:
            output = {"output": bytes(self._output), "start": self._start, "seen": self._seen}
        return {**super().save(), **output}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `save` returned. The sinks are not called."""
        super().load(state)
        with self._changed:
            self._output[:] = state["output"]
            self._start, self._seen = int(state["start"]), int(state["seen"])

    def wait_for(self, text: bytes | str, timeout_s: float | None = None) -> bytes:
        """Wait until the guest has written `text`; returns its output since the last call.

        One thread may wait at a time.

        Raises:
            TimeoutError: the text did not come in time, or the machine has stopped; the message
            shows the output and where the harts are. The machine continues.
        """
        __tracebackhide__ = True  # in pytest's report
        wanted = text.encode() if isinstance(text, str) else text
        if not isinstance(wanted, bytes | bytearray):
            raise TypeError(f"text={text!r}: expected a string or bytes")
        if not wanted:
            raise ValueError("text: expected something to wait for")
        seconds("timeout_s", timeout_s)
        found = self._wait(bytes(wanted), timeout_s)
        if isinstance(found, bytes):
            return found
        # Without the lock: a hart may wait for it in a write, and `where` waits for the harts.
        places = f"\n{self.where()}" if self.where is not None else ""
        raise TimeoutError(found + places)

    def send_line(self, text: str) -> None:
        """Type a line: `text`, and a newline after it."""
        self.feed(text_argument("text", text).encode() + b"\n")

    def expect(
        self, pattern: str | bytes | re.Pattern[str] | re.Pattern[bytes],
        timeout_s: float | None = None, *, guest_s: float | None = None,
    ) -> re.Match[Any]:  # fmt: skip
        """Wait until the guest's output since the last call matches a regular expression; returns
        the match. Text is searched as UTF-8, bytes by a pattern of bytes. `^` and `$` match at
        lines, unless the pattern is compiled. Lines of a terminal end in "\\r\\n".

        A match at the end of the output that one more character could make longer (`\\d+`) is
        taken when that character has come, when the guest is quiet, or when the machine stops. A
        match longer than 16 KiB may be missed. One thread may wait at a time.

        Args:
            timeout_s: the limit, in seconds of the host; None: no limit.
            guest_s: the limit, in seconds of the guest's time; None: no limit.

        Raises:
            TimeoutError: there is no match in time, or the machine does not run; the message
                shows the output and where the harts are. The machine continues.
        """
        __tracebackhide__ = True  # in pytest's report
        wanted = compiled(pattern)
        seconds("timeout_s", timeout_s)
        seconds("guest_s", guest_s)
        guest_end_s = None if guest_s is None else self.guest_s() + guest_s
        with self._changed:
            if self._expected is not None:
                raise RuntimeError("another thread waits for output of this console")
            expected = self._expected = Expectation(wanted, self._seen, guest_end_s)
            try:
                why = self._await(expected, timeout_s, guest_s)
            finally:
                self._expected = None
            if not why:
                self._seen = expected.end
                assert expected.match is not None
                return expected.match
            found = expected.complaint(self._output, self._start, why)
        places = f"\n{self.where()}" if self.where is not None else ""
        raise TimeoutError(found + places)

    def _await(
        self, expected: Expectation, timeout_s: float | None, guest_s: float | None
    ) -> str:  # fmt: skip
        """Wait for a match. Returns "", or why there is none."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            began, total = time.monotonic(), self._start + len(self._output)
            expected.look(self._output, self._start)
            if expected.match is not None and not expected.is_open:
                return ""
            late = self._why_late(expected, deadline, timeout_s, guest_s)
            if late:
                return "" if expected.match is not None else late
            pause = max(SHORTEST_PAUSE_S, PAUSES * (time.monotonic() - began))
            self._changed.wait(pause)  # output does not end it: one search for much of it
            if not self._ended and total == self._start + len(self._output):
                expected.is_waiting = True
                self._changed.wait(self._longest(expected, deadline))
                expected.is_waiting = False
                if expected.match is not None and total == self._start + len(self._output):
                    return ""

    def _why_late(
        self, expected: Expectation, deadline: float | None, timeout_s: float | None,
        guest_s: float | None,
    ) -> str:  # fmt: skip
        """Why no more output counts; "" if more may come."""
        if not self._began:
            return "the machine was not started: call start()"
        if self._ended:
            return self.why_stopped()
        if expected.limit is not None or (
            expected.guest_end_s is not None and self.guest_s() > expected.guest_end_s
        ):
            return f"{guest_s} s of the guest's time have passed"
        if deadline is not None and time.monotonic() >= deadline:
            return f"{timeout_s} s have passed"
        return ""

    @staticmethod
    def _longest(expected: Expectation, deadline: float | None) -> float | None:
        """How long to wait for output before something else is to be looked at."""
        waits = [] if deadline is None else [max(deadline - time.monotonic(), 0.0)]
        if expected.match is not None:
            waits.append(QUIET_S)
        if expected.guest_end_s is not None:
            waits.append(GUEST_LOOK_S)
        return min(waits, default=None)

    def _wait(self, wanted: bytes, timeout_s: float | None) -> bytes | str:
        """The output up to the wanted text as bytes, or the reason why it did not come as a
        string."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            self._wanted = wanted
            try:
                while (found := self._find(wanted)) is None:
                    left = None if deadline is None else deadline - time.monotonic()
                    if self._ended or (left is not None and left <= 0):
                        return self._complaint(wanted, timeout_s)
                    self._changed.wait(left)
                return found
            finally:
                self._wanted = b""

    def _find(self, wanted: bytes) -> bytes | None:
        begin = max(self._seen - self._start, 0)
        at = self._output.find(wanted, begin)
        if at < 0:
            return None
        end = at + len(wanted)
        self._seen = self._start + end
        return bytes(self._output[begin:end])

    def _complaint(self, wanted: bytes, timeout_s: float | None) -> str:
        rest = bytes(self._output[max(self._seen - self._start, 0) :])[-SHOWN_BYTES:]
        why = "the machine stopped" if self._ended else f"{timeout_s} s have passed"
        wrote = f"it wrote {rest!r}"
        if not rest:
            before = bytes(self._output[-SHOWN_BYTES:])
            wrote = f"it wrote nothing more after {before!r}" if before else "it wrote nothing"
        return f"no {wanted!r} from the guest: {why}; {wrote}"

    def forget_runs(self) -> None:
        """The machine has taken another state, from which it was not started."""
        with self._changed:
            self._began = False

    def running(self, runs: bool) -> None:
        """Note that the machine starts or stops running. After a stop, waits for output end."""
        with self._changed:
            self._began |= runs
            self._ended = not runs
            self._changed.notify_all()
