"""RAM: host memory that guests, loaders and devices share.

`Ram` is one region. `Memory` holds all regions, by physical address; devices' DMA, loaders and
debuggers use it. Python code that changes memory calls `Memory.written`, so that the engine drops
the instructions that it had decoded there.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rvplat.bus.images import MemoryImage, capture_regions, restore_regions
from rvplat.errors import BusError, HostError

PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)


class Ram:
    """`size` zero bytes at physical address `base`. The host provides pages at first use."""

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
        #: The host address of the first byte. It stays the same for the life of this object.
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.view = memoryview(self._map)

    def clear(self) -> None:
        """Set all bytes to zero, and give the pages back to the host where that is possible."""
        if sys.platform == "linux":  # on other systems the advice may leave the bytes as they are
            self._map.madvise(mmap.MADV_DONTNEED)
        else:
            ctypes.memset(self.address, 0, self.size)

    def __repr__(self) -> str:
        return f"Ram({self.base:#x}, {self.size:#x}, {self.name!r})"


def _nothing() -> None:
    """Do nothing: no hart exists yet."""


_fence: Callable[[], object] = _nothing


def use_fence(fence: Callable[[], object]) -> None:
    """Let `barrier` call `fence`, the host's full fence. Native code provides it."""
    global _fence
    _fence = fence


def barrier() -> None:
    """A full fence: harts see this thread's accesses before it before those after it.

    Python itself has no fence. A lock is not enough: on AArch64 a load after the lock may still be
    done before a store that precedes the lock.
    """
    _fence()


def no_one(pa: int, size: int) -> None:
    """Ignore a write."""


def forget_nothing(pages: Sequence[int]) -> None:
    """Ignore a restored image."""


@dataclass
class Memory:
    """All RAM by physical address. An access that isn't whole in one region raises BusError."""

    regions: tuple[Ram, ...] = ()
    #: Called with (pa, size) after each change that no hart made.
    written: Callable[[int, int], None] = no_one
    #: Called with the addresses of the pages that `restore` has changed.
    restored: Callable[[Sequence[int]], None] = forget_nothing

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
        """The bytes themselves. The caller calls `written(pa, size)` after it changed them."""
        ram = self.region(pa, size)
        start = pa - ram.base
        return ram.view[start : start + size]

    def host_address(self, pa: int, size: int) -> int:
        """The host address of `size` bytes; 0 if they are not all in RAM."""
        try:
            ram = self.region(pa, size)
        except BusError:
            return 0
        return ram.address + pa - ram.base

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

    # --- images ---

    def capture(self) -> MemoryImage:
        """What all RAM holds now. No hart may run meanwhile."""
        return capture_regions(self.regions)

    def restore(self, image: MemoryImage) -> None:
        """Let RAM hold that again. No hart may run meanwhile; translations and decoded instructions
        that depend on RAM are forgotten. Devices inside RAM are not told. ValueError if the image
        is of other regions."""
        self.restored(restore_regions(self.regions, image))
