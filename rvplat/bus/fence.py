"""The host's full fence, for Python."""

from __future__ import annotations

from collections.abc import Callable


def _nothing() -> None:
    """Do nothing: no hart exists yet."""


_fence: Callable[[], object] = _nothing


def use_fence(fence: Callable[[], object]) -> None:
    """Let `barrier` call `fence`, the host's full fence. Native code provides it."""
    global _fence
    _fence = fence


def barrier() -> None:
    """A full fence: harts see this thread's accesses before it before those after it.

    Python itself has no fence. A lock is not enough: on AArch64 a load after the lock may still be
    done before a store that precedes the lock.
    """
    _fence()
