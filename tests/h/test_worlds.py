"""Which registers are in effect: none of HS mode's with V=1, none of the guest's with V=0, and with
MPRV those of V=1 for the access."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    ALL_MODES,
    CODE,
    FETCH,
    HANDLERS,
    LEAF,
    LOAD,
    MODES,
    ONES,
    RAM,
    STORE,
    A,
    Bench,
    D,
    R,
    Trap,
    U,
    V,
    X,
    csr_word,
    word,
)
from tests.h.section import MSTATUS, OF_CSR, VSATP, VSINTERRUPTS, VSSTATUS, section
from tests.h.stages import GPA, KINDS, OK, PA, VA, cause, causes, stages

PRIVILEGE_MODES = "Privilege Modes"
VS_CSRS = "Hypervisor and Virtual Supervisor CSRs"
VSSI = 1 << 2
RAM_GIGAPAGE = RAM >> 12 << 10  # the PPN of an entry


# --- with V=1 and with V=0 ------------------------------------------------------------------------


@section(PRIVILEGE_MODES)
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_two_stages_are_on_in_vs_and_vu_mode(bench: Bench, mode: str, kind: str) -> None:
    """Table "Privilege modes with the hypervisor extension": off in U, HS and M mode."""
    stages(bench)
    if mode == "VU":
        bench.map_guest(VA, GPA, LEAF | U)
        bench.map_guest(CODE, CODE, LEAF | U)
    two = MODES[mode][1] == 1
    assert bench.access(kind, VA if two else PA, mode) is None
    found = bench.access(kind, PA if two else VA, mode)
    assert found is not None
    assert found.cause == {LOAD: (5, 13), STORE: (7, 15), FETCH: (1, 12)}[kind][two]


@section(PRIVILEGE_MODES)
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_vs_mode_interrupts_are_disabled_with_v_0(bench: Bench, mode: str) -> None:
    """ "VS-mode interrupts are globally disabled when executing in U-mode"."""
    bench.delegate(hideleg=ONES)
    bench["vsstatus"], bench["mstatus"] = Status.SIE, Status.SIE | Status.MIE
    bench["hie"] = bench["hvip"] = VSSI
    bench.enter(mode)
    assert bench.interrupted() is None
    bench.enter("VS")
    assert bench.interrupted() == ("VS", 1)


@section(VS_CSRS)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_hs_modes_csrs_do_not_affect_guests(bench: Bench, mode: str) -> None:
    """satp, stvec, sepc and others keep their values and have no effect."""
    stages(bench)
    for page in (VA, CODE):
        bench.map_guest(page, GPA if page == VA else page, LEAF | (U if mode == "VU" else 0))
    bench.delegate(hedeleg=ONES)
    kept = {"satp": 8 << 60 | 3 << 44 | bench.page() >> 12, "stvec": HANDLERS["HS"],
            "sepc": 0x40, "scause": 7, "stval": 0x55, "sscratch": 0x66}  # fmt: skip
    for name, value in kept.items():
        bench[name] = value
    assert causes(bench, VA, mode) == OK
    assert bench.step(word("ebreak"), mode) == Trap("VS", 3, CODE, virt=1, priv=MODES[mode][0])
    assert {name: bench[name] for name in kept} == kept


@section(VSSTATUS)
@pytest.mark.parametrize("field", [Status.SUM, Status.MXR])
def test_vsstatus_has_no_effect_while_v_is_0(bench: Bench, field: int) -> None:
    """HS mode's own field decides whether it can read a user page (SUM) or an execute-only page
    (MXR)."""
    root = bench.page()
    bench.poke(root + 2 * 8, RAM_GIGAPAGE | LEAF)
    flags = LEAF | U if field == Status.SUM else V | A | D | X
    bench.poke(root + 3 * 8, RAM_GIGAPAGE | flags)
    bench["satp"] = 8 << 60 | root >> 12
    alias = PA + (1 << 30)
    bench["vsstatus"] = field
    assert cause(bench.access(LOAD, alias, "HS")) == 13
    bench["mstatus"] = field
    assert cause(bench.access(LOAD, alias, "HS")) == "ok"


@section(MSTATUS)
def test_mstatus_is_no_superset_of_vsstatus(bench: Bench) -> None:
    bench["mstatus"] = 0
    before = bench["mstatus"]
    bench["vsstatus"] = ONES
    assert bench["mstatus"] == before
    bench["mstatus"] = ONES
    bench["vsstatus"] = 0
    assert bench["sstatus"] & (Status.SUM | Status.SIE) == Status.SUM | Status.SIE
    assert bench["vsstatus"] == 2 << 32


@section(VSINTERRUPTS)
def test_hs_modes_interrupts_are_not_in_vsip(bench: Bench) -> None:
    """ "Interrupts directed to HS-level continue to be indicated in the HS-level sip"."""
    bench.delegate(hideleg=ONES)
    bench["mip"] = bench["mie"] = 0x222
    assert bench["sip"] == bench["sie"] == 0x222
    assert bench["vsip"] == bench["vsie"] == 0
    bench["mie"] = 0
    for name in ("sip", "sie"):
        assert bench.outcome(csr_word("csrrs", name, rs1=0), "VS") == "ok"
        assert bench.hart.x[5] == 0


@section(OF_CSR["vsepc"])
def test_vsepc_holds_what_sepc_holds(bench: Bench) -> None:
    for value in (ONES, 0x8000_0002, 0x8000_0001, 0):
        bench["sepc"] = bench["vsepc"] = value
        assert bench["vsepc"] == bench["sepc"]


# --- MPRV -----------------------------------------------------------------------------------------


def as_though(bench: Bench, mpp: int, fields: int = 0) -> None:
    bench["mstatus"] = Status.MPRV | Status.MPV | mpp << Status.MPP_SHIFT | fields


@section(MSTATUS)
@pytest.mark.parametrize("kind", [LOAD, STORE])
@pytest.mark.parametrize("mpp", [0, 1])
@pytest.mark.parametrize("page", [0, U])
@pytest.mark.parametrize("sum_", [0, Status.SUM])
@pytest.mark.parametrize("outer", [0, Status.SUM])
def test_mprv_takes_sum_from_vsstatus(
    bench: Bench, kind: str, mpp: int, page: int, sum_: int, outer: int
) -> None:
    """ "vsstatus.SUM applies instead of the HS-level SUM bit"."""
    stages(bench)
    bench.map_guest(VA, GPA, LEAF | page)
    bench["vsstatus"] = sum_
    as_though(bench, mpp, outer)
    allowed = bool(page) == (mpp == 0) or (page and mpp == 1 and sum_)
    assert cause(bench.access(kind, VA, "M")) == ("ok" if allowed else 13 if kind == LOAD else 15)


@section(MSTATUS)
@pytest.mark.parametrize("first", [X, R | X])
@pytest.mark.parametrize("second", [X, R | X])
@pytest.mark.parametrize("mxr", [0, Status.MXR])
@pytest.mark.parametrize("outer", [0, Status.MXR])
def test_mprv_and_mxr(bench: Bench, first: int, second: int, mxr: int, outer: int) -> None:
    """HS mode's MXR makes every executable page readable, vsstatus.MXR those of the first stage."""
    stages(bench)
    bench.map_guest(VA, GPA, V | A | D | first)
    bench.map_host(GPA, PA, V | A | D | U | second)
    bench["vsstatus"] = mxr
    as_though(bench, 1, outer)
    expected: int | str = "ok"
    if not first & R and not mxr and not outer:
        expected = 13
    elif not second & R and not outer:
        expected = 21
    assert cause(bench.access(LOAD, VA, "M")) == expected


