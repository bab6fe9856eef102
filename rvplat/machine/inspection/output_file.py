"""The files that a run writes: traces and profiles."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any, TextIO

from rvplat.errors import HostError


def open_output(path: Path, new: bool = False) -> TextIO:
    """Open a file to write text, or a pipe with a reader; `new`: the file must not exist.

    Raises:
        HostError: it can't be written.
    """
    return io.TextIOWrapper(open_binary(path, new), encoding="utf-8")


def open_binary(path: Path, new: bool = False) -> io.BufferedWriter:
    """As `open_output`, to write bytes."""
    try:
        raw = _OutputFile(path, "x" if new else "w", opener=_opened)
    except OSError as error:
        unread = error.errno == errno.ENXIO and path.is_fifo()
        problem = "the pipe has no reader" if unread else error.strerror
        raise HostError(f"{path}: {problem}") from None
    return io.BufferedWriter(raw)


def _opened(path: str, flags: int) -> int:
    """Open without waiting for a reader of a pipe."""
    fd = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(fd, True)
    return fd


class _OutputFile(io.FileIO):
    """A file whose write errors name it."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.name)) from None
