"""Zawrs and Zihintpause where harts have threads: what ends a wait, and what a wait without an end
leads to (TW, VTW)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

import pytest

from rvplat.engine.core import QUANTUM
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
    """What other threads do while the hart gives way: `act()` the third time."""

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
    """Whatever mideleg, sie and hideleg say: the rules are WFI's."""
    bench["mie"] = Irq.SSI
    reserve(bench, mode)
    bench["mstatus"] = bench["mstatus"] & ~Status.MIE
    bench["mideleg"] = Irq.SSI if mode == "HS" else 0

    def pend() -> None:
        bench["mip"] = Irq.SSI

    others.act = pend
    bench.step(word("wrs.nto"), mode)
    assert others.times == 3
    assert not bench["mcause"] or bench["mcause"] >> 63, "it may be taken, the wait is no fault"


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
def test_nobody_is_waited_for_without_a_reservation(bench: Bench, others: Others) -> None:
    reserve(bench, "M")
    bench.hart.x[7] = 1
    bench.step(word("sc.d", rd=5, rs1=6, rs2=7), "M")
    assert bench.outcome(word("wrs.nto"), "M") == "ok"
    assert others.times == 0


@section("Zihintpause Extension for Pause Hint")
@EVERY
def test_a_pause_gives_way_once(bench: Bench, others: Others, mode: str) -> None:
    assert bench.outcome(word("pause"), mode) == "ok"
    assert others.times == 1


@section("Zihintpause Extension for Pause Hint")
@pytest.mark.parametrize("call", ["timer", "line"])
def test_a_loop_of_pauses_sees_a_call_at_once(bench: Bench, others: Others, call: str) -> None:
    """Other threads may have run long: not only when many instructions have been executed."""
    bench.hart.mtimecmp = 50
    bench["mie"], bench["mstatus"] = Irq.MTI | Irq.MEI, Status.MIE
    bench.poke(CODE, word("pause"), 4)
    bench.poke(CODE + 4, word("jal", rd=0, imm=-4), 4)
    bench.poke(HANDLERS["M"], word("jal", rd=0), 4)
    native_core(True).export("drop_slots")(bench.native.address)  # poke tells nobody

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
def test_firmware_that_spins_gives_way(
    bench: Bench, others: Others, mode: str, medeleg: int, waits: bool
) -> None:
    """OpenSBI waits without a `pause` until another hart has done its fence."""
    bench["medeleg"] = medeleg
    bench.poke(CODE, word("jal", rd=0), 4)
    native_core(True).export("drop_slots")(bench.native.address)  # poke tells nobody
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
