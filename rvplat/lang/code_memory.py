"""Room for native code: its sections must be less than 2 GiB apart, as far as relocations reach.

LLVM maps each section where the host has room, from the top down; with large memories in between,
that is too far, and it aborts. So while it loads, the gaps above one that has room for all of it
are taken. This knows Linux; elsewhere nothing is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

ROOM = 64 << 20  # bytes: more than any code and what LLVM itself wants meanwhile
_NOT_OCCUPYING = 0x4000 | 0x20 | 0x02  # MAP_NORESERVE, MAP_ANONYMOUS, MAP_PRIVATE
_NOT_IN_THE_WAY = 0x10_0000  # MAP_FIXED_NOREPLACE
_FAILED = (1 << 64) - 1

Range = tuple[int, int]


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What is mapped inside lies together."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        yield
        return
    host = ctypes.CDLL(None)
    host.mmap.restype = ctypes.c_uint64
    host.mmap.argtypes = [ctypes.c_uint64, ctypes.c_uint64, *[ctypes.c_int] * 3, ctypes.c_int64]
    host.munmap.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
    room = host.mmap(0, ROOM, 0, _NOT_OCCUPYING, -1, 0)
    taken = [gap for gap in _gaps(room) if _take(host, gap)]
    if room != _FAILED:
        host.munmap(room, ROOM)
    try:
        yield
    finally:
        for start, size in taken:
            host.munmap(start, size)


def _take(host: ctypes.CDLL, gap: Range) -> bool:
    """Map a gap without any access; False if something is there by now."""
    flags = _NOT_OCCUPYING | _NOT_IN_THE_WAY
    found = host.mmap(*gap, 0, flags, -1, 0)
    if found not in (gap[0], _FAILED):  # a kernel that doesn't know the flag
        host.munmap(found, gap[1])
    return bool(found == gap[0])


def _gaps(above: int) -> list[Range]:
    """(address, bytes) of what is free above an address, but for where the stack grows."""
    used = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "[stack]" in line:
            break
        used.append([int(word, 16) for word in line.split(maxsplit=1)[0].split("-")])
    pairs = itertools.pairwise(used)
    return [(end, start - end) for (_, end), (start, _) in pairs if end > above and start > end]
