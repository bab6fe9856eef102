"""Virtual-instruction exceptions: the HS-qualified rule, case by case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import ALL_MODES, ONES, RAM, ROWS, Bench, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import (
    CAUSES,
    GUEST_ACCESS,
    GUEST_FENCES,
    HCOUNTEREN,
    MSTATUS,
    SVINVAL,
    VSSTATUS,
    WAITS,
    section,
)

LOADS = ["hlv.b", "hlv.bu", "hlv.h", "hlv.hu", "hlvx.hu", "hlv.w", "hlv.wu", "hlvx.wu", "hlv.d"]
STORES = ["hsv.b", "hsv.h", "hsv.w", "hsv.d"]
FENCES = ["hfence.vvma", "hfence.gvma", "hinval.vvma", "hinval.gvma"]
COUNTERS = ["cycle", "time", "instret", "hpmcounter3", "hpmcounter31"]
BIT = {"cycle": 0, "time": 1, "instret": 2, "hpmcounter3": 3, "hpmcounter31": 31}

Outcomes = tuple[str, str, str, str, str]  # in M, HS, U, VS, VU
OK, ILL, VIR = "ok", "illegal", "virtual"


def outcomes(bench: Bench, bits: int) -> Outcomes:
    """The outcome of an instruction in each mode. x6 is an address in RAM."""
    found = []
    for mode in ALL_MODES:
        bench.hart.x[6] = RAM + 0xF000
        for name in ("mepc", "sepc", "vsepc"):
            bench[name] = RAM + 0xF000
        found.append(bench.outcome(bits, mode))
    return tuple(found)  # type: ignore[return-value]


# --- hypervisor instructions ----------------------------------------------------------------------


@section(GUEST_ACCESS)
@pytest.mark.parametrize("name", [*LOADS, *STORES])
@pytest.mark.parametrize("hu", [0, HStatus.HU])
def test_loads_and_stores_of_guests(bench: Bench, name: str, hu: int) -> None:
    bench["hstatus"] = hu
    bits = word(name, rs1=6)
    assert outcomes(bench, bits) == (OK, OK, OK if hu else ILL, VIR, VIR)


@pytest.mark.parametrize("tvm", [0, Status.TVM])
@pytest.mark.parametrize("vtvm", [0, HStatus.VTVM])
@pytest.mark.parametrize(
    ("section", "name"), [(GUEST_FENCES if n[1] == "f" else SVINVAL, n) for n in FENCES]
)
def test_fences_of_guests(bench: Bench, name: str, tvm: int, vtvm: int) -> None:
    """mstatus.TVM denies HS mode only the fences for GVMA. HU and hstatus.VTVM have no effect."""
    bench["mstatus"], bench["hstatus"] = tvm, HStatus.HU | vtvm
    hs = ILL if tvm and "gvma" in name else OK
    assert outcomes(bench, word(name, rs1=6)) == (OK, hs, ILL, VIR, VIR)


# --- supervisor instructions ----------------------------------------------------------------------

SUPERVISOR: list[tuple[str, int, int, Outcomes]] = [
    # instruction, mstatus, hstatus, outcomes
    ("sret", 0, 0, (OK, OK, ILL, OK, VIR)),
    ("sret", Status.TSR, 0, (OK, ILL, ILL, OK, VIR)),
    ("sret", 0, HStatus.VTSR, (OK, OK, ILL, VIR, VIR)),
    ("sret", Status.TSR, HStatus.VTSR, (OK, ILL, ILL, VIR, VIR)),
    ("mret", 0, 0, (OK, ILL, ILL, ILL, ILL)),
    ("wfi", 0, 0, (OK, OK, ILL, OK, VIR)),
    ("wfi", Status.TW, 0, (OK, ILL, ILL, ILL, ILL)),
    ("wfi", 0, HStatus.VTW, (OK, OK, ILL, VIR, VIR)),
    ("wfi", Status.TW, HStatus.VTW, (OK, ILL, ILL, ILL, ILL)),
    ("wrs.nto", 0, 0, (OK, OK, OK, OK, OK)),
    ("wrs.nto", Status.TW, HStatus.VTW, (OK, ILL, ILL, ILL, ILL)),
    ("wrs.nto", 0, HStatus.VTW, (OK, OK, OK, VIR, VIR)),
    ("wrs.sto", Status.TW, HStatus.VTW, (OK, OK, OK, OK, OK)),
    *(
        row
        for name in ("sfence.vma", "sinval.vma")
        for row in (
            (name, 0, 0, (OK, OK, ILL, OK, VIR)),
            (name, Status.TVM, 0, (OK, ILL, ILL, OK, VIR)),
            (name, 0, HStatus.VTVM, (OK, OK, ILL, VIR, VIR)),
        )
    ),
    *(
        (name, Status.TVM, HStatus.VTVM, (OK, OK, ILL, OK, VIR))
        for name in ("sfence.w.inval", "sfence.inval.ir")
    ),
]
OF_INSTRUCTION = {
    **dict.fromkeys(("wrs.nto", "wrs.sto"), WAITS),
    **dict.fromkeys(("sinval.vma", "sfence.w.inval", "sfence.inval.ir"), SVINVAL),
}


@pytest.mark.parametrize(
    ("section", "name", "mstatus", "hstatus", "expected"),
    [(OF_INSTRUCTION.get(row[0], CAUSES), *row) for row in SUPERVISOR],
)
def test_supervisor_instructions(
    bench: Bench, name: str, mstatus: int, hstatus: int, expected: Outcomes
) -> None:
    bits = word(name)
    found = []
    for mode in ALL_MODES:
        bench["mstatus"], bench["hstatus"] = mstatus, hstatus
        bench["mepc"] = bench["sepc"] = bench["vsepc"] = RAM + 0xF000
        found.append(bench.outcome(bits, mode))
    assert tuple(found) == expected


@section(CAUSES)
@pytest.mark.parametrize("op", ["csrrs", "csrrw"])
@pytest.mark.parametrize(
    ("mstatus", "hstatus", "expected"),
    [
        (0, 0, (OK, OK, ILL, OK, VIR)),
        (Status.TVM, 0, (OK, ILL, ILL, OK, VIR)),
        (0, HStatus.VTVM, (OK, OK, ILL, VIR, VIR)),
        (Status.TVM, HStatus.VTVM, (OK, ILL, ILL, VIR, VIR)),
    ],
)
def test_satp(bench: Bench, op: str, mstatus: int, hstatus: int, expected: Outcomes) -> None:
    bench["mstatus"], bench["hstatus"] = mstatus, hstatus
    bits = csr_word(op, "satp", rs1=0)
    found = []
    for mode in ALL_MODES:
        bench["mstatus"], bench["hstatus"] = mstatus, hstatus
        found.append(bench.outcome(bits, mode))
    assert tuple(found) == expected


@section(MSTATUS)
@pytest.mark.parametrize(
    ("name", "expected"), [("hgatp", (OK, ILL, ILL, VIR, VIR)), ("vsatp", (OK, OK, ILL, VIR, VIR))]
)
def test_tvm_bars_hgatp_but_not_vsatp(bench: Bench, name: str, expected: Outcomes) -> None:
    """A guest's access is a virtual instruction in any case: "assuming mstatus.TVM=0"."""
    found = []
    for mode in ALL_MODES:
        bench["mstatus"] = Status.TVM
        found.append(bench.outcome(csr_word("csrrs", name, rs1=0), mode))
    assert tuple(found) == expected


