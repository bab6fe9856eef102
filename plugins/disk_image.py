"""Disk images: a raw file, and a copy-on-write overlay on one.

All data written before `flush` returned is durable: it survives a crash of this process or of the
host. Each file is locked (`flock`), so that two machines never write to one image. If a file is
truncated or deleted while it is used, accesses raise OSError; there are no short reads.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from rvplat_plugins.image_files import open_locked, refuse_containers, size_of
from rvplat_plugins.virtqueue import Views, length

from rvplat.errors import DeviceError

IOV_MAX = os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in os.sysconf_names else 16
_sync = getattr(os, "fdatasync", os.fsync)


class Disk(Protocol):
    """What a block device needs of an image. An access is complete, or it raises OSError."""

    size: int

    def read(self, offset: int, views: Views) -> None:
        """Fill `views` from the bytes at `offset`."""

    def write(self, offset: int, views: Views) -> None:
        """Write `views` at `offset`."""

    def read_into(self, offset: int, buffers: Buffers) -> None:
        """Fill a guest's memory from the bytes at `offset`."""

    def write_from(self, offset: int, buffers: Buffers) -> None:
        """Write a guest's memory at `offset`."""

    def host_file(self) -> int:
        """The file that has exactly the bytes of the disk, as long as it is whole; -1: none."""

    def capture(self) -> dict[int, bytes]:
        """What was written since the base, by cluster; the caller doesn't change it. DeviceError
        if that is not known, because the image itself is written."""

    def restore(self, clusters: Mapping[int, bytes]) -> None:
        """Put back what `capture` returned."""

    def flush(self) -> None:
        """Make all written data durable."""

    def close(self) -> None:
        """Close the files."""


class Buffers:
    """Memory of a guest: `count` pairs of host address and bytes at the host address `iov`, `size`
    bytes in all."""

    def __init__(self, iov: int, count: int, size: int) -> None:
        self.iov = iov
        self.count = count
        self.size = size

    @cached_property
    def views(self) -> Views:
        """The memory as views."""
        pairs = (ctypes.c_uint64 * (2 * self.count)).from_address(self.iov)
        return [
            memoryview((ctypes.c_ubyte * size).from_address(host)).cast("B")
            for host, size in zip(pairs[::2], pairs[1::2], strict=True)
            if size
        ]


def cut(views: Views, start: int, end: int) -> Views:
    """The bytes from `start` to `end` of a list of views."""
    parts = []
    at = 0
    for view in views:
        low, high = max(start - at, 0), min(end - at, len(view))
        if low < high:
            parts.append(view[low:high])
        at += len(view)
    return parts


def read_all(fd: int, offset: int, views: Views) -> None:
    """Fill the views from a file; OSError if it is too short."""
    total, done = length(views), 0
    while done < total:
        count = os.preadv(fd, cut(views, done, total)[:IOV_MAX], offset + done)
        if count == 0:
            raise OSError(errno.EIO, "the image is shorter than it was")
        done += count


def write_all(fd: int, offset: int, views: Views) -> None:
    """Write all of the views to a file."""
    total, done = length(views), 0
    while done < total:
        done += os.pwritev(fd, cut(views, done, total)[:IOV_MAX], offset + done)


def _host_call(name: str) -> Any:
    """preadv(2) or pwritev(2), which take (fd, iov, count, offset) and return a number of bytes."""
    call: Any = getattr(ctypes.CDLL(None), name)
    call.restype = ctypes.c_ssize_t
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64]
    return call


_preadv, _pwritev = _host_call("preadv"), _host_call("pwritev")
#: Host addresses of preadv and pwritev, for definitions.
PREADV, PWRITEV = (ctypes.cast(call, ctypes.c_void_p).value or 0 for call in (_preadv, _pwritev))


