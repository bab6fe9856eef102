"""The places on the host that a console can be connected to, as the user writes them.

unix:PATH  tcp:[HOST:]PORT  pty  file:PATH
"""

from __future__ import annotations

from rvplat.errors import HostError
from rvplat.frozen import frozen
from rvplat.listening import ADDRESS, parse_address

FORMS = "unix:PATH, tcp:[HOST:]PORT, pty or file:PATH"


@frozen
class Place:
    """A place that was read: `kind` is "unix", "tcp", "pty" or "file"; `rest` is what follows the
    colon; `origin` is how the user wrote it, for messages."""

    kind: str
    rest: str
    origin: str


def parse_place(text: str, origin: str) -> Place:
    """Read a place. HostError if it is none."""
    kind, colon, rest = text.partition(":")
    if kind == "pty" and not colon:
        return Place(kind, "", origin)
    if kind not in ("unix", "tcp", "file") or not rest:
        raise HostError(f"{origin}: expected {FORMS}")
    if kind == "tcp":
        parse_address(rest, origin, f"tcp:{ADDRESS}")
    return Place(kind, rest, origin)
