"""A process that can open no more files, and how often it tries to accept a client meanwhile."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

WATCHED_S = 0.3
MOST_TRIES = 100  # a loop that does not wait makes thousands


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """In this block the process can open no file and accept no connection."""
    most, hardest = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_file = os.dup(0)
    os.close(next_file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_file, hardest))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hardest))


def calm_without_files(one: socket.socket, place: Any) -> bool:
    """Connect a socket while the process can open no more files. Whether its server waits between
    two tries to accept it."""
    tries = 0
    accept = socket.socket.accept

    def counted(listener: socket.socket) -> Any:
        nonlocal tries
        tries += 1
        return accept(listener)

    with mock.patch.object(socket.socket, "accept", counted), no_more_files():
        one.connect(place)
        time.sleep(WATCHED_S)
    return 1 <= tries <= MOST_TRIES


def received(one: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer if the connection ends."""
    found = b""
    while len(found) < size and (more := one.recv(size - len(found))):
        found += more
    return found
