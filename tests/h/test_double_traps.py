"""Ssdbltrp and Smdbltrp: traps that a handler can't take."""

from __future__ import annotations

import pytest

from tests.h.bench import CODE, HANDLERS, MODES, ONES, Bench, Trap, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import section

SSTATUS = "Double Trap Control in sstatus Register"
MSTATUS = "Double Trap Control in mstatus Register"
MENVCFG = "Machine Environment Configuration Register"
DTE, SDT, MDT, SIE, MIE = 1 << 59, 1 << 24, 1 << 42, 1 << 1, 1 << 3
MPP, MPV, SPP, SPV = 3 << 11, 1 << 39, 1 << 8, 1 << 7
ECALL, MRET, SRET, ILLEGAL = word("ecall"), word("mret"), word("sret"), 0
DOUBLE = 16


@pytest.fixture
def guarded(make: MakeBench) -> Bench:
    """A hart with Ssdbltrp, on in HS and VS mode, that delegates all it can to VS mode."""
    bench = make(further="Ssdbltrp Smdbltrp")
    bench["mstatus"] = 0
    bench["menvcfg"] = bench["henvcfg"] = DTE
    bench.delegate(hedeleg=ONES)
    return bench


@section(SSTATUS)
@pytest.mark.parametrize("name", ["sstatus", "mstatus", "vsstatus"])
def test_sdt_clears_sie(guarded: Bench, name: str) -> None:
    guarded[name] = SIE
    guarded[name] = SDT | SIE
    assert guarded[name] & (SDT | SIE) == SDT
    guarded[name] = SDT | SIE
    assert guarded[name] & SIE == 0
    guarded[name] = SIE
    assert guarded[name] & (SDT | SIE) == SIE


@section(SSTATUS)
@pytest.mark.parametrize("mode", ["HS", "U"])
def test_a_second_trap_to_hs_mode_goes_to_m_mode(guarded: Bench, mode: str) -> None:
    found = guarded.step(ILLEGAL, mode)
    assert found is not None and found.mode == "HS" and guarded["sstatus"] & SDT
    found = guarded.step(ILLEGAL, mode)
    assert found == Trap("M", DOUBLE, 0, tval2=2, priv=MODES[mode][0])
    assert guarded["mepc"] == CODE
    assert guarded["sstatus"] & SDT
    guarded["mstatus"] = 0
    guarded.enter("HS")
    found = guarded.step(ILLEGAL, mode)
    assert found is not None and found.mode == "HS"


@section(SSTATUS)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_a_second_trap_to_vs_mode_goes_to_m_mode(guarded: Bench, mode: str) -> None:
    found = guarded.step(ILLEGAL, mode)
    assert found is not None and found.mode == "VS" and guarded["vsstatus"] & SDT
    found = guarded.step(ILLEGAL, mode)
    assert found == Trap("M", DOUBLE, 0, tval2=2, virt=1, priv=MODES[mode][0])
    assert guarded["sstatus"] & SDT == 0


@section(SSTATUS)
def test_sret_clears_sdt(guarded: Bench) -> None:
    guarded["sstatus"], guarded["vsstatus"] = SDT | SPP, SDT
    assert guarded.step(SRET, "HS") is None
    assert (guarded["sstatus"] & SDT, guarded["vsstatus"] & SDT) == (0, SDT)
    guarded["hstatus"], guarded["sstatus"] = SPV, SDT
    assert guarded.step(SRET, "HS") is None
    assert guarded.mode == "VU" and guarded["vsstatus"] & SDT == 0
    guarded["vsstatus"] = SDT | SPP
    assert guarded.step(SRET, "VS") is None
    assert guarded["vsstatus"] & SDT == 0


@section(MENVCFG)
def test_without_dte_it_is_as_without_the_extension(guarded: Bench, make: MakeBench) -> None:
    guarded["vsstatus"] = guarded["sstatus"] = SDT
    guarded["henvcfg"] = 0
    assert (guarded["vsstatus"] & SDT, guarded["sstatus"] & SDT) == (0, SDT)
    guarded["vsstatus"] = SDT
    assert guarded["vsstatus"] & SDT == 0
    guarded["menvcfg"] = 0
    assert guarded["sstatus"] & SDT == 0
    guarded["sstatus"] = guarded["mstatus"] = SDT
    assert guarded["mstatus"] & SDT == 0
    guarded["henvcfg"] = DTE
    assert guarded["henvcfg"] & DTE == 0
    assert guarded["medeleg"] >> DOUBLE & 1 == 0
    plain = make()
    plain["menvcfg"] = ONES
    plain["mstatus"] = SDT | MDT
    assert (plain["menvcfg"] & DTE, plain["mstatus"] & (SDT | MDT)) == (0, 0)


@section(MSTATUS)
def test_mdt_is_set_at_reset_and_by_traps(make: MakeBench) -> None:
    bench = make(further="Ssdbltrp Smdbltrp")
    assert bench["mstatus"] & MDT
    bench["mstatus"] = MDT | MIE
    assert bench["mstatus"] & (MDT | MIE) == MDT
    bench["mstatus"] = MIE
    assert bench["mstatus"] & (MDT | MIE) == MIE
    assert bench.step(ECALL, "M") is not None
    assert bench["mstatus"] & MDT


@section(MSTATUS)
def test_a_trap_in_a_trap_of_m_mode_is_a_critical_error(guarded: Bench) -> None:
    """Nothing is written, and no interrupt ends it."""
    assert guarded.step(ECALL, "M") is not None
    before = [guarded[name] for name in ("mstatus", "mcause", "mepc", "mtval")]
    guarded.poke(HANDLERS["M"], ILLEGAL, 4)
    guarded.go()
    assert guarded.hart.pc == HANDLERS["M"]
    assert [guarded[name] for name in ("mstatus", "mcause", "mepc", "mtval")] == before
    assert guarded.hart.critical == 1
    guarded["mie"] = guarded["mip"] = 1 << 1
    assert guarded.interrupted() is None


@section(MSTATUS)
@pytest.mark.parametrize("to", ["M", "HS", "U", "VS", "VU"])
def test_mret_clears_mdt_and_sdt(guarded: Bench, to: str) -> None:
    priv, virt = MODES[to]
    guarded["vsstatus"] = SDT
    guarded["mstatus"] = MDT | SDT | MPP & priv << 11 | MPV * virt
    assert guarded.step(MRET, "M") is None
    kept = SDT if to in ("M", "HS") else 0
    assert guarded["mstatus"] & (MDT | SDT) == kept
    assert guarded["vsstatus"] & SDT == (0 if to == "VU" else SDT)


@section(MSTATUS)
def test_sret_in_m_mode_clears_mdt(guarded: Bench) -> None:
    guarded["mstatus"] = MDT | SPP
    assert guarded.step(SRET, "M") is None
    assert guarded["mstatus"] & MDT == 0


__all__ = ["csr_word"]
