"""The API at a Unix socket: a message is a line of JSON."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from rvplat.api.door import Door, cut
from rvplat.api.interfaces import Served
from rvplat.api.session import LONGEST, Session
from rvplat.listening import hang_up, listen_unix

CHUNK = 1 << 16
HELLO_S = 10.0  # how long a client may take to say the token
BACKLOG = 16
MOST_STRANGERS = 32  # connections that have not said the token


class UnixListener:
    """A Unix socket for this user only, and a thread for each client."""

    def __init__(self, api: Served, path: Path, origin: str) -> None:
        self._api = api
        self._door = Door(listen_unix(path, origin, BACKLOG))
        self._strangers = threading.Semaphore(MOST_STRANGERS)
        self._number = 0
        self._thread = threading.Thread(target=self._accept, name="api unix", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:  # the door is closed
                return
            if not self._strangers.acquire(blocking=False):
                connection.close()
                continue
            self._number += 1
            name = f"unix {self._number}"
            serve = threading.Thread(target=self._serve, args=[connection, name], daemon=True)
            serve.start()

    def _serve(self, connection: socket.socket, name: str) -> None:
        session = Session(
            self._api, lambda text: connection.sendall(text.encode() + b"\n"),
            lambda: cut(connection), name,
        )  # fmt: skip
        connection.settimeout(HELLO_S)
        try:
            self._converse(connection, session)
        except OSError:
            session.close()
        else:
            session.finish()
        finally:
            if not session.is_known:
                self._strangers.release()
            connection.close()

    def _converse(self, connection: socket.socket, session: Session) -> None:
        """Serve the lines of a client until it goes, or is sent away."""
        data, known = bytearray(), False
        while more := connection.recv(CHUNK):
            begin = len(data)
            data += more
            while (end := data.find(b"\n", begin)) >= 0:
                line = bytes(data[:end])
                del data[: end + 1]
                begin = 0
                if line.strip() and not session.receive(line):
                    return
            if len(data) > LONGEST:
                session.receive(bytes(data))
                return
            if session.is_known and not known:
                known = True
                connection.settimeout(None)
                self._strangers.release()

    def close(self) -> None:
        """Accept nobody any more."""
        self._door.shut()
        self._thread.join(1.0)
        hang_up(self._door)
