"""A console at a TCP port or a Unix socket. One client at a time; clients come and go.

A client may end its input and still want output, as `printf x | nc -N` does. At a TCP port nobody
can tell it from one that has gone, until output is sent to it. So it stays until that fails, and a
next client takes its place.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from rvplat.bus.console import Console
from rvplat.listening import PAUSE_S, accept, hang_up
from rvplat.machine.consoles.connection import (
    CHUNK,
    CROWDED_MS,
    PATIENCE_S,
    Hurried,
    ReadConnection,
    log,
)

BACKLOG = 8
DROPPED_KEPT = 8  # refused and disconnected clients whose connections are still open
GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class SocketConnection(ReadConnection):
    """A listening socket. Output goes to the client; while there is none, it is dropped."""

    def __init__(
        self, console: Console, name: str, listener: socket.socket, hurried: Hurried
    ) -> None:
        super().__init__(console, name, _where(listener), hurried)
        listener.setblocking(False)
        self._listener = listener
        self._client: socket.socket | None = None
        self._silent: socket.socket | None = None  # the last client that has ended its input
        self._guard = threading.Lock()  # while output is sent, the client isn't closed
        self._dropped: list[socket.socket] = []
        self.begin()

    def send(self, data: bytes) -> None:
        with self._guard:
            if self._is_free:
                self._take_in()  # if the thread has not done it yet
            client = self._client
            if client is None or self._reached(client, data):
                return
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            self._client = None
            self._dropped.append(client)
            self.wake()

    def _reached(self, client: socket.socket, data: bytes) -> bool:
        """Send output. False if the client has gone, or reads nothing."""
        try:
            if self.deliver(client.fileno(), client.send, data) or self._hurried():
                return True
        except OSError:
            return False
        log.warning(
            "console %s: the client at %s has read nothing for %g s: it was disconnected",
            self._name, self.where, PATIENCE_S,
        )  # fmt: skip
        return False

    @property
    def _is_free(self) -> bool:
        """Whether the next client is served: there is none, or its input has ended."""
        return self._client is None or self._client is self._silent

    def serve(self) -> None:
        client = self._client
        silent = client is not None and client is self._silent
        crowded = client is not None and not silent and self.is_crowded
        fds = [one.fileno() for one in self._dropped]
        if not self._is_leaving():
            fds.append(self._listener.fileno())
        if client is not None and not silent and not crowded:
            fds.append(client.fileno())
        ends = [client.fileno()] if client is not None and silent else []
        ready = self.ready(fds, CROWDED_MS if crowded else None, ends)
        if client is not None and client.fileno() in ready:
            self._read(client)
        for one in [one for one in self._dropped if one.fileno() in ready]:
            self._let_go(one)
        if self._listener.fileno() in ready:
            self._accept()

    def _is_leaving(self) -> bool:
        """Whether the client has closed its end. The next one waits until all that it has sent is
        read, so that a client that connects again at once is not refused."""
        client = self._client
        if client is None or client is self._silent:
            return False
        poll = select.poll()
        poll.register(client.fileno(), GONE)
        return bool(poll.poll(0))

    def _read(self, client: socket.socket) -> None:
        """Read input, or find that it has ended or that the client has gone."""
        try:
            data = client.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._forget(client)
            return
        if data:
            self.feed(data)
        elif client is self._silent:  # it has hung up
            self._forget(client)
        else:
            self._silent = client

    def _forget(self, client: socket.socket) -> None:
        with self._guard:
            if client is self._client:
                self._client = None
                client.close()

    def _accept(self) -> None:
        """Accept who has connected."""
        if self._is_free:
            with self._guard:
                if self._is_free:
                    self._take_in()
            if self._is_free:  # the process can open no more files
                self._pause(PAUSE_S)
        elif not self._is_leaving():
            another = accept(self._listener, self._pause)
            if another is not None:
                self._refuse(another)

    def _pause(self, time_s: float) -> None:
        self.ready([], int(time_s * 1000))

    def _take_in(self) -> None:
        """Accept the client that has connected, if there is one. The caller has the guard, so that
        nothing may wait here."""
        client = accept(self._listener, wait=lambda _: None)
        if client is None:
            return
        client.setblocking(False)
        with contextlib.suppress(OSError):  # a Unix socket
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._client is not None:
            self._dropped.append(self._client)  # the thread closes it, which may wait for it now
        self._client = client
        self.wake()  # the thread reads from it

    def _refuse(self, client: socket.socket) -> None:
        """Say why. The connection stays open until the client closes it: closing it with unread
        bytes would discard the line."""
        client.setblocking(False)
        line = f"rvplat: {self._name} has a client already, and serves one at a time\r\n"
        try:
            client.send(line.encode())
            client.shutdown(socket.SHUT_WR)
        except OSError:
            client.close()
            return
        self._dropped.append(client)
        if len(self._dropped) > DROPPED_KEPT:
            self._dropped.pop(0).close()

    def _let_go(self, dropped: socket.socket) -> None:
        """Discard what a dropped client sends; close the connection at its end."""
        try:
            if dropped.recv(CHUNK):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._dropped.remove(dropped)
        dropped.close()

    def release(self) -> None:
        with self._guard:
            hang_up(self._listener)
            client, self._client = self._client, None
        for one in (client, *self._dropped):
            if one is not None:
                one.close()


def _where(listener: socket.socket) -> str:
    name = listener.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"tcp:{host}:{name[1]}"
