"""Lists of pages with contents, in memory that native code can append to."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from typing import Any

from rvplat.bus.natives.image_log import PageList
from rvplat.errors import HostError

PAGE = 4096  # bytes
ENTRY = 8  # bytes
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
SLOT_BITS = 32
SLOT_MASK = (1 << SLOT_BITS) - 1
KEPT_SLOTS = (64 << 20) // PAGE  # host memory that an emptied log keeps


class PageLog:
    """Pages by their numbers, with 4,096 bytes each; pages that are zero take no memory.

    There is room for `capacity` pages, and one for scratch. The host provides memory at first use,
    and gets it back with this object.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        data_size = (capacity + 1) * PAGE
        try:
            self._map = mmap.mmap(-1, data_size + capacity * ENTRY, flags=PRIVATE)
        except (OSError, OverflowError, ValueError) as error:
            raise HostError(f"this host can't give {data_size:#x} bytes: {error}") from error
        self.list: Any = PageList.structure()()
        self.list.data = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.list.entries = self.list.data + data_size
        self._index: dict[int, int] = {}
        self._indexed = 0

    @property
    def bytes_used(self) -> int:
        """The host memory of the contents."""
        return int(self.list.slots) * PAGE

    @property
    def scratch(self) -> int:
        """The host address of a page that holds nothing."""
        return int(self.list.data) + self.capacity * PAGE

    def clear(self) -> None:
        """Remove all pages, and give much memory back to the host."""
        used, self.list.count, self.list.slots = int(self.list.slots), 0, 0
        if used > KEPT_SLOTS and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, KEPT_SLOTS * PAGE, (used - KEPT_SLOTS) * PAGE)
        self.changed()

    def changed(self) -> None:
        """The entries were changed, not only appended to."""
        self._index, self._indexed = {}, 0

    def entries(self, first: int = 0) -> Iterator[tuple[int, int]]:
        """The number and the slot of each page, from an entry on."""
        count = int(self.list.count) - first
        words = (ctypes.c_uint64 * count).from_address(self.list.entries + first * ENTRY)
        for word in list(words):
            yield word >> SLOT_BITS, word & SLOT_MASK

    def index(self) -> dict[int, int]:
        """The slots by the numbers of the pages."""
        if self._indexed < self.list.count:
            new = list(self.entries(self._indexed))
            self._index.update(new)
            self._indexed += len(new)
        return self._index

    def at(self, slot: int) -> int:
        """The host address of a slot; 0 for slot 0."""
        return int(self.list.data) + (slot - 1) * PAGE if slot else 0

    def append(self, number: int, host: int) -> None:
        """Append a page with the 4,096 bytes at a host address; 0: it is zero."""
        slot = 0
        if host:
            self.list.slots += 1
            slot = int(self.list.slots)
            ctypes.memmove(self.at(slot), host, PAGE)
        word = ctypes.c_uint64.from_address(self.list.entries + self.list.count * ENTRY)
        word.value = number << SLOT_BITS | slot
        self.list.count += 1

    def replace(self, position: int, host: int) -> None:
        """Give the page of an entry other contents, as `append`."""
        word = ctypes.c_uint64.from_address(self.list.entries + position * ENTRY)
        slot = word.value & SLOT_MASK
        if slot and host:
            ctypes.memmove(self.at(slot), host, PAGE)
        elif slot:
            ctypes.memset(self.at(slot), 0, PAGE)
        elif host:
            self.list.slots += 1
            ctypes.memmove(self.at(self.list.slots), host, PAGE)
            word.value |= self.list.slots

    def absorb(self, other: PageLog, wins: bool) -> None:
        """Append another list's pages. `wins`: its contents replace those that are here."""
        places = {number: n for n, (number, _) in enumerate(self.entries())}
        for number, slot in other.entries():
            if number not in places:
                self.append(number, other.at(slot))
            elif wins:
                self.replace(places[number], other.at(slot))
        self.changed()
