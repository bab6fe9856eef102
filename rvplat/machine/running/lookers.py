"""The threads that may use harts during a run, because these stand still meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rvplat.machine.running.hart import Hart


class Lookers:
    """By thread: the hart whose hook's handler runs in it (None: no handler does), and whether
    every hart stands still."""

    def __init__(self) -> None:
        self.threads: dict[int, tuple[Hart | None, bool]] = {}

    @property
    def sees_all(self) -> bool:
        """Whether every hart stands still for this thread."""
        found = self.threads.get(threading.get_ident())
        return found is not None and found[1]

    @property
    def hart(self) -> Hart | None:
        """The hart of the hook whose handler runs in this thread; None if none does."""
        found = self.threads.get(threading.get_ident())
        return None if found is None else found[0]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Let this thread read the harts, while none is in native code."""
        self.threads[threading.get_ident()] = None, True
        try:
            yield
        finally:
            del self.threads[threading.get_ident()]
