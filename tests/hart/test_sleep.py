"""A hart that sleeps in WFI (hart/sleep.py): no call is lost, wherever it comes in between."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rvplat.hart.sleep import LONGEST_NS, longest_sleep, sleep
from rvplat.hart.state import STOP_NONE, STOP_REQUEST, STOP_WFI
from rvplat.isa.privileged import Irq
from tests.hart.privileged_bench import Bench, bench, make

__all__ = ["bench"]

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
TEXT = "rvplat/hart/sleep.py"
ROOT = Path(__file__).parents[2]


class Host:
    """A host with one thread that sleeps, and another that calls the hart in three steps: it says
    what it has to say, sets `attention`, wakes who sleeps. `at`: before which lines of the
    sleeper's text the steps come."""

    def __init__(self, bench: Bench, say: Callable[[], None], at: tuple[int, ...]) -> None:
        self.hart = bench.hart
        self.steps = [say, self._set_attention, self._wake]
        self.at = list(at)
        self.lines = 0
        self.asleep = self.woken = False
        self.ns = 0
        self._kept = [_FUNCTION(self._wait), _FUNCTION(self._clock)]
        wait, clock = (ctypes.cast(one, ctypes.c_void_p).value for one in self._kept)
        bench.machine.wait_fn, bench.machine.clock_fn = wait, clock

    def _set_attention(self) -> None:
        self.hart.attention = 1

    def _wake(self) -> None:
        self.woken = self.asleep

    def _clock(self, a: int, b: int, c: int, d: int) -> int:
        self.ns += 1
        return self.ns

    def _wait(self, word: int, value: int, ns: int, d: int) -> int:
        """Sleep until somebody wakes us, which may take all the steps that are left."""
        if ctypes.c_uint32.from_address(word).value != value:
            return 0
        self.asleep, self.woken = True, False
        while self.steps and not self.woken:
            self._step()
        self.asleep = False
        if not self.woken:
            self.ns += ns  # nobody woke us
        return 0

    def _step(self) -> None:
        self.at.pop(0)
        self.steps.pop(0)()

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Called before each line of the sleeper's text."""
        if not frame.f_code.co_filename.endswith(TEXT):
            return None
        if event == "line":
            self.lines += 1
            while self.steps and self.at[0] <= self.lines:
                self._step()
        return self.trace


def put_to_sleep(host: Host) -> None:
    before = sys.gettrace()
    sys.settrace(host.trace)
    try:
        sleep(host.hart)
    finally:
        sys.settrace(before)


def calls(bench: Bench) -> Iterator[tuple[Callable[[], None], int]]:
    """What somebody may have to say, and hart.stop afterwards."""
    hart = bench.hart
    yield lambda: setattr(hart, "irq_lines", int(Irq.MEI)), STOP_NONE
    yield lambda: setattr(hart, "mtimecmp", 0), STOP_NONE
    yield lambda: setattr(hart, "stop_request", 1), STOP_REQUEST


@pytest.mark.slow
@pytest.mark.parametrize("what", range(3), ids=["line", "mtimecmp", "stop"])
def test_no_call_is_lost(what: int) -> None:
    """Every interleaving of the two texts, line by line.

    It runs in a process of its own, without the threads of other tests: a watchdog among them can
    raise an exception in a thread that ends first, and CPython 3.11 then loops in traced functions.
    """
    code = f"from tests.hart.test_sleep import every_order; every_order({what})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300)


def every_order(what: int) -> None:
    """Run the texts in every order. AssertionError for an order in which the call is lost."""
    with pytest.MonkeyPatch.context() as patch:
        bench = make(patch)
        hart = bench.hart
        bench.put("mie", Irq.MEI | Irq.MTI)
        say, stop = list(calls(bench))[what]
        quiet = Host(bench, say, (1 << 30,) * 3)
        put_to_sleep(quiet)
        for at in combinations_with_replacement(range(1, quiet.lines + 2), 3):
            hart.irq_lines = hart.stop_request = hart.attention = hart.waiting = 0
            hart.mtimecmp = (1 << 64) - 1
            host = Host(bench, say, at)
            put_to_sleep(host)
            assert hart.stop == stop, f"slept on, though called at {at}"
            assert int(hart.waiting) == (stop != STOP_NONE)
            assert hart.attention == 1, "the run loop looks again"


def test_a_hart_that_nobody_calls_leaves_in_the_end(bench: Bench) -> None:
    bench.put("mie", Irq.MTI)
    host = Host(bench, lambda: None, (1 << 30,) * 3)
    host.steps = []
    sleep(host.hart)
    assert (bench.hart.stop, bench.hart.waiting) == (STOP_WFI, 1)
    assert bench.hart.idle_since != 0
    assert bench.hart.asleep_ns >= LONGEST_NS


@pytest.mark.parametrize(
    ("now", "due", "hz", "ns"),
    [
        (100, 100, 10_000_000, 0), (101, 100, 10_000_000, 0), (100, 101, 10_000_000, 100),
        (0, 1, 3, 333_333_334), (0, 9_999_999, 10_000_000, 999_999_900),
        (0, 10_000_000, 10_000_000, LONGEST_NS), (0, 1 << 63, 10_000_000, LONGEST_NS),
        (5, (1 << 64) - 1, 10_000_000, LONGEST_NS), (0, 3_999_999_999, 4_000_000_000, LONGEST_NS),
    ],
)  # fmt: skip
def test_how_long_it_may_sleep(bench: Bench, now: int, due: int, hz: int, ns: int) -> None:
    bench.machine.time_now, bench.hart.deadline, bench.machine.timebase_hz = now, due, hz
    assert longest_sleep(bench.hart) == ns
