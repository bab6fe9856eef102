"""Smrnmi: resumable non-maskable interrupts, alone and with other extensions."""

from __future__ import annotations

import pytest

from rvplat.bus import RNMI
from rvplat.hart.state import STOP_WFI
from rvplat.isa.privileged import INTERRUPT
from tests.h.bench import (
    ALL_MODES,
    BELOW_M,
    CODE,
    HANDLERS,
    MODES,
    ONES,
    RAM,
    Bench,
    Trap,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import section

SIGNALS, ADDRESSES = "RNMI Interrupt Signals", "RNMI Handler Addresses"
CSRS, MNRET_TEXT, OPERATION = "RNMI CSRs", "MNRET Instruction", "RNMI Operation"
DOUBLE_TRAPS, TRIGGERS = "Double Trap Control in mstatus Register", "Native Triggers"
WFI_TEXT = "Wait for Interrupt"
RNMI_AT, EXCEPTIONS_AT = RAM + 0xB000, RAM + 0xC000
NMIE, MNPV, MNPELP, MNPP = 1 << 3, 1 << 7, 1 << 9, 3 << 11
MIE, MPRV, MPP, MPV, SDT, MDT = 1 << 3, 1 << 17, 3 << 11, 1 << 39, 1 << 24, 1 << 42
LPE, DTE, MLPE = 1 << 2, 1 << 59, 1 << 10
ECALL, ILLEGAL, MNRET, MRET, WFI, NOP = (
    word("ecall"),
    0,
    word("mnret"),
    word("mret"),
    word("wfi"),
    0x13,
)
WITH_ALL = "Zicfilp Ssdbltrp Smdbltrp Smrnmi"


def ready(bench: Bench) -> Bench:
    """The hart has handlers, and NMIE is set."""
    bench.hart.rnmi_handler, bench.hart.rnmi_exceptions = RNMI_AT, EXCEPTIONS_AT
    bench["mstatus"] = 0
    bench["mnstatus"] = NMIE
    return bench


@pytest.fixture
def plain(make: MakeBench) -> Bench:
    """A hart with Smrnmi and H."""
    return ready(make(further="Smrnmi"))


@pytest.fixture
def full(make: MakeBench) -> Bench:
    """With Zicfilp, Ssdbltrp and Smdbltrp besides."""
    bench = ready(make(further=WITH_ALL))
    bench["menvcfg"] = bench["henvcfg"] = DTE
    return bench


def raised(bench: Bench, cause: int = 0) -> None:
    """An RNMI that is taken once is pending."""
    bench.hart.rnmi_once |= 1 << cause


def previous(mode: str) -> int:
    """MNPP and MNPV for a mode."""
    priv, virt = MODES[mode]
    return priv << 11 | MNPV * virt


@section(CSRS)
def test_without_the_extension_there_is_nothing(make: MakeBench) -> None:
    bench = make()
    assert bench.outcome(MNRET, "M") == "illegal"
    assert bench.outcome(word("csrrs", csr=0x744, rd=5, rs1=0), "M") == "illegal"
    bench.begin()
    bench.native.set_line(RNMI, True)
    assert bench.step(NOP, "M") is None and bench.hart.pc == CODE + 4


@section(CSRS)
def test_the_registers_hold_values(plain: Bench) -> None:
    for name, kept in (("mnscratch", ONES), ("mnepc", ONES & ~1), ("mncause", ONES)):
        plain[name] = ONES
        assert plain[name] == kept


@section(CSRS)
@pytest.mark.parametrize("mode", BELOW_M)
def test_they_and_mnret_are_m_modes(plain: Bench, mode: str) -> None:
    expected = "illegal"
    assert plain.outcome(MNRET, mode) == expected
    plain.begin()
    ready(plain)
    assert plain.outcome(word("csrrs", csr=0x744, rd=5, rs1=0), mode) == expected


@section(CSRS)
def test_nmie_is_0_after_reset_and_can_only_be_set(make: MakeBench) -> None:
    bench = make(further="Smrnmi")
    assert bench["mnstatus"] == 0
    bench["mnstatus"] = NMIE
    assert bench["mnstatus"] == NMIE
    bench["mnstatus"] = 0
    assert bench["mnstatus"] == NMIE


@section(CSRS)
def test_mnstatus_has_the_fields_of_the_harts_extensions(make: MakeBench) -> None:
    everything, without = make(further=WITH_ALL), make(without="h", further="Smrnmi")
    for bench, fields in ((everything, MNPP | MNPELP | MNPV), (without, MNPP)):
        bench["mnstatus"] = ONES
        assert bench["mnstatus"] == fields | NMIE
        bench["mnstatus"] = 2 << 11
        assert bench["mnstatus"] & MNPP == 0, "WARL, as MPP"


@section(SIGNALS)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_an_rnmi_is_taken_in_every_mode(plain: Bench, mode: str) -> None:
    """It goes before other interrupts, whatever mstatus says, and is never delegated."""
    plain.delegate(hedeleg=ONES, hideleg=ONES)
    plain["mie"] = plain["mip"] = ONES
    plain["mepc"] = plain["sepc"] = 0x1234
    plain.enter(mode)
    raised(plain, 5)
    plain.go(0)
    assert (plain.mode, plain.hart.pc) == ("M", RNMI_AT)
    assert plain["mncause"] == INTERRUPT | 5
    assert plain["mnepc"] == CODE
    assert plain["mnstatus"] == previous(mode), "NMIE is clear"
    assert (plain["mepc"], plain["sepc"], plain["mcause"]) == (0x1234, 0x1234, 0)


@section(OPERATION)
def test_the_handler_masks_all_interrupts(plain: Bench) -> None:
    plain["mideleg"] = 0
    plain["mie"] = plain["mip"] = 1 << 1
    plain["mstatus"] = MIE
    raised(plain)
    plain.go(0)
    raised(plain, 1)
    plain.poke(RNMI_AT, NOP, 4)
    plain.go()
    assert plain.hart.pc == RNMI_AT + 4
    plain["mnstatus"] = NMIE
    plain.go(0)
    assert plain["mncause"] == INTERRUPT | 1 and plain["mnepc"] == RNMI_AT + 4
    plain["mnstatus"] = NMIE
    assert plain.interrupted() == ("M", 1)


@section(SIGNALS)
def test_a_line_that_stays_high_interrupts_again(plain: Bench) -> None:
    plain.native.set_line(RNMI + 3, True)
    plain.enter("U")
    plain.go(0)
    plain.poke(RNMI_AT, MNRET, 4)
    plain.go()
    assert (plain.hart.pc, plain["mnepc"], plain["mncause"]) == (RNMI_AT, CODE, INTERRUPT | 3)
    plain.native.set_line(RNMI + 3, False)
    plain.go()
    assert (plain.mode, plain.hart.pc) == ("U", CODE)


@section(ADDRESSES)
def test_without_addresses_the_handlers_are_at_mtvec(plain: Bench) -> None:
    """BASE, also in vectored mode."""
    plain.hart.rnmi_handler = plain.hart.rnmi_exceptions = 1
    plain["mtvec"] = HANDLERS["M"] | 1
    raised(plain, 2)
    plain.go(0)
    assert plain.hart.pc == HANDLERS["M"]
    plain.step(ECALL)
    assert plain["mnepc"] == CODE


@section(OPERATION)
def test_an_exception_in_m_mode_while_nmie_is_clear(make: MakeBench) -> None:
    """Only pc differs; below M mode nothing does."""
    bench = make(further="Smrnmi")
    bench.hart.rnmi_handler, bench.hart.rnmi_exceptions = RNMI_AT, EXCEPTIONS_AT
    bench["mstatus"] = MIE
    bench.step(ILLEGAL, "M")
    assert (bench.hart.pc, bench["mcause"], bench["mepc"], bench["mtval"]) == (
        EXCEPTIONS_AT, 2, CODE, ILLEGAL)  # fmt: skip
    assert bench["mstatus"] & MPP == MPP and bench["mstatus"] & MIE == 0
    assert bench["mnstatus"] == 0
    assert bench.step(ECALL, "U") == Trap("M", 8)
    bench.delegate()
    assert bench.step(ECALL, "U") == Trap("HS", 8)


@section(CSRS)
def test_mprv_has_no_effect_while_nmie_is_clear(make: MakeBench) -> None:
    bench = ready(make(further="Smrnmi"))
    bench["satp"] = 8 << 60 | bench.page() >> 12  # nothing is mapped
    bench["mstatus"] = MPRV | 1 << 11
    bench.hart.x[6] = CODE
    found = bench.step(word("ld", rd=5, rs1=6), "M")
    assert found is not None and found.cause == 13
    bench["mstatus"] = MPRV | 1 << 11
    bench.enter("M")
    raised(bench)
    bench.go(0)
    bench.poke(RNMI_AT, word("ld", rd=5, rs1=6), 4)
    bench.go()
    assert bench.hart.pc == RNMI_AT + 4 and bench["mstatus"] & MPRV
    bench["mnstatus"] = NMIE
    bench.hart.pc = RNMI_AT
    found = bench.go()
    assert found is not None and found.cause == 13


@section(WFI_TEXT)
def test_nmie_does_not_matter_for_wfi(make: MakeBench) -> None:
    bench = make(further="Smrnmi")
    for line, mip, waits in ((True, 0, False), (False, 2, False), (False, 0, True)):
        bench.begin()
        bench.native.set_line(RNMI, line)
        bench["mie"], bench["mip"] = 2, mip
        bench.step(WFI, "M")
        assert bench.hart.pc == CODE + 4
        assert (bench.hart.stop == STOP_WFI) == waits
    bench.native.set_line(RNMI, False)


@section(MNRET_TEXT)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_mnret_returns(plain: Bench, mode: str) -> None:
    """mstatus stays, but MPRV for a return below M mode."""
    plain.enter(mode)
    raised(plain)
    plain.go(0)
    plain["mstatus"] = MPRV | MPP | MIE | MPV
    plain["mnepc"] = CODE + 8
    plain.poke(RNMI_AT, MNRET, 4)
    plain.go()
    assert (plain.mode, plain.hart.pc) == (mode, CODE + 8)
    assert plain["mnstatus"] & NMIE
    kept = MPRV if mode == "M" else 0
    assert plain["mstatus"] & (MPRV | MPP | MIE | MPV) == kept | MPP | MIE | MPV


@section(OPERATION)
def test_mret_and_sret_leave_nmie(make: MakeBench) -> None:
    bench = make(further="Smrnmi")
    bench["mepc"] = CODE
    assert bench.step(MRET, "M") is None
    assert bench.mode == "U" and bench["mnstatus"] & NMIE == 0


# --- with other extensions ------------------------------------------------------------------------


@section(DOUBLE_TRAPS)
def test_a_double_trap_is_an_rnmi(full: Bench) -> None:
    full.step(ECALL, "M")
    before = [full[name] for name in ("mstatus", "mcause", "mepc", "mtval")]
    full.poke(HANDLERS["M"], ILLEGAL, 4)
    full.go()
    assert full.hart.pc == RNMI_AT and full.hart.critical == 0
    assert (full["mncause"], full["mnepc"], full["mnstatus"]) == (2, HANDLERS["M"], MNPP)
    assert [full[name] for name in ("mstatus", "mcause", "mepc", "mtval")] == before


@section(DOUBLE_TRAPS)
def test_a_trap_in_the_rnmi_handler_is_a_critical_error(full: Bench) -> None:
    """Whatever MDT is, and no RNMI ends it."""
    raised(full)
    full.go(0)
    assert full["mstatus"] & MDT == 0, "an RNMI does not set it"
    full.poke(RNMI_AT, ILLEGAL, 4)
    full.go()
    assert full.hart.critical == 1 and full.hart.pc == RNMI_AT
    raised(full, 1)
    full["mnstatus"] = NMIE
    full.go(0)
    assert full.hart.pc == RNMI_AT and full["mncause"] == INTERRUPT


@section(DOUBLE_TRAPS)
def test_an_rnmi_is_taken_whatever_mdt_is(full: Bench) -> None:
    full["mstatus"] = MDT
    raised(full)
    full.go(0)
    assert full.hart.pc == RNMI_AT and full["mstatus"] & MDT


@section(DOUBLE_TRAPS)
def test_before_nmie_is_set_a_trap_is_a_critical_error(make: MakeBench) -> None:
    bench = make(further=WITH_ALL)
    bench["mstatus"] = 0
    bench.step(ECALL, "M")
    assert bench.hart.critical == 1 and bench.hart.pc == CODE


@section(DOUBLE_TRAPS)
@pytest.mark.parametrize("to", ALL_MODES)
def test_mnret_clears_mdt_and_sdt(full: Bench, to: str) -> None:
    full["vsstatus"] = SDT
    full["mstatus"] = MDT | SDT
    full["mnstatus"] = previous(to)
    assert full.step(MNRET, "M") is None
    kept = {"M": MDT | SDT, "HS": SDT}.get(to, 0)
    assert full["mstatus"] & (MDT | SDT) == kept
    assert full["vsstatus"] & SDT == (0 if to == "VU" else SDT)


@section(CSRS)
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("demanded", [True, False])
def test_mnpelp_keeps_the_expectation(full: Bench, mode: str, demanded: bool) -> None:
    """mnret restores it if the new mode demands landing pads ("MNRET Instruction")."""
    if demanded:
        full["menvcfg"] = full["henvcfg"] = full["senvcfg"] = LPE
        full["mseccfg"] = MLPE
    full.enter(mode)
    full.hart.elp = 1
    raised(full)
    full.go(0)
    assert (full["mnstatus"], full.hart.elp) == (previous(mode) | MNPELP, 0)
    full.poke(RNMI_AT, MNRET, 4)
    full.go()
    assert (full.mode, full.hart.elp) == (mode, int(demanded))
    assert full["mnstatus"] & MNPELP == 0


@section(TRIGGERS)
def test_no_trigger_fires_in_the_handler(make: MakeBench) -> None:
    bench = ready(make(further="Smrnmi"))
    bench["tselect"] = 0
    bench["tdata1"] = 6 << 60 | 1 << 6 | 1 << 2  # execute, in M mode
    bench["tdata2"] = RNMI_AT
    bench["mstatus"] = MIE
    raised(bench)
    bench.go(0)
    bench.poke(RNMI_AT, NOP, 4)
    bench.go()
    assert bench.hart.pc == RNMI_AT + 4
    bench["mnstatus"] = NMIE
    bench.enter("M", RNMI_AT)
    assert bench.go() == Trap("M", 3, RNMI_AT, priv=3)
