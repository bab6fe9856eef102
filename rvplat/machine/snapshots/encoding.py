"""State as JSON values and back. Long bytes go to a stream beside them; the values have their
places. What is read can only become numbers, strings, bytes, lists, tuples and dicts.

    3, "text", true, null, [...]          as they are
    {"b": "00ff"}                         bytes, in hexadecimal
    {"at": [start, size]}                 bytes of the stream
    {"t": [...]}                          a tuple
    {"d": [[key, value], ...]}            a dict
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from operator import index
from typing import Any

from rvplat.errors import SnapshotError

SHORT = 64  # bytes that stay in the JSON
DEEPEST = 32


class Encoder:
    """Encodes values. `pieces` is the stream, piece by piece, of `size` bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.size = 0

    def encode(self, value: Any, where: str, depth: int = 0) -> Any:
        """A value as JSON has it. SnapshotError if it is of another kind; `where` names it."""
        if value is None or isinstance(value, bool | str | float):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value)
        if depth == DEEPEST:
            raise SnapshotError(f"{where}: the saved state is nested too deeply")
        if isinstance(value, list | tuple):
            items = [self.encode(one, where, depth + 1) for one in value]
            return {"t": items} if isinstance(value, tuple) else items
        if isinstance(value, Mapping):
            pairs = value.items()
            return {"d": [[self.encode(one, where, depth + 1) for one in pair] for pair in pairs]}
        try:
            return index(value)
        except TypeError:
            raise SnapshotError(
                f"{where}: its save gives {type(value).__name__} {value!r}; a file takes numbers, "
                "strings, bytes, lists and dicts"
            ) from None

    def _bytes(self, value: bytes | bytearray | memoryview) -> Any:
        if len(value) <= SHORT:
            return {"b": bytes(value).hex()}
        start, self.size = self.size, self.size + len(value)
        self.pieces.append(value if isinstance(value, bytes | memoryview) else bytes(value))
        return {"at": [start, len(value)]}


class Stream:
    """A stream that was read in parts. It isn't joined: it may be hundreds of megabytes."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = [memoryview(part) for part in parts]
        self._ends = list(accumulate(len(part) for part in self._parts))

    def get(self, start: int, size: int) -> bytes:
        """So many bytes from a place on. ValueError if there are fewer."""
        end = start + size
        if not 0 <= start <= end <= (self._ends[-1] if self._ends else 0):
            raise ValueError("bytes beyond the stream")
        found: list[memoryview] = []
        n = bisect_right(self._ends, start)
        while start < end:
            part, here = self._parts[n], self._ends[n] - len(self._parts[n])
            found.append(part[start - here : end - here])
            start, n = self._ends[n], n + 1
        return b"".join(found)


def decode(value: Any, stream: Stream) -> Any:
    """The value that was encoded. ValueError if it is none."""
    if isinstance(value, list):
        return [decode(one, stream) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "b":
        return bytes.fromhex(inner)
    if kind == "at":
        start, size = inner
        return stream.get(start, size)
    if kind == "t":
        return tuple(decode(one, stream) for one in inner)
    if kind == "d":
        return {decode(key, stream): decode(one, stream) for key, one in inner}
    raise ValueError(f"an unknown kind {kind!r}")
