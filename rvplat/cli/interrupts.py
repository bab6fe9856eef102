"""Ctrl-C before a machine runs prints one line and ends the process.

A KeyboardInterrupt during imports and in callbacks of libraries is printed as a traceback, or lost.
Until a machine runs there is nothing to clean up. This module is imported before all others, so it
imports little itself.
"""

import os
import signal

INTERRUPTED = 130
CLEAR_LINE = b"\r\x1b[K"


def leave(number: int = 0, frame: object = None) -> None:
    """Print that the command was interrupted, and end the process."""
    line = b"rvplat: interrupted\n"
    try:
        os.write(2, CLEAR_LINE + line if os.isatty(2) else line)
    finally:
        os._exit(INTERRUPTED)


def _handle(wanted: object, instead_of: object) -> bool:
    """Set the handler of SIGINT, if it is `instead_of` now. Return whether it was. So an ignored
    SIGINT stays ignored."""
    if signal.getsignal(signal.SIGINT) is not instead_of:
        return False
    try:
        signal.signal(signal.SIGINT, wanted)  # type: ignore[arg-type]
    except ValueError:  # Python allows it only in the main thread
        return False
    return True


def end_at_once() -> bool:
    """Make Ctrl-C end the process. Return False if it did so before, or is ignored."""
    return _handle(leave, signal.default_int_handler)


def raise_interrupts() -> None:
    """Make Ctrl-C raise KeyboardInterrupt, which the caller handles."""
    _handle(signal.default_int_handler, leave)


class TwiceAtOnce:
    """`with TwiceAtOnce():` the first Ctrl-C raises KeyboardInterrupt, and the next one ends the
    process. So the process also ends if the program waits for something that never happens."""

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
    """`with AtOnce():` Ctrl-C ends the process."""

    def __enter__(self) -> None:
        self._changed = end_at_once()

    def __exit__(self, *exception: object) -> None:
        if self._changed:
            raise_interrupts()
