"""Event counters: what they count, in which modes, and the interrupt of an overflow."""

from __future__ import annotations

import pytest

from rvplat.isa.hpm import Event, Field
from tests.h.bench import (
    ALL_MODES,
    BELOW_M,
    CODE,
    HANDLERS,
    LOAD,
    NOP,
    ONES,
    STORE,
    Bench,
    csr_word,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.h.stages import PA, VA, stages

CONTROL = "Count Overflow Control"
SCOUNTOVF = "Supervisor Count Overflow (scountovf) Register"
FILTER = "Counter Behavior"
HPM = "Hardware Performance Monitor"
DELEGATED = "Virtual Supervisor Interrupt (vsip and vsie) Registers"
INH = {"M": Field.MINH, "HS": Field.SINH, "U": Field.UINH, "VS": Field.VSINH, "VU": Field.VUINH}
LCOFI = 13
BIT = 1 << LCOFI
N = 7  # the counter of most tests
COUNTER, EVENT = f"mhpmcounter{N}", f"mhpmevent{N}"


def nops(bench: Bench, mode: str, count: int) -> None:
    """Run instructions in a mode."""
    for at in range(0, 4 * count, 4):
        bench.poke(CODE + at, NOP, 4)
    bench.enter(mode)
    assert bench.go(count) is None


def write(bench: Bench, name: str, value: int) -> None:
    """Write a CSR by an instruction in M mode, which isn't counted."""
    bench.hart.x[6] = value & ONES
    assert bench.step(csr_word("csrrw", name, rd=0, rs1=6), "M") is None


# --- what is counted ----------------------------------------------------------------------------


@section(HPM)
@pytest.mark.parametrize("event", [Event.CYCLES, Event.INSTRUCTIONS])
@pytest.mark.parametrize("number", [3, N, 31])
def test_instructions_are_counted(bench: Bench, event: int, number: int) -> None:
    counter = f"mhpmcounter{number}"
    bench[f"mhpmevent{number}"] = event
    before = bench[counter]
    nops(bench, "M", 10)
    assert bench[counter] - before == 10
    assert bench.step(csr_word("csrrs", counter, rd=5, rs1=0), "M") is None
    assert bench.hart.x[5] - before == 10, "the instruction that reads isn't counted yet"
    bench.hart.x[6] = 1000
    assert bench.step(csr_word("csrrw", counter, rd=0, rs1=6), "M") is None
    assert bench[counter] == 1000, "the one that writes isn't counted"
    bench[f"mhpmevent{number}"] = 0
    nops(bench, "M", 10)
    assert bench[counter] == 1000


@section(HPM)
def test_selectors_of_no_event_become_zero(bench: Bench) -> None:
    for selector in (3, 0x105, 0x10018, 0xFFFF_FFFF):
        bench[EVENT] = selector
        assert bench[EVENT] == 0
    for selector in (1, 2, 0x10019, 0x1001B, 0x10021, 0x100, 0x104):
        bench[EVENT] = selector
        assert bench[EVENT] == selector


@section(HPM)
@pytest.mark.parametrize(
    ("event", "kind"), [(Event.LOAD_MISSES, LOAD), (Event.STORE_MISSES, STORE)]
)
def test_tlb_misses(bench: Bench, event: int, kind: str) -> None:
    bench[EVENT] = event
    before = bench[COUNTER]
    assert bench.access(kind, PA, "M") is None
    assert bench.access(kind, PA + 8, "M") is None
    assert bench[COUNTER] - before == 1
    other = STORE if kind == LOAD else LOAD
    assert bench.access(other, PA + 0x1000, "M") is None
    assert bench[COUNTER] - before == 1


@section(HPM)
def test_traps_and_walks(bench: Bench) -> None:
    events = (Event.EXCEPTIONS, Event.INTERRUPTS, Event.WALKS + 1, Event.LAST_WALKS)
    for number, event in enumerate(events, 3):
        bench[f"mhpmevent{number}"] = event
        bench[f"mhpmcounter{number}"] = 0
    assert bench.step(word("ecall"), "U") is not None
    stages(bench)
    assert bench.access(LOAD, VA, "VS") is None
    assert [bench[f"mhpmcounter{n}"] for n in (3, 4)] == [1, 0]
    assert bench["mhpmcounter5"] >= 1
    assert bench["mhpmcounter6"] >= 1


@section("Machine Counter-Inhibit (mcountinhibit) Register")
def test_mcountinhibit_stops_it(bench: Bench) -> None:
    bench[EVENT] = Event.INSTRUCTIONS
    bench[COUNTER] = 100
    bench["mcountinhibit"] = 1 << N
    value = bench[COUNTER]
    nops(bench, "M", 5)
    assert bench[COUNTER] == value
    bench[COUNTER] = 7
    bench["mcountinhibit"] = 0
    value = bench[COUNTER]
    nops(bench, "M", 5)
    assert bench[COUNTER] == value + 5


@section(HPM)
def test_without_sscofpmf_they_are_read_only_zero(make: MakeBench) -> None:
    bench = make("sscofpmf shlcofideleg")
    bench[EVENT] = bench[COUNTER] = ONES
    nops(bench, "M", 3)
    assert bench[EVENT] == bench[COUNTER] == 0
    assert bench.outcome(csr_word("csrrs", "scountovf", rs1=0), "M") == "illegal"
    bench["mie"] = bench["mideleg"] = bench["mip"] = ONES
    assert (bench["mie"] | bench["mideleg"] | bench["mip"]) & BIT == 0


# --- modes --------------------------------------------------------------------------------------


@section(CONTROL)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_each_mode_can_be_excluded(bench: Bench, mode: str) -> None:
    for excluded, field in INH.items():
        bench.enter("M")
        bench[EVENT] = Event.INSTRUCTIONS | field
        bench[COUNTER] = 0
        bench.step(csr_word("csrrw", "mepc", rd=0, rs1=6), "M")
        start = bench[COUNTER]
        enter_by_mret(bench, mode)
        entered = bench[COUNTER]
        assert entered - start == (excluded != "M"), "mret is counted in M mode"
        nops_here(bench, 6)
        assert bench[COUNTER] - entered == (0 if excluded == mode else 6)


def enter_by_mret(bench: Bench, mode: str) -> None:
    """Go to a mode by mret, to the page after CODE."""
    priv, virt = {"M": (3, 0), "HS": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)}[mode]
    bench["mstatus"] = (bench["mstatus"] & ~(3 << 11 | 1 << 39)) | priv << 11 | virt << 39
    bench["mepc"] = CODE + 0x100
    assert bench.step(word("mret"), "M") is None
    assert bench.mode == mode


