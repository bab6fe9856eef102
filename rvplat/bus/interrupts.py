"""Interrupt lines: a level that a device drives, and a sink that is called with its changes."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from rvplat.bus.natives.records import PULSED, LineState, Memory
from rvplat.frozen import frozen


class MipBit(IntEnum):
    """Bits of `mip` that lines drive (privileged specification, "mip and mie")."""

    SSIP = 1
    MSIP = 3
    STIP = 5
    MTIP = 7
    SEIP = 9
    MEIP = 11


class Controller(Protocol):
    """An interrupt controller, as a line's sink uses it."""

    def set_input(self, number: int, level: bool) -> None: ...

    def run_asked(self) -> None: ...


@frozen
class Input:
    """A line's sink: an input of an interrupt controller."""

    controller: Controller
    number: int

    def __call__(self, level: bool) -> None:
        self.controller.set_input(self.number, level)


class Line:
    """An interrupt line. Its methods are called under the bus lock.

    Its level is in a record (`state`), so that definitions of native devices can drive it.
    """

    __slots__ = ("__weakref__", "_level", "name", "sink", "state")

    def __init__(self, name: str, sink: Callable[[bool], None] | None = None) -> None:
        self.name = name
        self.state = Memory(LineState, self)
        self._level = LineState.field("level", self.state.address)
        self.sink = sink

    @property
    def level(self) -> bool:
        """Whether the line is high."""
        return bool(self._level.value)

    def set(self, level: bool) -> None:
        """Drive the line. It calls the sink when the level changes, and each time that a high line
        is driven high again: for an edge-triggered input that is another signal."""
        if level or self._level.value:
            self._level.value = level
            if self.sink is not None:
                self.sink(level)

    def pass_on(self) -> None:
        """Call the sink for what a definition has changed, if native code could not do it. If it
        could, do what the controller has asked for."""
        changes, self.state.plain.changes = self.state.plain.changes, 0
        if self.sink is not None and changes:
            if changes & PULSED and not self.level:
                self.sink(True)
            self.sink(self.level)
        elif self.state.plain.sink and isinstance(self.sink, Input):
            self.sink.controller.run_asked()

    def connect(self, sink: Callable[[bool], None]) -> None:
        """Give the line its sink, and call the sink at once if the line is already high."""
        self.sink = sink
        if self.level:
            sink(True)

    def __repr__(self) -> str:
        return f"Line({self.name!r}, {'high' if self.level else 'low'})"
