"""Writes a trace in Perfetto's format, a Trace of TracePackets as protobuf encodes them.

Only what a timeline needs: tracks with spans and instants, with names, categories and arguments.
Each track is a sequence of packets of its own, so that packets need not say which track they are
for; names are interned in it.

The format: https://github.com/google/perfetto, protos/perfetto/trace (trace_packet.proto,
track_event/track_event.proto, track_event/track_descriptor.proto); the numbers here are those of
the fields there. https://protobuf.dev/programming-guides/encoding says how they are encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

ROOT = 1  # the uuid of the track above all
BEGIN, END, INSTANT = 1, 2, 3  # TrackEvent.Type
CLEARED, NEEDED = 1, 2  # TracePacket.SequenceFlags
BUFFER = 1 << 20  # bytes that wait to be written

Value = int | str
Arguments = Mapping[str, Value]
NOTHING: Arguments = {}
_SHORT = [bytes((n,)) for n in range(0x80)]


def varint(value: int) -> bytes:
    """A number, seven bits a byte, the lowest first."""
    if value <= 0x7F:
        return _SHORT[value]
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """A field that is a number."""
    return _SHORT[field << 3] + varint(value) if field < 16 else varint(field << 3) + varint(value)


def block(field: int, data: bytes) -> bytes:
    """A field that is a message or text."""
    return varint(field << 3 | 2) + varint(len(data)) + data


class Names:
    """Interned names of a sequence: a number for each, from 1 on."""

    def __init__(self, field: int) -> None:
        self._field = field  # of InternedData
        self._numbers: dict[str, int] = {}

    def number(self, name: str, new: list[bytes]) -> int:
        """The number of a name. If it is new, its entry is added to `new`."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._numbers) + 1
            new.append(block(self._field, number(1, found) + block(2, name.encode())))
        return found


class Trace:
    """A trace that is written to a file. Times are nanoseconds from the trace's begin."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._tracks = ROOT
        self.put(number(10, 1) + block(60, number(1, ROOT) + block(2, name.encode())))

    def put(self, packet: bytes) -> None:
        """Add a packet."""
        self._waiting.append(b"\x0a" + varint(len(packet)) + packet)
        self._bytes += len(packet)
        if self._bytes > BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._file.write(b"".join(self._waiting))
        self._waiting.clear()
        self._bytes = 0

    def track(self, name: str, parent: Track | None = None) -> Track:
        """A new track, below another."""
        self._tracks += 1
        return Track(self, self._tracks, name, parent.uuid if parent else ROOT)


class Track:
    """A track. Spans nest: `end` ends the one that began last. Times must not go back."""

    def __init__(self, trace: Trace, uuid: int, name: str, parent: int) -> None:
        self.uuid = uuid
        self._trace = trace
        self._sequence = number(10, uuid)  # trusted_packet_sequence_id
        self._head = self._sequence + number(13, NEEDED)
        self._names, self._categories, self._arguments = Names(2), Names(1), Names(3)
        self._known: dict[tuple[int, str, str], tuple[bytes, bytes]] = {}
        descriptor = number(1, uuid) + number(5, parent) + block(2, name.encode())
        descriptor += number(11, 3) + number(12, uuid)  # explicit order, rank
        trace.put(self._sequence + block(60, descriptor))
        defaults = block(11, number(11, uuid))
        trace.put(self._sequence + number(13, CLEARED) + block(59, defaults))

    def begin(self, ns: int, name: str, category: str, arguments: Arguments = NOTHING) -> None:
        """Begin a span. `category`: one, or several with commas."""
        self._put(ns, BEGIN, name, category, arguments)

    def end(self, ns: int, arguments: Arguments = NOTHING) -> None:
        """End a span; the arguments are added to those of its begin."""
        self._put(ns, END, "", "", arguments)

    def instant(self, ns: int, name: str, category: str, arguments: Arguments = NOTHING) -> None:
        """Something without a duration."""
        self._put(ns, INSTANT, name, category, arguments)

    def _put(self, ns: int, kind: int, name: str, category: str, arguments: Arguments) -> None:
        new: list[bytes] = []
        known = self._known.get((kind, name, category))
        if known is None:
            event = number(9, kind)
            if name:
                event += number(10, self._names.number(name, new))
                for one in category.split(","):
                    event += number(3, self._categories.number(one, new))
            known = self._known[kind, name, category] = event, self._head + block(11, event)
        event, rest = known
        if arguments:
            for key, value in arguments.items():
                which = number(1, self._arguments.number(key, new))
                event += block(4, which + _value(value))
            rest = self._head + block(11, event)
        packet = b"\x40" + varint(ns) + rest
        self._trace.put(packet + block(12, b"".join(new)) if new else packet)


def _value(value: Value) -> bytes:
    """The value of a DebugAnnotation."""
    if isinstance(value, str):
        return block(6, value.encode())
    return number(3, value)
