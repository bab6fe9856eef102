"""The files of disk images: how they are opened, locked and recognised."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rvplat.errors import DeviceError, file_kind
from rvplat.formats import ENOUGH_BYTES, Kind, recognise

SECTOR = 512
#: Part of the error message for an image that this user may only read.
READ_ONLY_HINT = (
    "; set readonly = true for the disk, or snapshot = true, which keeps what the guest writes "
    "until the machine closes (--set devices.virtio0.readonly=true)"
)


def open_locked(path: Path, flags: int, exclusive: bool) -> int:
    """Open and lock a file, which may be a block device of the host. DeviceError if that fails."""
    try:
        kind = file_kind(Path(path).stat().st_mode) if Path(path).exists() else ""
        if kind not in ("", "a block device"):
            raise DeviceError(f"disk image {path}: it is {kind}; expected a raw image, a file")
        fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        image = flags & os.O_RDWR and not flags & os.O_CREAT
        hint = READ_ONLY_HINT if image and _can_be_read(path) else ""
        raise DeviceError(f"disk image {path}: {reason}{hint}") from error
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise DeviceError(f"disk image {path}: locked: another machine uses it") from error
    return fd


def _can_be_read(path: Path) -> bool:
    """Whether a file that can't be written can be read."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def size_of(path: Path, fd: int) -> int:
    """The size of an image. DeviceError if it is not a multiple of the sector size."""
    size = os.lseek(fd, 0, os.SEEK_END)
    if size == 0 or size % SECTOR:
        os.close(fd)
        expected = f"expected a positive multiple of {SECTOR}"
        raise DeviceError(f"disk image {path}: {size} bytes, {expected}")
    return size


def refuse_containers(path: Path, fd: int) -> None:
    """Refuse an image that is not raw, such as a QCOW2 image or a compressed one. Formats that
    the guest may want to read from its disk, such as an ISO image or a tar, are accepted."""
    found = recognise(os.pread(fd, ENOUGH_BYTES, 0))
    if found and found.kind in (Kind.DISK, Kind.COMPRESSED, Kind.FLASH):
        os.close(fd)
        raise DeviceError(
            f"disk image {path}: {found}; if a raw disk just begins like that, set raw = true"
        )
