"""What threads see of each other: the clock while it is set, lines before harts, stops, signals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from rvplat import Machine
from rvplat.hart.counters import read_time


def at_each_line(look: Callable[[], None], work: Callable[[], None]) -> None:
    """Do some work and look between any two of its lines, as another thread might."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        sys.settrace(None)
        look()
        sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)


def test_a_clock_that_is_set_is_never_seen_half_set() -> None:
    """Harts, and devices' threads, read the time while another hart sets it: no time that is
    between the old and the new one."""
    with Machine.open("virt") as machine:
        clock = machine.assembly.clock
        clock.set(clock.elapsed())
        began, ticks, near = clock.elapsed(), 19 * clock.frequency // 10, clock.frequency // 10
        seen: list[int] = []

        def look() -> None:
            """It is ahead by nothing as yet, or by `ticks` less what passed before it was set."""
            for read in (lambda: int(read_time(machine.harts[0].view)), clock.now):
                before = clock.elapsed()
                ahead = read() - before
                passed = clock.elapsed() - began
                seen.append(ahead)
                is_old = -near <= ahead <= passed + near
                assert is_old or ticks - began - passed - near <= ahead <= ticks + near, seen

        at_each_line(look, lambda: clock.set(ticks))
        assert len(seen) > 10
