"""Observe a definition that runs in CPython, without any change of its state.

    class Recorder:
        def entry_read(self, level, pte): ...

    with observed(Recorder()):
        walk(hart, va, access, regime)

- A definition informs the observer by calling an event (events.py).
- Within `observed` the thread writes to copies of the host's pages, and reads from them. The copies
  are dropped at the end. This holds for views of records and for intrinsics.py, but not for
  `Record.plain` and host functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

PAGE = 4096  # a divisor of every host's page size


class _Observation:
    def __init__(self, observer: object) -> None:
        self.observer = observer
        self.copies: dict[int, Any] = {}  # by the host address of the page


observations: dict[int, _Observation] = {}
"""By thread. Empty means that no access is redirected."""


@contextmanager
def observed(observer: object) -> Iterator[None]:
    """For each event of this thread call the observer's method of that name, with ints. The
    thread's writes don't reach memory. It can't be nested."""
    thread = get_ident()
    if thread in observations:
        raise RuntimeError("this thread is observed already")
    observations[thread] = _Observation(observer)
    try:
        yield
    finally:
        del observations[thread]


def redirected(address: int, size: int, writes: bool) -> int:
    """The host address that an access of this thread goes to."""
    observation = observations.get(get_ident())
    if observation is None:
        return address
    start = address & -PAGE
    copy = observation.copies.get(start)
    if copy is None:
        if not writes:
            return address
        copy = ctypes.create_string_buffer(ctypes.string_at(start, PAGE), PAGE)
        observation.copies[start] = copy
    if address + size > start + PAGE:
        raise ValueError(f"{size} bytes at {address:#x} cross a page that has a copy")
    return ctypes.addressof(copy) + address - start
