"""The bus lock, under which all of a device runs, and what is done when it is free again.

Nobody waits for the host while holding it: while a terminal doesn't take output, or a disk is slow,
other harts, devices and alarms go on. Work that must wait is put off with `after`: the thread that
holds the lock does it after it has released the lock. So only that hart is delayed. A thread that
must not be delayed, such as the clock's, takes the lock with `in_haste`; a helper thread then does
the work.
"""

from __future__ import annotations

import _thread
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rvplat.bus.failures import RAISED

log = logging.getLogger("rvplat.bus")

Call = Callable[[], None]


class BusLock(_thread.RLock):  # type: ignore[misc]  # final to type checkers, not to Python
    """A lock that its owner may take again. Take it with `with`. Where that is too slow, use
    `acquire` and `release`, and call `left` afterwards if `put_off` isn't empty."""

    def __init__(self) -> None:
        #: What `after` was given, by thread.
        self.put_off: dict[int, list[Call]] = {}
        self._in_haste: set[int] = set()
        self._helper = _Helper()

    @property
    def is_held(self) -> bool:
        """Whether the calling thread holds it."""
        return bool(self._is_owned())  # type: ignore[attr-defined]

    def after(self, call: Call) -> None:
        """Call this after the calling thread has released the lock; at once if it doesn't hold it.
        A call that is already waiting is not added again."""
        if not self.is_held:
            call()
            return
        calls = self.put_off.setdefault(threading.get_ident(), [])
        if call not in calls:
            calls.append(call)

    @contextmanager
    def in_haste(self) -> Iterator[None]:
        """Hold the lock, in a thread that must not wait for the host when it releases it."""
        ident = threading.get_ident()
        is_already = ident in self._in_haste
        self._in_haste.add(ident)
        try:
            with self:
                yield
        finally:
            if not is_already:
                self._in_haste.discard(ident)

    def __exit__(self, *exception: object) -> None:
        self.release()
        if self.put_off:
            self.left()

    def _release_save(self) -> Any:
        """A condition lets go of the lock, to wait."""
        state = super()._release_save()  # type: ignore[misc]
        if self.put_off:
            self.left()
        return state

    def left(self) -> None:
        """Do what this thread has put off, after `release`. `with` does this by itself."""
        ident = threading.get_ident()
        if self.is_held or ident not in self.put_off:
            return
        calls = self.put_off.pop(ident)
        if ident in self._in_haste:
            self._helper.do(calls)
            return
        for call in calls:
            call()


class _Helper:
    """Does what others have put off, in a thread that ends when nothing is left to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._works = False

    def do(self, calls: list[Call]) -> None:
        """Do these calls after those that are waiting already, each once."""
        with self._lock:
            self._calls += [call for call in calls if call not in self._calls]
            if not self._works:
                self._works = True
                threading.Thread(target=self._work, name="rvplat-bus", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._calls:
                    self._works = False
                    return
                call = self._calls.pop(0)
            try:
                call()
            except RAISED:  # the thread lives on: others wait for what comes next
                log.exception("%s raised", call)
