"""Harts that sleep in native code are woken by every event that concerns them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rvplat.bus import MipBit
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.hart_driver import Job
from rvplat.hart.sleep import ATTENTION
from rvplat.machine.machine import Machine
from tests.machine.small_guests import POWER_OFF, guest

CLINT_MTIMECMP, CLINT_MTIME = 0x200_4000, 0x200_BFF8
FOR_EVER = 3600 * 10**9
#: Hart 0 sleeps until any interrupt is pending, then powers the machine off.
SLEEPER = (
    """
  csrr t0, mhartid
  bnez t0, 2f
  li t0, -1
  csrw mie, t0
  csrw 0x607, t0          # hgeie
1: wfi
  csrr t0, mip
  beqz t0, 1b
"""
    + POWER_OFF
    + """
2: csrw mie, zero
3: wfi
  j 3b
"""
)
_FUNCTION: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class Sleeping:
    """A machine whose harts sleep without a time limit, so that a lost wake-up is never repaired.
    `asleep` is set when the last hart is about to sleep."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.asleep = threading.Event()
        self._words: set[int] = set()
        self._of_harts = {hart.address + ATTENTION for hart in machine.harts}
        self._wait = _FUNCTION(int(machine.native.view.wait_fn))
        self._kept = _FUNCTION(self._sleep)
        machine.native.view.wait_fn = ctypes.cast(self._kept, ctypes.c_void_p).value

    def _sleep(self, word: int, value: int, ns: int, d: int) -> int:
        self._words.add(word)
        if self._words >= self._of_harts:  # the threads that make regions sleep here too
            self.asleep.set()
        self._wait(word, value, FOR_EVER, 0)
        return 0

    def begin(self, start: Callable[[], None] | None = None) -> None:
        """Start the harts and wait until all are asleep."""
        self.asleep.clear()
        self._words.clear()
        (start or self.machine.start)()
        assert self.asleep.wait(60)


@contextmanager
def sleeping(**settings: object) -> Iterator[Sleeping]:
    with Machine.open("virt", guest(SLEEPER), settings=settings) as machine:
        yield Sleeping(machine)


def _line(machine: Machine) -> None:
    with machine.assembly.lock:
        machine.harts[0].set_line(MipBit.SSIP, True)


def _guest_line(machine: Machine) -> None:
    with machine.assembly.lock:
        machine.harts[0].set_guest_line(1, True)


CALLS: dict[str, Callable[[Machine], None]] = {
    "a line": _line,
    "a guest's line": _guest_line,
    "msip": lambda machine: machine.bus.write(0x200_0000, 4, 1),
    "mtimecmp": lambda machine: machine.bus.write(CLINT_MTIMECMP, 8, 0),
    "mtime": lambda machine: machine.bus.write(CLINT_MTIME, 8, 1 << 41),
}


@pytest.mark.parametrize("harts", [1, 2])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_devices_do_wakes_a_hart(call: Callable[[Machine], None], harts: int) -> None:
    with sleeping(**{"harts.count": harts, "harts.geilen": 3}) as guests:
        machine = guests.machine
        machine.bus.write(CLINT_MTIMECMP, 8, 1 << 40)
        guests.begin()
        call(machine)
        assert machine.wait(timeout_s=60).reason == "off"


def test_a_hart_that_is_stopped_asleep_sleeps_on() -> None:
    with sleeping(**{"harts.count": 2}) as guests:
        machine = guests.machine
        for _ in range(3):
            guests.begin()
            assert machine.pause().reason == "pause"
            assert [hart.state for hart in machine.harts] == ["waiting", "waiting"]
        before = machine.harts[0].pc
        guests.begin()
        machine.pause()
        assert machine.harts[0].pc == before, "no instruction ran"
        guests.begin()
        _line(machine)
        assert machine.wait(timeout_s=60).reason == "off"


def test_a_time_limit_wakes_harts() -> None:
    with sleeping(**{"harts.count": 2}) as guests:
        assert guests.machine.run(timeout_s=0.1, ends_idle=False).reason == "timeout"


def test_gdb_stops_harts_that_sleep_and_they_sleep_on() -> None:
    stopped = threading.Event()

    def report(outcome: Any) -> bool:
        stopped.set()
        return False

    with sleeping(**{"harts.count": 2}) as guests:
        control = HartControl(guests.machine, report)
        for _ in range(3):
            guests.begin(lambda: control.start([(0, Job()), (1, Job())]))
            assert sorted(control.halt()) == [0, 1]
            assert all(hart.waiting for hart in guests.machine.harts)
        guests.begin(lambda: control.start([(0, Job()), (1, Job())]))
        _line(guests.machine)
        assert stopped.wait(60), "the guest has powered off"
        control.close()
