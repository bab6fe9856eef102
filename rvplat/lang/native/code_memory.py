"""Memory for native code. Its sections must be less than 2 GiB apart, the range of relocations.

LLVM maps each section where the host has room, from the top down. With large mappings in between,
sections get too far apart, and LLVM aborts. So while LLVM loads code, this module maps all gaps
above one that has room for all sections. This is done only on Linux.

Memory that is unmapped meanwhile opens a new gap. So Python's garbage collector is stopped, the
objects that were allocated to find the gaps are kept (Python unmaps an arena after its last object
is freed), and only one thread loads at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOM = 64 << 20  # bytes: more than any code, and what LLVM allocates meanwhile
_NOT_OCCUPYING = 0x4000 | 0x20 | 0x02  # MAP_NORESERVE, MAP_ANONYMOUS, MAP_PRIVATE
_NOT_IN_THE_WAY = 0x10_0000  # MAP_FIXED_NOREPLACE
_FAILED = (1 << 64) - 1
_ROUNDS = 8  # each reads the list of mappings, which itself allocates memory

Range = tuple[int, int]
_loading = threading.Lock()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A context in which new mappings are close together."""
    with _loading:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield from _in_one_gap()
        finally:
            if collects:
                gc.enable()


def _in_one_gap() -> Iterator[None]:
    """Yield while every gap above the one with room is mapped."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        yield
        return
    host = ctypes.CDLL(None)
    host.mmap.restype = ctypes.c_uint64
    host.mmap.argtypes = [ctypes.c_uint64, ctypes.c_uint64, *[ctypes.c_int] * 3, ctypes.c_int64]
    host.munmap.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
    room = host.mmap(0, ROOM, 0, _NOT_OCCUPYING, -1, 0)
    taken: list[Range] = []
    kept = []  # until all is loaded
    for _ in range(_ROUNDS):
        kept.append(_used())
        found = [gap for gap in _gaps(kept[-1], room) if _take(host, gap)]
        kept.append(found)
        if not found:
            break
        taken += found
    if room != _FAILED:
        host.munmap(room, ROOM)
    try:
        yield
    finally:
        for start, size in taken:
            host.munmap(start, size)


def _take(host: ctypes.CDLL, gap: Range) -> bool:
    """Map a gap without access rights. False if it is no longer free."""
    flags = _NOT_OCCUPYING | _NOT_IN_THE_WAY
    found = host.mmap(*gap, 0, flags, -1, 0)
    if found not in (gap[0], _FAILED):  # a kernel without the flag
        host.munmap(found, gap[1])
    return bool(found == gap[0])


def _used() -> list[Range]:
    """(start, end) of the mappings below the stack."""
    used = []
    with Path("/proc/self/maps").open() as file:
        for line in file:
            if "[stack]" in line:
                break
            start, end = line.split(maxsplit=1)[0].split("-")
            used.append((int(start, 16), int(end, 16)))
    return used


def _gaps(used: list[Range], above: int) -> list[Range]:
    """(address, bytes) of the gaps above an address."""
    pairs = itertools.pairwise(used)
    return [(end, start - end) for (_, end), (start, _) in pairs if end > above and start > end]
