"""Find the line of each key in a TOML file: tomli returns values without lines.

tomli has accepted the text, so this parses only its structure (TOML 1.0.0): keys, table headers,
arrays of tables, the four kinds of strings, arrays and inline tables. Of any other value it only
finds the end.
"""

from __future__ import annotations

import re
from bisect import bisect_right

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def locate(text: str) -> dict[KeyPath, int]:
    """The line (from 1) of every key, table and array element, by its path.

    A table without a header of its own (`a` of `[a.b]`) has the line of the first header that
    implies it.
    """
    return _Scanner(text).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._elements: dict[KeyPath, int] = {}
        self._starts = [m.end() for m in re.finditer(r"\n", self.text)]

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._blank()
        return self.lines

    def _note(self, path: KeyPath, at: int) -> None:
        line = bisect_right(self._starts, at) + 1
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)

    def _blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _header(self) -> KeyPath:
        start = self.at
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        keys = self._key()
        self.at += 2 if is_array else 1
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._in_last((*path, key))
        path = (*path, keys[-1])
        if is_array:
            self._elements[path] = self._elements.get(path, 0) + 1
        path = self._in_last(path)
        self._note(path, start)
        if not is_array:
            self.lines[path] = bisect_right(self._starts, start) + 1
        return path

    def _in_last(self, path: KeyPath) -> KeyPath:
        """The path of the last element if the path names an array of tables, else the path."""
        count = self._elements.get(path, 0)
        return (*path, count - 1) if count else path

    def _pair(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self._key())
        self._note(path, start)
        self.at += 1  # the "="
        self._blank()
        self._value(path)

    def _key(self) -> list[str]:
        """Read a dotted key and move past it."""
        keys = []
        while True:
            self._blank()
            keys.append(self._simple_key())
            self._blank()
            if self._peek() != ".":
                return keys
            self.at += 1

    def _simple_key(self) -> str:
        if self._peek() in ('"', "'"):
            raw = self._take(_STRING)
            return _ESCAPE.sub(_unescape, raw[1:-1]) if raw[0] == '"' else raw[1:-1]
        return self._take(_BARE_KEY)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:  # not TOML: tomli refuses it before this does
            raise ValueError(f"unexpected {self._peek()!r} at offset {self.at}")
        self.at = found.end()
        return found.group()

    def _value(self, path: KeyPath) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        self._blank()
        index = 0
        while self._peek() != "]":
            self._note((*path, index), self.at)
            self._value((*path, index))
            self._comma()
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self._blank()
        while self._peek() != "}":
            self._pair(path)
            self._comma()
        self.at += 1

    def _comma(self) -> None:
        self._blank()
        if self._peek() == ",":
            self.at += 1
            self._blank()


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2)
    if code:
        return chr(int(code, 16))
    return _ESCAPED.get(match.group(3), match.group(3))