@section(CAUSES)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_ecall_has_a_cause_for_each_mode(bench: Bench, mode: str) -> None:
    cause = {"M": "11", "HS": "9", "VS": "10", "U": "8", "VU": "8"}[mode]
    assert bench.outcome(word("ecall"), mode) == cause


@section(CAUSES)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_unknown_instructions_are_illegal_in_every_mode(bench: Bench, mode: str) -> None:
    for bits in (0x6E00_40F3, 0xFFFF_FFFF, 0x6420_4073, 0x6200_40F3):
        assert bench.outcome(bits, mode) == ILL


# --- counters -------------------------------------------------------------------------------------


@section(HCOUNTEREN)
@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("scounteren", [False, True])
@pytest.mark.parametrize("hcounteren", [False, True])
@pytest.mark.parametrize("mcounteren", [False, True])
def test_counters(
    bench: Bench, name: str, mcounteren: bool, hcounteren: bool, scounteren: bool
) -> None:
    bit = 1 << BIT[name]
    for register, given in (
        ("mcounteren", mcounteren), ("hcounteren", hcounteren), ("scounteren", scounteren)
    ):  # fmt: skip
        bench[register] = bit if given else ONES & ~bit
    if not mcounteren:
        expected = (OK, ILL, ILL, ILL, ILL)
    else:
        vs = OK if hcounteren else VIR
        vu = OK if hcounteren and scounteren else VIR
        expected = (OK, OK, OK if scounteren else ILL, vs, vu)
    assert outcomes(bench, csr_word("csrrs", name, rs1=0)) == expected


@section(CAUSES)
@pytest.mark.parametrize("name", COUNTERS)
def test_writing_a_counter_is_illegal_everywhere(bench: Bench, name: str) -> None:
    bench["mcounteren"] = bench["hcounteren"] = bench["scounteren"] = ONES
    assert outcomes(bench, csr_word("csrrw", name)) == (ILL,) * 5


@section(HCOUNTEREN)
@pytest.mark.parametrize("hcounteren", [0, 2])
@pytest.mark.parametrize("henvcfg", [0, 1 << 63])
@pytest.mark.parametrize("mcounteren", [0, 2])
@pytest.mark.parametrize("menvcfg", [0, 1 << 63])
def test_stimecmp_and_vstimecmp(
    bench: Bench, menvcfg: int, mcounteren: int, henvcfg: int, hcounteren: int
) -> None:
    bench["menvcfg"] = 1 << 63
    bench["henvcfg"] = henvcfg
    bench["menvcfg"], bench["mcounteren"] = menvcfg, mcounteren
    bench["hcounteren"] = hcounteren
    hs = OK if menvcfg and mcounteren else ILL
    vs = ILL if hs == ILL else OK if henvcfg and hcounteren else VIR
    vu = ILL if hs == ILL else VIR
    found = outcomes(bench, csr_word("csrrs", "stimecmp", rs1=0))
    assert found == (OK, hs, ILL, vs, vu)
    guests = ILL if hs == ILL else VIR
    found = outcomes(bench, csr_word("csrrs", "vstimecmp", rs1=0))
    assert found == (OK, hs, ILL, guests, guests)


