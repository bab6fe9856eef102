"""Faults of boards and the formatting of their messages, shared by all checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rvplat.errors import Fault, nearest
from rvplat.frozen import frozen

__all__ = ["Fault", "Place", "fault", "in_order", "listed", "nearest", "quoted", "toml_text"]


@frozen
class Place:
    """A line of a file, or an option of the command line (`line` is None).

    Relative paths in the value start at `directory`.
    """

    origin: str
    line: int | None = None
    directory: Path = Path()

    def __str__(self) -> str:
        return self.origin if self.line is None else f"{self.origin}:{self.line}"


def fault(
    place: Place,
    key: str,
    found: str,
    expected: str,
    names: tuple[str, Iterable[str]] | None = None,
) -> Fault:
    """A fault at a place. `names` is the name that was written and all known ones, for the hint."""
    hint = nearest(*names) if names else None
    return Fault(place.origin, place.line, key, found, expected, hint)


def listed(names: Iterable[str]) -> str:
    """Names for a message: `one of a, b, c`, or `"a"`, or `nothing`."""
    known = list(names)
    if len(known) == 1:
        return f'"{known[0]}"'
    return "one of " + ", ".join(known) if known else "nothing"


def toml_text(value: object) -> str:
    """A value in TOML syntax, shortened if it is long."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = quoted(value)
        case dict():
            return "a table"
        case list() | tuple():
            text = "[" + ", ".join(toml_text(item) for item in value) + "]"
        case _:
            text = str(value)
    return shortened(text)


def shortened(text: str) -> str:
    """A text, cut to 60 characters if it is longer."""
    return text if len(text) <= 60 else text[:57] + "..."


def quoted(text: str) -> str:
    """A string in TOML syntax, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def in_order(faults: Sequence[Fault]) -> list[Fault]:
    """Faults without duplicates, sorted by line within each file; files in order of first fault."""
    files = list(dict.fromkeys(fault.file for fault in faults))
    unique = list(dict.fromkeys(faults))
    return sorted(unique, key=lambda fault: (files.index(fault.file), fault.line or 0))
