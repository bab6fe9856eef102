"""Ctrl-C while nothing runs yet: one line, and the process ends.

A KeyboardInterrupt amid imports and callbacks of libraries is printed as a traceback or lost. Until
a machine runs there is nothing to put in order. This module is imported before all others, so it
imports little itself.
"""

import os
import signal

INTERRUPTED = 130
CLEAR_LINE = b"\r\x1b[K"


def leave(number: int = 0, frame: object = None) -> None:
    """Say that it was interrupted, and end the process."""
    line = b"rvplat: interrupted\n"
    try:
        os.write(2, CLEAR_LINE + line if os.isatty(2) else line)
    finally:
        os._exit(INTERRUPTED)


def _handle(wanted: object, instead_of: object) -> bool:
    """Change what SIGINT does, if it does `instead_of` now. If it is ignored, it stays ignored."""
    if signal.getsignal(signal.SIGINT) is not instead_of:
        return False
    try:
        signal.signal(signal.SIGINT, wanted)  # type: ignore[arg-type]
    except ValueError:  # not the main thread, which alone gets signals
        return False
    return True


def end_at_once() -> bool:
    """From here on Ctrl-C ends the process; whether it did not before."""
    return _handle(leave, signal.default_int_handler)


def raise_interrupts() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt: the caller handles it."""
    _handle(signal.default_int_handler, leave)


class TwiceAtOnce:
    """`with TwiceAtOnce():` Ctrl-C raises KeyboardInterrupt once; the next one ends the process,
    also where something does not come back that is waited for."""

    def __enter__(self) -> None:
        raise_interrupts()
        self._changed = _handle(self._first, signal.default_int_handler)

    def __exit__(self, *exception: object) -> None:
        if self._changed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _first(self, number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, leave)
        raise KeyboardInterrupt


class AtOnce:
    """`with AtOnce():` Ctrl-C ends the process meanwhile."""

    def __enter__(self) -> None:
        self._changed = end_at_once()

    def __exit__(self, *exception: object) -> None:
        if self._changed:
            raise_interrupts()
