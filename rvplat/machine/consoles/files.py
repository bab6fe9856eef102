"""A console whose output goes to a file."""

from __future__ import annotations

import threading
from pathlib import Path

from rvplat.bus.console import Console
from rvplat.errors import HostError
from rvplat.machine.consoles.connection import Connection, Hurried


class FileConnection(Connection):
    """A file, which is written anew. It gives the guest no input."""

    has_input = False

    def __init__(self, console: Console, name: str, path: Path, hurried: Hurried) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._guard = threading.Lock()  # while output is written, the file isn't closed
        super().__init__(console, name, f"file:{path}", hurried)
        self.begin()

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            with self._guard:
                while view and not self._file.closed:
                    view = view[self._file.write(view) or 0 :]
        except OSError as error:  # a full disk: the run ends
            raise HostError(f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        super().close()
        with self._guard:
            self._file.close()
