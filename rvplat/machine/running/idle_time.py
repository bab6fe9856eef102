"""The time in which every hart waits."""

from __future__ import annotations

import threading
import time

from rvplat.bus.clock import VirtualClock
from rvplat.hart.counters import NEVER
from rvplat.machine.running.system import System

LONGEST_WAIT_S = 1.0


def next_due(machine: System) -> int | None:
    """The tick of the next timer or alarm."""
    due = [int(hart.deadline.value) for hart in machine.harts]
    due = [tick for tick in due if tick != NEVER]
    alarm = machine.assembly.clock.next_alarm()
    return min([*due, alarm] if alarm is not None else due, default=None)


def wait_in_real_time(clock: VirtualClock, wake: threading.Event, due: int | None) -> bool:
    """Let virtual time pass at the rate of real time until a tick, because input may come: it sets
    `wake`. False: neither came."""
    began = time.monotonic()
    left_s = LONGEST_WAIT_S if due is None else (due - clock.ticks) / clock.frequency
    woken = wake.wait(min(max(left_s, 0), LONGEST_WAIT_S))
    passed = int((time.monotonic() - began) * clock.frequency)
    if due is not None and not woken and left_s <= LONGEST_WAIT_S:
        passed = max(0, due - clock.ticks)
    elif due is not None:
        passed = min(passed, max(0, due - clock.ticks))
    clock.advance(passed)
    return woken or due is not None
