"""Regions that are kept from one start to the next, by the guest's bytes.

All regions for one kind of harts are one entry of the cache: a list of descriptions as JSON, and
the object files after it. It is read at the first hot code, and written when the machine is closed
and now and then. If two processes write it, the later one wins.

A region is found by the page offset at which hot code was seen, and the bytes of that line. It is
used only if the page has the same bytes in all lines from which the region was made.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rvplat.cache import load_cached, save_cached
from rvplat.engine.regions.messages import Answer

LIMIT_BYTES = 24 << 20  # of object code in one entry
LINE = 64
Key = tuple[int, bytes]


@dataclass
class Kept:
    """A region: `data` are the bytes of its lines, in order; `used` is 0 for this run, and one more
    for each run before it."""

    answer: Answer
    data: bytes
    used: int = 0


def lines_of(mask: int, page: bytes) -> bytes:
    """The bytes of some lines of a page, in order."""
    return b"".join(page[n * LINE : n * LINE + LINE] for n in range(64) if mask >> n & 1)


def key_of(offset: int, page: bytes) -> Key:
    """The key under which a region for hot code at this offset is looked up."""
    start = offset // LINE * LINE
    return offset, page[start : start + LINE]


class Store:
    """The kept regions of one kind of harts."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._regions: dict[Key, list[Kept]] = {}
        self.changed = 0  # regions that were added since the last `save`
        for kept in _unpack(load_cached(key) or b""):
            kept.used += 1
            self._index(kept)

    def find(self, offset: int, page: bytes) -> Answer | None:
        """The largest region for hot code at an offset of a page with these bytes."""
        best: Kept | None = None
        for kept in self._regions.get(key_of(offset, page), ()):
            if kept.data == lines_of(kept.answer.lines, page) and (
                best is None or len(kept.answer.inside) > len(best.answer.inside)
            ):
                best = kept
        if best is None:
            return None
        best.used = 0
        return best.answer

    def add(self, answer: Answer, page: bytes) -> None:
        """Keep a region."""
        self._index(Kept(answer, lines_of(answer.lines, page)))
        self.changed += 1

    def _index(self, kept: Kept) -> None:
        lines = [n for n in range(64) if kept.answer.lines >> n & 1]
        at = {line: i * LINE for i, line in enumerate(lines)}
        for head in kept.answer.heads:
            start = at[head // LINE]
            key = head, kept.data[start : start + LINE]
            self._regions.setdefault(key, []).append(kept)

    def save(self) -> OSError | None:
        """Write the regions, those that were used last first. Returns the error, if any."""
        self.changed = 0
        every = {id(kept): kept for group in self._regions.values() for kept in group}
        chosen, size = [], 0
        for kept in sorted(every.values(), key=lambda one: one.used):
            size += len(kept.answer.code or b"")
            if size > LIMIT_BYTES:
                break
            chosen.append(kept)
        return save_cached(self._key, _pack(chosen), f"{len(chosen)} regions of hot guest code")


def _pack(regions: list[Kept]) -> bytes:
    rows = []
    for kept in regions:
        one = kept.answer
        size = len(one.code or b"")
        rows.append([one.heads, one.inside, one.left, one.lines, one.seconds, kept.used, size])
    head = json.dumps(rows).encode()
    parts = [struct.pack("<I", len(head)), head]
    for kept in regions:
        parts += [kept.data, kept.answer.code or b""]
    return b"".join(parts)


def _unpack(data: bytes) -> Iterator[Kept]:
    if not data:
        return
    (length,) = struct.unpack_from("<I", data)
    at = 4 + length
    for heads, inside, left, lines, seconds, used, size in json.loads(data[4:at]):
        end = at + LINE * lines.bit_count()
        code = data[end : end + size]
        answer = Answer(0, code, tuple(heads), tuple(inside), tuple(left), lines, seconds)
        yield Kept(answer, data[at:end], used)
        at = end + size