# --- cache-block operations -----------------------------------------------------------------------

BLOCKS = [
    ("cbo.inval", 1 << 4), ("cbo.inval", 3 << 4), ("cbo.clean", 1 << 6), ("cbo.flush", 1 << 6),
    ("cbo.zero", 1 << 7),
]  # fmt: skip


@section("Illegal-Instruction and Virtual-Instruction Exceptions")
@pytest.mark.parametrize(("name", "field"), BLOCKS)
@pytest.mark.parametrize("senvcfg", [False, True])
@pytest.mark.parametrize("henvcfg", [False, True])
@pytest.mark.parametrize("menvcfg", [False, True])
def test_cache_block_operations(
    bench: Bench, name: str, field: int, menvcfg: bool, henvcfg: bool, senvcfg: bool
) -> None:
    for register, given in (("menvcfg", menvcfg), ("henvcfg", henvcfg), ("senvcfg", senvcfg)):
        bench[register] = field if given else 0
    if not menvcfg:
        expected = (OK, ILL, ILL, ILL, ILL)
    else:
        vs = OK if henvcfg else VIR
        expected = (OK, OK, OK if senvcfg else ILL, vs, OK if henvcfg and senvcfg else VIR)
    assert outcomes(bench, word(name, rs1=6)) == expected


@section("Illegal-Instruction and Virtual-Instruction Exceptions")
@pytest.mark.parametrize("name", ["prefetch.i", "prefetch.r", "prefetch.w"])
def test_prefetches_never_trap(bench: Bench, name: str) -> None:
    assert outcomes(bench, word(name)) == (OK,) * 5


# --- FS and VS are exceptions to the rule ---------------------------------------------------------


@section(CAUSES)
@pytest.mark.parametrize("host", [0, Status.FS])
@pytest.mark.parametrize("guest", [0, Status.FS])
def test_fs_off_is_illegal_never_virtual(bench: Bench, host: int, guest: int) -> None:
    bench["mstatus"], bench["vsstatus"] = host, guest
    outside, inside = OK if host else ILL, OK if host and guest else ILL
    for bits in (word("fadd.d", rm=0), csr_word("csrrs", "fcsr", rs1=0), word("flw", rs1=6)):
        assert outcomes(bench, bits) == (outside, outside, outside, inside, inside)


# Changes of floating-point state: a register, fcsr, and flags alone (f2 is a signalling NaN).
CHANGES_F = {
    "fmv.d.x": word("fmv.d.x", rd=1, rs1=6),
    "fcsr": csr_word("csrrw", "fcsr"),
    "frm": csr_word("csrrs", "frm"),
    "fflags": csr_word("csrrc", "fflags"),
    "feq.d": word("feq.d", rd=5, rs1=2, rs2=2),
    "fcvt.w.d": word("fcvt.w.d", rd=5, rs1=2, rm=1),
}


@section(VSSTATUS)
@pytest.mark.parametrize("host", [1, 2, 3])
@pytest.mark.parametrize("guest", [1, 2, 3])
@pytest.mark.parametrize("name", CHANGES_F)
def test_a_guest_that_changes_floating_point_state_dirties_both_fields(
    bench: Bench, host: int, guest: int, name: str
) -> None:
    for mode, both in (("VS", True), ("VU", True), ("HS", False), ("U", False)):
        bench["fcsr"] = 0
        bench.hart.f[2] = 0x7FF0_0000_0000_0001
        bench["mstatus"], bench["vsstatus"] = host << 13, guest << 13
        assert bench.outcome(CHANGES_F[name], mode) == OK
        assert bench["mstatus"] >> 13 & 3 == 3
        assert bench["vsstatus"] >> 13 & 3 == (3 if both else guest)


@section(VSSTATUS)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_a_guest_that_reads_f_registers_dirties_nothing(bench: Bench, mode: str) -> None:
    bench["mstatus"], bench["vsstatus"] = 1 << 13, 1 << 13
    assert bench.outcome(word("fmv.x.d", rd=5, rs1=1), mode) == OK
    assert (bench["mstatus"] >> 13 & 3, bench["vsstatus"] >> 13 & 3) == (1, 1)


@section("rvplat: tests")
def test_every_instruction_of_h_is_here(make: Callable[..., MakeBench]) -> None:
    names = {n for n, row in ROWS.items() if row.extension.name == "H" or "H" in row.requires}
    assert names == {*LOADS, *STORES, *FENCES}
