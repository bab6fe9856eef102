"""H's CSRs."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import Status
from tests.h.bench import ALL_MODES, NUMBERS, ONES, Bench, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import (
    CAUSES,
    DELEGATION,
    EXTERNALS,
    HGATP,
    HSTATUS,
    MSTATUS,
    OF_CSR,
    VSATP,
    VSSTATUS,
    by_csr,
    section,
)

GUEST_IRQS = 0x444
COUNTERS = 0xFFFF_FFFF
HGATP_FIELDS = (1 << 44) - 4 | 0x3FFF << 44
SUM_MXR = Status.SUM | Status.MXR
SSTATUS = 1 << 1 | 1 << 5 | 1 << 8 | 3 << 13 | SUM_MXR

# name, value after a write of all ones, value after a write of zeros
HELD = [
    ("hstatus", 0x3_0002_0070_03C0, 0x2_0000_0000),
    ("hedeleg", 1 << 18 | 1 << 19 | 0xB1FE, 0),
    ("hideleg", GUEST_IRQS | 1 << 13, 0),
    ("hvip", GUEST_IRQS, 0),
    ("hie", GUEST_IRQS, 0),
    ("hgeie", 0, 0),
    ("hcounteren", COUNTERS, 0),
    ("htimedelta", ONES, 0),
    ("htval", ONES, 0),
    ("htinst", ONES, 0),
    ("hgatp", HGATP_FIELDS, 0),
    ("mtval2", ONES, 0),
    ("mtinst", ONES, 0),
    ("vsstatus", 1 << 63 | 2 << 32 | SSTATUS, 2 << 32),
    ("vstvec", ONES & ~2, 0),
    ("vsscratch", ONES, 0),
    ("vsepc", ONES & ~1, 0),
    ("vscause", ONES, 0),
    ("vstval", ONES, 0),
    ("vstimecmp", ONES, 0),
    ("mstateen0", 3 << 62 | 1 << 60 | 1 << 57, 0),
    ("mstateen3", 1 << 63, 0),
    ("sstateen0", 0, 0),
]  # fmt: skip
HYPERVISOR = [
    "hstatus", "hedeleg", "hideleg", "hvip", "hip", "hie", "hgeie", "hcounteren", "htimedelta",
    "henvcfg", "htval", "htinst", "hgatp", "hstateen0", "hstateen1", "hstateen2", "hstateen3",
]  # fmt: skip
VIRTUAL = [
    "vsstatus", "vsie", "vstvec", "vsscratch", "vsepc", "vscause", "vstval", "vsip", "vsatp",
    "vstimecmp",
]  # fmt: skip
MACHINE = ["mtval2", "mtinst", "mstateen0", "mstateen1", "mstateen2", "mstateen3"]


def opened(bench: Bench) -> Bench:
    """Give HS mode access to everything."""
    bench["menvcfg"] = ONES
    bench["mcounteren"] = ONES
    for i in range(4):
        bench[f"mstateen{i}"] = ONES
    return bench


@pytest.mark.parametrize(("section", "name", "ones", "zeros"), by_csr(HELD))
def test_csrs_hold_their_writable_bits(bench: Bench, name: str, ones: int, zeros: int) -> None:
    bench[name] = ONES
    assert bench[name] == ones
    bench[name] = 0
    assert bench[name] == zeros


@section("Hypervisor and Virtual Supervisor CSRs")
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("name", [*HYPERVISOR, *VIRTUAL])
@pytest.mark.parametrize("op", ["csrrs", "csrrw"])
def test_hypervisor_and_virtual_supervisor_csrs_are_for_hs_and_m_mode(
    bench: Bench, name: str, mode: str, op: str
) -> None:
    opened(bench)
    expected = {"M": "ok", "HS": "ok", "U": "illegal"}.get(mode, "virtual")
    assert bench.outcome(csr_word(op, name, rs1=0), mode) == expected


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize(("section", "name"), by_csr((name,) for name in MACHINE))
def test_machine_csrs_are_for_m_mode(bench: Bench, name: str, mode: str) -> None:
    assert bench.outcome(csr_word("csrrs", name, rs1=0), mode) == (
        "ok" if mode == "M" else "illegal"
    )


@section(EXTERNALS)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_hgeip_is_read_only(bench: Bench, mode: str) -> None:
    """A write that is illegal in HS mode is illegal in a guest too ("Trap Cause Codes")."""
    reads = {"M": "ok", "HS": "ok", "U": "illegal"}.get(mode, "virtual")
    assert bench.outcome(csr_word("csrrs", "hgeip", rs1=0), mode) == reads
    assert bench.outcome(csr_word("csrrw", "hgeip"), mode) == "illegal"


@section(CAUSES)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_high_halves_are_illegal_where_xlen_is_64(bench: Bench, mode: str) -> None:
    """They are never virtual instructions: high halves of the counters, hedeleg, henvcfg,
    htimedelta, hstateen0 to 3, vstimecmp and stimecmp, and those of M mode."""
    opened(bench)
    bench["hcounteren"] = bench["scounteren"] = bench["henvcfg"] = ONES
    guests = (0x612, 0x61A, 0x615, 0x61C, 0x61D, 0x61E, 0x61F, 0x25D, 0x15D)
    for number in (0xC80, 0xC81, 0xC82, 0xC83, 0xC9F, *guests, 0x310, 0x31A, 0x312, 0x31C):
        bits = csr_word("csrrs", "hstatus", rs1=0) & 0xFFFFF | number << 20
        assert bench.outcome(bits, mode) == "illegal", hex(number)


@section(CAUSES)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_numbers_without_a_csr_are_illegal_everywhere(bench: Bench, mode: str) -> None:
    for number in (0x601, 0x613, 0x206, 0x2FF, 0x6FF, 0xE13):
        bits = csr_word("csrrs", "hstatus", rs1=0) & 0xFFFFF | number << 20
        assert bench.outcome(bits, mode) == "illegal", hex(number)


@section("H Extension for Hypervisor Support")
def test_without_h_its_csrs_and_instructions_are_illegal(make: MakeBench) -> None:
    bench = opened(make(without="h sha shcounterenw shvstvala shtvala shvstvecd shvsatpa shgatpa"))
    for name in [*HYPERVISOR, *VIRTUAL, "mtval2", "mtinst", "hgeip"]:
        assert bench.outcome(csr_word("csrrs", name, rs1=0), "M") == "illegal", name
    bench["misa"] = 0
    assert bench["misa"] >> 7 & 1 == 0
    bench["mstatus"] = ONES
    assert bench["mstatus"] & (Status.MPV | Status.GVA) == 0
    bench["medeleg"] = ONES
    assert bench["medeleg"] & 0xF00400 == 0
    bench["mideleg"] = ONES
    assert bench["mideleg"] == 0x2222
    for name in ("hlv.d", "hfence.vvma", "hfence.gvma", "hinval.vvma", "hinval.gvma"):
        assert bench.outcome(word(name), "M") == "illegal", name


@section("H Extension for Hypervisor Support")
def test_misa_has_h(bench: Bench) -> None:
    assert bench["misa"] >> 7 & 1


# --- what substitutes for what -------------------------

PAIRS = [
    ("sstatus", "vsstatus", 1 << 1 | 2 << 32, 2 << 32),
    ("sie", "vsie", 0x222, 0), ("stvec", "vstvec", 0x1234_5678, 0x40),
    ("sscratch", "vsscratch", 0x55, 0x66), ("sepc", "vsepc", 0x1234_5678, 0x42),
    ("scause", "vscause", 0x8000_0000_0000_0005, 7), ("stval", "vstval", 0x77, 0x88),
    ("sip", "vsip", 0x2, 0), ("satp", "vsatp", 0x123, 0x5),
    ("stimecmp", "vstimecmp", 0x1234, 0x5678),
]  # fmt: skip


@section("Hypervisor and Virtual Supervisor CSRs")
@pytest.mark.parametrize(("name", "virtual", "value", "other"), PAIRS)
def test_vs_csrs_substitute_while_v_is_1(
    bench: Bench, name: str, virtual: str, value: int, other: int
) -> None:
    opened(bench)
    bench["henvcfg"] = bench["hcounteren"] = ONES
    bench["hideleg"] = bench["mideleg"] = GUEST_IRQS | 0x222
    bench[name] = other
    kept = bench[name]
    bench.hart.x[6] = value
    assert bench.outcome(csr_word("csrrw", name, rd=0), "VS") == "ok"
    assert bench[virtual] == value
    assert bench[name] == kept, "the CSR of HS mode keeps its value"
    assert bench.outcome(csr_word("csrrs", name, rs1=0), "VS") == "ok"
    assert bench.hart.x[5] == value


@section("Hypervisor and Virtual Supervisor CSRs")
@pytest.mark.parametrize("name", ["senvcfg", "scounteren"])
def test_supervisor_csrs_without_a_vs_counterpart_are_shared(bench: Bench, name: str) -> None:
    opened(bench)
    bench["hstateen0"] = ONES
    bench.hart.x[6] = 1
    assert bench.outcome(csr_word("csrrw", name), "VS") == "ok"
    assert bench[name] == 1


@section(CAUSES)
@pytest.mark.parametrize("name", [*(pair[0] for pair in PAIRS), "scounteren", "senvcfg"])
def test_supervisor_csrs_in_user_modes(bench: Bench, name: str) -> None:
    opened(bench)
    bench["henvcfg"] = bench["hcounteren"] = bench["hstateen0"] = ONES
    assert bench.outcome(csr_word("csrrs", name, rs1=0), "VU") == "virtual"
    assert bench.outcome(csr_word("csrrs", name, rs1=0), "U") == "illegal"


@section(CAUSES)
@pytest.mark.parametrize("name", ["mstatus", "mepc", "mhartid", "pmpcfg0", "menvcfg", "mip"])
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_machine_csrs_are_illegal_in_guests(bench: Bench, name: str, mode: str) -> None:
    assert bench.outcome(csr_word("csrrs", name, rs1=0), mode) == "illegal"


# --- register by register -------------------------------------------------------------------------


GEILENS = [0, 1, 5, 63]


@section(EXTERNALS)
@pytest.mark.parametrize("geilen", GEILENS)
def test_hgeie_has_bits_geilen_to_1(make: MakeBench, geilen: int) -> None:
    bench = make(geilen=geilen)
    bench["hgeie"] = ONES
    assert bench["hgeie"] == (2 << geilen) - 2


@section(HSTATUS)
@pytest.mark.parametrize("geilen", GEILENS)
def test_vgein_goes_up_to_geilen(make: MakeBench, geilen: int) -> None:
    bench = make(geilen=geilen)
    bench["hstatus"] = geilen << 12
    assert bench["hstatus"] >> 12 & 63 == geilen
    if geilen < 63:
        bench["hstatus"] = (geilen + 1) << 12
        assert bench["hstatus"] >> 12 & 63 == geilen, "an unsupported number changes nothing"


@section(OF_CSR["mideleg"])
@pytest.mark.parametrize("geilen", GEILENS)
def test_guests_interrupts_are_always_delegated(make: MakeBench, geilen: int) -> None:
    """Bits 10, 6 and 2 of mideleg are read-only one, bit 12 if GEILEN isn't zero."""
    bench = make(geilen=geilen)
    bench["hie"] = bench["mideleg"] = ONES
    sgei = 1 << 12 if geilen else 0
    assert bench["hie"] == GUEST_IRQS | sgei
    assert bench["mideleg"] == 0x2666 | sgei
    bench["mideleg"] = 0
    assert bench["mideleg"] == GUEST_IRQS | sgei, "these bits are read-only one"


