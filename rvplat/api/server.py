"""The API of one machine: its clients, its token and its events.

with Api(machine) as api:
    api.listen_unix(Path("api.sock"))
    api.control.run()
    stop = api.control.wait()
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from rvplat.api import (
    interfaces,
    methods,  # noqa: F401 (enters the methods)
)
from rvplat.api.console_feed import ConsoleFeed
from rvplat.api.control import Control
from rvplat.api.errors import NotNow
from rvplat.api.methods.harts import sample
from rvplat.api.methods.running import state_of
from rvplat.api.sockets import UnixListener
from rvplat.machine.backwards import HISTORY_BYTES, LEAST_BYTES
from rvplat.machine.machine import Machine

log = logging.getLogger("rvplat.api")
VERSION = 1
MOST_CLIENTS = 16
TOKEN_BYTES = 24
IDLE_S = 1.0  # between two looks whether somebody has subscribed
SHORTEST_S = 0.02  # between two samples


class Api:
    """Lets clients use a machine until `close`. `token`: what they must know; one is made if none
    is given. `folder`: where their snapshots are; the current one if none is given."""

    def __init__(
        self, machine: Machine, token: str | None = None, folder: Path | None = None
    ) -> None:
        self.machine = machine
        self.token = token or secrets.token_urlsafe(TOKEN_BYTES)
        self.folder = (folder or Path()).resolve()
        self.control = Control(machine, self._state_changed)
        self.snapshots: dict[str, Any] = {}  # those in memory, by name
        self._sessions: list[interfaces.Session] = []
        self._guard = threading.Lock()
        self._listeners: list[Any] = []
        self.places: list[str] = []
        """Where clients connect: "unix:PATH", "tcp:127.0.0.1:PORT"."""
        self._closed = threading.Event()
        self._wanted = threading.Event()
        self._keep_history()
        self._feed = ConsoleFeed(machine, self._console_wrote)
        self._ticker = threading.Thread(target=self._tick, name="api events", daemon=True)
        self._ticker.start()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _keep_history(self) -> None:
        """With a virtual clock, clients can go back in time, unless the board says otherwise."""
        machine, wanted = self.machine, self.machine.board.debug.history
        most = HISTORY_BYTES if wanted is None else wanted
        if most and machine.history is None and machine.turns.virtual is not None:
            machine.keep_history(max(most, LEAST_BYTES))

    def listen_unix(self, path: Path, origin: str = "") -> None:
        """Serve clients at a Unix socket. HostError if it can't be used."""
        self.add_listener(UnixListener(self, path, origin or f"unix:{path}"), f"unix:{path}")

    def listen_web(self, port: int = 0, origin: str = "", page: bool = False) -> int:
        """Serve clients at a websocket of the loopback interface, and the page if wanted. Port 0 is
        a free one; returns the port. HostError if it can't be used, or a package is missing."""
        from rvplat.api.websockets import WebListener

        made = WebListener(self, port, origin or f"tcp:{port}", page)
        self.add_listener(made, f"tcp:127.0.0.1:{made.port}")
        return made.port

    def add_listener(self, listener: Any, place: str) -> None:
        """Close this with the API. `place` is where clients connect."""
        self._listeners.append(listener)
        self.places.append(place)

    def close(self) -> None:
        """Disconnect every client. The machine stays as it is. A second call does nothing."""
        self._closed.set()
        self._wanted.set()
        if self.machine.history is not None:
            self.machine.history.cancel = True  # nobody waits for a way back any more
        for listener in self._listeners:
            listener.close()
        self._feed.close()
        for session in list(self._sessions):
            session.finish()
        self._ticker.join()

    # --- clients ---

    def greeting(self) -> dict[str, Any]:
        """The result of `hello`."""
        return {"version": VERSION, "board": self.machine.board.name,
                "harts": len(self.machine.harts), "state": state_of(self.control)}  # fmt: skip

    def joined(self, session: interfaces.Session) -> None:
        """A client has said the token. NotNow if there are too many."""
        with self._guard:
            if len(self._sessions) >= MOST_CLIENTS:
                raise NotNow(f"the machine has {MOST_CLIENTS} clients already")
            self._sessions.append(session)
            self.control.clients += 1

    def left(self, session: interfaces.Session) -> None:
        """A client's connection has ended."""
        with self._guard:
            if session not in self._sessions:
                return
            self._sessions.remove(session)
            self.control.client_gone()

    # --- events ---

    def _tell(self, event: str, params: Any) -> None:
        for session in tuple(self._sessions):
            session.notify(event, params)

    def _state_changed(self) -> None:
        self._tell("state", state_of(self.control))
        self._wanted.set()

    def _console_wrote(self, name: str, data: bytes) -> None:
        if self._sessions:
            self._tell("console", {"console": name, "data": data.hex()})

    def flush_consoles(self) -> None:
        """Send what has been written so far."""
        self._feed.flush()

    def subscribed(self) -> None:
        """A client has subscribed to something."""
        self._wanted.set()

    def _tick(self) -> None:
        """Send samples to those who want them: while the machine runs, and once when it stops."""
        told: dict[interfaces.Session, float] = {}
        was_running = True
        while not self._closed.is_set():
            wanting = [one for one in tuple(self._sessions) if "sample" in one.events]
            running = self.control.state == "running"
            now = time.monotonic()
            due = [one for one in wanting if now >= told.get(one, 0.0) + one.events["sample"]]
            if due and (running or was_running or any(one not in told for one in due)):
                self._send_samples(due)
                told = {one: told.get(one, now) for one in wanting} | dict.fromkeys(due, now)
            was_running = running
            periods = [one.events["sample"] for one in wanting] if running else []
            pause = max(min(periods, default=IDLE_S) - (time.monotonic() - now), SHORTEST_S)
            self._wanted.wait(pause)
            self._wanted.clear()

    def _send_samples(self, sessions: list[interfaces.Session]) -> None:
        try:
            found = self.control.still(lambda: sample(self.control))
        except NotNow as error:
            log.debug("no sample: %s", error)
            return
        for session in sessions:
            session.notify("sample", found)
