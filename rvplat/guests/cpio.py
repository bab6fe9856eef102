"""Writes cpio archives in the "newc" format, which Linux accepts as an initramfs.

Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. Every entry consists of a
header of thirteen fields with eight hexadecimal digits each, the name with a final NUL, and the
data. Name and data are padded to four bytes. The archive contains no date and no inode number of
the host, so equal contents give equal bytes.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


@dataclass
class CpioArchive:
    """Entries, in the order in which they are added. `dump()` returns the archive's bytes."""

    _chunks: list[bytes] = field(default_factory=list)
    _inode: int = 0

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Add a directory. Its parents must have been added before it."""
        self._entry(name, stat.S_IFDIR | mode, b"", links=2)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file with these contents."""
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link to `target`."""
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a device node (which needs no root here, unlike in a file system)."""
        self._entry(name, stat.S_IFCHR | mode, b"", device=(major, minor))

    def dump(self) -> bytes:
        """The archive with its trailer, padded to 512 bytes, as by cpio."""
        trailer = _record(_TRAILER, b"", (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0))
        whole = b"".join([*self._chunks, trailer])
        return whole + bytes(-len(whole) % 512)

    def _entry(
        self, name: str, mode: int, data: bytes, links: int = 1, device: tuple[int, int] = (0, 0)
    ) -> None:
        self._inode += 1
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor
        fields = (self._inode, mode, 0, 0, links, 0, len(data), 0, 0, *device)
        self._chunks.append(_record(name, data, fields))


def _record(name: str, data: bytes, fields: tuple[int, ...]) -> bytes:
    encoded = name.encode() + b"\0"
    numbers = (*fields, len(encoded), 0)  # namesize, check (unused in newc)
    header = _MAGIC + b"".join(b"%08x" % number for number in numbers) + encoded
    return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)
