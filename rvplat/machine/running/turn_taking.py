"""What the rest of a machine uses of the turns that its harts take (round_robin.py)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from rvplat.bus.clock import VirtualClock
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.inbox import Inbox
from rvplat.machine.running.schedule import Place, Schedule


class TurnChangesLike(Protocol):
    """What a debugger changes in the order of the run (turn_changes.py)."""

    def wake_up(self, hart: Hart) -> None: ...

    def hold(self, hart: Hart, on: bool) -> None: ...

    def interrupt(self, hart: Hart) -> bool: ...


class TurnTaking(Protocol):
    """Run harts in turns in one thread (round_robin.py)."""

    virtual: VirtualClock | None
    wake: threading.Event
    inbox: Inbox
    schedule: Schedule

    @property
    def changes(self) -> TurnChangesLike: ...

    def open(self) -> None: ...

    def close(self) -> None: ...

    def place(self) -> Place: ...

    def power_on(self) -> None: ...

    def begin(self, hart: Hart) -> None: ...

    def sync(self, hart: Hart) -> None: ...

    def step(self, hart: Hart, count: int, wakes: bool = True) -> int: ...

    def last_of(self, hart: int) -> int: ...

    def done_by(self, hart: int) -> int: ...

    def round(self, left: dict[int, int]) -> bool: ...

    def wait(self, in_real_time: bool) -> bool: ...

    def save(self) -> dict[str, Any]: ...

    def load(self, state: Mapping[str, Any]) -> None: ...
