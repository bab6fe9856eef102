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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from rvplat.bus.image_engine import ImageEngine, PlainEngine
from rvplat.bus.image_tree import ImageTree
from rvplat.bus.images import MemoryImage
from rvplat.bus.page_log import PRIVATE
from rvplat.errors import BusError, HostError


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


def no_one(pa: int, size: int) -> None:
    """Ignore a write."""


@dataclass
class Memory:
    """All RAM by physical address. An access that isn't whole in one region raises BusError."""

    regions: tuple[Ram, ...] = ()
    #: Called with (pa, size) after each change that no hart made.
    written: Callable[[int, int], None] = no_one
    #: Saves pages for images; None until there is a machine or an image.
    engine: ImageEngine | None = None
    _images: ImageTree | None = None
    _lent: WeakValueDictionary[int, Any] = field(default_factory=WeakValueDictionary)

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

    def look(self, pa: int, size: int) -> memoryview:
        """The bytes themselves, for reading."""
        ram = self.region(pa, size)
        start = pa - ram.base
        return ram.view[start : start + size].toreadonly()

    def view(self, pa: int, size: int) -> memoryview:
        """The bytes themselves. The caller calls `written(pa, size)` after it changed them. An
        image copies the pages of all views that still exist: keep small ones only."""
        ram = self.region(pa, size)
        self.will_write(pa, size)
        lent: Any = (ctypes.c_ubyte * size).from_address(ram.address + pa - ram.base)
        lent.place = ram, pa, size
        self._lent[id(lent)] = lent
        return memoryview(lent).cast("B")

    def lent(self) -> Iterator[tuple[int, int]]:
        """Address and size of each view that exists."""
        for one in list(self._lent.values()):
            yield one.place[1:]

    def will_write(self, pa: int, size: int) -> None:
        """Call it before memory is changed through a host address: an image may need its pages.
        `written` follows. BusError if the bytes are not all in RAM."""
        engine = self.engine
        if engine is not None and engine.log.epoch and size:
            self.region(pa, size)
            engine.save(pa, size)

    def host_address(self, pa: int, size: int) -> int:
        """The host address of `size` bytes; 0 if they are not all in RAM. Call `will_write` before
        each write there, and `written` after it."""
        try:
            ram = self.region(pa, size)
        except BusError:
            return 0
        return ram.address + pa - ram.base

    def read(self, pa: int, size: int) -> bytes:
        """A copy of `size` bytes at a physical address. BusError if they are not all in RAM."""
        return bytes(self.look(pa, size))

    def write(self, pa: int, data: bytes | bytearray | memoryview) -> None:
        """Put `data` at a physical address and tell `written`. BusError if it is not all in RAM."""
        ram = self.region(pa, len(data))
        self.will_write(pa, len(data))
        start = pa - ram.base
        ram.view[start : start + len(data)] = data
        self.written(pa, len(data))

    def read_int(self, pa: int, size: int) -> int:
        """A little-endian number of `size` bytes."""
        return int.from_bytes(self.look(pa, size), "little")

    def write_int(self, pa: int, size: int, value: int) -> None:
        """Put a little-endian number of `size` bytes there. ValueError if it has more bits."""
        try:
            data = value.to_bytes(size, "little", signed=value < 0)
        except OverflowError:
            raise ValueError(f"value={value:#x}: expected a number of {size} bytes") from None
        self.write(pa, data)

    # --- images ---

    @property
    def images(self) -> ImageTree:
        """The images of this memory."""
        if self._images is None:
            self.engine = self.engine or PlainEngine(self.regions)
            self._images = ImageTree(self.regions, self.engine, self.lent)
        return self._images

    def capture(self) -> MemoryImage:
        """What all RAM holds now. It copies nothing: later, a page is copied before it is written.
        No hart may run meanwhile, and no device may be writing."""
        return self.images.capture()

    def restore(self, image: MemoryImage) -> None:
        """Let RAM hold that again. No hart may run meanwhile, and no device may be writing; what
        harts derived from RAM follows. Devices inside RAM are not told. ValueError if the image is
        of other regions."""
        self.images.restore(image)
