"""Interrupt lines: a level that a device drives, and a sink that is called with its changes."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class MipBit(IntEnum):
    """Bits of `mip` that lines drive (privileged specification, "mip and mie")."""

    SSIP = 1
    MSIP = 3
    STIP = 5
    MTIP = 7
    SEIP = 9
    MEIP = 11


class Line:
    """An interrupt line. Its methods are called under the bus lock."""

    __slots__ = ("level", "name", "sink")

    def __init__(self, name: str, sink: Callable[[bool], None] | None = None) -> None:
        self.name = name
        self.level = False
        self.sink = sink

    def set(self, level: bool) -> None:
        """Drive the line. It calls the sink when the level changes, and each time that a high line
        is driven high again: for an edge-triggered input that is another signal."""
        if level or self.level:
            self.level = level
            if self.sink is not None:
                self.sink(level)

    def connect(self, sink: Callable[[bool], None]) -> None:
        """Give the line its sink, and call the sink at once if the line is already high."""
        self.sink = sink
        if self.level:
            sink(True)

    def __repr__(self) -> str:
        return f"Line({self.name!r}, {'high' if self.level else 'low'})"