@section(MSTATUS)
def test_mprv_is_for_explicit_accesses(bench: Bench) -> None:
    """M mode's fetches aren't translated."""
    stages(bench)
    as_though(bench, 1)
    assert bench.access(FETCH, PA, "M") is None
    found = bench.access(FETCH, VA, "M")
    assert found is not None
    assert (found.cause, found.gva) == (1, 0)


@section(MSTATUS)
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_a_guest_page_fault_under_mprv(bench: Bench, kind: str) -> None:
    """The trap comes from M mode, so MPV is 0, but GVA is 1."""
    stages(bench)
    bench.map_host(GPA, PA, 0)
    as_though(bench, 1)
    found = bench.access(kind, VA, "M")
    bits = word("ld", rd=5) if kind == LOAD else word("sd", rs2=7)
    assert found == Trap("M", 21 if kind == LOAD else 23, VA, GPA >> 2, bits, 1, 0, 3)


@section(VSATP)
@pytest.mark.parametrize("name", ["hlv.d", "hsv.d"])
def test_vsatp_applies_to_virtual_machine_accesses(bench: Bench, name: str) -> None:
    """ "Unless a virtual-machine load/store ... is used to execute a load or store as though V=1":
    every MODE of vsatp applies to these, Bare included."""
    bench["hstatus"] = HStatus.SPVP
    for mode in (0, 8, 9, 10):
        stages(bench, mode)
        if mode == 0:
            bench["vsatp"] = 0
        bench.hart.x[6] = VA if mode else GPA
        assert bench.step(word(name, rs1=6), "HS") is None
        bench.step(word("hfence.gvma"), "M")
        bench.step(word("hfence.vvma"), "M")
