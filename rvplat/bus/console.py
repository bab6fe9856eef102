"""A console: the two ends of a serial line, the device's and the host's."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rvplat.bus.failures import RAISED, Failures

Sink = Callable[[bytes], None]


class Console:
    """The device calls `write` and `read` and listens with `on_input`; the host calls `feed`, from
    any thread, and adds `sinks`.

    A device reads what it has room for and leaves the rest queued here: nothing that was typed is
    lost.
    """

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self.lock = lock if lock is not None else threading.RLock()
        self.failures = Failures()
        #: Called, under the bus lock, when there is input to read.
        self.on_input: Callable[[], None] | None = None
        #: Called with all that the guest writes, under the bus lock.
        self.sinks: list[Sink] = []
        self._input = bytearray()

    def write(self, data: bytes) -> None:
        """The device sends `data` to the host."""
        for sink in self.sinks:
            sink(data)

    def read(self, limit: int) -> bytes:
        """The device takes at most `limit` bytes of what the host sent."""
        taken = bytes(self._input[:limit])
        del self._input[:limit]
        return taken

    @property
    def waiting(self) -> int:
        """How many bytes the device has not taken yet."""
        return len(self._input)

    def feed(self, data: bytes) -> None:
        """The host sends `data` to the device. TypeError for what is no bytes."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data={data!r}: expected bytes")
        with self.lock:
            self._input += data
            if self.on_input is not None:
                try:
                    self.on_input()
                except RAISED as error:  # a plugin's: the machine goes on
                    self.failures.note("taking console input", error)
