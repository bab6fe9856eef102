"""The device's side of a split virtqueue, for Python. The definitions that work on the rings are in
rings.py.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat_plugins.rings import (
    BAD_TABLE,
    BEYOND,
    EMPTY,
    ENDLESS,
    HAS_EVENT_INDEX,
    INDIRECT,
    MAY_INDIRECT,
    MISORDERED,
    MOST_BYTES,
    MOST_DESCRIPTORS,
    NEXT,
    NO_INTERRUPT,
    ON_EMPTY,
    TAKEN,
    TOO_FAR,
    TOO_LARGE,
    WRITE,
    Rings,
)

from rvplat.bus import Alarm
from rvplat.errors import BusError
from rvplat.lang import u8, u16, u32, u64

__all__ = [
    "INDEX", "INDIRECT", "MOST_DESCRIPTORS", "NEXT", "NO_INTERRUPT", "WRITE", "Chain", "RingError",
    "Span", "Views", "Virtqueue", "fill", "length", "take",
]  # fmt: skip

INDEX = 1  # the index of a ring's index among its 16-bit words
LEGACY_ALIGNMENT = 4096  # of the used ring, unless the driver sets another (section 4.2.4)

Span = tuple[int, int]  # address, size
Views = list[memoryview]


class RingError(Exception):
    """The driver broke a rule of the ring: the device needs a reset."""


@dataclass
class Chain:
    """A buffer: the spans that the device may read, then those that it may write. `number` is that
    of the chains that the device has taken."""

    head: int
    readable: Sequence[Span] = ()
    writable: Sequence[Span] = ()
    size: int = 0  #: bytes of all spans
    number: int = 0


class _Cell:
    """A number of a queue, in its device's record."""

    def __init__(self, name: str, kind: Any) -> None:
        self.name = name
        self.kind = kind

    def __get__(self, queue: Virtqueue, kind: type) -> int:
        return int(getattr(queue.device_of, self.name)[queue.number])

    def __set__(self, queue: Virtqueue, value: int) -> None:
        getattr(queue.device_of, self.name)[queue.number] = self.kind(value)


class _Feature:
    """A negotiated feature of a queue, a bit of `q_features`."""

    def __init__(self, bit: int) -> None:
        self.bit = bit

    def __get__(self, queue: Virtqueue, kind: type) -> bool:
        return bool(queue.features & self.bit)

    def __set__(self, queue: Virtqueue, value: bool) -> None:
        queue.features = queue.features & ~self.bit | (self.bit if value else 0)


class _Switch(_Cell):
    """A truth value of a queue, in its device's record."""

    def __get__(self, queue: Virtqueue, kind: type) -> bool:
        return bool(super().__get__(queue, kind))


