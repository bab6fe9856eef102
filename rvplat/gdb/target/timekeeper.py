"""The guest's time while its board is debugged: it passes while a hart runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rvplat.machine.machine import Machine


class Timekeeper:
    """Pauses the clock while every hart is stopped, so that no time passes for the guest during a
    stop. `runs_on`: don't pause it. `in_steps`: time passes during a step."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine  # counts for its statistics how long harts run
        self._clock = machine.assembly.clock
        self._lock = threading.Lock()
        self._running = 0  # harts
        self._board = machine.board.debug
        self.begin()

    def begin(self) -> None:
        """A client has come: use the board's settings."""
        self.in_steps = True
        self.runs_on = self._board.time == "runs"

    @property
    def runs_on(self) -> bool:
        """Whether time passes while every hart is stopped."""
        return self._runs_on

    @runs_on.setter
    def runs_on(self, on: bool) -> None:
        with self._lock:
            self._runs_on = on
            self._settle()

    def _settle(self) -> None:
        if self._running or self._runs_on:
            self._clock.resume()
        else:
            self._clock.pause()

    def began(self) -> None:
        """A hart is about to run."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._machine.time_begins()
            self._settle()

    def ended(self) -> None:
        """A hart has stopped."""
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._machine.time_ends()
            self._settle()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Inside, a hart does a step."""
        if self.in_steps:
            self.began()
        try:
            yield
        finally:
            if self.in_steps:
                self.ended()

    def close(self) -> None:
        """The board is no longer debugged."""
        self._clock.resume()
