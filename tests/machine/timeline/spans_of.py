"""Reads a timeline with the protobuf classes of the PyPI package perfetto.

Its trace processor is a program that the package downloads, so it is not used here. This checks
what that requires of a trace: known fields only, packets that belong to a sequence with defaults
and interned names, spans that nest, and times that do not go back on a track.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent


@dataclass
class Span:
    """A span, or an instant: `took` is None."""

    track: str
    name: str
    categories: tuple[str, ...]
    began: int
    depth: int
    arguments: dict[str, Any]
    took: int | None = None


@dataclass
class Sequence:
    """What a sequence of packets has said so far."""

    track: int
    names: dict[int, str] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    open: list[Span] = field(default_factory=list)
    last: int = 0


class Timeline:
    """The spans of a file."""

    def __init__(self, path: Path) -> None:
        trace = Trace()
        trace.ParseFromString(path.read_bytes())
        size = trace.ByteSize()
        trace.DiscardUnknownFields()
        assert trace.ByteSize() == size == path.stat().st_size
        self.tracks: dict[int, str] = {}
        self.parents: dict[int, int] = {}
        self.spans: list[Span] = []
        self._sequences: dict[int, Sequence] = {}
        for packet in trace.packet:
            self._read(packet)
        assert not [one.open for one in self._sequences.values() if one.open]

    def _read(self, packet: TracePacket) -> None:
        number = packet.trusted_packet_sequence_id
        assert number
        if packet.HasField("track_descriptor"):
            found = packet.track_descriptor
            self.tracks[found.uuid] = found.name
            self.parents[found.uuid] = found.parent_uuid
        if packet.sequence_flags == TracePacket.SEQ_INCREMENTAL_STATE_CLEARED:
            defaults = packet.trace_packet_defaults.track_event_defaults
            self._sequences[number] = Sequence(defaults.track_uuid)
        if packet.HasField("track_event"):
            assert packet.sequence_flags == TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            self._event(self._sequences[number], packet)

    def _event(self, sequence: Sequence, packet: TracePacket) -> None:
        for known, new in (
            (sequence.names, packet.interned_data.event_names),
            (sequence.categories, packet.interned_data.event_categories),
            (sequence.keys, packet.interned_data.debug_annotation_names),
        ):
            known.update((one.iid, one.name) for one in new)
        event, at = packet.track_event, packet.timestamp
        assert at >= sequence.last, (self.tracks[sequence.track], at, sequence.last)
        sequence.last = at
        arguments = {
            sequence.keys[one.name_iid]: getattr(one, str(one.WhichOneof("value")))
            for one in event.debug_annotations
        }
        if event.type == TrackEvent.TYPE_SLICE_END:
            span = sequence.open.pop()
            span.took = at - span.began
            span.arguments |= arguments
            return
        categories = tuple(sequence.categories[one] for one in event.category_iids)
        name, track = sequence.names[event.name_iid], self.tracks[sequence.track]
        span = Span(track, name, categories, at, len(sequence.open), arguments)
        self.spans.append(span)
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            sequence.open.append(span)

    def of(self, track: str, category: str) -> list[Span]:
        """The spans of a category on a track."""
        return [one for one in self.spans if one.track == track and category in one.categories]

    def instructions(self, hart: int) -> Counter[str]:
        """Instructions by world."""
        found: Counter[str] = Counter()
        for one in self.of(f"hart {hart} worlds", "world"):
            found[one.name] += one.arguments["instructions"]
        return found
