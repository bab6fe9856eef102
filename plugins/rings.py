"""The rings of a virtio device as definitions: harts and Python run them natively.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 2.7. virtqueue.py
has the Python side.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import ClassVar

from rvplat.bus import Device, State, afterwards, native
from rvplat.lang import (
    fence,
    read_u16,
    read_u32,
    read_u64,
    relaxed_load_u16,
    relaxed_store_u16,
    u8,
    u16,
    u32,
    u64,
    write_u32,
)

MOST_QUEUES = 8  # of a device
MOST_DESCRIPTORS = 1024  # in a chain, also with an indirect table
MOST_BYTES = 1 << 32  # in a chain (section 2.7.5)
NEXT, WRITE, INDIRECT = 1, 2, 4  # flags of a descriptor
NO_INTERRUPT = 1
MAY_INDIRECT, HAS_EVENT_INDEX, ON_EMPTY = 1, 2, 4  # negotiated features of a queue
HEADER, USED_ELEMENT = 4, 8  # bytes: of a ring before its entries, of an entry of the used ring

#: What `next_chain` returns: nothing is available, a chain was taken, or the driver broke a rule.
EMPTY, TAKEN, TOO_FAR, BEYOND, BAD_TABLE, ENDLESS, TOO_LARGE, MISORDERED, NO_MEMORY = range(9)


class Rings(Device):
    """A device with virtqueues. Fields that begin with `q_` are by the number of the queue; the
    others describe the chain that was taken last. `iov` has a pair for each span: host address and
    bytes."""

    state: ClassVar[tuple[str | State, ...]] = (
        State("q_size", u32, MOST_QUEUES, saved=False),
        State("q_ready", u8, MOST_QUEUES, saved=False),
        State("q_features", u8, MOST_QUEUES, saved=False),
        State("q_table", u64, MOST_QUEUES, saved=False),  # host addresses of two parts
        State("q_available", u64, MOST_QUEUES, saved=False),
        State("q_ring_pa", u64, MOST_QUEUES, saved=False),  # the used ring
        State("q_seen", u16, MOST_QUEUES, saved=False),  # available entries taken
        State("q_used", u16, MOST_QUEUES, saved=False),  # used entries given
        State("q_signalled", u16, MOST_QUEUES, saved=False),  # for which the driver was interrupted
        State("chain", u64, saved=False),  # counts the chains that were taken
        State("head", u16, saved=False),
        State("readable", u32, saved=False),  # spans that the device may read; the first ones
        State("spans", u32, saved=False),
        State("chain_bytes", u64, saved=False),
        State("span_pa", u64, MOST_DESCRIPTORS, saved=False),
        State("span_bytes", u64, MOST_DESCRIPTORS, saved=False),
        State("iov", u64, 2 * MOST_DESCRIPTORS, saved=False),
        State("wrong", u64, saved=False),  # what broke a rule: an index or an address
        State("wrong_bytes", u64, saved=False),
        State("watched_low", u64, saved=False),  # written memory in which another device is
        State("watched_end", u64, saved=False),
    )

    q_size: MutableSequence[u32]
    q_ready: MutableSequence[u8]
    q_features: MutableSequence[u8]
    q_table: MutableSequence[u64]
    q_available: MutableSequence[u64]
    q_ring_pa: MutableSequence[u64]
    q_seen: MutableSequence[u16]
    q_used: MutableSequence[u16]
    q_signalled: MutableSequence[u16]
    chain: u64
    head: u16
    readable: u32
    spans: u32
    chain_bytes: u64
    span_pa: MutableSequence[u64]
    span_bytes: MutableSequence[u64]
    iov: MutableSequence[u64]
    wrong: u64
    wrong_bytes: u64
    watched_low: u64
    watched_end: u64

    # ---- taking buffers

    @native
    def available_index(self, queue: u64) -> u16:
        """The driver's index: where it will put the next available entry."""
        return u16(relaxed_load_u16(self.q_available[queue] + 2))

    @native
    def next_chain(self, queue: u64) -> u64:
        """Take the next available buffer."""
        index = self.available_index(queue)
        seen = self.q_seen[queue]
        size = self.q_size[queue]
        if index == seen:
            return u64(EMPTY)
        if u32(index - seen) > size:
            self.wrong = u64(index)
            return u64(TOO_FAR)
        fence()  # the entry is read after the index
        entry = self.q_available[queue] + HEADER + u64(u32(seen) % size) * 2
        self.head = relaxed_load_u16(entry)
        self.q_seen[queue] = seen + 1
        return self.follow(queue)

    @native
    def follow(self, queue: u64) -> u64:
        """Follow the chain of descriptors from `head` (sections 2.7.5 and 2.7.5.3)."""
        self.chain += 1
        self.readable = u32(0)
        self.spans = u32(0)
        self.chain_bytes = u64(0)
        table = self.q_table[queue]
        entries = u64(self.q_size[queue])
        index = u64(self.head)
        left = entries
        nested = self.q_features[queue] & MAY_INDIRECT == 0
        while left != 0:
            left -= 1
            if index >= entries:
                self.wrong = index
                return u64(BEYOND)
            at = table + index * 16
            address = read_u64(at)
            size = u64(read_u32(at + 8))
            flags = read_u16(at + 12)
            if flags & INDIRECT != 0:
                self.wrong = address
                self.wrong_bytes = size
                if nested or flags & NEXT != 0 or size == 0 or size & 15 != 0:
                    return u64(BAD_TABLE)
                table = self.ram_to_read(address, size)
                if table == 0:
                    return u64(NO_MEMORY)
                nested = True
                index = u64(0)
                entries = size >> 4
                left = entries if entries < MOST_DESCRIPTORS else u64(MOST_DESCRIPTORS)
                continue
            found = self.add_span(address, size, flags & WRITE != 0)
            if found != TAKEN or flags & NEXT == 0:
                return found
            index = u64(read_u16(at + 14))
        return u64(ENDLESS)

    @native
    def add_span(self, address: u64, size: u64, writable: bool) -> u64:
        """Add a descriptor's memory to the chain; to its last span, if it continues that."""
        self.chain_bytes += size
        if self.chain_bytes > MOST_BYTES:
            return u64(TOO_LARGE)
        if not writable and self.readable != self.spans:
            return u64(MISORDERED)
        if size == 0:
            return u64(TAKEN)
        host = self.ram(address, size) if writable else self.ram_to_read(address, size)
        if host == 0:
            self.wrong = address
            self.wrong_bytes = size
            return u64(NO_MEMORY)
        if self.continues(address, host, writable):
            self.span_bytes[self.spans - 1] += size
            self.iov[self.spans * 2 - 1] += size
            return u64(TAKEN)
        self.span_pa[self.spans] = address
        self.span_bytes[self.spans] = size
        self.iov[self.spans * 2] = host
        self.iov[self.spans * 2 + 1] = size
        self.spans += 1
        if not writable:
            self.readable = self.spans
        return u64(TAKEN)

    @native
    def continues(self, address: u64, host: u64, writable: bool) -> bool:
        """Whether memory lies behind the last span, and is of its kind."""
        if self.spans == 0 or writable == (self.readable == self.spans):
            return False
        last = u64(self.spans - 1)
        bytes_before = self.span_bytes[last]
        return (
            self.span_pa[last] + bytes_before == address
            and self.iov[last * 2] + bytes_before == host
        )

    # ---- giving buffers back

    @native
    def give_last(self, queue: u64, written: u64) -> None:
        """Give the chain that was taken last back, into which bytes were written."""
        left = written
        for n in range(self.readable, self.spans):
            if left == 0:
                break
            part = self.span_bytes[n] if self.span_bytes[n] < left else left
            self.was_written(self.span_pa[n], part)
            left -= part
        self.give(queue, self.head, u32(written))

    @native
    def give(self, queue: u64, head: u16, written: u32) -> None:
        """Put an element into the used ring (section 2.7.8). What was written to the buffer was
        told before."""
        used = self.q_used[queue]
        size = u64(self.q_size[queue])
        ring = self.used_ring(queue)
        at = ring + HEADER + u64(used) % size * USED_ELEMENT
        write_u32(at, u32(head))
        write_u32(at + 4, written)
        self.q_used[queue] = used + 1
        fence()  # buffer and element are written, and old code is dropped, before the index
        relaxed_store_u16(ring + 2, used + 1)
        self.was_written(self.q_ring_pa[queue], HEADER + 2 + size * USED_ELEMENT)

    @native
    def used_ring(self, queue: u64) -> u64:
        """The host address of the used ring, for writing. It is asked for each time (words.ram)."""
        size = u64(self.q_size[queue])
        return self.ram(self.q_ring_pa[queue], HEADER + 2 + size * USED_ELEMENT)

    @native
    def was_written(self, pa: u64, size: u64) -> None:
        """Tell the harts that memory was written, and a device that is in that memory."""
        if self.ram_written(pa, size):
            if self.watched_end == 0 or pa < self.watched_low:
                self.watched_low = pa
            if pa + size > self.watched_end:
                self.watched_end = pa + size
            self.tell_watched()

    @afterwards
    def tell_watched(self) -> None:
        """Tell devices that are in memory which was written."""
        low, end = self.watched_low, self.watched_end
        self.watched_low = self.watched_end = u64(0)
        self.wiring.memory.written(low, end - low)

    @native
    def driver_wants_interrupt(self, queue: u64) -> bool:
        """Whether the driver wants an interrupt for what was given since the last call (section
        2.7.7)."""
        fence()  # our index is visible before the driver's flag or event index is read
        old = self.q_signalled[queue]
        used = self.q_used[queue]
        self.q_signalled[queue] = used
        features = self.q_features[queue]
        is_empty = used == self.q_seen[queue] and used == self.available_index(queue)
        if features & ON_EMPTY != 0 and is_empty:
            return True  # even if the driver suppresses interrupts (section 6.3)
        available = self.q_available[queue]
        if features & HAS_EVENT_INDEX == 0:
            return u16(relaxed_load_u16(available)) & NO_INTERRUPT == 0
        event = u16(relaxed_load_u16(available + HEADER + u64(self.q_size[queue]) * 2))
        return used - event - 1 < used - old

    @native
    def listen_for_more(self, queue: u64) -> bool:
        """Ask to be notified of the next buffer (section 2.7.10). Whether one came meanwhile. While
        the device takes buffers, it does not ask, and the driver does not notify."""
        seen = self.q_seen[queue]
        if self.q_features[queue] & HAS_EVENT_INDEX != 0:
            size = u64(self.q_size[queue])
            relaxed_store_u16(self.used_ring(queue) + HEADER + size * USED_ELEMENT, seen)
            fence()  # our event index is visible before the driver's index is read again
        return self.available_index(queue) != seen
