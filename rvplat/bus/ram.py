"""RAM: host memory that guests, loaders and devices share.

`Ram` is one region. `Memory` is all of them, by physical address: what a device's DMA, a loader or
a debugger uses. Whoever changes memory from Python says so through `Memory.written`, so that the
engine can drop the code that it had decoded there.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Callable
from dataclasses import dataclass

from rvplat.errors import BusError, HostError

PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)


class Ram:
    """`size` zero bytes at physical address `base`, taken from the host as they are touched."""

    def __init__(self, base: int, size: int, name: str = "ram") -> None:
        self.base = base
        self.size = size
        self.end = base + size
        self.name = name
        try:
            self._map = mmap.mmap(-1, size, flags=PRIVATE)
        except (OSError, OverflowError, ValueError) as error:
            raise HostError(f"{name}: this host can't give {size:#x} bytes: {error}") from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without transparent huge pages
                self._map.madvise(mmap.MADV_HUGEPAGE)
        #: The host address of the first byte; it holds for the life of this object.
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.view = memoryview(self._map)

    def clear(self) -> None:
        """All zero again, and the host's memory given back where the host can do that."""
        if sys.platform == "linux":  # elsewhere this is advice that may leave the bytes there
            self._map.madvise(mmap.MADV_DONTNEED)
        else:
            ctypes.memset(self.address, 0, self.size)

    def __repr__(self) -> str:
        return f"Ram({self.base:#x}, {self.size:#x}, {self.name!r})"


def _nothing() -> None:
    """No hart exists yet, so no order is needed."""


_fence: Callable[[], object] = _nothing


def use_fence(fence: Callable[[], object]) -> None:
    """Let `barrier` call this from now on: the host's full fence, known once there are harts."""
    global _fence
    _fence = fence


def barrier() -> None:
    """Order this thread's memory accesses before and after it, as harts see them: a full fence.

    Python has none of its own. A lock is not enough: on AArch64 a load after the lock may still go
    before a store that precedes the lock.
    """
    _fence()


def no_one(pa: int, size: int) -> None:
    """Ignore a write."""


@dataclass
class Memory:
    """All RAM by physical address. An access that isn't whole in one region raises BusError."""

    regions: tuple[Ram, ...] = ()
    #: Told (pa, size) after each change that was not made by a hart.
    written: Callable[[int, int], None] = no_one

    def add(self, ram: Ram) -> Ram:
        """Add a region; regions don't overlap (the board was checked for that)."""
        self.regions = (*self.regions, ram)
        return ram

    def region(self, pa: int, size: int = 1) -> Ram:
        """The region that holds all of `pa .. pa + size`.

        Raises:
            BusError: no region does.
            ValueError: the size is negative.
        """
        if size < 0:
            raise ValueError(f"size={size}: expected 0 or more bytes")
        for ram in self.regions:
            if ram.base <= pa and pa + size <= ram.end:
                return ram
        raise BusError(f"no memory at {pa:#x}, {size} bytes")

    def view(self, pa: int, size: int) -> memoryview:
        """The bytes themselves; who writes to them calls `written(pa, size)` afterwards."""
        ram = self.region(pa, size)
        start = pa - ram.base
        return ram.view[start : start + size]

    def read(self, pa: int, size: int) -> bytes:
        """A copy of `size` bytes at a physical address. BusError if they are not all in RAM."""
        return bytes(self.view(pa, size))

    def write(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """Put `data` at a physical address and tell `written`. BusError if it is not all in RAM."""
        self.view(pa, len(data))[:] = data
        self.written(pa, len(data))

    def read_int(self, pa: int, size: int) -> int:
        """A little-endian number of `size` bytes."""
        return int.from_bytes(self.view(pa, size), "little")

    def write_int(self, pa: int, size: int, value: int) -> None:
        """Put a little-endian number of `size` bytes there. ValueError if it has more bits."""
        try:
            data = value.to_bytes(size, "little", signed=value < 0)
        except OverflowError:
            raise ValueError(f"value={value:#x}: expected a number of {size} bytes") from None
        self.write(pa, data)
