"""Matches a regular expression against a console's output while the output grows.

Each byte is searched a bounded number of times, however much the guest writes: a match begins at
most SPAN bytes before the part that was not searched yet.
"""

from __future__ import annotations

import re
from typing import Any

SPAN = 16 << 10  # bytes; a longer match may be missed
CONTEXT = 256  # bytes before a window, for ^ and lookbehinds
QUIET_S = 0.1  # a match that one more character would make longer is taken after this silence
SHORTEST_PAUSE_S = 0.001  # between two searches: the guest writes meanwhile
PAUSES = 4  # a search that took a time pauses for so many times that time
SHOWN_CHARACTERS = 2000
SHOWN_LINES = 20

Pattern = re.Pattern[str] | re.Pattern[bytes]


def compiled(pattern: object) -> Pattern:
    """The compiled pattern of a string or bytes; `^` and `$` then match at lines.

    Raises:
        TypeError: it is something else.
        ValueError: it is no regular expression.
    """
    if isinstance(pattern, re.Pattern):
        return pattern
    if not isinstance(pattern, str | bytes):
        raise TypeError(f"pattern={pattern!r}: expected a regular expression, as string or bytes")
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ValueError(f"pattern={pattern!r}: no regular expression: {error}") from None


def decoded(data: bytes | bytearray) -> str:
    """The output as text. What is not UTF-8 stands for itself, so that lengths can be told."""
    return data.decode("utf-8", "surrogateescape")


class Expectation:
    """A pattern, and the first match of it after `begin`. Positions count the bytes of the whole
    output. `guest_end_s`: what the guest writes later, by its clock, does not count."""

    def __init__(self, pattern: Pattern, begin: int, guest_end_s: float | None = None) -> None:
        self.pattern = pattern
        self.begin = begin
        self.guest_end_s = guest_end_s
        self.limit: int | None = None  # the position from which nothing counts
        self.match: re.Match[Any] | None = None
        self.end = begin  # of the match
        self.is_open = False  # one more character may make the match longer
        self.is_waiting = False  # to be told of the next output
        self._searched = begin

    def is_due(self, total: int) -> bool:
        """Whether so much is not searched that the writer searches it, and the guest waits."""
        return (self.match is None or self.is_open) and total - self._searched >= SPAN

    def came(self, guest_s: float, total: int) -> None:
        """The guest writes at this time; up to `total` it has written before."""
        if self.guest_end_s is not None and self.limit is None and guest_s > self.guest_end_s:
            self.limit = total

    def look(self, output: bytearray, start: int) -> None:
        """Search what is new. `output` begins at the position `start`."""
        total = start + len(output)
        if self.limit is not None:
            total = min(total, self.limit)
        if self.match is not None:
            if not self.is_open or total == self.end:
                return
            self._searched = self.end  # it may have become longer
        while True:
            first = max(self.begin, self._searched - SPAN, start)
            stop = min(max(self._searched, start) + SPAN, total)
            found = self._search(output, first - start, stop - start)
            if found and self.end == stop - start < total - start:
                stop = min(stop + SPAN, total)
                found = self._search(output, first - start, stop - start)
            self._searched = stop
            if found:
                self.end += start
                self.is_open = self.end == total and self._may_grow()
            if found or stop == total:
                return

    def _search(self, output: bytearray, low: int, high: int) -> bool:
        """Search a window; sets `match`, and `end` as an index of `output`."""
        before, window = bytes(output[max(low - CONTEXT, 0) : low]), bytes(output[low:high])
        pattern: Any = self.pattern
        if isinstance(pattern.pattern, bytes):
            self.match = found = pattern.search(before + window, len(before))
            if found is not None:
                self.end = low + found.end() - len(before)
        else:
            head, text = decoded(before), decoded(window)
            self.match = found = pattern.search(head + text, len(head))
            if found is not None:
                part = text[: found.end() - len(head)]
                self.end = low + len(part.encode("utf-8", "surrogateescape"))
        return found is not None

    def _may_grow(self) -> bool:
        """Whether one more character could make the match longer."""
        match = self.match
        assert match is not None
        cut = max(match.start() - CONTEXT, 0)
        text, at, end = match.string[cut : match.end()], match.start() - cut, match.end() - cut
        is_bytes = isinstance(text, bytes)
        for code in range(256):
            longer = match.re.match(text + (bytes([code]) if is_bytes else chr(code)), at)
            if longer is not None and longer.end() > end:
                return True
        return False

    def complaint(self, output: bytearray, start: int, why: str) -> str:
        """Why there is no match: `why`, and the end of what the guest wrote."""
        wanted = self.pattern.pattern
        rest = output[max(self.begin - start, 0) :]
        shown = tail(rest or output)
        wrote = (
            "it wrote" if rest else "it wrote nothing more after" if shown else "it wrote nothing"
        )
        lines = "".join(f"\n  | {line}" for line in shown)
        return f"no match for {wanted!r} from the guest: {why}; {wrote}{lines}"


def tail(output: bytes | bytearray) -> list[str]:
    """The last lines of the output, as text that can be shown."""
    text = output[-SHOWN_CHARACTERS:].decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")[-SHOWN_LINES:]
    shown = ["".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in line)
             for line in lines]  # fmt: skip
    return shown if text else []