def nops_here(bench: Bench, count: int) -> None:
    for at in range(0, 4 * count, 4):
        bench.poke(int(bench.hart.pc) + at, NOP, 4)
    assert bench.go(count) is None


@section(FILTER)
@pytest.mark.parametrize("name", ["minstret", "mcycle"])
def test_minstret_counts_what_retires_in_a_mode(bench: Bench, name: str) -> None:
    """A load in U mode that takes a page fault counts once, whatever its handler does."""
    config = f"{name}cfg"
    bench[config] = ONES
    assert bench[config] == sum(INH.values()), "OF and the rest are read-only zero"
    bench[config] = sum(INH.values()) & ~Field.UINH
    bench[name] = 0
    enter_by_mret(bench, "U")
    value = bench[name]
    nops_here(bench, 3)
    assert bench[name] == value + 3
    bench.poke(int(bench.hart.pc), word("ecall"), 4)
    bench.poke(HANDLERS["M"], NOP, 4)
    found = bench.go(2)
    assert found is not None
    assert found.cause == 8
    assert bench[name] == value + 3, "neither the exception nor the handler counts"


@section("Machine Counter Configuration (mcyclecfg, minstretcfg) Registers")
def test_the_configurations_need_smcntrpmf(make: MakeBench) -> None:
    bench = make("smcntrpmf")
    for name in ("mcyclecfg", "minstretcfg"):
        assert bench.outcome(csr_word("csrrs", name, rs1=0), "M") == "illegal"
    bench = make()
    for name in ("mcyclecfg", "minstretcfg"):
        assert bench.outcome(csr_word("csrrs", name, rs1=0), "HS") == "illegal"


# --- overflow -----------------------------------------------------------------------------------


def arm(bench: Bench, after: int) -> None:
    """Let the counter overflow after so many instructions."""
    bench[EVENT] = Event.INSTRUCTIONS
    write(bench, COUNTER, -after)


@section(CONTROL)
def test_an_overflow_sets_of_and_lcofip(bench: Bench) -> None:
    arm(bench, 5)
    nops(bench, "M", 4)
    assert (bench[EVENT] >> 63, bench["mip"] & BIT) == (0, 0)
    nops(bench, "M", 1)
    assert bench[EVENT] >> 63 == 1
    assert bench["mip"] & BIT == BIT
    assert bench["scountovf"] == 1 << N
    assert bench[COUNTER] == 0, "the counter wraps around and goes on"
    nops(bench, "M", 3)
    assert bench[COUNTER] == 3


