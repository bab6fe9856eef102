"""Zawrs and Zihintpause on harts with threads: what ends a wait, and the exception of a wait that
doesn't end (TW, VTW)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

import pytest

from rvplat.engine.budgets import QUANTUM
from rvplat.hart.atomics import YIELDS
from rvplat.isa.privileged import HStatus, Irq, Status
from rvplat.machine.machine import Machine
from tests.h.bench import CODE, HANDLERS, ONES, RAM, Bench, native_core, word
from tests.h.section import WAITS, section
from tests.machine.small_guests import LOOP, guest

PLACE = RAM + 0xE000
_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
EVERY = pytest.mark.parametrize("mode", ["M", "HS", "U", "VS", "VU"])
BITS = pytest.mark.parametrize("load", ["lr.w", "lr.d"])


class Others:
    """Stands for other threads: when the hart yields for the third time, it calls `act()`."""

    def __init__(self, bench: Bench) -> None:
        self.times = 0
        self.act: Callable[[], object] = lambda: None
        self._called = _FUNCTION(self._call)
        self._machine = bench.machine.view
        self._before = int(self._machine.yield_fn)
        self._machine.yield_fn = ctypes.cast(self._called, ctypes.c_void_p).value

    def _call(self, a: int, b: int, c: int, d: int) -> int:
        self.times += 1
        if self.times == 3:
            self.act()
        return 0

    def leave(self) -> None:
        self._machine.yield_fn = self._before


@pytest.fixture
def others(bench: Bench) -> Iterator[Others]:
    found = Others(bench)
    yield found
    found.leave()


def reserve(bench: Bench, mode: str, load: str = "lr.d") -> None:
    bench.poke(PLACE, 0x1234_5678_9ABC_DEF0)
    bench.hart.x[6] = PLACE
    assert bench.step(word(load, rd=5, rs1=6), mode) is None
    bench["mstatus"] = bench["mstatus"] | Status.TW
    bench["hstatus"] = bench["hstatus"] | HStatus.VTW


@section(WAITS)
@EVERY
@BITS
def test_a_store_ends_it(bench: Bench, others: Others, mode: str, load: str) -> None:
    reserve(bench, mode, load)
    others.act = lambda: bench.poke(PLACE, 1, 4)
    assert bench.outcome(word("wrs.nto"), mode) == "ok"
    assert others.times == 3


@section(WAITS)
@EVERY
def test_an_interrupt_ends_it_even_if_disabled(bench: Bench, others: Others, mode: str) -> None:
    """mideleg, sie and hideleg don't matter: the rules are those of WFI."""
    bench["mie"] = Irq.SSI
    reserve(bench, mode)
    bench["mstatus"] = bench["mstatus"] & ~Status.MIE
    bench["mideleg"] = Irq.SSI if mode == "HS" else 0

    def pend() -> None:
        bench["mip"] = Irq.SSI

    others.act = pend
    bench.step(word("wrs.nto"), mode)
    assert others.times == 3
    assert not bench["mcause"] or bench["mcause"] >> 63, "an interrupt, not an exception"


@section(WAITS)
def test_a_call_of_another_thread_ends_it(bench: Bench, others: Others) -> None:
    reserve(bench, "HS")
    others.act = lambda: setattr(bench.hart, "attention", 1)
    assert bench.outcome(word("wrs.nto"), "HS") == "ok"
    assert others.times == 3


