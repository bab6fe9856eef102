"""`Hook`: what `machine.on` and its like return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from rvplat.arguments import flag
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.stop import GuestOrHost

Handler = Callable[[Any], object]  # it gets an Event
Kind = Literal["instruction", "access", "trap", "switch"]


class Arming(Protocol):
    """Who arms hooks (hooks.py)."""

    def remove(self, hook: Hook) -> None: ...

    def enable(self, hook: Hook, on: bool) -> None: ...


class Hook(metaclass=PublicNames):
    """A hook that is set. It may be called with a function, which becomes its handler: so
    `@machine.on("work")` works as a decorator, and the function's name then is the hook."""

    public = ("number", "place", "vmid", "when", "hits", "enabled", "remove")

    def __init__(
        self, arming: Arming, number: int, kind: Kind, place: str, vmid: GuestOrHost | None,
        when: str | None, handler: Handler | None,
    ) -> None:  # fmt: skip
        if handler is not None and not callable(handler):
            raise TypeError(f"handler={handler!r}: expected a function that takes an event")
        self.number = number
        """Its number, from 1."""
        self.kind = kind
        self.place = place
        """What it is for, as text: "work", "a write of counter"."""
        self.vmid = vmid
        """The world that it is for: a VMID, "host", or None for every one."""
        self.when = when
        """Its condition, or None."""
        self.hits = 0
        """How often harts have met it."""
        self.handler = handler
        self.armed = True  # `enabled`, for quick reads
        self.removed = False
        self.rows: tuple[int, ...] = ()
        self.kinds = 0  # of accesses
        self.code: Any = None  # the condition, for who evaluates it from Python
        self._arming = arming

    def __call__(self, handler: Handler) -> Hook:
        if not callable(handler):
            raise TypeError(f"{handler!r}: expected a function that takes an event")
        self.handler = handler
        return self

    def __repr__(self) -> str:
        return f"<{self}, {self.hits} hits>"

    def __str__(self) -> str:
        name = getattr(self.handler, "__name__", "")
        return f"hook {self.number} at {self.place}" + (f" ({name})" if name else "")

    def __dir__(self) -> list[str]:
        return [*self.public]

    @property
    def enabled(self) -> bool:
        """Whether harts meet it. It can be set, in handlers too."""
        return self.armed

    @enabled.setter
    def enabled(self, on: bool) -> None:
        if self.removed:
            raise LookupError(f"hook {self.number} was removed")
        if flag("enabled", on) != self.armed:
            self.armed = on
            self._arming.enable(self, on)

    def remove(self) -> None:
        """Remove it; a second call does nothing. A handler may do so too."""
        if not self.removed:
            self.armed, self.removed = False, True
            self._arming.remove(self)
