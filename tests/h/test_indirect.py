"""Indirect CSR access and the counters that S mode may configure by it."""

from __future__ import annotations

import pytest

from rvplat.hart.trap import Trap
from rvplat.isa.hpm import Event, Field
from tests.h.bench import ALL_MODES, MODES, ONES, Bench, csr_word
from tests.h.conftest import MakeBench
from tests.h.section import section

INDIRECT = "Smcsrind and Sscsrind Extensions for Indirect CSR Access"
DELEGATION = "Counter Delegation"
INHIBIT = "Supervisor Counter Inhibit (scountinhibit) Register"
STATE = "Access control by the state-enable CSRs"
CDE, CSRIND = 1 << 60, 1 << 60
N = 5
ALIASES = [f"{level}ireg{n}" for level in ("m", "s", "vs") for n in ("", "2", "3", "4", "5", "6")]


def opened(bench: Bench, counter: int = N) -> None:
    """Delegate every counter but 4, and choose one."""
    bench["mstateen0"] = bench["hstateen0"] = ONES
    bench["menvcfg"] = CDE
    bench["mcounteren"] = ONES & ~(1 << 4)
    bench["siselect"] = 0x40 + counter


def read(bench: Bench, name: str, mode: str = "HS") -> int | str:
    """The value that an instruction reads, or its trap."""
    found = bench.outcome(csr_word("csrrs", name, rd=5, rs1=0), mode)
    return int(bench.hart.x[5]) if found == "ok" else found


def write(bench: Bench, name: str, value: int, mode: str = "HS") -> str:
    bench.hart.x[6] = value & ONES
    return bench.outcome(csr_word("csrrw", name, rd=0, rs1=6), mode)


@section(INDIRECT)
def test_the_select_registers(bench: Bench) -> None:
    opened(bench)
    for name in ("siselect", "vsiselect"):
        bench[name] = ONES
        assert bench[name] == 0xFFF
    assert write(bench, "siselect", 0x123, "VS") == "ok"
    assert (bench["siselect"], bench["vsiselect"]) == (0xFFF, 0x123), "a guest has its own"
    bench["miselect"] = ONES
    assert bench["miselect"] == 0
    assert read(bench, "siselect", "VU") == read(bench, "vsiselect", "VS") == "virtual"
    assert read(bench, "siselect", "U") == "illegal"


@section(INDIRECT)
@pytest.mark.parametrize("name", ALIASES)
def test_values_that_are_not_implemented_are_illegal(bench: Bench, name: str) -> None:
    opened(bench)
    for value in (0, 0x3F, 0x60, 0xFFF):
        bench["siselect"] = bench["vsiselect"] = value
        for mode in ("M", "HS"):
            assert read(bench, name, mode) == "illegal"
        assert read(bench, name, "VU") == ("illegal" if name[0] == "m" else "virtual")
        expected = {"m": "illegal", "s": "illegal", "v": "virtual"}[name[0]]
        assert read(bench, name, "VS") == expected


@section(DELEGATION)
@pytest.mark.parametrize("mode", ["M", "HS"])
def test_a_counter_and_its_event(bench: Bench, mode: str) -> None:
    opened(bench)
    assert write(bench, "sireg2", Event.INSTRUCTIONS | Field.UINH, mode) == "ok"
    assert bench[f"mhpmevent{N}"] == Event.INSTRUCTIONS | Field.UINH
    assert write(bench, "sireg", 1000, mode) == "ok"
    assert bench[f"mhpmcounter{N}"] == 1000
    assert read(bench, "sireg", mode) == 1000
    assert read(bench, "sireg", mode) == 1001
    bench["siselect"] = 0x42
    assert write(bench, "sireg", 500, mode) == "ok"
    assert bench["minstret"] == 500
    assert write(bench, "sireg2", Field.VUINH, mode) == "ok"
    assert bench["minstretcfg"] == Field.VUINH


@section(DELEGATION)
def test_minh_is_read_only_zero_and_stays(bench: Bench) -> None:
    opened(bench)
    bench[f"mhpmevent{N}"] = Event.CYCLES | Field.MINH
    assert read(bench, "sireg2") == Event.CYCLES
    assert write(bench, "sireg2", Event.INSTRUCTIONS) == "ok"
    assert bench[f"mhpmevent{N}"] == Event.INSTRUCTIONS | Field.MINH


