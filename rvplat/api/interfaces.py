"""What the API's methods and transports use of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from rvplat.api.control import Control
from rvplat.machine.machine import Machine


class Served(Protocol):
    """The API of a machine (server.py). `snapshots` are those in memory, with their places;
    `folder` has those in files."""

    machine: Machine
    control: Control
    token: str
    snapshots: dict[str, tuple[Any, int]]
    folder: Path

    def flush_consoles(self) -> None: ...

    def subscribed(self) -> None: ...

    def greeting(self) -> dict[str, Any]: ...

    def joined(self, session: Session) -> None: ...

    def left(self, session: Session) -> None: ...


class Session(Protocol):
    """A client (session.py). `events`: what it has subscribed to, and how often in seconds."""

    events: dict[str, float]

    @property
    def api(self) -> Served: ...

    def notify(self, event: str, params: object) -> None:
        """Send an event, if the client has subscribed to it."""

    def finish(self) -> None:
        """Send what is queued, then end the connection."""
