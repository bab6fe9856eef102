"""Devices that harts call by a sequence of instructions instead of loads and stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol

from rvplat.bus.device import Device

CallerMode = Literal["M", "S", "U", "VS", "VU"]


class Caller(Protocol):
    """The hart that makes a call, and memory as its mode sees it, without permissions."""

    @property
    def operation(self) -> int:
        """The number of the operation, from a0."""

    @property
    def parameter(self) -> int:
        """The parameter, from a1."""

    @property
    def width(self) -> int:
        """The bytes of a field in the caller's memory: 4 or 8."""

    def read(self, address: int, size: int) -> bytes:
        """Memory at a virtual address. BusError if it is not mapped to memory."""

    def write(self, address: int, data: bytes) -> None:
        """Write memory at a virtual address. BusError as `read`."""

    def from_host(self, ask: Callable[[], bytes]) -> bytes:
        """What `ask` returns, from this host. It is input from outside: recordings and histories
        have it, and where they are replayed, `ask` is not called."""


class HostCalls(Device):
    """The base of such devices. They have no window and no node in the device tree.

    The machine does one call at a time, without the bus lock, so that a call may use the host's
    files. The caller's memory and the console take the lock themselves.
    """

    has_window: ClassVar[bool] = False
    uses_console: ClassVar[bool] = True
    state: ClassVar[tuple[Any, ...]] = ("answers",)

    answers: list[bytes]  #: what `from_host` returns next, where a run is repeated

    def reset(self) -> None:
        super().reset()
        self.answers = []

    @property
    def modes(self) -> tuple[CallerMode, ...]:
        """The modes that may call. In others the instructions do what they do without it."""
        raise NotImplementedError

    def call(self, caller: Caller) -> int | None:
        """Do a call; the value for a0. None: it waits for input, and the hart calls again."""
        raise NotImplementedError
