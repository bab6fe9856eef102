"""A listening socket that any program of this host may connect to, so that it bears a flood."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from typing import Any

from rvplat.listening import PAUSE_S

MOST_INSIDE = 96  # connections at a time: clients, strangers, and a page's files


class Door(socket.socket):
    """A listening socket. Whoever comes when there is no room, or the process can open no more
    files, waits outside."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(fileno=listener.detach())
        self._closing = threading.Event()
        self._inside: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """Let the next one in. OSError if the door is closed."""
        while not self._closing.is_set():
            self._inside = [one for one in self._inside if one.fileno() >= 0]
            if len(self._inside) < MOST_INSIDE:
                with contextlib.suppress(OSError):
                    connection, address = super().accept()
                    self._inside.append(connection)
                    return connection, address
            self._closing.wait(PAUSE_S)
        raise OSError(errno.EBADF, "the door is closed")

    def shut(self) -> None:
        """Let nobody in any more. A thread that waits in `accept` goes on."""
        self._closing.set()
        cut(self)

    def close(self) -> None:
        """Shut it and release the port."""
        self.shut()
        super().close()

    def send_away(self, clients: set[socket.socket]) -> None:
        """End every connection but those of clients, whatever they wait for."""
        for one in self._inside:
            if one not in clients:
                cut(one)


def cut(connection: socket.socket) -> None:
    """Let reads and writes of other threads end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
