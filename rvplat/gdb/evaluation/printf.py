"""What C's printf makes of a format and of arguments."""

from __future__ import annotations

import re
from collections.abc import Callable

_FORMAT = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|j|z|t|L)?([a-zA-Z]))")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
            "e": "\x1b"}  # fmt: skip


def format_text(template: str, arguments: list[int], string: Callable[[int], str]) -> str:
    """The text. Arguments are integers, characters, pointers and addresses of strings; `string`
    reads the string at an address."""
    left = list(arguments)

    def one(found: re.Match[str]) -> str:
        kind = found[1]
        if kind is None:
            return "%"
        value = left.pop(0) if left else 0
        style = re.sub(r"hh|h|ll|l|j|z|t|L", "", found[0][:-1])
        if kind == "s":
            return (style + "s") % string(value)
        if kind == "c":
            return (style + "c") % chr(value & 0xFF)
        if kind == "p":
            return f"{value:#x}"
        wide = "l" in found[0] or any(c in found[0] for c in "jzt")
        bits = 64 if wide else 32
        value &= (1 << bits) - 1
        if kind in "di":
            return (style + "d") % _signed(value, bits)
        return (style + (kind if kind in "xXo" else "d")) % value

    return _FORMAT.sub(one, _ESCAPE.sub(_unescaped, template))


def _unescaped(found: re.Match[str]) -> str:
    """The character of an escape sequence: gdb sends formats as they were typed."""
    text = found[1]
    if text[0] in "01234567":
        return chr(int(text, 8) & 0xFF)
    return _LETTERS.get(text, text)


def _signed(value: int, bits: int) -> int:
    """A value of so many bits as a signed number."""
    return value - (1 << bits) if value >> (bits - 1) else value
