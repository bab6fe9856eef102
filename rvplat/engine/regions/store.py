"""Regions that are kept from one start to the next, by the guest's bytes.

All regions for one kind of harts are one entry of the cache: a list of descriptions as JSON, and
the object files after it. It is read at the first hot code, and written when the machine is closed
and now and then. If two processes write it, the later one wins.

A region is found by the page offset at which hot code was seen, and the bytes of that line, or by
the bytes of its first line. It is used only if the page has the same bytes in all lines from which
the region was made.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from rvplat.cache import load_cached, save_cached
from rvplat.engine.regions.messages import Answer

LIMIT_BYTES = 24 << 20  # of code in one entry, and in memory
LINE = 64
LINES = 64  # of a page
Key = tuple[int, bytes]


@dataclass(eq=False)
class Kept:
    """A region: `data` are the bytes of its lines, in order; `used` is 0 for this run, and one more
    for each run before it."""

    answer: Answer
    data: bytes
    used: int = 0

    @property
    def size(self) -> int:
        """Bytes of code."""
        return len(self.answer.code or b"")


def lines_of(mask: int, page: bytes) -> bytes:
    """The bytes of some lines of a page, in order."""
    return b"".join(page[n * LINE : n * LINE + LINE] for n in numbers_of(mask))


def numbers_of(mask: int) -> list[int]:
    """The numbers of the lines in a mask."""
    return [n for n in range(LINES) if mask >> n & 1]


def key_of(offset: int, page: bytes) -> Key:
    """The key under which a region for hot code at this offset is looked up."""
    start = offset // LINE * LINE
    return offset, page[start : start + LINE]


def page_keys(page: bytes) -> Iterator[Key]:
    """The keys under which the regions of a page are looked up."""
    return (first_key(n, page[n * LINE : n * LINE + LINE]) for n in range(LINES))


def first_key(line: int, data: bytes) -> Key:
    """The key of a region whose first line is this one. No offset is negative."""
    return -1 - line, data


class Store:
    """The kept regions of one kind of harts."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._regions: dict[Key, list[Kept]] = {}
        self._size = 0
        self.changed = 0  # regions that were added since the last `save`
        for kept in _loaded(key):
            kept.used += 1
            self._index(kept)

    def find(self, offset: int, page: bytes) -> Answer | None:
        """The largest region for hot code at an offset of a page with these bytes."""
        return self._largest([key_of(offset, page)], page)

    def find_any(self, page: bytes) -> Answer | None:
        """The largest region of a page with these bytes."""
        return self._largest(page_keys(page), page) if self._regions else None

    def _largest(self, keys: Iterable[Key], page: bytes) -> Answer | None:
        best: Kept | None = None
        for kept in chain.from_iterable(self._regions.get(key, ()) for key in keys):
            if kept.data == lines_of(kept.answer.lines, page) and (
                best is None or len(kept.answer.inside) > len(best.answer.inside)
            ):
                best = kept
        if best is None:
            return None
        best.used = 0
        return best.answer

    def add(self, answer: Answer, page: bytes) -> None:
        """Keep a region, instead of those that it includes."""
        new = Kept(answer, lines_of(answer.lines, page))
        for key in _keys(new):
            for old in tuple(self._regions.get(key, ())):
                if _includes(new, old):
                    self._remove(old)
        self._index(new)
        self.changed += 1
        if self._size > LIMIT_BYTES:
            self._forget()

    def _index(self, kept: Kept) -> None:
        for key in _keys(kept):
            self._regions.setdefault(key, []).append(kept)
        self._size += kept.size

    def _remove(self, kept: Kept) -> None:
        for key in _keys(kept):
            self._regions[key].remove(kept)
            if not self._regions[key]:
                del self._regions[key]
        self._size -= kept.size

    def _every(self) -> list[Kept]:
        """All regions, those that were used last first. Of one run, the newest first."""
        every = list(
            {id(kept): kept for group in self._regions.values() for kept in group}.values()
        )
        every.reverse()
        return sorted(every, key=lambda one: one.used)

    def _forget(self) -> None:
        """Forget what was not used for the longest time, down to three quarters of the limit."""
        for kept in reversed(self._every()):
            if self._size <= LIMIT_BYTES * 3 // 4:
                return
            self._remove(kept)

    def save(self) -> OSError | None:
        """Write the regions. Returns the error, if any."""
        self.changed = 0
        every = self._every()
        return save_cached(self.key, _pack(every), f"{len(every)} regions of hot guest code")


def _keys(kept: Kept) -> list[Key]:
    """The keys under which a region is found: of its heads, and of its first line."""
    at = {line: i * LINE for i, line in enumerate(numbers_of(kept.answer.lines))}
    starts = [(head, at[head // LINE]) for head in kept.answer.heads]
    keys = [(head, kept.data[start : start + LINE]) for head, start in starts]
    return [*keys, first_key(min(at), kept.data[:LINE])]


def _includes(new: Kept, old: Kept) -> bool:
    """Whether a region has all of another one, for the same bytes."""
    if old.answer.lines & ~new.answer.lines:
        return False
    if not (set(old.answer.heads) <= set(new.answer.heads)):
        return False
    if not (set(old.answer.inside) <= set(new.answer.inside)):
        return False
    places = enumerate(numbers_of(new.answer.lines))
    shared = sum(1 << i for i, line in places if old.answer.lines >> line & 1)
    return old.data == lines_of(shared, new.data)


def _pack(regions: list[Kept]) -> bytes:
    rows = []
    for kept in regions:
        one = kept.answer
        offsets = [one.heads, one.inside, one.left, one.beyond]
        rows.append([offsets, one.lines, one.seconds, kept.used, kept.size])
    head = json.dumps(rows).encode()
    parts = [struct.pack("<I", len(head)), head]
    for kept in regions:
        parts += [kept.data, kept.answer.code or b""]
    return b"".join(parts)


def _loaded(key: str) -> list[Kept]:
    """The regions of an entry of the cache; none if it has another form."""
    try:
        return list(_unpack(load_cached(key) or b""))
    except (ValueError, TypeError, AttributeError, LookupError, struct.error):
        return []


def _unpack(data: bytes) -> Iterator[Kept]:
    if not data:
        return
    (length,) = struct.unpack_from("<I", data)
    at = 4 + length
    for offsets, lines, seconds, used, size in json.loads(data[4:at]):
        end = at + LINE * lines.bit_count()
        code = data[end : end + size]
        if len(code) != size or not code:
            raise ValueError(f"{len(code)} of {size} bytes of code")
        heads, inside, left, beyond = map(tuple, offsets)
        answer = Answer(0, code, heads, inside, left, lines, seconds, beyond=beyond)
        kept = Kept(answer, data[at:end], used)
        _keys(kept)  # raises an error if a head is in none of the lines
        yield kept
        at = end + size