@section(DELEGATION)
def test_hedeleg_bit_0_without_c(make: MakeBench) -> None:
    bench = make(without="c zca zcd zcf")
    bench["hedeleg"] = ONES
    assert bench["hedeleg"] & 1


@section(HGATP)
@pytest.mark.parametrize("mode", range(16))
def test_hgatp_modes_are_warl(bench: Bench, mode: int) -> None:
    """Unlike in satp, a write of an unsupported MODE still writes the other fields."""
    bench["hgatp"] = 8 << 60
    bench["hgatp"] = mode << 60 | 0x12 << 44 | 0x3457
    legal = mode if mode in (0, 8, 9, 10) else 8
    assert bench["hgatp"] == legal << 60 | 0x12 << 44 | 0x3454


@section(VSATP)
@pytest.mark.parametrize("mode", range(16))
def test_vsatp_ignores_other_modes(bench: Bench, mode: int) -> None:
    before = bench["vsatp"] = 8 << 60 | 5 << 44 | 6
    bench["vsatp"] = mode << 60 | 7
    assert bench["vsatp"] == (mode << 60 | 7 if mode in (0, 8, 9, 10) else before)
    before = bench["vsatp"] = 5 << 44 | 6
    bench.hart.x[6] = mode << 60 | 7
    assert bench.outcome(csr_word("csrrw", "satp"), "VS") == "ok"
    assert bench["vsatp"] == (mode << 60 | 7 if mode in (0, 8, 9, 10) else before)


