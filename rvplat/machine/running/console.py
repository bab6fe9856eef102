"""The host's side of a console: it keeps the guest's output, and callers can wait for text in it.

machine.console.wait_for(b"login: ", timeout_s=30)
machine.console.feed(b"root\n")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rvplat.arguments import seconds
from rvplat.bus.console import Console
from rvplat.bus.lock import BusLock

KEPT_BYTES = 1 << 20
SHOWN_BYTES = 200


class HostConsole(Console):
    """A console that keeps about the last megabyte of the guest's output."""

    def __init__(self, lock: BusLock | None = None) -> None:
        super().__init__(lock)
        self._changed = threading.Condition()
        self._output = bytearray()
        self._start = 0  # the position of _output[0] in the whole output
        self._seen = 0  # `wait_for` searches from here
        self._wanted = b""  # the text that `wait_for` waits for
        self._ended = False
        self.is_silent = False  # the sinks have had this output: the run repeats what was
        #: Called with the error of a sink, which must not reach the guest.
        self.failed: Callable[[BaseException], None] | None = None
        #: Returns the places of the harts, for the message of a timeout.
        self.where: Callable[[], str] | None = None

    def write(self, data: bytes) -> None:
        """Send the device's `data` to the host."""
        with self._changed:
            self._output += data
            wanted = self._wanted
            if wanted and wanted in self._output[-len(wanted) - len(data) :]:
                self._changed.notify_all()
            if len(self._output) > 2 * KEPT_BYTES:
                cut = len(self._output) - KEPT_BYTES
                del self._output[:cut]
                self._start += cut
        super().write(data)

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

    def running(self, runs: bool) -> None:
        """Note that the machine starts or stops running. After a stop, waits for output end."""
        with self._changed:
            self._ended = not runs
            self._changed.notify_all()
