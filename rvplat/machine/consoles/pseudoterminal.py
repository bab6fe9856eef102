"""A console at a pseudoterminal, for `screen`, `minicom` and the like.

While no program has the terminal open, output is dropped. Linux reports that as a hang-up of our
end, for as long as it lasts. So the thread looks again after AWAY_MS; what was typed meanwhile
waits in the terminal.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty

from rvplat.bus.console import Console
from rvplat.machine.consoles.connection import (
    CHUNK,
    CROWDED_MS,
    PATIENCE_S,
    Hurried,
    ReadConnection,
    log,
)

AWAY_MS = 250


class PtyConnection(ReadConnection):
    """A pseudoterminal of its own, in raw mode."""

    def __init__(self, console: Console, name: str, hurried: Hurried) -> None:
        self._fd, program = pty.openpty()
        tty.setraw(program)
        super().__init__(console, name, os.ttyname(program), hurried)
        os.close(program)
        os.set_blocking(self._fd, False)
        self._output = select.poll()
        self._output.register(self._fd, select.POLLOUT)
        self._guard = threading.Lock()  # while output is sent, the terminal isn't closed
        self._unread = False  # its program did not read, so output is dropped until it does
        self.begin()

    def send(self, data: bytes) -> None:
        with self._guard:
            if self._fd >= 0:
                self._send(data)

    def _send(self, data: bytes) -> None:
        state = dict(self._output.poll(0)).get(self._fd, 0)
        if state & select.POLLHUP or (self._unread and not state & select.POLLOUT):
            return
        self._unread = False
        with contextlib.suppress(OSError):  # its program has closed it meanwhile
            if not self.deliver(self._fd, lambda part: os.write(self._fd, part), data):
                self._unread = True
                if not self._hurried():
                    log.warning(
                        "console %s: nothing has been read from %s for %g s: output is dropped "
                        "until something is",
                        self._name, self.where, PATIENCE_S,
                    )  # fmt: skip

    def serve(self) -> None:
        if self.is_crowded:
            self.ready([], CROWDED_MS)
        elif self._fd in self.ready([self._fd]):
            self._read()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # no program has it open
            data = b""
        if data:
            self.feed(data)
        else:
            self.ready([], AWAY_MS)

    def release(self) -> None:
        with self._guard:
            os.close(self._fd)
            self._fd = -1