@section(WAITS)
@pytest.mark.parametrize(
    ("mode", "mstatus", "hstatus", "outcome"),
    [
        ("M", Status.TW, HStatus.VTW, "ok"),
        ("HS", 0, HStatus.VTW, "ok"), ("HS", Status.TW, 0, "illegal"),
        ("U", 0, HStatus.VTW, "ok"), ("U", Status.TW, 0, "illegal"),
        ("VS", 0, 0, "ok"), ("VS", 0, HStatus.VTW, "virtual"), ("VS", Status.TW, 0, "illegal"),
        ("VU", 0, 0, "ok"), ("VU", 0, HStatus.VTW, "virtual"), ("VU", Status.TW, 0, "illegal"),
    ],
)  # fmt: skip
def test_a_wait_without_an_end_is_bounded(
    bench: Bench, others: Others, mode: str, mstatus: int, hstatus: int, outcome: str
) -> None:
    reserve(bench, mode)
    bench["mstatus"], bench["hstatus"] = mstatus, hstatus
    assert bench.outcome(word("wrs.nto"), mode) == outcome
    assert others.times == YIELDS
    assert bench.outcome(word("wrs.sto"), mode) == "ok"
    assert others.times == 2 * YIELDS


@section(WAITS)
def test_there_is_no_wait_without_a_reservation(bench: Bench, others: Others) -> None:
    reserve(bench, "M")
    bench.hart.x[7] = 1
    bench.step(word("sc.d", rd=5, rs1=6, rs2=7), "M")
    assert bench.outcome(word("wrs.nto"), "M") == "ok"
    assert others.times == 0


@section("Zihintpause Extension for Pause Hint")
@EVERY
def test_a_pause_yields_once(bench: Bench, others: Others, mode: str) -> None:
    assert bench.outcome(word("pause"), mode) == "ok"
    assert others.times == 1


@section("Zihintpause Extension for Pause Hint")
@pytest.mark.parametrize("call", ["timer", "line"])
def test_a_loop_of_pauses_sees_a_call_at_once(bench: Bench, others: Others, call: str) -> None:
    """It checks for calls at once and not only after many instructions, because other threads may
    have run for long."""
    bench.hart.mtimecmp = 50
    bench["mie"], bench["mstatus"] = Irq.MTI | Irq.MEI, Status.MIE
    bench.poke(CODE, word("pause"), 4)
    bench.poke(CODE + 4, word("jal", rd=0, imm=-4), 4)
    bench.poke(HANDLERS["M"], word("jal", rd=0), 4)
    native_core(True).export("drop_slots")(bench.native.address)  # poke leaves decoded code

    def act() -> None:
        if call == "timer":
            bench.machine.view.time_now = 50
        else:
            bench.native.set_line(11, True)

    others.act = act
    bench.enter("M")
    found = bench.go(QUANTUM if bench.kind == "native" else 20)
    bench.machine.view.time_now, bench.hart.mtimecmp = 0, ONES
    bench.native.set_line(11, False)
    assert found is not None
    assert found.cause & 0xFF == (7 if call == "timer" else 11)
    assert others.times == 3
    assert bench["mepc"] == CODE + 4


@section("rvplat: threads of harts")
@pytest.mark.parametrize("make", ["native"], indirect=True)
@pytest.mark.parametrize(
    ("mode", "medeleg", "waits"),
    [("M", ONES, True), ("M", 0, False), ("HS", ONES, False), ("VS", ONES, False)],
)
def test_firmware_that_spins_yields(
    bench: Bench, others: Others, mode: str, medeleg: int, waits: bool
) -> None:
    """OpenSBI waits without `pause` for another hart to execute its fence."""
    bench["medeleg"] = medeleg
    bench.poke(CODE, word("jal", rd=0), 4)
    native_core(True).export("drop_slots")(bench.native.address)  # poke leaves decoded code
    bench.enter(mode)
    bench.go(5 * QUANTUM)
    assert (others.times >= 5) is waits
    assert (others.times == 0) is not waits


@section("rvplat: threads of harts")
@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"harts.count": 2}, True),
        ({"harts.count": 1}, False),
        ({"harts.count": 2, "clock": "virtual"}, False),
    ],
)
def test_harts_with_threads_wait(settings: dict[str, object], waits: bool) -> None:
    with Machine.open("virt", program=guest(LOOP), settings=settings) as machine:
        assert (int(machine.native.view.yield_fn) != 0) == waits
