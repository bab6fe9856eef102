"""The device's side of a split virtqueue.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 2.7.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rvplat.bus import Memory, barrier
from rvplat.errors import BusError

DESCRIPTOR = struct.Struct("<QIHH")  # address, length, flags, next
USED_ELEMENT = struct.Struct("<II")  # head, bytes written
NEXT, WRITE, INDIRECT = 1, 2, 4
NO_INTERRUPT = 1
FLAGS, INDEX, RING = 0, 1, 2  # indices of 16-bit words in the available and the used ring
MASK16 = 0xFFFF
MOST_DESCRIPTORS = 1024  # in a chain, also with an indirect table
MOST_BYTES = 1 << 32  # in a chain (section 2.7.5)

LEGACY_ALIGNMENT = 4096  # of the used ring, unless the driver sets another (section 4.2.4)

Span = tuple[int, int]  # address, size
Views = list[memoryview]


class RingError(Exception):
    """The driver broke a rule of the ring: the device needs a reset."""


@dataclass
class Chain:
    """A buffer: the spans that the device may read, then those that it may write."""

    head: int
    readable: list[Span] = field(default_factory=list)
    writable: list[Span] = field(default_factory=list)
    size: int = 0  #: bytes of all spans


class Virtqueue:
    """One queue. The transport sets its addresses and features, and makes it ready."""

    SAVED = (
        "size", "ready", "descriptors", "driver", "device", "indirect", "event_index",
        "seen", "used", "signalled", "alignment", "notify_on_empty",
    )  # fmt: skip

    def __init__(self, memory: Memory, size_max: int) -> None:
        self.memory = memory
        self.size_max = size_max
        self.size = size_max
        self.ready = False
        self.resting = False  # paused: the device goes on with it a little later
        self.descriptors = self.driver = self.device = 0  # addresses of the three parts
        self.indirect = self.event_index = self.notify_on_empty = False  # negotiated features
        self.alignment = LEGACY_ALIGNMENT
        self.seen = 0  # available entries taken
        self.used = 0  # used entries given
        self.signalled = 0  # used entries for which the driver was interrupted
        self._table = self._available = self._ring = memoryview(b"")

    def place(self, address: int) -> None:
        """Set the address of a legacy driver's queue (section 2.7.2); 0 for none."""
        self.descriptors, self.driver = address, address + 16 * self.size if address else 0
        end = self.driver + 6 + 2 * self.size
        self.device = -(-end // self.alignment) * self.alignment if address else 0

    def enable(self) -> None:
        """Map the three parts. RingError for a wrong size or alignment (section 2.7)."""
        size = self.size
        if not 1 <= size <= self.size_max or size & size - 1:
            raise RingError(f"a queue of {size} entries, expected a power of 2 to {self.size_max}")
        for address, alignment in ((self.descriptors, 16), (self.driver, 2), (self.device, 4)):
            if address % alignment:
                raise RingError(f"a part of a queue at {address:#x}, not a multiple of {alignment}")
        self._table = self._view(self.descriptors, 16 * size)
        self._available = self._view(self.driver, 6 + 2 * size).cast("H")
        self._ring = self._view(self.device, 6 + 8 * size)
        self._words = self._ring.cast("H")
        self.seen = self.used = self.signalled = 0
        self.ready = True

    def disable(self) -> None:
        """Stop using the queue."""
        self.ready = False

    def _view(self, address: int, size: int) -> memoryview:
        try:
            return self.memory.view(address, size)
        except BusError as error:
            raise RingError(str(error)) from error

    def pop(self) -> Chain | None:
        """Take the next available buffer, or None."""
        index = self._available[INDEX]
        if index == self.seen:
            return None
        if index - self.seen & MASK16 > self.size:
            raise RingError(f"available index {index} is too far from {self.seen}")
        barrier()  # the entry is read after the index
        head = self._available[RING + self.seen % self.size]
        self.seen = self.seen + 1 & MASK16
        return self.chain(head)

    def chain(self, head: int) -> Chain:
        """Follow a chain of descriptors (sections 2.7.5 and 2.7.5.3)."""
        chain = Chain(head)
        table, index, left = self._table, head, self.size
        nested = False
        while left:
            left -= 1
            if index >= len(table) // 16:
                raise RingError(f"descriptor {index} is beyond its table")
            address, size, flags, follow = DESCRIPTOR.unpack_from(table, 16 * index)
            if flags & INDIRECT:
                table = self._indirect_table(address, size, flags, nested)
                nested, index, left = True, 0, min(len(table) // 16, MOST_DESCRIPTORS)
                continue
            self._add(chain, address, size, flags)
            if not flags & NEXT:
                return chain
            index = follow
        raise RingError("a chain of descriptors that doesn't end")

    def _indirect_table(self, address: int, size: int, flags: int, nested: bool) -> memoryview:
        if not self.indirect or nested or flags & NEXT or size == 0 or size % 16:
            raise RingError(f"an indirect table of {size} bytes that isn't allowed")
        return self._view(address, size)

    def _add(self, chain: Chain, address: int, size: int, flags: int) -> None:
        chain.size += size
        if chain.size > MOST_BYTES:
            raise RingError(f"a chain of more than {MOST_BYTES:#x} bytes")
        if flags & WRITE:
            chain.writable.append((address, size))
        elif chain.writable:
            raise RingError("a readable descriptor after a writable one")
        else:
            chain.readable.append((address, size))

    def views(self, spans: Sequence[Span]) -> Views:
        """The bytes of spans."""
        return [self._view(address, size) for address, size in spans if size]

    def push(self, chain: Chain, written: int) -> None:
        """Give a buffer back, into which `written` bytes were written (section 2.7.8)."""
        at = 4 + 8 * (self.used % self.size)
        USED_ELEMENT.pack_into(self._ring, at, chain.head, written)
        self.used = self.used + 1 & MASK16
        for address, size in chain.writable:
            if written <= 0:
                break
            self.memory.written(address, min(size, written))
            written -= size
        barrier()  # buffer and element are written, and old code is dropped, before the index
        self._words[INDEX] = self.used
        self.memory.written(self.device, len(self._ring))

    def wants_interrupt(self) -> bool:
        """Whether the driver wants an interrupt for what was pushed since the last call (section
        2.7.7)."""
        barrier()  # our index is visible before the driver's flag or event index is read
        old, self.signalled = self.signalled, self.used
        if self.notify_on_empty and self.used == self.seen == self._available[INDEX]:
            return True  # even if the driver suppresses interrupts (section 6.3)
        if not self.event_index:
            return not self._available[FLAGS] & NO_INTERRUPT
        event = self._available[RING + self.size]
        return (self.used - event - 1) & MASK16 < (self.used - old) & MASK16

    def listen(self) -> bool:
        """Ask to be notified of the next buffer (section 2.7.10). Whether one came meanwhile."""
        if self.event_index:
            self._words[RING + 4 * self.size] = self.seen
            barrier()  # our event index is visible before the driver's index is read again
        return self._available[INDEX] != self.seen

    def save(self) -> dict[str, Any]:
        """Its state; the rings are in memory."""
        return {name: getattr(self, name) for name in self.SAVED}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a saved state."""
        for name in self.SAVED:
            setattr(self, name, state[name])
        if self.ready:
            kept = self.seen, self.used, self.signalled
            self.enable()
            self.seen, self.used, self.signalled = kept


def length(views: Views) -> int:
    """The bytes in all views."""
    return sum(len(view) for view in views)


def take(views: Views, size: int) -> bytes:
    """Remove the first `size` bytes of a list of views and return them; fewer at its end."""
    taken = bytearray()
    while views and len(taken) < size:
        part = views[0][: size - len(taken)]
        taken += part
        if len(part) == len(views[0]):
            views.pop(0)
        else:
            views[0] = views[0][len(part) :]
    return bytes(taken)


def fill(views: Views, data: bytes) -> int:
    """Put `data` into a list of views. How many bytes had room."""
    done = 0
    for view in views:
        part = data[done : done + len(view)]
        view[: len(part)] = part
        done += len(part)
    return done
