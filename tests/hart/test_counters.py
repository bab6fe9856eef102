"""Counters (Unprivileged, "Zicntr" and "Zihpm"; Privileged, "Hardware Performance Monitor")."""

from __future__ import annotations

import ctypes

import pytest

from rvplat.hart.counters import read_time
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, Counter, EnvCfg
from rvplat.isa.zawrs import wrs_sto
from tests.hart.privileged_bench import ECALL, PC, Bench, bench, make

__all__ = ["bench"]

COUNTERS = {"cycle": Counter.CY, "time": Counter.TM, "instret": Counter.IR, "hpmcounter31": 1 << 31}


def test_instret_counts_what_came_before(bench: Bench) -> None:
    for expected in range(5):
        assert bench.read("minstret") == expected
        bench.enter(MACHINE)


def test_a_written_value_is_read_by_the_next_instruction(bench: Bench) -> None:
    bench.write("minstret", 1000)
    assert bench.read("minstret") == 1000
    assert bench.read("minstret") == 1001
    bench.write("mcycle", (1 << 64) - 1)
    assert bench.read("mcycle") == (1 << 64) - 1
    assert bench.read("mcycle") == 0
    assert bench.read("instret") == 1005


def test_traps_do_not_retire(bench: Bench) -> None:
    bench.write("minstret", 0)
    bench.run(ECALL)
    bench.run(ECALL)
    assert bench.read("minstret") == 0
    assert bench.read("minstret") == 1


def test_a_refilled_budget_changes_no_counter(bench: Bench) -> None:
    bench.write("minstret", 7)
    bench.hart.budget = 50
    bench.hart.instret_base = 50 + 1
    before = bench.value("minstret")
    bench.hart.budget += 9000
    bench.hart.instret_base += 9000
    assert bench.value("minstret") == before


@pytest.mark.parametrize(("name", "bit"), [("minstret", Counter.IR), ("mcycle", Counter.CY)])
def test_inhibited_counters_stand_still(bench: Bench, name: str, bit: int) -> None:
    bench.write(name, 100)
    bench.write("mcountinhibit", bit)  # reads 100 before it; inhibits its own count
    assert bench.read(name) == 100
    assert bench.read(name) == 100
    bench.write(name, 300)
    assert bench.read(name) == 300
    bench.write("mcountinhibit", 0)  # counts itself
    assert bench.read(name) == 301
    other = "mcycle" if name == "minstret" else "minstret"
    assert bench.read(other) > 6


def test_mcountinhibit_has_no_bit_for_time(bench: Bench) -> None:
    bench.write("mcountinhibit", (1 << 64) - 1)
    assert bench.read("mcountinhibit") == 0xFFFFFFFD


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
@pytest.mark.parametrize("m", [False, True])
@pytest.mark.parametrize("s", [False, True])
def test_who_may_read_a_counter(bench: Bench, name: str, priv: int, m: bool, s: bool) -> None:
    bench.put("mcounteren", COUNTERS[name] if m else ~COUNTERS[name])
    bench.put("scounteren", COUNTERS[name] if s else ~COUNTERS[name])
    bench.enter(priv)
    bench.read(name)
    allowed = priv == MACHINE or (m and (s or priv == SUPERVISOR))
    assert bench.illegal() is not allowed
    assert (bench.hart.pc == PC + 4) is allowed


def test_without_supervisor_mode_mcounteren_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="s sv39 sstc")
    bench.put("mcounteren", Counter.TM)
    bench.enter(USER)
    bench.read("time")
    assert bench.hart.pc == PC + 4


@pytest.mark.parametrize(
    ("without", "mask"), [("", 0xFFFFFFFF), ("zihpm", 7), ("zicntr zihpm sstc", 0)]
)
def test_enable_bits_of_counters_that_are_there(
    monkeypatch: pytest.MonkeyPatch, without: str, mask: int
) -> None:
    bench = make(monkeypatch, without=without)
    for name in ("mcounteren", "scounteren"):
        bench.write(name, (1 << 64) - 1)
        assert bench.read(name) == mask


def test_absent_counters_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="zicntr zihpm sstc")
    for name in ("cycle", "time", "instret", "hpmcounter3"):
        bench.enter(MACHINE)
        bench.read(name)
        assert bench.illegal()
    bench.enter(MACHINE)
    assert bench.read("mcycle") == 0, "M mode's own are always there; traps do not retire"


def test_event_counters_are_read_only_zero(bench: Bench) -> None:
    for name in ("mhpmcounter3", "mhpmcounter31", "mhpmevent3", "mhpmevent31"):
        bench.write(name, (1 << 64) - 1)
        assert bench.read(name) == 0


def test_counters_are_read_only_in_their_user_form(bench: Bench) -> None:
    bench.write("cycle", 0)
    assert bench.illegal()


@pytest.mark.parametrize("stce", [0, EnvCfg.STCE])
@pytest.mark.parametrize("tm", [0, Counter.TM])
@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
def test_who_may_use_stimecmp(bench: Bench, priv: int, stce: int, tm: int) -> None:
    bench.put("menvcfg", stce)
    bench.put("mcounteren", tm)
    bench.enter(priv)
    bench.write("stimecmp", 12345)
    allowed = priv == MACHINE or (priv == SUPERVISOR and stce != 0 and tm != 0)
    assert bench.illegal() is not allowed
    assert (bench.value("stimecmp") == 12345) is allowed


# --- time ---------------------------------------------------------------------------------------


def test_virtual_time_follows_retired_instructions(bench: Bench) -> None:
    bench.machine.instructions_per_tick = 2
    bench.machine.time_now = 1000
    for expected in (1000, 1000, 1001, 1001, 1002):
        assert bench.read("time") == expected
    bench.hart.slice_start = 5
    bench.machine.time_now = 7000
    bench.run(wrs_sto)
    assert bench.read("time") == 7000
    assert bench.read("time") == 7001


def test_real_time_is_the_hosts_clock_in_ticks(bench: Bench) -> None:
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
    clock = function(lambda a, b, c, d: 5_000_000_1234)
    bench.machine.clock_virtual = 0
    bench.machine.clock_fn = ctypes.cast(clock, ctypes.c_void_p).value
    bench.machine.clock_base_ns = 1_000_000_1000
    bench.machine.timebase_hz = 10_000_000
    assert read_time(bench.hart) == 400_000_002
    assert bench.read("time") == 400_000_002
    bench.machine.time_offset = (1 << 64) - 400_000_000
    assert bench.read("time") == 2, "mtime wraps"
