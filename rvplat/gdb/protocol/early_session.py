"""Where a debugger waits while its board is built, which takes long where native code is compiled.

gdb gives up when nothing comes for some seconds. A notification that it doesn't know makes it wait
on (GDB manual, "Notification Packets": unknown ones are ignored), so one is sent now and then; the
packets that it has sent stay where they are until the board is there.

    with Lobby(listener) as lobby:
        machine = ...
    Server(machine, listener).serve(lobby.client)
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from rvplat.gdb.protocol.channels import Channel, SocketChannel, hang_up, turn_away
from rvplat.gdb.protocol.framing import frame

EVERY_S = 0.5  # gdb waits for 2 s
PLEASE_WAIT = frame(b"Building", b"%")


class Lobby:
    """`client`: who is there from the start, or came to the listener; who comes later is turned
    away. Inside `with` it is kept waiting, in a thread. An exception there hangs up."""

    def __init__(
        self, listener: socket.socket | None = None, client: Channel | None = None
    ) -> None:
        self.client = client
        self.listener = listener
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="gdb-lobby", daemon=True)

    def __enter__(self) -> Lobby:
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
                with contextlib.suppress(OSError):  # it has gone: the server will see
                    self.client.send(PLEASE_WAIT)

    def _let_in(self) -> None:
        listener = self.listener
        while listener is not None and select.select([listener], [], [], 0)[0]:
            connection, _ = listener.accept()
            if self.client is None:
                self.client = SocketChannel(connection)
            else:
                threading.Thread(target=turn_away, args=[connection], daemon=True).start()
