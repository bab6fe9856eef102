"""Read whole files that the user names. Devices, folders and endless files are refused."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError, file_kind

#: No program, kernel, initrd or device tree is larger; a larger file is a mistake.
LARGEST_FILE: Final = 4 << 30
#: The limit for a pipe is lower, because its length is unknown before it is read.
LARGEST_PIPE: Final = 1 << 30
CHUNK: Final = 1 << 20


def read_file(path: Path, what: str, largest: int = LARGEST_FILE, why: str = "") -> bytes:
    """Read a regular file, or a pipe with a writer (a shell's `<(command)`), to its end.

    Args:
        path: the file.
        what: its purpose, for messages ("the kernel").
        largest: the most bytes that it may have; `why` is the reason, for the message.

    Raises:
        LoaderError: the file does not exist, can't be read, is empty, too large, or not a file.
    """
    try:
        status = path.stat()  # before the open: opening some devices has effects
        pipe = stat.S_ISFIFO(status.st_mode)
        if not pipe and (kind := file_kind(status.st_mode)):
            raise LoaderError(f"{path}: {what}: it is {kind}; expected a regular file")
        if status.st_size > largest:
            raise LoaderError(
                f"{path}: {what}: found {status.st_size} bytes, {_most(largest, why)}"
            )
        data = _contents(path, what, min(largest, LARGEST_PIPE) if pipe else largest)
    except OSError as error:
        raise LoaderError(f"{path}: {what}: {error.strerror or error}") from error
    except ValueError as error:  # a null byte in the name
        raise LoaderError(f"{str(path)!r}: {what}: {error}") from error
    except MemoryError as error:
        raise LoaderError(f"{path}: {what}: the host lacks the memory for the file") from error
    if not data:
        found = "the pipe has no writer" if pipe else "the file is empty"
        raise LoaderError(f"{path}: {what}: {found}")
    return data


def _contents(path: Path, what: str, largest: int) -> bytes:
    """The bytes of the file. A pipe without a writer is empty: the open does not wait for one."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        chunk = os.fstat(fd).st_size + 1 if stat.S_ISREG(os.fstat(fd).st_mode) else CHUNK
        parts: list[bytes] = []
        total = 0
        while part := _next(fd, max(chunk, CHUNK)):
            parts.append(part)
            total += len(part)
            if total > largest:
                raise LoaderError(f"{path}: {what}: it does not end, {_most(largest)}")
        return b"".join(parts)
    finally:
        os.close(fd)


def _next(fd: int, size: int) -> bytes:
    """The next bytes; empty at the end. Waits for data while a pipe has a writer."""
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:
            select.select([fd], [], [])


def _most(largest: int, why: str = "") -> str:
    return f"expected at most {largest} bytes{why}"
