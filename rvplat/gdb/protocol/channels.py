"""How clients' bytes come and go: TCP, Unix sockets, standard input and output."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rvplat.gdb.protocol.framing import frame
from rvplat.listening import ADDRESS, UNIX, listen_tcp, listen_unix

log = logging.getLogger("rvplat.gdb")
CHUNK = 1 << 18
PATIENCE_S = 5.0  # how long a client that is turned away may take
BUSY = b"E.another debugger is attached to this board: it serves one at a time"


class Channel(Protocol):
    """A client's bytes."""

    def fileno(self) -> int: ...

    def receive(self) -> bytes:
        """The bytes that have come; b"" when the client has gone."""
        ...

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SocketChannel:
    """A client over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        with contextlib.suppress(OSError):  # a Unix socket
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        return self._connection.fileno()

    def receive(self) -> bytes:
        return self._connection.recv(CHUNK)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def close(self) -> None:
        self._connection.close()


def turn_away(connection: socket.socket) -> None:
    """Tell a client that another one is served, in the reply to its first packet, which gdb shows.
    LLDB, whose first packet is QStartNoAckMode, would wait for ever after an error reply. So its
    connection is closed, which it reports."""
    with contextlib.suppress(OSError), connection:
        connection.settimeout(PATIENCE_S)
        data = b""
        while b"#" not in data:
            if not (more := connection.recv(CHUNK)):
                return
            data += more
        if b"$QStartNoAckMode" in data:
            return
        connection.sendall(b"+" + frame(BUSY))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(CHUNK):  # closing with unread bytes would discard the reply
            pass


class PipeChannel:
    """A client over standard input and output."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read, self._write = read_fd, write_fd

    def fileno(self) -> int:
        return self._read

    def receive(self) -> bytes:
        return os.read(self._read, CHUNK)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._write, data) :]

    def close(self) -> None:
        """Do nothing: the files are the caller's."""


def listen(text: str, say: Callable[[str], None] = log.warning) -> socket.socket:
    """A listening socket for [HOST:]PORT or unix:PATH. HostError if it can't be opened."""
    origin = f"--gdb {text}"
    if text.startswith(UNIX):
        return listen_unix(Path(text.removeprefix(UNIX)), origin)
    return listen_tcp(
        text, origin, "control this machine", say, expected=f"{ADDRESS}, or unix:PATH"
    )