class RawImage:
    """A file whose bytes are the disk's."""

    def __init__(self, path: Path, readonly: bool = False, raw: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self.fd = open_locked(path, os.O_RDONLY if readonly else os.O_RDWR, not readonly)
        if not raw:
            refuse_containers(path, self.fd)
        self.size = size_of(path, self.fd)

    def read(self, offset: int, views: Views) -> None:
        read_all(self.fd, offset, views)

    def write(self, offset: int, views: Views) -> None:
        self._check_there()
        write_all(self.fd, offset, views)

    def read_into(self, offset: int, buffers: Buffers) -> None:
        if _preadv(self.fd, buffers.iov, buffers.count, offset) != buffers.size:
            self.read(offset, buffers.views)  # the rest, or the error

    def write_from(self, offset: int, buffers: Buffers) -> None:
        self._check_there()
        if _pwritev(self.fd, buffers.iov, buffers.count, offset) != buffers.size:
            write_all(self.fd, offset, buffers.views)

    def host_file(self) -> int:
        try:
            self._check_there()
        except OSError:
            return -1
        return self.fd

    def capture(self) -> dict[int, bytes]:
        if not self.readonly:
            raise DeviceError(
                f"the guest writes to its image, {self.path}, itself: set snapshot = true for the "
                "disk, which keeps what the guest writes apart, or overlay = FILE"
            )
        return {}

    def restore(self, clusters: Mapping[int, bytes]) -> None:
        if clusters or not self.readonly:
            raise DeviceError("the disk can't take what the guest wrote: set snapshot = true")

    def flush(self) -> None:
        if not self.readonly:
            self._check_there()
            _sync(self.fd)

    def close(self) -> None:
        os.close(self.fd)

    def _check_there(self) -> None:
        """OSError for a truncated or deleted file: a write would extend it, or be lost."""
        now = os.fstat(self.fd)
        if now.st_size < self.size or now.st_nlink == 0:
            raise OSError(errno.EIO, "the image was cut short or deleted")


class Overlay:
    """A base image that is never written, and a sparse file with the clusters that were written.

    The file has a header of one cluster (magic, size of the base), a bitmap of the clusters that it
    holds, padded to whole clusters, and then each cluster at its place. `flush` writes the data
    before the bitmap, so that the bitmap on disk never names a cluster whose data is missing.
    """

    MAGIC = b"rvplat overlay 1"
    HEADER = struct.Struct("<16sQ")
    CLUSTER = 4096

    def __init__(self, base: RawImage, path: Path | None) -> None:
        self.base = base
        self.size = base.size
        clusters = -(-self.size // self.CLUSTER)
        self.bitmap = bytearray(-(-clusters // 8 // self.CLUSTER) * self.CLUSTER)
        self.dirty: set[int] = set()  # changed pages of the bitmap
        self.data = self.CLUSTER + len(self.bitmap)
        self.path = path
        self.fd = self._open(path)
        self.kept: dict[int, bytes] = {}  # the clusters at the last `capture` or `restore`
        self.changed = {n for n in range(clusters) if self.holds(n)} if path is not None else set()

    def _open(self, path: Path | None) -> int:
        """Open or make the overlay's file; without a path, a temporary file without a name."""
        if path is None:
            import tempfile  # few starts need it

            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        else:
            fd = open_locked(path, os.O_RDWR | os.O_CREAT, exclusive=True)
        wanted = self.HEADER.pack(self.MAGIC, self.size)
        try:
            header = os.pread(fd, len(wanted), 0)
            if not header:
                os.ftruncate(fd, self.data + self.size)
                os.pwrite(fd, wanted, 0)
            elif header != wanted:
                raise DeviceError(f"overlay {path}: not made for this image of {self.size} bytes")
            read_all(fd, self.CLUSTER, [memoryview(self.bitmap)])
        except OSError as error:
            os.close(fd)
            raise DeviceError(f"overlay {path}: {error.strerror or error}") from error
        except DeviceError:
            os.close(fd)
            raise
        return fd

    def holds(self, cluster: int) -> bool:
        """Whether the overlay has a cluster."""
        return bool(self.bitmap[cluster >> 3] >> (cluster & 7) & 1)

    def mark(self, cluster: int) -> None:
        """Note that the overlay has a cluster."""
        self.bitmap[cluster >> 3] |= 1 << (cluster & 7)
        self.dirty.add((cluster >> 3) // self.CLUSTER)

    def unmark(self, cluster: int) -> None:
        """Note that the base has a cluster."""
        self.bitmap[cluster >> 3] &= ~(1 << (cluster & 7))
        self.dirty.add((cluster >> 3) // self.CLUSTER)

    def runs(self, offset: int, size: int) -> Iterator[tuple[int, int, bool]]:
        """Cut a range into parts that lie in one file: start, end, whether it is the overlay."""
        start, end = offset, offset + size
        while start < end:
            held = self.holds(start // self.CLUSTER)
            stop = start
            while stop < end and self.holds(stop // self.CLUSTER) == held:
                stop = (stop // self.CLUSTER + 1) * self.CLUSTER
            yield start, min(stop, end), held
            start = stop

    def read(self, offset: int, views: Views) -> None:
        for start, end, held in self.runs(offset, length(views)):
            parts = cut(views, start - offset, end - offset)
            if held:
                read_all(self.fd, self.data + start, parts)
            else:
                self.base.read(start, parts)

    def write(self, offset: int, views: Views) -> None:
        end = offset + length(views)
        first, last = offset // self.CLUSTER, -(-end // self.CLUSTER)
        for cluster in {first, last - 1}:
            start, stop = cluster * self.CLUSTER, min((cluster + 1) * self.CLUSTER, self.size)
            if (start < offset or stop > end) and not self.holds(cluster):
                kept = memoryview(bytearray(stop - start))
                self.base.read(start, [kept])
                write_all(self.fd, self.data + start, [kept])
        write_all(self.fd, self.data + offset, views)
        self.changed.update(range(first, last))
        for cluster in range(first, last):
            if not self.holds(cluster):
                self.mark(cluster)

    def read_into(self, offset: int, buffers: Buffers) -> None:
        self.read(offset, buffers.views)

    def write_from(self, offset: int, buffers: Buffers) -> None:
        self.write(offset, buffers.views)

    def span(self, cluster: int) -> tuple[int, int]:
        """The first byte and the size of a cluster. The last may be a part of one."""
        start = cluster * self.CLUSTER
        return start, min(self.CLUSTER, self.size - start)

    def capture(self) -> dict[int, bytes]:
        for cluster in self.changed:
            start, size = self.span(cluster)
            data = bytearray(size)
            read_all(self.fd, self.data + start, [memoryview(data)])
            self.kept[cluster] = bytes(data)
        self.changed = set()
        return dict(self.kept)

    def restore(self, clusters: Mapping[int, bytes]) -> None:
        """Write the clusters that differ. The others are the same objects as in `kept`."""
        for cluster, data in clusters.items():
            if not 0 <= cluster * self.CLUSTER < self.size or len(data) != self.span(cluster)[1]:
                raise DeviceError(f"cluster {cluster} of {len(data)} bytes is not of this disk")
        names = {*self.kept, *clusters}
        differ = {n for n in names if self.kept.get(n) is not clusters.get(n)}
        for cluster in self.changed | differ:
            if (found := clusters.get(cluster)) is None:
                self.unmark(cluster)
                continue
            write_all(self.fd, self.data + self.span(cluster)[0], [memoryview(found)])
            self.mark(cluster)
        self.kept, self.changed = dict(clusters), set()

    def host_file(self) -> int:
        return -1

    def flush(self) -> None:
        if self.path is None:
            return
        _sync(self.fd)
        for page in sorted(self.dirty):
            at = page * self.CLUSTER
            os.pwrite(self.fd, self.bitmap[at : at + self.CLUSTER], self.CLUSTER + at)
        if self.dirty:
            _sync(self.fd)
        self.dirty.clear()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            os.close(self.fd)
            self.base.close()


def open_disk(
    image: Path, readonly: bool, overlay: Path | None, snapshot: bool, raw: bool = False
) -> Disk:
    """Open the disk that a board's settings describe."""
    if overlay is not None and snapshot:
        raise DeviceError(f"disk image {image}: set overlay or snapshot, not both")
    if overlay is None and not snapshot:
        return RawImage(image, readonly, raw)
    if overlay is not None and Path(overlay).exists() and Path(overlay).samefile(image):
        raise DeviceError(f"disk image {image}: the overlay is the image itself; name another file")
    base = RawImage(image, readonly=True, raw=raw)
    try:
        return Overlay(base, overlay)
    except BaseException:
        base.close()
        raise
