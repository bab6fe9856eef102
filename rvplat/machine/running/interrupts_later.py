"""Ctrl-C that waits until something is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class InterruptsLater:
    """`with InterruptsLater():` the handler of Ctrl-C is called at the end of the block, so that it
    can't leave what the block does half done. The block must be short."""

    def __init__(self) -> None:
        self._handler: signal.Handlers | object = None
        self._came = False

    def __enter__(self) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            self._handler = handler
            signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *exception: object) -> None:
        handler = self._handler
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
            if self._came:
                handler(signal.SIGINT, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True
