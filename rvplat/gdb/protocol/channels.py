"""How clients' bytes come and go: TCP, Unix sockets, standard input and output."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rvplat.errors import HostError
from rvplat.gdb.protocol.framing import frame

log = logging.getLogger("rvplat.gdb")
LOOPBACK = "127.0.0.1"
CHUNK = 1 << 18
UNIX = "unix:"
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


def parse_address(text: str) -> tuple[str, int]:
    """The host and port of [HOST:]PORT. Without a host it is the loopback interface."""
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise HostError(f"--gdb {text}: expected [HOST:]PORT with a port below 65536, or unix:PATH")
    return (host.strip("[]") if colon else LOOPBACK), int(port)


def listen(text: str, say: Callable[[str], None] = log.warning) -> socket.socket:
    """A listening socket for [HOST:]PORT or unix:PATH. HostError if it can't be opened."""
    if text.startswith(UNIX):
        return _listen_unix(Path(text.removeprefix(UNIX)))
    host, port = parse_address(text)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, port), family=family, backlog=1)
    except (TypeError, UnicodeError) as error:  # not the name of a host
        raise HostError(f"--gdb {text}: there is no host {host}") from error
    except OSError as error:
        code = error.errno or 0  # getaddrinfo's codes are negative
        problem = os.strerror(code) if code > 0 else f"there is no host {host}"
        raise HostError(f"--gdb {text}: {problem}") from error
    if host not in (LOOPBACK, "localhost", "::1"):
        say(f"--gdb {text}: everyone who can connect to {host} can control this machine")
    return server


def hang_up(listener: socket.socket) -> None:
    """Close a listening socket, and remove the file of a Unix socket."""
    name = listener.getsockname() if listener.fileno() >= 0 else ""
    listener.close()
    if isinstance(name, str) and name:
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _listen_unix(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            path.unlink()
        server.bind(str(path))
        server.listen(1)
    except OSError as error:
        server.close()
        raise HostError(f"--gdb unix:{path}: {os.strerror(error.errno or 0)}") from error
    return server
