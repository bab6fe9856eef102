"""The bus lock. All code of devices runs under it.

No thread waits for the host while it holds the lock. So other harts, devices and alarms go on
while a terminal takes no output or a disk is slow. Work that must wait is put off with `after`: the
thread that holds the lock does it after it has released the lock, and only that hart is delayed. A
thread that must not be delayed, such as the clock's, takes the lock with `in_haste`; a helper
thread then does the work.

Harts run definitions of native devices without this lock, which needs Python. They hold a spin lock
of native code instead, for some nanoseconds. So Python code that touches a native device shuts the
*gate*: it sets `Gate.shut` and waits until no hart is inside. A hart that finds the gate shut makes
its access through Python. `with lock` also shuts the gate; `acquire` alone doesn't.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rvplat.bus.failures import RAISED
from rvplat.bus.fence import barrier
from rvplat.bus.natives.records import Gate, Memory

log = logging.getLogger("rvplat.bus")

Call = Callable[[], None]


class BusLock(_thread.RLock):  # type: ignore[misc]  # final to type checkers, not to Python
    """A lock that its owner may take again. Take it with `with`. Where that is too slow, use
    `acquire` and `release`, and then call `left` if `put_off` isn't empty."""

    def __init__(self) -> None:
        #: The calls that `after` has put off, by thread.
        self.put_off: dict[int, list[Call]] = {}
        self._in_haste: set[int] = set()
        self._helper = _Helper()
        self.gate = Memory(Gate, self)
        self._inside = Gate.field("inside", self.gate.address)
        self._shut = Gate.field("shut", self.gate.address)
        self._depth = 0  # calls of `shut` without `open`

    @property
    def is_held(self) -> bool:
        """Whether the calling thread holds the lock."""
        return bool(self._is_owned())  # type: ignore[attr-defined]

    def shut(self) -> None:
        """Keep harts out of native devices until `open`. The caller holds the lock, and may have
        shut the gate already."""
        self._depth += 1
        if self._depth == 1:
            self._shut.value = 1
            barrier()  # a hart sees it, or we see the hart inside
            while self._inside.value:
                time.sleep(0)

    def open(self) -> None:
        """Undo one `shut`."""
        self._depth -= 1
        if not self._depth:
            barrier()  # what was changed is visible before the gate is open
            self._shut.value = 0

    def __enter__(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken = self.acquire(blocking, timeout)
        self.shut()
        return bool(taken)

    def after(self, call: Call) -> None:
        """Do `call` after the calling thread has released the lock, or at once if it doesn't hold
        the lock. A call that is already waiting is not added again."""
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
        self.open()
        self.release()
        if self.put_off:
            self.left()

    def _release_save(self) -> Any:
        """threading.Condition releases the lock in order to wait."""
        depth, self._depth = self._depth, 0
        if depth:
            barrier()
            self._shut.value = 0
        state = super()._release_save()  # type: ignore[misc]
        if self.put_off:
            self.left()
        return state, depth

    def _acquire_restore(self, state: Any) -> None:
        """threading.Condition takes the lock again after it has waited."""
        super()._acquire_restore(state[0])  # type: ignore[misc]
        if state[1]:
            self.shut()
            self._depth = state[1]

    def left(self) -> None:
        """Do what this thread has put off. Called after `release`; `with` calls it by itself."""
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
    """Does put-off calls of other threads, in a thread that ends when none is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._works = False

    def do(self, calls: list[Call]) -> None:
        """Do these calls after those that are already waiting, each once."""
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
            except RAISED:  # the thread goes on: the next calls must still be done
                log.exception("%s raised", call)
