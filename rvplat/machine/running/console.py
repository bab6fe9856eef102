"""The host's end of a console: what the guest wrote is kept, and can be waited for.

machine.console.wait_for(b"login: ", timeout_s=30)
machine.console.feed(b"root\n")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rvplat.arguments import seconds
from rvplat.bus.console import Console
from rvplat.bus.lock import BusLock

KEPT_BYTES = 1 << 20
SHOWN_BYTES = 200


class HostConsole(Console):
    """A console that remembers the last megabyte or so of what the guest wrote."""

    def __init__(self, lock: BusLock | None = None) -> None:
        super().__init__(lock)
        self._changed = threading.Condition()
        self._output = bytearray()
        self._start = 0  # the place of _output[0] in all that was ever written
        self._seen = 0  # `wait_for` looks from here on
        self._wanted = b""  # what is waited for
        self._ended = False
        #: Told when a sink raises; the guest has nothing to do with that.
        self.failed: Callable[[BaseException], None] | None = None
        #: Says where the harts are, for a complaint that what was waited for does not come.
        self.where: Callable[[], str] | None = None

    def write(self, data: bytes) -> None:
        """The device sends `data` to the host."""
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
        """Give `data` to the sinks."""
        try:
            super().send(data)
        except Exception as error:
            if self.failed is None:
                raise
            self.failed(error)

    @property
    def output(self) -> bytes:
        """What the guest wrote; of much, the end."""
        with self._changed:
            return bytes(self._output)

    def wait_for(self, text: bytes | str, timeout_s: float | None = None) -> bytes:
        """Wait until the guest has written `text`; returns what it wrote since the last call.

        One thread may wait at a time.

        Raises:
            TimeoutError: it did not in this time, or the machine has stopped; the message shows
                what it wrote instead, and where the harts are. The machine goes on.
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
        # The harts may be in the middle of writing: they are looked for without the lock.
        places = f"\n{self.where()}" if self.where is not None else ""
        raise TimeoutError(found + places)

    def _wait(self, wanted: bytes, timeout_s: float | None) -> bytes | str:
        """What was written up to what is wanted, or why it did not come."""
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
        """The machine begins to run, or stops: then nobody need wait for what it writes."""
        with self._changed:
            self._ended = not runs
            self._changed.notify_all()