@section(CONTROL)
def test_while_of_is_set_there_is_no_interrupt(bench: Bench) -> None:
    arm(bench, 5)
    bench[EVENT] = Event.INSTRUCTIONS | Field.OF
    nops(bench, "M", 9)
    assert bench["mip"] & BIT == 0
    assert bench[EVENT] >> 63 == 1


@section(CONTROL)
def test_writes_are_no_overflow(bench: Bench) -> None:
    bench[EVENT] = Event.INSTRUCTIONS
    for value in (ONES, 0, 1 << 63, 1, 0):
        write(bench, COUNTER, value)
        assert bench[COUNTER] == value
        assert bench[EVENT] >> 63 == 0
    nops(bench, "M", 2)
    assert bench[EVENT] >> 63 == 0
    assert bench["mip"] & BIT == 0


@section(CONTROL)
@pytest.mark.parametrize("mode", BELOW_M)
def test_the_interrupt_goes_where_mideleg_says(bench: Bench, mode: str) -> None:
    for delegated, handler in ((0, "M"), (BIT, "HS")):
        bench.begin()
        bench["mideleg"] = delegated
        bench["mie"] = BIT
        bench["mstatus"] |= 1 << 1
        arm(bench, 3)
        for at in range(0, 64, 4):
            for page in (CODE, HANDLERS[handler]):
                bench.poke(page + at, NOP, 4)
        bench.enter(mode)
        found = bench.go(12)
        assert found is not None
        assert (found.mode, found.cause) == (handler, 1 << 63 | LCOFI)


@section("Supervisor Interrupt (sip and sie) Registers")
def test_software_clears_lcofip_in_sip(bench: Bench) -> None:
    bench["mideleg"] = BIT
    bench["sie"] = BIT
    assert bench["sie"] & BIT == bench["mie"] & BIT == BIT
    bench["mip"] = BIT
    assert bench["sip"] & BIT == BIT
    bench["sip"] = 0
    assert bench["mip"] & BIT == 0
    bench["mideleg"] = 0
    bench["mip"] = BIT
    bench["sip"] = 0
    assert (bench["sip"] & BIT, bench["mip"] & BIT) == (0, BIT)


@section(DELEGATED)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_a_guest_takes_it_with_its_own_number(bench: Bench, mode: str) -> None:
    bench["mideleg"] = BIT
    bench["hideleg"] = BIT | 1 << 2
    bench["vsie"] = BIT
    assert bench["vsie"] & BIT == bench["mie"] & BIT == BIT
    bench["vsstatus"] |= 1 << 1
    bench["mip"] = BIT
    assert bench["vsip"] == BIT
    bench.enter(mode)
    found = bench.go(0)
    assert found is not None
    assert (found.mode, found.cause) == ("VS", 1 << 63 | LCOFI)
    bench["vsip"] = 0
    assert bench["mip"] & BIT == 0


@section(DELEGATED)
def test_without_shlcofideleg_it_cannot_be_delegated(make: MakeBench) -> None:
    bench = make("shlcofideleg")
    bench["mideleg"] = bench["hideleg"] = ONES
    assert bench["hideleg"] & BIT == 0
    bench["mip"] = BIT
    bench["vsie"] = ONES
    assert (bench["vsip"] & BIT, bench["vsie"] & BIT) == (0, 0)


@section(SCOUNTOVF)
def test_scountovf_shows_what_the_enables_allow(bench: Bench) -> None:
    for number in (3, 4, 31):
        bench[f"mhpmevent{number}"] = Field.OF
    bits = csr_word("csrrs", "scountovf", rd=5, rs1=0)
    bench["mcounteren"], bench["hcounteren"] = 1 << 3 | 1 << 31, 1 << 3
    shown = {"M": 1 << 3 | 1 << 4 | 1 << 31, "HS": 1 << 3 | 1 << 31, "VS": 1 << 3}
    for mode, expected in shown.items():
        assert bench.outcome(bits, mode) == "ok"
        assert bench.hart.x[5] == expected
    assert bench.outcome(bits, "U") == "illegal"
    assert bench.outcome(bits, "VU") == "virtual"
    assert bench.outcome(csr_word("csrrw", "scountovf"), "M") == "illegal"


@section(CONTROL)
def test_an_excluded_mode_puts_the_overflow_off(bench: Bench) -> None:
    arm(bench, 4)
    bench[EVENT] = Event.INSTRUCTIONS | Field.MINH
    write(bench, COUNTER, -4)
    nops(bench, "M", 20)
    assert bench[EVENT] >> 63 == 0
    enter_by_mret(bench, "U")
    nops_here(bench, 3)
    assert bench[EVENT] >> 63 == 0
    nops_here(bench, 1)
    assert bench[EVENT] >> 63 == 1
