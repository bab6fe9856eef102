"""Files of the host below one folder, for a guest.

A path is walked from the folder's own file descriptor, name by name, and no link is followed. So
nothing above the folder can be reached, whatever is renamed meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("rvplat.semihosting")

MOST_BYTES = 1 << 20  # of one read or write
MOST_TOLD = 10  # paths that are refused and named in the log
HERE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
WAYS = {"r": 0, "w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND}

Known = tuple[int, str, str]  #: number of the handle, name, mode


class Refused(Exception):
    """A call fails with this errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


class HostFolder:
    """The folder, or none. `owner` is the device's name, for the log."""

    def __init__(self, folder: Path | None, may_write: bool, owner: str) -> None:
        self.folder = folder
        self.may_write = may_write
        self._owner = owner
        self._open: dict[int, int] = {}
        self._told: set[str] = set()

    def forget(self) -> None:
        """Close all files."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def close(self, number: int) -> None:
        """Close a handle's file, if it is open."""
        if number in self._open:
            os.close(self._open.pop(number))

    # --- paths ---

    def _names(self, path: str) -> list[str]:
        """The names of a path, which must be relative and without ".."."""
        names = [one for one in path.split("/") if one not in ("", ".")]
        if path.startswith("/") or ".." in names or "\0" in path or not names:
            self._tell(path, "it is not below the folder")
            raise Refused(errno.EACCES)
        return names

    def _tell(self, path: str, why: str) -> None:
        if path not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(path)
            shown = path.encode("utf-8", "backslashreplace").decode()
            log.warning("%s: the guest asks for %r: refused, %s", self._owner, shown, why)

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that a path's last name is in, and that name."""
        if self.folder is None:
            self._tell(path, "no folder is named (devices.NAME.folder, --semihosting-files)")
            raise Refused(errno.EACCES)
        *folders, last = self._names(path)
        with _errors():
            fd = os.open(self.folder, HERE)
        try:
            for name in folders:
                with _errors():
                    inner = os.open(name, HERE | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = inner
            with _errors():
                yield fd, last
        finally:
            os.close(fd)

    def _must_write(self, path: str) -> None:
        if not self.may_write:
            self._tell(path, "the folder is read-only (devices.NAME.write, FOLDER:rw)")
            raise Refused(errno.EROFS)

    # --- files ---

    def open(self, number: int, path: str, mode: str, anew: bool = True) -> tuple[int, bytes]:
        """Open a file for a handle. `anew`: as fopen does; else it is still open for the guest."""
        writes = mode[0] != "r" or "+" in mode
        if writes:
            self._must_write(path)
        flags = (WAYS[mode[0]] if anew else 0) | FILE
        flags |= os.O_RDWR if "+" in mode else os.O_WRONLY if writes else os.O_RDONLY
        with self._parent(path) as (parent, name):
            fd = os.open(name, flags, 0o666, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Refused(errno.EACCES)
        self.close(number)
        self._open[number] = fd
        return number, b""

    def _file(self, known: Known) -> int:
        """The descriptor of a handle; its file is opened again after a snapshot was loaded."""
        number, path, mode = known
        if number not in self._open:
            self.open(number, path, mode, anew=False)
        return self._open[number]

    def read(self, known: Known, position: int, most: int) -> tuple[int, bytes]:
        """Bytes from a position on."""
        with _errors():
            return 0, os.pread(self._file(known), most, position)

    def write(self, known: Known, position: int, data: bytes) -> tuple[int, bytes]:
        """Write all of `data` at a position, or at the end if the mode says so; the position after
        it."""
        with _errors():
            fd = self._file(known)
            at = os.fstat(fd).st_size if known[2][0] == "a" else position
            view = memoryview(data)
            while view:
                done = os.pwrite(fd, view, at)
                view, at = view[done:], at + done
            return at, b""

    def length(self, known: Known) -> tuple[int, bytes]:
        """The length of a file."""
        with _errors():
            return os.fstat(self._file(known)).st_size, b""

    def remove(self, path: str) -> tuple[int, bytes]:
        """Remove a file."""
        self._must_write(path)
        with self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)
        return 0, b""

    def rename(self, old: str, new: str) -> tuple[int, bytes]:
        """Rename a file."""
        for path in (old, new):
            self._must_write(path)
        with self._parent(old) as (source, name), self._parent(new) as (target, new_name):
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        return 0, b""


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Errors of the host become errno for the guest. A link is no way out."""
    try:
        yield
    except OSError as error:
        raise Refused(errno.EACCES if error.errno == errno.ELOOP else error.errno or 5) from None
