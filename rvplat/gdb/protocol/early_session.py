"""Keeps a debugger waiting while its board is built, which takes long if native code is compiled.

gdb gives up if nothing comes for some seconds. It ignores notifications that it doesn't know, and
waits on (GDB manual, "Notification Packets"). So one is sent twice a second. The packets that gdb
has sent are left unread until the board is built.

    with EarlySession(listener) as lobby:
        machine = ...
    Server(machine, listener).serve(lobby.client)
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from rvplat.gdb.protocol.channels import Channel, SocketChannel, turn_away
from rvplat.gdb.protocol.framing import frame
from rvplat.listening import accept, hang_up

EVERY_S = 0.5  # gdb waits for 2 s
PLEASE_WAIT = frame(b"Building", b"%")


class EarlySession:
    """Inside `with` a thread keeps the client waiting. `client` is the one that is given, or the
    first one that connects to the listener; later ones are turned away. An exception inside `with`
    closes the connection."""

    def __init__(
        self, listener: socket.socket | None = None, client: Channel | None = None
    ) -> None:
        self.client = client
        self.listener = listener
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="gdb-lobby", daemon=True)

    def __enter__(self) -> EarlySession:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self._done.set()
        self._thread.join()
        if kind is None:
            return
        if self.client is not None:
            self.client.close()
        if self.listener is not None:
            hang_up(self.listener)

    def _wait(self) -> None:
        while not self._done.wait(EVERY_S):
            self._let_in()
            if self.client is not None:
                with contextlib.suppress(OSError):  # it has gone: the server will notice
                    self.client.send(PLEASE_WAIT)

    def _let_in(self) -> None:
        listener = self.listener
        while listener is not None and select.select([listener], [], [], 0)[0]:
            connection = accept(listener)
            if connection is None:
                return  # it may come in later
            if self.client is None:
                self.client = SocketChannel(connection)
            else:
                threading.Thread(target=turn_away, args=[connection], daemon=True).start()
