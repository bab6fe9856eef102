"""Connects a console to a place on the host."""

from __future__ import annotations

import os
from pathlib import Path

from rvplat.bus.console import Console
from rvplat.errors import HostError
from rvplat.listening import listen_tcp, listen_unix
from rvplat.machine.consoles.connection import Connection, Hurried, log
from rvplat.machine.consoles.files import FileConnection
from rvplat.machine.consoles.places import Place
from rvplat.machine.consoles.pseudoterminal import PtyConnection
from rvplat.machine.consoles.sockets import BACKLOG, SocketConnection

POWER = "type into this console"


def connect(console: Console, name: str, place: Place, hurried: Hurried) -> Connection:
    """Connect. `name` is that of the console, for messages. HostError if the host refuses."""
    try:
        if place.kind == "pty":
            return PtyConnection(console, name, hurried)
        if place.kind == "file":
            return FileConnection(console, name, Path(place.rest), hurried)
    except OSError as error:
        raise HostError(f"{place.origin}: {os.strerror(error.errno or 0)}") from error
    if place.kind == "unix":
        listener = listen_unix(Path(place.rest), place.origin, BACKLOG)
    else:
        listener = listen_tcp(place.rest, place.origin, POWER, log.warning, BACKLOG)
    return SocketConnection(console, name, listener, hurried)
