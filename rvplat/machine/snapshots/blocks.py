"""The outer form of a snapshot's file: blocks, and an index that says where they are.

    bytes 0-15     "rvplat snapshot\\n"
    16-19          number of the format
    24-31, 32-39   offset and size of the index
    40-71          BLAKE2b digest of the index
    72-            the blocks: zstd frames with checksums, of at most BLOCK bytes each
    then           the index: JSON; its "blocks" has offset, stored size and size of each block

A number of the format stands for the meaning of all of it. All numbers are little-endian.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from rvplat.bus.images import most_threads
from rvplat.errors import SnapshotError

MAGIC = b"rvplat snapshot\n"
FORMAT = 1
HEADER = struct.Struct("<16sIIQQ32s")
BLOCK = 4 << 20
LARGEST_INDEX = 256 << 20
LEVEL = 1
_AHEAD = 4  # blocks for each thread that are read or compressed before they are needed


def is_snapshot(path: Path) -> bool:
    """Whether a file begins as a snapshot does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)


class Writer:
    """Writes a file beside `path`. `finish` puts it in its place; without it the old file stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self.blocks: list[tuple[int, int, int]] = []
        self._file: BinaryIO = self.beside.open("wb")
        self._file.write(bytes(HEADER.size))
        self._at = HEADER.size

    def put(self, parts: Iterable[bytes]) -> list[int]:
        """Compress parts of at most BLOCK bytes, in threads, and write them. Their numbers."""
        first = len(self.blocks)
        waiting: deque[tuple[int, Future[bytes]]] = deque()
        with ThreadPoolExecutor(most_threads()) as pool:
            for part in parts:
                waiting.append((len(part), pool.submit(_compressed, part)))
                if len(waiting) > _AHEAD * most_threads():
                    self._write(*waiting.popleft())
            while waiting:
                self._write(*waiting.popleft())
        return list(range(first, len(self.blocks)))

    def _write(self, size: int, frame: Future[bytes]) -> None:
        stored = frame.result()
        self._file.write(stored)
        self.blocks.append((self._at, len(stored), size))
        self._at += len(stored)

    def finish(self, index: dict[str, Any]) -> None:
        """Write the index and the header, and put the file in its place."""
        data = json.dumps({**index, "blocks": self.blocks}, separators=(",", ":")).encode()
        self._file.write(data)
        digest = hashlib.blake2b(data, digest_size=32).digest()
        self._file.seek(0)
        self._file.write(HEADER.pack(MAGIC, FORMAT, 0, self._at, len(data), digest))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.beside.replace(self.path)

    def abandon(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.beside.unlink(missing_ok=True)


class Reader:
    """Reads a file.

    Raises:
        SnapshotError: it is not a snapshot, of a newer format, torn or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise SnapshotError(f"{path}: {error.strerror}") from None
        try:
            self.index = self._read_index()
            self.blocks = self._checked_blocks()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_index(self) -> dict[str, Any]:
        header = self._file.read(HEADER.size)
        if not header.startswith(MAGIC):
            raise SnapshotError(f"{self.path}: it is not a snapshot of rvplat")
        if len(header) < HEADER.size:
            raise self.torn()
        _, form, _, at, size, digest = HEADER.unpack(header)
        if form > FORMAT:
            raise SnapshotError(
                f"{self.path}: a snapshot of a newer rvplat: its format is {form}, and this "
                f"version reads up to {FORMAT}"
            )
        if at + size > self._size or size > LARGEST_INDEX or not size:
            raise self.torn()
        data = os.pread(self._file.fileno(), size, at)
        if hashlib.blake2b(data, digest_size=32).digest() != digest:
            raise self.damaged("its index")
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise self.damaged("its index") from None
        if not isinstance(found, dict):
            raise self.damaged("its index")
        return found

    def _checked_blocks(self) -> list[tuple[int, int, int]]:
        """The blocks, each within the file."""
        try:
            found = [(int(at), int(stored), int(size)) for at, stored, size in self.index["blocks"]]
        except (KeyError, TypeError, ValueError):
            raise self.damaged("its index") from None
        for at, stored, size in found:
            if at < HEADER.size or stored < 0 or at + stored > self._size or not 0 <= size <= BLOCK:
                raise self.torn()
        return found

    def sizes(self, numbers: Sequence[int]) -> list[tuple[int, int]]:
        """Blocks, each with its size. SnapshotError if they need more memory than there is: a file
        may lie, and a short block may stand for many bytes."""
        if not all(isinstance(one, int) and 0 <= one < len(self.blocks) for one in numbers):
            raise self.damaged("its index")
        found = [(number, self.blocks[number][2]) for number in numbers]
        total = sum(size for _, size in found)
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if total > there // 4 * 3:
            raise SnapshotError(f"{self.path}: it needs {total:#x} bytes; the host has {there:#x}")
        return found

    def get(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The contents of blocks, decompressed in threads. Raises as `sizes`, and as `block`."""
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(most_threads()) as pool:
            for number, _ in self.sizes(numbers):
                waiting.append(pool.submit(self.block, number))
                if len(waiting) > _AHEAD * most_threads():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def block(self, number: int) -> bytes:
        """The contents of a block. SnapshotError if it is damaged, or can't be read any more."""
        at, stored, size = self.blocks[number]
        try:
            data = os.pread(self._file.fileno(), stored, at)
            if zstandard.frame_content_size(data) != size:
                raise self.damaged(f"block {number}")
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
        except zstandard.ZstdError:
            raise self.damaged(f"block {number}") from None
        except OSError as error:
            raise SnapshotError(f"{self.path}: {error.strerror}") from None

    def torn(self) -> SnapshotError:
        """The error for a file that ends early."""
        return SnapshotError(f"{self.path}: a torn snapshot: it ends early")

    def damaged(self, what: str) -> SnapshotError:
        """The error for a part whose checksum or form is wrong."""
        return SnapshotError(f"{self.path}: a damaged snapshot: {what} is not as it was written")
