"""A console's connection to a place on the host.

The thread of a hart writes the guest's output straight to the host, so that nothing piles up in
this process. A client that takes no output makes the guest wait, for PATIENCE_S at most. Then the
output is dropped, and the guest goes on. A request to end the run ends the wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from rvplat.bus.console import Console

log = logging.getLogger("rvplat.console")

PATIENCE_S = 5.0  # how long the guest waits for a client that takes nothing
WAIT_MS = 100  # between two looks whether the run shall end
CHUNK = 1 << 16
CROWDED = 1 << 16  # while more bytes than this wait for the guest, clients are not read
CROWDED_MS = 20  # between two looks whether the guest has read some


class Hurried(Protocol):
    """Says whether nobody may wait now, because the run shall end."""

    def __call__(self) -> bool: ...


class Connection:
    """One place that a console is connected to, until `close`."""

    #: Whether input for the guest can come from there.
    has_input = True

    #: The place, as a client would name it: "tcp:127.0.0.1:5555", "unix:PATH", "/dev/pts/3",
    #: "file:PATH".
    where: str

    def __init__(self, console: Console, name: str, where: str, hurried: Hurried) -> None:
        self._console = console
        self._name = name
        self._hurried = hurried
        self.where = where

    def begin(self) -> None:
        """Take the guest's output from now on. The last step of a constructor, since another thread
        calls `send` at once."""
        self._console.sinks.append(self.send)

    def __repr__(self) -> str:
        return f"<{self._name} at {self.where}>"

    def send(self, data: bytes) -> None:
        """Take the guest's output. It may still be called once after `close`, and meanwhile."""
        raise NotImplementedError

    def close(self) -> None:
        """Disconnect the console. A second call does nothing."""
        with contextlib.suppress(ValueError):
            self._console.sinks.remove(self.send)

    def deliver(self, fd: int, write: Callable[[memoryview], int], data: bytes) -> bool:
        """Write all of `data`. False if the client took nothing for PATIENCE_S, or the run shall
        end meanwhile. OSError if the client has gone."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        view, waited_ms = memoryview(data), 0
        while view:
            try:
                view, waited_ms = view[write(view[:CHUNK]) :], 0
            except BlockingIOError:
                if waited_ms >= PATIENCE_S * 1000 or self._hurried():
                    return False
                if not poll.poll(WAIT_MS):
                    waited_ms += WAIT_MS
        return True


class ReadConnection(Connection):
    """A connection with a thread that reads the host's input. `serve` is called again and again
    until `close`."""

    def __init__(self, console: Console, name: str, where: str, hurried: Hurried) -> None:
        super().__init__(console, name, where, hurried)
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False
        self._thread = threading.Thread(target=self._live, name=f"console {name}", daemon=True)

    def begin(self) -> None:
        super().begin()
        self._thread.start()

    def serve(self) -> None:
        """Wait for what comes, and handle it."""
        raise NotImplementedError

    def release(self) -> None:
        """Close the host's files, after the thread has ended."""
        raise NotImplementedError

    def _live(self) -> None:
        while not self._closed:
            self.serve()

    def ready(
        self, fds: list[int], timeout_ms: int | None = None, silent: Sequence[int] = ()
    ) -> set[int]:
        """The file descriptors that can be read or have been hung up; returns early on `close`. Of
        those in `silent` nothing is read any more."""
        poll = select.poll()
        for fd in (self._wake_read, *fds):
            poll.register(fd, select.POLLIN)
        for fd in silent:
            poll.register(fd, 0)  # a hang-up is always reported
        found = {fd for fd, _ in poll.poll(timeout_ms)}
        if self._wake_read in found:
            os.read(self._wake_read, CHUNK)
        return found

    def wake(self) -> None:
        """Let `ready` return."""
        os.write(self._wake_write, b".")

    @property
    def is_crowded(self) -> bool:
        """Whether the guest has so much input that clients shall wait."""
        return self._console.waiting > CROWDED

    def feed(self, data: bytes) -> None:
        """Give the guest input."""
        self._console.feed(data)

    def close(self) -> None:
        super().close()
        if self._closed:
            return
        self._closed = True
        self.wake()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self.release()
        os.close(self._wake_read)
        os.close(self._wake_write)
