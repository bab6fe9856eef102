"""Messages on stderr, and the progress of long work."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

CLEAR = "\r\x1b[K"


def say(text: str) -> None:
    """Print a line for the user."""
    print(f"rvplat: {text}", file=sys.stderr, flush=True)


class Progress:
    """Shows what is being done. `done` (0 to 1) is the share that is done, if it is known.

    On a terminal it is one line with the seconds that the step has taken, which is erased at the
    end. Elsewhere, such as in a log, each topic (the words before the first colon) gets one line: a
    text with a share is not printed if the last text had the same topic.
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
        """The work is done: erase the line."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            self._thread = None
            sys.stderr.write(CLEAR)
            sys.stderr.flush()


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A Progress for a `with` block, at whose end it ends."""
    found = Progress()
    try:
        yield found
    finally:
        found.end()
