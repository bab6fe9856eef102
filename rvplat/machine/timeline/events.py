"""The events that harts note for a timeline (hart/debugging/timeline_events.py), collected."""

from __future__ import annotations

import ctypes
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import cast

from rvplat.frozen import frozen
from rvplat.hart.debugging.timeline_events import RING, TimelineEvent
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.native_records import Block

COLLECT_S = 0.02  # between two collections
MOST_EVENTS = 1 << 20  # that are kept of all harts; then the oldest go
_EVENT = struct.Struct("=5Q")  # TimelineEvent

Event = tuple[int, int, int, int, int]  # ns, retired, kind with world and code, value, more


@frozen
class Lost:
    """So many events are missing here."""

    count: int


@frozen
class Chunk:
    """Events that follow each other; `first` counts from the begin of the timeline."""

    first: int
    data: bytes

    @property
    def count(self) -> int:
        """How many events there are."""
        return len(self.data) // TimelineEvent.size


class HartEvents:
    """The events of a hart."""

    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self._plain = hart.plain
        self._block = Block(RING * TimelineEvent.size)
        self._chunks: deque[Chunk] = deque()
        self._plain.timeline_count = 0
        self._plain.timeline_pending = 0
        self._plain.timeline_taken = 0
        for bit in range(64):
            self._plain.timeline_driven[bit] = 0
        self.began = self._plain.timeline_left = time.monotonic_ns()
        self.began_retired = self._plain.timeline_left_retired = hart.retired
        self._plain.timeline_ring = self._block.address
        self._seen = 0
        self.kept = 0

    def collect(self) -> None:
        """Copy the events since the last call."""
        count = int(self._plain.timeline_count)
        first = max(self._seen, count - RING)
        at, size = first % RING, TimelineEvent.size
        before_end = min(count - first, RING - at)
        held = ctypes.string_at(self._block.address + at * size, before_end * size)
        held += ctypes.string_at(self._block.address, (count - first - before_end) * size)
        overtaken = min(max(int(self._plain.timeline_count) - RING + 1 - first, 0), count - first)
        self._seen = count
        if first + overtaken < count:
            chunk = Chunk(first + overtaken, held[overtaken * size :])
            self._chunks.append(chunk)
            self.kept += chunk.count

    def drop_oldest(self, most: int) -> None:
        """Drop events until there are no more than `most`."""
        while self.kept > most:
            oldest = self._chunks.popleft()
            dropped = min(oldest.count, self.kept - most)
            self.kept -= dropped
            if dropped < oldest.count:
                rest = oldest.data[dropped * TimelineEvent.size :]
                self._chunks.appendleft(Chunk(oldest.first + dropped, rest))

    def close(self) -> None:
        """Collect the last events. The hart must not run."""
        self.collect()
        self._plain.timeline_ring = 0

    def __iter__(self) -> Iterator[Event | Lost]:
        expected = 0
        for chunk in self._chunks:
            if chunk.first != expected:
                yield Lost(chunk.first - expected)
            expected = chunk.first + chunk.count
            yield from cast("Iterator[Event]", _EVENT.iter_unpack(chunk.data))
        if self._seen != expected:
            yield Lost(self._seen - expected)

    @property
    def lost(self) -> int:
        """How many events are missing."""
        return self._seen - self.kept

    @property
    def ended(self) -> tuple[int, int]:
        """When the hart left native code last (ns), and what it had retired."""
        return int(self._plain.timeline_left), int(self._plain.timeline_left_retired)


class Collector:
    """Collects the events of a machine's harts, until `close`."""

    def __init__(self, harts: Sequence[Hart]) -> None:
        self.harts = [HartEvents(hart) for hart in harts]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rvplat-timeline", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._closed.wait(COLLECT_S):
            self._collect()

    def _collect(self) -> None:
        for one in self.harts:
            one.collect()
            one.drop_oldest(MOST_EVENTS // len(self.harts))

    def close(self) -> None:
        """Collect the last events. The machine must not run."""
        self._closed.set()
        self._thread.join()
        self._collect()
        for one in self.harts:
            one.close()
