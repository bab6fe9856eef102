"""A console: a serial line between a device and the host."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from rvplat.bus.failures import RAISED, Failures
from rvplat.bus.lock import BusLock

Sink = Callable[[bytes], None]


class Console:
    """The device calls `write` and `read` and listens with `on_input`; the host calls `feed`, from
    any thread, and adds `sinks`.

    A device reads what it has room for. The rest stays queued here, so that no input is lost.
    """

    def __init__(self, lock: BusLock | None = None) -> None:
        self.lock = lock if lock is not None else BusLock()
        #: Called, under the bus lock, when there is input to read.
        self.on_input: Callable[[], None] | None = None
        #: Called, under the bus lock, when all that was written has been sent.
        self.on_sent: Callable[[], None] | None = None
        #: Called with all that the guest writes, in order. The bus lock is not held, so sinks may
        #: wait for the host.
        self.sinks: list[Sink] = []
        #: Takes what the host sends, if it must wait for its place in a run that can be repeated.
        self.post: Callable[[bytes], None] | None = None
        #: Keeps what plugins raise.
        self.failures = Failures()
        #: Whether the device wants to be told that no more input comes: `feed(b"")`.
        self.wants_end = False
        self.ended = False  # it was told
        self._input = bytearray()
        self._unsent: deque[bytes] = deque()
        self._written = self._sent = 0  # bytes in total
        self._sending = threading.Lock()
        self._sender = 0  # the thread that is sending

    def write(self, data: bytes) -> None:
        """The device sends `data` to the host. The sinks get it after the bus lock is released. The
        hart whose store wrote it waits for the sinks."""
        with self.lock:
            self._unsent.append(data)
            self._written += len(data)
            if self._sender != threading.get_ident():
                self.lock.after(self.flush)

    @property
    def backlog(self) -> int:
        """Bytes that were written and are not sent yet. A device that has much to send waits for
        `on_sent` until there are none."""
        return self._written - self._sent

    def flush(self) -> None:
        """Give the sinks all that was written. Don't call it while holding the bus lock."""
        with self._sending:
            self._sender = threading.get_ident()
            try:
                while self._unsent:
                    data = self._unsent.popleft()
                    self._sent += len(data)
                    self.send(data)
                    if not self._unsent and self.on_sent is not None:
                        self._tell(self.on_sent, "sending console output")
            finally:
                self._sender = 0

    def _tell(self, call: Callable[[], None], operation: str) -> None:
        """Call the device. What it raises is noted, and the machine goes on."""
        with self.lock:
            try:
                call()
            except RAISED as error:
                self.failures.note(operation, error)

    def send(self, data: bytes) -> None:
        """Give `data` to the sinks."""
        for sink in tuple(self.sinks):  # one may be removed meanwhile, by any thread
            sink(data)

    def read(self, limit: int) -> bytes:
        """The device takes at most `limit` bytes of what the host sent."""
        with self.lock:  # a device that harts call does not hold it
            taken = bytes(self._input[:limit])
            del self._input[:limit]
        return taken

    @property
    def waiting(self) -> int:
        """How many bytes the device has not taken yet."""
        return len(self._input)

    def save(self) -> dict[str, Any]:
        """What the host has sent and the device has not taken."""
        with self.lock:
            return {"input": bytes(self._input), "ended": self.ended}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `save` returned. The device is not told: its state says what it knows."""
        with self.lock:
            self._input[:] = state["input"]
            self.ended = bool(state.get("ended", False))

    def feed(self, data: bytes) -> None:
        """The host sends `data` to the device; no bytes mean that no more will come, for a device
        that `wants_end`. TypeError if it isn't bytes."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data={data!r}: expected bytes")
        if self.post is not None:
            self.post(bytes(data))
        else:
            self.arrive(bytes(data))

    def arrive(self, data: bytes) -> None:
        """Give the device what the host has sent."""
        with self.lock.in_haste():
            self._input += data
            self.ended = not data and self.wants_end
            if self.on_input is not None:
                self._tell(self.on_input, "taking console input")
