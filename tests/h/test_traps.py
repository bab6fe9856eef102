"""Trap entry, delegation and return."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    ALL_MODES,
    CODE,
    HANDLERS,
    LOAD,
    MODES,
    NO_DEVICE,
    ONES,
    STORE,
    Bench,
    Trap,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import DELEGATION, HSTATUS, MSTATUS, OF_CSR, section

ECALLS = {"M": 11, "HS": 9, "U": 8, "VS": 10, "VU": 8}
PRIV = {mode: priv for mode, (priv, _) in MODES.items()}
VIRT = {mode: virt for mode, (_, virt) in MODES.items()}
# Fields that no trap and no return writes.
OF_MSTATUS = Status.FS | Status.SUM | Status.MXR | Status.TVM | Status.TW
OF_HSTATUS = HStatus.HU | HStatus.VTVM | HStatus.VTW | HStatus.VTSR | HStatus.VSXL_64


# --- entry ---------------------------------------------------------------------------------


@section("Trap Entry")
@pytest.mark.parametrize("mode", ALL_MODES)
def test_into_machine_mode(bench: Bench, mode: str) -> None:
    """Table "Value of mstatus fields MPV and MPP after a trap into M-mode"."""
    bench["mtval2"] = bench["mtinst"] = 5
    kept = OF_MSTATUS | Status.SPIE
    bench["mstatus"] = kept | Status.GVA | Status.MIE | (Status.MPV if mode == "HS" else 0)
    bench["hstatus"] = HStatus.SPV
    found = bench.step(word("ecall"), mode)
    assert found == Trap("M", ECALLS[mode], virt=VIRT[mode], priv=PRIV[mode])
    assert bench.hart.virt == 0
    assert bench["mepc"] == CODE
    assert bench["mstatus"] & (Status.MIE | Status.MPIE | kept) == Status.MPIE | kept
    assert bench["hstatus"] & HStatus.SPV, "hstatus is only for traps into HS mode"


@section("Trap Entry")
@pytest.mark.parametrize("mode", ["HS", "U", "VS", "VU"])
@pytest.mark.parametrize("spvp", [0, HStatus.SPVP])
def test_into_hs_mode(bench: Bench, mode: str, spvp: int) -> None:
    """Table "Value of hstatus field SPV and sstatus field SPP"; SPVP changes if V was 1."""
    bench.delegate()
    bench["htval"] = bench["htinst"] = 5
    bench["hstatus"] = OF_HSTATUS | spvp | HStatus.GVA | (0 if VIRT[mode] else HStatus.SPV)
    bench["vsstatus"], bench["mstatus"] = Status.SIE, OF_MSTATUS | Status.SIE | Status.MPP
    found = bench.step(word("ebreak"), mode)
    gva = VIRT[mode]
    assert found == Trap("HS", 3, CODE, gva=gva, virt=VIRT[mode], priv=PRIV[mode])
    kept = PRIV[mode] if VIRT[mode] else int(spvp != 0)
    assert bench["hstatus"] & ~(HStatus.SPV | HStatus.GVA) == OF_HSTATUS | kept << 8
    assert bench["sepc"] == CODE
    assert bench["sstatus"] & (Status.SIE | Status.SPIE) == Status.SPIE
    assert bench["vsstatus"] & Status.SIE, "vsstatus is only for traps into VS mode"
    others = OF_MSTATUS | Status.MPP
    assert bench["mstatus"] & others == others


@section("Trap Entry")
@pytest.mark.parametrize("mode", ["VS", "VU"])
@pytest.mark.parametrize("sie", [0, Status.SIE])
def test_into_vs_mode(bench: Bench, mode: str, sie: int) -> None:
    """hstatus and HS mode's sstatus don't change, V stays 1; vsstatus.SPP, SPIE and SIE change."""
    bench.delegate(hedeleg=ONES)
    bench["hstatus"], bench["mstatus"] = HStatus.SPVP, Status.SIE
    bench["htval"], bench["scause"], bench["mcause"] = 5, 6, 7
    others = Status.FS | Status.SUM | Status.MXR
    spp = Status.SPP if mode == "VS" else 0
    bench["vsstatus"] = others | sie | (spp ^ Status.SPP) | (0 if sie else Status.SPIE)
    before = bench["hstatus"], bench["mstatus"]
    assert bench.step(word("ebreak"), mode) == Trap("VS", 3, CODE, virt=1, priv=PRIV[mode])
    assert bench["vsepc"] == CODE
    status = bench["vsstatus"] & ~(Status.SD | Status.UXL)
    assert status == others | spp | (Status.SPIE if sie else 0)
    assert (bench["hstatus"], bench["mstatus"]) == before
    assert (bench["htval"], bench["scause"], bench["mcause"]) == (5, 6, 7)


# Causes that need no page tables: the cause, the instruction, x6, the mode, xtval.
ILLEGAL_BITS, SFENCE, AMO = 0xFFFF_FFFF, word("sfence.vma"), word("amoadd.w", rs1=6)
LD, SD = word("ld", rd=5, rs1=6), word("sd", rs1=6, rs2=7)
ACROSS = CODE + 14  # a word here is not within 16 aligned bytes, in which Zama16b allows AMOs
RAISED = [
    (2, ILLEGAL_BITS, 0, "VS", ILLEGAL_BITS), (2, ILLEGAL_BITS, 0, "VU", ILLEGAL_BITS),
    (3, word("ebreak"), 0, "VS", CODE), (3, word("ebreak"), 0, "VU", CODE),
    (5, LD, NO_DEVICE, "VS", NO_DEVICE), (5, LD, NO_DEVICE, "VU", NO_DEVICE),
    (6, AMO, ACROSS, "VS", ACROSS), (6, AMO, ACROSS, "VU", ACROSS),
    (4, word("lr.w", rs1=6), CODE + 2, "VS", CODE + 2),
    (7, SD, NO_DEVICE, "VS", NO_DEVICE), (7, SD, NO_DEVICE, "VU", NO_DEVICE),
    (8, word("ecall"), 0, "VU", 0), (10, word("ecall"), 0, "VS", 0), (22, SFENCE, 0, "VU", SFENCE),
]  # fmt: skip
ADDRESSES = {3, 4, 5, 6, 7}
FURTHER = {2, 3, 4, 5, 6, 7, 8}


@section(DELEGATION)
@pytest.mark.parametrize(("cause", "bits", "x6", "mode", "tval"), RAISED)
@pytest.mark.parametrize("to", ["M", "HS", "VS"])
def test_delegation_cause_by_cause(
    make: MakeBench, cause: int, bits: int, x6: int, mode: str, tval: int, to: str
) -> None:
    """medeleg delegates to HS mode, and hedeleg further to VS mode. GVA is set with an address."""
    bench = make(tinst="zero")
    bench.delegate(
        medeleg=1 << cause if to != "M" else ONES ^ 1 << cause,
        hedeleg=1 << cause if to != "HS" else ONES ^ 1 << cause,
    )
    bench["hstatus"], bench["mstatus"] = HStatus.GVA, Status.GVA
    for name in ("htval", "htinst", "mtval2", "mtinst"):
        bench[name] = 5
    bench.hart.x[6] = x6
    found = bench.step(bits, mode)
    went = "HS" if to == "VS" and cause not in FURTHER else to
    gva = int(cause in ADDRESSES and went != "VS")
    assert found == Trap(went, cause, tval, gva=gva, virt=1, priv=PRIV[mode])


@section(DELEGATION)
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_hedeleg_is_for_traps_with_v_1(bench: Bench, mode: str) -> None:
    bench.delegate(hedeleg=ONES)
    found = bench.step(word("ebreak"), mode)
    assert found is not None
    assert found.mode == ("M" if mode == "M" else "HS")


@section("Trap Return")
def test_a_guests_illegal_instruction_that_m_mode_redirects_arrives_with_v_0(bench: Bench) -> None:
    """Firmware redirects it with MPP = S, MPV = 0, mepc = stvec and mret."""
    assert bench.step(ILLEGAL_BITS, "VS") == Trap("M", 2, ILLEGAL_BITS, virt=1, priv=1)
    bench["mstatus"] = bench["mstatus"] & ~(Status.MPV | Status.MPP) | 1 << Status.MPP_SHIFT
    bench["mepc"] = HANDLERS["HS"]
    bench.hart.pc = CODE
    assert bench.step(word("mret"), pa=CODE) is not None
    assert (bench.mode, int(bench.hart.pc)) == ("HS", HANDLERS["HS"])


# --- htval, htinst ------------------------------------------------------------------------------

# Traps that are neither guest-page faults nor faults of accesses: the instruction, cause and GVA.
OTHERS = [(word("ecall"), 10, 0), (word("ebreak"), 3, 1), (ILLEGAL_BITS, 2, 0),
          (word("hlv.d"), 22, 0), (0, 1 << 63 | 10, 0)]  # fmt: skip


@pytest.mark.parametrize(("section", "to"), [(OF_CSR["mtval2"], "M"), (OF_CSR["htval"], "HS")])
@pytest.mark.parametrize(("bits", "cause", "gva"), OTHERS)
def test_values_of_a_guest_page_fault_are_not_kept_for_the_next_trap(
    bench: Bench, bits: int, cause: int, gva: int, to: str
) -> None:
    """ "For other traps, htval is set to zero": also after a fault of an implicit access that the
    other mode handled."""
    bench.two_stages()
    bench["vsatp"] += 0x100  # where the second stage maps no page
    for medeleg in (0, ONES):
        bench["medeleg"] = medeleg
        found = bench.access(LOAD, 0x5000_0000)
        assert found is not None
        assert (found.cause, found.gva) == (20, 1)
        assert found.tval2 and found.tinst
    bench["vsatp"] = 0
    bench.delegate(medeleg=ONES if to == "HS" else 0)
    if cause >> 63:
        bench["hie"] = bench["hvip"] = 1 << 10
        bench.enter("VS")
        assert bench.interrupted() == ("HS", 10)
        assert bench.trap() == Trap("HS", cause, virt=1, priv=1)
        return
    tval = bits if cause in (2, 22) else CODE if cause == 3 else 0
    assert bench.step(bits, "VS") == Trap(to, cause, tval, gva=gva, virt=1, priv=1)


# --- GVA ------------------------------------------------------------------------------------------


@section(MSTATUS)
@pytest.mark.parametrize("kind", [LOAD, STORE])
@pytest.mark.parametrize("mode", ALL_MODES)
def test_gva_of_access_faults(bench: Bench, kind: str, mode: str) -> None:
    """ "Field GVA ... For any trap that writes a guest virtual address"."""
    found = bench.access(kind, NO_DEVICE, mode)
    assert found is not None
    assert found.gva == VIRT[mode]


@section(MSTATUS)
@pytest.mark.parametrize("mpv", [0, Status.MPV])
@pytest.mark.parametrize("mpp", [0, 1, 3])
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_gva_under_mprv(bench: Bench, mpv: int, mpp: int, kind: str) -> None:
    bench["mstatus"] = Status.MPRV | mpv | mpp << Status.MPP_SHIFT
    found = bench.access(kind, NO_DEVICE, "M")
    assert found is not None
    assert (found.mode, found.gva, found.virt) == ("M", int(mpv != 0 and mpp != 3), 0)


@section(MSTATUS)
@pytest.mark.parametrize("mode", ["M", "HS", "U"])
def test_gva_of_hlv(bench: Bench, mode: str) -> None:
    """ "In that case, SPV=0 but GVA=1"."""
    bench["hstatus"] = HStatus.HU
    bench.hart.x[6] = NO_DEVICE
    for bits in (word("hlv.d", rs1=6), word("hsv.d", rs1=6), word("hlvx.wu", rs1=6)):
        found = bench.step(bits, mode)
        assert found is not None
        assert (found.gva, found.virt, found.tval) == (1, 0, NO_DEVICE)


@section(HSTATUS)
@pytest.mark.parametrize("name", ["hlv.d", "hlvx.wu", "hsv.d"])
@pytest.mark.parametrize("spvp", [0, HStatus.SPVP])
@pytest.mark.parametrize("mode", ["HS", "U"])
def test_gva_of_hlv_in_hstatus(bench: Bench, name: str, spvp: int, mode: str) -> None:
    """ "In that case, SPV=0 but GVA=1"; SPVP stays."""
    bench.delegate()
    bench["hstatus"] = HStatus.HU | HStatus.SPV | spvp
    bench.hart.x[6] = NO_DEVICE
    found = bench.step(word(name, rs1=6), mode)
    assert found is not None
    assert (found.mode, found.gva, found.virt, found.priv) == ("HS", 1, 0, PRIV[mode])
    assert bench["hstatus"] & HStatus.SPVP == spvp


@section("Trap Entry")
@pytest.mark.parametrize("mode", ["VS", "VU"])
@pytest.mark.parametrize("to", ["M", "HS"])
def test_an_interrupt_writes_what_an_exception_writes(bench: Bench, mode: str, to: str) -> None:
    """It writes MPV or SPV, GVA = 0, and zeros to xtval, htval and htinst."""
    if to == "HS":
        bench.delegate()
    for name in ("htval", "htinst", "stval", "mtval2", "mtinst", "mtval"):
        bench[name] = 5
    bench["hstatus"], bench["mstatus"] = HStatus.GVA, Status.GVA
    bench["mie"] = bench["mip"] = 2
    bench.enter(mode)
    assert bench.interrupted() == (to, 1)
    assert bench.trap() == Trap(to, 1 << 63 | 1, virt=1, priv=PRIV[mode])
    assert bench["mepc" if to == "M" else "sepc"] == CODE


@section(DELEGATION)
@pytest.mark.parametrize("to", ["M", "HS", "VS"])
@pytest.mark.parametrize("cause", [0, 1])
def test_delegation_of_faults_of_fetches(make: MakeBench, to: str, cause: int) -> None:
    """Bit 0 exists with IALIGN=32. Neither fault writes an instruction to htinst."""
    bench = make(without="c zca zcd zcf")
    bench.delegate(
        medeleg=1 << cause if to != "M" else ONES ^ 1 << cause,
        hedeleg=1 << cause if to != "HS" else ONES ^ 1 << cause,
    )
    bench.hart.x[6] = where = CODE + 2 if cause == 0 else NO_DEVICE
    found = bench.step(word("jalr", rs1=6), "VS")
    if cause == 1:
        assert found is None
        found = bench.go()
    assert found == Trap(to, cause, where, gva=int(to != "VS"), virt=1, priv=1)
    saved = {"M": "mepc", "HS": "sepc", "VS": "vsepc"}[to]
    assert bench[saved] == (CODE if cause == 0 else NO_DEVICE)


# --- vectors --------------------------------------------------------------------------------------


@section(OF_CSR["vstvec"])
def test_vectors_of_vstvec_use_the_guest_s_interrupt_numbers(bench: Bench) -> None:
    bench.delegate(hideleg=ONES, hedeleg=ONES)
    bench["vstvec"] = HANDLERS["VS"] | 1
    bench["hie"] = bench["hvip"] = 1 << 10
    bench.enter("VU")
    assert bench.interrupted() == ("VS", 9)
    assert bench.hart.pc == HANDLERS["VS"] + 4 * 9
    bench["hvip"] = 0
    bench.step(word("ebreak"), "VU")
    assert bench.hart.pc == HANDLERS["VS"]


# --- return --------------------------------------------------------------------------------


@section("Trap Return")
@pytest.mark.parametrize("mpp", [0, 1, 3])
@pytest.mark.parametrize("mpv", [0, 1])
def test_mret(bench: Bench, mpp: int, mpv: int) -> None:
    """V becomes MPV, unless MPP is 3; MPV and MPP become 0, MIE becomes MPIE, MPIE becomes 1."""
    kept = OF_MSTATUS | Status.SPP | Status.SPIE | Status.GVA
    bench["mstatus"] = (
        kept | mpp << Status.MPP_SHIFT | (Status.MPV if mpv else 0) | Status.MPIE | Status.MPRV
    )
    bench["mepc"] = CODE + 0x100
    bench.step(word("mret"), "M")
    expected = (mpp, mpv if mpp != 3 else 0)
    assert MODES[bench.mode] == expected
    assert bench.hart.pc == CODE + 0x100
    status = bench["mstatus"]
    assert status & (Status.MPV | Status.MPP) == 0
    assert status & (Status.MIE | Status.MPIE) == Status.MIE | Status.MPIE
    assert bool(status & Status.MPRV) == (mpp == 3)
    assert status & kept == kept


@section("Trap Return")
@pytest.mark.parametrize("mode", ["M", "HS"])
@pytest.mark.parametrize("spp", [0, 1])
@pytest.mark.parametrize("spv", [0, 1])
def test_sret_with_v_0(bench: Bench, mode: str, spp: int, spv: int) -> None:
    """It returns to SPV and SPP; then SPV=0, SPP=0, SIE=SPIE, SPIE=1."""
    others = OF_HSTATUS | HStatus.SPVP | HStatus.GVA
    bench["hstatus"] = (HStatus.SPV if spv else 0) | others
    bench["mstatus"] = (Status.SPP if spp else 0) | Status.SPIE | OF_MSTATUS
    bench["vsstatus"], bench["vsepc"] = Status.SPP, CODE + 0x200
    bench["sepc"] = CODE + 0x100
    bench.step(word("sret"), mode)
    assert MODES[bench.mode] == (spp, spv)
    assert bench.hart.pc == CODE + 0x100
    assert bench["hstatus"] == others
    assert bench["mstatus"] & OF_MSTATUS == OF_MSTATUS
    assert bench["sstatus"] & (Status.SPP | Status.SIE | Status.SPIE) == Status.SIE | Status.SPIE
    assert bench["vsstatus"] & Status.SPP


@section("Trap Return")
@pytest.mark.parametrize("spp", [0, 1])
@pytest.mark.parametrize("spie", [0, 1])
def test_sret_in_vs_mode(bench: Bench, spp: int, spie: int) -> None:
    """It uses vsstatus and vsepc. V stays 1; HS mode's registers and other fields don't change."""
    others = Status.FS | Status.SUM | Status.MXR
    bench["vsstatus"] = others | (Status.SPP if spp else 0) | (Status.SPIE if spie else Status.SIE)
    bench["mstatus"], bench["hstatus"] = Status.SPP, HStatus.SPV | HStatus.SPVP
    bench["vsepc"], bench["sepc"] = CODE + 0x100, CODE + 0x200
    before = bench["mstatus"], bench["hstatus"]
    bench.step(word("sret"), "VS")
    assert MODES[bench.mode] == (spp, 1)
    assert bench.hart.pc == CODE + 0x100
    status = bench["vsstatus"] & ~(Status.SD | Status.UXL)
    assert status == others | Status.SPIE | (Status.SIE if spie else 0)
    assert (bench["mstatus"], bench["hstatus"]) == before


@section("Memory Privilege in mstatus Register")
@pytest.mark.parametrize("mpv", [0, Status.MPV])
def test_mprv_is_cleared_by_returns_below_m_mode(bench: Bench, mpv: int) -> None:
    bench["mstatus"] = Status.MPRV | mpv | 1 << Status.MPP_SHIFT
    bench["sepc"] = CODE
    bench.step(word("sret"), "M")
    assert bench["mstatus"] & Status.MPRV == 0


# --- statistics -----------------------------------------------------------------------------------


@section("rvplat: statistics")
def test_world_switches_are_counted_by_cause(bench: Bench) -> None:
    bench.delegate(hideleg=ONES)
    hart = bench.hart
    for _ in range(3):
        bench.step(word("ecall"), "VS")
    bench["hgatp"] = 7 << 44
    bench.step(SFENCE, "VU")
    bench["mie"], bench["mideleg"] = 1 << 1, 1 << 1
    bench["mip"] = 1 << 1
    bench.enter("VS")
    assert bench.interrupted() == ("HS", 1)
    assert [int(hart.exits[n]) for n in (10, 22, 8)] == [3, 1, 0]
    assert hart.interrupt_exits[1] == 1
    vmids = {int(hart.guest_hgatp[i]) >> 44 & 0x3FFF for i in range(int(hart.guest_count))}
    assert vmids == {0, 7}
