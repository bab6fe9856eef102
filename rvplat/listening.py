"""Listening sockets for clients on this host: TCP ports and Unix sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from rvplat.errors import HostError

LOOPBACK = "127.0.0.1"
UNIX = "unix:"
ADDRESS = "[HOST:]PORT with a port below 65536"
PROBE_S = 1.0  # how long a server at a Unix socket may take to accept
PAUSE_S = 0.05  # after a client that could not be accepted


def parse_address(text: str, origin: str, expected: str) -> tuple[str, int]:
    """The host and port of [HOST:]PORT. Without a host it is the loopback interface. `origin` is
    what the user wrote, `expected` what it should have been, for the HostError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise HostError(f"{origin}: expected {expected}")
    return host.strip("[]") or LOOPBACK, int(port)


def listen_tcp(
    text: str, origin: str, power: str, say: Callable[[str], None], backlog: int = 1,
    expected: str = ADDRESS,
) -> socket.socket:  # fmt: skip
    """A listening socket for [HOST:]PORT; port 0 is a free one. `power` is what a client can do,
    for the warning if others than this host can connect. HostError if it can't be opened."""
    host, port = parse_address(text, origin, expected)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, port), family=family, backlog=backlog)
    except (TypeError, UnicodeError) as error:  # not the name of a host
        raise HostError(f"{origin}: there is no host {host}") from error
    except OSError as error:
        code = error.errno or 0  # getaddrinfo's codes are negative
        problem = os.strerror(code) if code > 0 else f"there is no host {host}"
        raise HostError(f"{origin}: {problem}") from error
    if host not in (LOOPBACK, "localhost", "::1"):
        say(f"{origin}: everyone who can connect to {host} can {power}")
    return server


def listen_unix(path: Path, origin: str, backlog: int = 1) -> socket.socket:
    """A listening Unix socket, for this user only. A socket whose server has gone is replaced.

    Raises:
        HostError: the path can't be used, or another process serves it.
    """
    server = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            if is_served(path):
                raise HostError(f"{origin}: another process serves this socket")
            path.unlink()
        elif path.exists():
            raise HostError(f"{origin}: the file exists, and is no socket")
        server.bind(str(path))
        path.chmod(0o600)  # before `listen`, so that nobody has connected
        server.listen(backlog)
    except HostError:
        server.close()
        raise
    except OSError as error:
        server.close()
        raise HostError(f"{origin}: {error.strerror or error}") from error
    return server


def accept(
    listener: socket.socket, wait: Callable[[float], object] = time.sleep
) -> socket.socket | None:
    """The client that has connected. None if that fails, as it does while the process can open no
    more files. Then it has waited for PAUSE_S: the client is still there, and whoever looks again
    at once would use all of a CPU."""
    try:
        return listener.accept()[0]
    except OSError:
        wait(PAUSE_S)
        return None


def is_served(path: Path) -> bool:
    """Whether a process listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it exists, and is busy
            return True
        return True


def hang_up(listener: socket.socket) -> None:
    """Close a listening socket, and remove the file of a Unix socket."""
    name = listener.getsockname() if listener.fileno() >= 0 else ""
    listener.close()
    if isinstance(name, str) and name:
        with contextlib.suppress(OSError):
            Path(name).unlink()
