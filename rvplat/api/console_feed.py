"""What guests write, on its way to clients. A thread collects it for some milliseconds, so that a
message has more than the one byte of a UART's register."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from rvplat.machine.machine import Machine
from rvplat.machine.running.console import HostConsole

GATHER_S = 0.01


class ConsoleFeed:
    """The consoles of a machine. `tell(console, data)` is called in a thread of its own."""

    def __init__(self, machine: Machine, tell: Callable[[str, bytes], None]) -> None:
        self._tell = tell
        self._waiting: dict[str, bytearray] = {name: bytearray() for name in machine.consoles}
        self._guard = threading.Lock()
        self._sending = threading.Lock()  # keeps the order
        self._came = threading.Event()
        self._closed = threading.Event()
        self._sinks: list[tuple[HostConsole, Callable[[bytes], None]]] = []
        for name, console in machine.consoles.items():
            sink = partial(self._wrote, name)
            console.sinks.append(sink)
            self._sinks.append((console, sink))
        self._thread = threading.Thread(target=self._live, name="api consoles", daemon=True)
        self._thread.start()

    def _wrote(self, name: str, data: bytes) -> None:
        with self._guard:
            self._waiting[name] += data
        self._came.set()

    def _live(self) -> None:
        while self._came.wait() and not self._closed.is_set():
            self._came.clear()
            self.flush()
            self._closed.wait(GATHER_S)

    def flush(self) -> None:
        """Tell what has been written so far."""
        with self._sending:
            with self._guard:
                found = {name: bytes(data) for name, data in self._waiting.items() if data}
                for name in found:
                    self._waiting[name].clear()
            for name, data in found.items():
                self._tell(name, data)

    def close(self) -> None:
        """Tell the rest, and end."""
        for console, sink in self._sinks:
            if sink in console.sinks:
                console.sinks.remove(sink)
        self._closed.set()
        self._came.set()
        self._thread.join()
        self.flush()