@pytest.mark.parametrize(("sv", "modes"), [("sv57", [0, 8, 9]), ("sv48 sv57", [0, 8])])
@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("Shgatpa Extension for Translation Mode Support, Version 1.0", "hgatp"),
        ("Shvsatpa Extension for Translation Mode Support, Version 1.0", "vsatp"),
    ],
)
def test_modes_follow_satps(make: MakeBench, sv: str, modes: list[int], name: str) -> None:
    bench = make(without=sv)
    for mode in (0, 8, 9, 10):
        bench[name] = 0
        bench[name] = mode << 60
        assert bench[name] >> 60 == (mode if mode in modes else 0)


@section("Machine Trap Delegation (medeleg and mideleg) Registers")
def test_medeleg_has_the_guests_exceptions(bench: Bench) -> None:
    bench["medeleg"] = ONES
    assert bench["medeleg"] == 0xF0B7FE & ~(1 << 11) & ~(1 << 14)


@section(MSTATUS)
def test_mstatus_has_mpv_and_gva(bench: Bench) -> None:
    bench["mstatus"] = ONES
    assert bench["mstatus"] & (Status.MPV | Status.GVA) == Status.MPV | Status.GVA
    bench["sstatus"] = 0
    assert bench["mstatus"] & (Status.MPV | Status.GVA) == Status.MPV | Status.GVA
    assert bench["sstatus"] & (Status.MPV | Status.GVA) == 0


@section(VSSTATUS)
def test_vsstatus_sd_summarizes_its_own_fields(bench: Bench) -> None:
    bench["mstatus"] = Status.FS
    bench["vsstatus"] = 0
    assert bench["vsstatus"] >> 63 == 0
    bench["vsstatus"] = Status.FS
    assert bench["vsstatus"] >> 63 == 1


@section("rvplat: tests")
def test_every_row_is_tested() -> None:
    names = {*HYPERVISOR, *VIRTUAL, *MACHINE, "hgeip", "hcontext"}  # see test_triggers.py
    ours = {n for n in NUMBERS if n[0] == "h" or n in VIRTUAL} - {"hpmcounter"}
    assert {n for n in ours if not n.startswith("hpmcounter")} <= names