@section(DELEGATION)
@pytest.mark.parametrize("mode", ["M", "HS"])
def test_what_is_illegal(bench: Bench, mode: str) -> None:
    opened(bench)
    for name in ("sireg3", "sireg4", "sireg5", "sireg6"):
        assert read(bench, name, mode) == "illegal"
    for counter in (1, 4):  # time; one that is not delegated
        bench["siselect"] = 0x40 + counter
        assert read(bench, "sireg", mode) == read(bench, "sireg2", mode) == "illegal"
    opened(bench)
    bench["menvcfg"] = 0
    assert read(bench, "sireg", mode) == read(bench, "sireg2", mode) == "illegal"


@section(DELEGATION)
@pytest.mark.parametrize("cde", [0, CDE])
def test_a_guest_has_no_counter(bench: Bench, cde: int) -> None:
    opened(bench)
    bench["vsiselect"] = 0x40 + N
    bench["menvcfg"] = cde
    assert read(bench, "sireg", "VS") == ("virtual" if cde else "illegal")
    assert read(bench, "vsireg", "HS") == "illegal"


@section(DELEGATION)
def test_filters_of_fixed_counters_need_smcntrpmf(make: MakeBench) -> None:
    bench = make("smcntrpmf")
    opened(bench, 2)
    assert isinstance(read(bench, "sireg"), int)
    assert read(bench, "sireg2") == "illegal"


@section(INHIBIT)
def test_scountinhibit_is_a_part_of_mcountinhibit(bench: Bench) -> None:
    opened(bench)
    bench["mcountinhibit"] = 1 << 4
    assert read(bench, "scountinhibit") == 0
    assert write(bench, "scountinhibit", ONES) == "ok"
    assert bench["mcountinhibit"] == 0xFFFF_FFFD
    assert read(bench, "scountinhibit") == 0xFFFF_FFED
    assert write(bench, "scountinhibit", 0) == "ok"
    assert bench["mcountinhibit"] == 1 << 4


@section(INHIBIT)
@pytest.mark.parametrize("name", ["scountinhibit", "scountovf"])
def test_who_may_access_it(bench: Bench, name: str) -> None:
    opened(bench)
    expected = {"M": "ok", "HS": "ok", "U": "illegal", "VS": "virtual", "VU": "virtual"}
    bits = csr_word("csrrs", name, rs1=0)
    assert {mode: bench.outcome(bits, mode) for mode in ALL_MODES} == expected
    bench["menvcfg"] = 0
    if name == "scountinhibit":
        assert {bench.outcome(bits, mode) for mode in ALL_MODES} == {"illegal"}


@section(STATE)
@pytest.mark.parametrize("name", ["siselect", "sireg", "vsiselect"])
def test_state_enables(bench: Bench, name: str) -> None:
    opened(bench)
    bits = csr_word("csrrs", name, rs1=0)
    bench["mstateen0"] = ONES & ~CSRIND
    assert {bench.outcome(bits, mode) for mode in MODES if mode != "M"} == {"illegal"}
    assert bench.outcome(bits, "M") == "ok"
    bench["mstateen0"], bench["hstateen0"] = ONES, ONES & ~CSRIND
    assert bench.outcome(bits, "HS") == "ok"
    assert bench.outcome(bits, "VS") == "virtual"


@section(DELEGATION)
def test_cde_needs_smcdeleg(make: MakeBench) -> None:
    bench = make("smcdeleg")
    bench["menvcfg"] = ONES
    assert bench["menvcfg"] & CDE == 0


@section(DELEGATION)
@pytest.mark.parametrize("name", [name for name in ALIASES if name not in ("sireg", "sireg2")])
def test_debuggers_do_not_reach_what_is_not_chosen(bench: Bench, name: str) -> None:
    """A read or write from outside asks for no permission; there is nothing to access."""
    opened(bench)
    for access in (lambda: bench[name], lambda: bench.__setitem__(name, 1)):
        with pytest.raises(Trap):
            access()


@section(DELEGATION)
@pytest.mark.parametrize("value", [0, 0x3F, 0x41, 0x60, 0xFFF])
def test_debuggers_do_not_reach_another_counter(bench: Bench, value: int) -> None:
    opened(bench)
    bench["mcycle"], bench["siselect"] = 77, value
    before = bench["mcycle"]
    for name in ("sireg", "sireg2"):
        for access in (lambda n=name: bench[n], lambda n=name: bench.__setitem__(n, 1)):
            with pytest.raises(Trap):
                access()
    assert bench["mcycle"] - before < 77