class Virtqueue:
    """One queue of a device. The transport sets its addresses and features, and makes it ready."""

    SAVED = (
        "size", "ready", "descriptors", "driver", "device", "indirect", "event_index",
        "seen", "used", "signalled", "alignment", "notify_on_empty",
    )  # fmt: skip

    size = _Cell("q_size", u32)
    ready = _Switch("q_ready", u8)
    features = _Cell("q_features", u8)
    seen = _Cell("q_seen", u16)  # available entries taken
    used = _Cell("q_used", u16)  # used entries given
    signalled = _Cell("q_signalled", u16)  # used entries for which the driver was interrupted
    indirect = _Feature(MAY_INDIRECT)
    event_index = _Feature(HAS_EVENT_INDEX)
    notify_on_empty = _Feature(ON_EMPTY)

    def __init__(self, device_of: Rings, number: int, size_max: int) -> None:
        self.device_of = device_of
        self.number = number
        self.memory = device_of.wiring.memory
        self.size_max = size_max
        self.size = size_max
        self.features = self.seen = self.used = self.signalled = 0
        self.ready = False
        self.resting = False  # paused: the device goes on with it a little later
        self.pause: Alarm | None = None  # the end of the pause
        self.descriptors = self.driver = self.device = 0  # addresses of the three parts
        self.alignment = LEGACY_ALIGNMENT

    def place(self, address: int) -> None:
        """Set the address of a legacy driver's queue (section 2.7.2); 0 for none."""
        self.descriptors, self.driver = address, address + 16 * self.size if address else 0
        end = self.driver + 6 + 2 * self.size
        self.device = -(-end // self.alignment) * self.alignment if address else 0

    def enable(self) -> None:
        """Find the three parts. RingError for a wrong size or alignment (section 2.7)."""
        size, rings, number = self.size, self.device_of, self.number
        if not 1 <= size <= self.size_max or size & size - 1:
            raise RingError(f"a queue of {size} entries, expected a power of 2 to {self.size_max}")
        for address, alignment in ((self.descriptors, 16), (self.driver, 2), (self.device, 4)):
            if address % alignment:
                raise RingError(f"a part of a queue at {address:#x}, not a multiple of {alignment}")
        rings.q_table[number] = self._host(self.descriptors, 16 * size)
        rings.q_available[number] = self._host(self.driver, 6 + 2 * size)
        self._host(self.device, 6 + 8 * size)
        rings.q_ring_pa[number] = u64(self.device)
        self.seen = self.used = self.signalled = 0
        self.ready = True

    def disable(self) -> None:
        """Stop using the queue."""
        self.ready = False

    def _host(self, address: int, size: int) -> u64:
        host = self.memory.host_address(address, size)
        if not host:
            raise RingError(f"no memory at {address:#x}, {size} bytes")
        return u64(host)

    def pop(self) -> Chain | None:
        """Take the next available buffer, or None."""
        found = self.device_of.next_chain(self.number)
        self.check(found)
        return None if found == EMPTY else self.last_chain()

    def last_chain(self) -> Chain:
        """The chain that was taken last."""
        rings = self.device_of
        count, readable = rings.spans, rings.readable
        spans = list(zip(rings.span_pa[:count], rings.span_bytes[:count], strict=True))
        return Chain(rings.head, spans[:readable], spans[readable:], rings.chain_bytes, rings.chain)

    def check(self, found: int) -> None:
        """RingError if `next_chain` found that the driver broke a rule."""
        if found in (EMPTY, TAKEN):
            return
        wrong, size = self.device_of.wrong, self.device_of.wrong_bytes
        texts = {
            TOO_FAR: f"available index {wrong} is too far from {self.seen}",
            BEYOND: f"descriptor {wrong} is beyond its table",
            BAD_TABLE: f"an indirect table of {size} bytes that isn't allowed",
            ENDLESS: "a chain of descriptors that doesn't end",
            TOO_LARGE: f"a chain of more than {MOST_BYTES:#x} bytes",
            MISORDERED: "a readable descriptor after a writable one",
        }
        raise RingError(texts.get(found, f"no memory at {wrong:#x}, {size} bytes"))

    def views(self, spans: Sequence[Span]) -> Views:
        """The bytes of spans, for writing."""
        return self._views(spans, self.memory.view)

    def read_views(self, spans: Sequence[Span]) -> Views:
        """The bytes of spans, for reading."""
        return self._views(spans, self.memory.look)

    def _views(self, spans: Sequence[Span], view: Callable[[int, int], memoryview]) -> Views:
        try:
            return [view(address, size) for address, size in spans if size]
        except BusError as error:
            raise RingError(str(error)) from error

    def push(self, chain: Chain, written: int) -> None:
        """Give a buffer back, into which `written` bytes were written (section 2.7.8)."""
        rings = self.device_of
        if chain.number and chain.number == rings.chain:
            rings.give_last(self.number, written)
            return
        left = written
        for address, size in chain.writable:
            if left <= 0:
                break
            self.memory.written(address, min(size, left))
            left -= size
        rings.give(self.number, chain.head, written)

    def wants_interrupt(self) -> bool:
        """Whether the driver wants an interrupt for what was pushed since the last call."""
        return bool(self.device_of.driver_wants_interrupt(self.number))

    def listen(self) -> bool:
        """Ask to be notified of the next buffer. Whether one came meanwhile."""
        return bool(self.device_of.listen_for_more(self.number))

    def save(self) -> dict[str, Any]:
        """Its state; the rings are in memory."""
        pause = self.device_of.wiring.clock.save_alarm(self.pause)
        return {"pause": pause, **{name: getattr(self, name) for name in self.SAVED}}

    def load(self, state: Mapping[str, Any], go_on: Callable[[], None]) -> None:
        """Restore a saved state. `go_on` ends a pause."""
        for name in self.SAVED:
            setattr(self, name, state[name])
        clock = self.device_of.wiring.clock
        clock.cancel(self.pause)
        self.pause = clock.load_alarm(state["pause"], go_on)
        self.resting = self.pause is not None
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
