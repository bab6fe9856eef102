"""What is said on stderr beside the guest's output: progress of what takes long."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

CLEAR = "\r\x1b[K"


def say(text: str) -> None:
    """A line for the user."""
    print(f"rvplat: {text}", file=sys.stderr, flush=True)


class Progress:
    """Says what is being done; on a terminal with the seconds it has taken, in one line that goes
    away. `done` (0 to 1) is how much of it is, where that is known.

    Elsewhere, in a log for instance, each thing gets one line, however often it is reported: a text
    with a share is not said if the last line had the same words before its first colon.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._text = self._topic = ""
        self._began = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, text: str, done: float | None = None) -> None:
        if not self._live:
            topic = text.partition(": ")[0]
            if done is None or topic != self._topic:
                say(text)
            self._topic = topic
            return
        share = f" ({done:.0%})" if done is not None and 0 < done < 1 else ""
        with self._lock:
            self._text, self._began = text + share, time.monotonic()
            self._show()
        if self._thread is None:
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def _show(self) -> None:
        took = time.monotonic() - self._began
        seconds = f", {took:.0f} s" if took >= 1 else ""
        sys.stderr.write(f"{CLEAR}rvplat: {self._text}{seconds} ")
        sys.stderr.flush()

    def _tick(self) -> None:
        while not self._stopped.wait(1.0):
            with self._lock:
                self._show()

    def end(self) -> None:
        """Nothing is being done any more."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            self._thread = None
            sys.stderr.write(CLEAR)
            sys.stderr.flush()


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A Progress that ends."""
    found = Progress()
    try:
        yield found
    finally:
        found.end()
