"""Traps and returns (Privileged, "Machine-Level ISA" and "Supervisor-Level ISA")."""

from __future__ import annotations

import pytest

from rvplat.hart.state import STOP_NONE, STOP_WFI
from rvplat.hart.trap import Trap, take_trap
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import INTERRUPT, MACHINE, SUPERVISOR, USER, Irq, Status
from rvplat.isa.zawrs import wrs_nto, wrs_sto
from rvplat.lang import u64
from tests.hart.privileged_bench import (
    EBREAK,
    ECALL,
    HANDLER,
    MRET,
    PC,
    SRET,
    SUPERVISOR_HANDLER,
    WFI,
    Bench,
    bench,
    make,
)

__all__ = ["bench"]


@pytest.mark.parametrize(("priv", "cause"), [(USER, 8), (SUPERVISOR, 9), (MACHINE, 11)])
def test_ecall_has_a_cause_for_each_mode(bench: Bench, priv: int, cause: int) -> None:
    bench.enter(priv)
    bench.put("mtval", 0x55)
    bench.run(ECALL)
    assert bench.trapped(cause, 0)
    assert bench.value("mstatus") & Status.MPP == priv << Status.MPP_SHIFT


def test_ebreak_reports_its_address(bench: Bench) -> None:
    bench.run(EBREAK)
    assert bench.trapped(3, PC)


def test_a_trap_to_machine_mode_pushes_mie(bench: Bench) -> None:
    bench.put("mstatus", Status.MIE | Status.SIE)
    bench.run(ECALL)
    status = bench.value("mstatus")
    assert status & (Status.MIE | Status.MPIE) == Status.MPIE
    assert status & Status.SIE, "S mode's part is untouched"
    bench.enter(MACHINE)
    bench.run(ECALL)
    assert bench.value("mstatus") & (Status.MIE | Status.MPIE) == 0


def test_a_delegated_trap_writes_the_supervisors_registers_only(bench: Bench) -> None:
    bench.put("medeleg", 1 << 8)
    bench.put("mstatus", Status.SIE | Status.MIE | Status.MPP)
    bench.put("mcause", 0x33)
    bench.put("mepc", 0x44)
    bench.enter(USER)
    bench.run(ECALL)
    assert bench.trapped(8, 0, mode=SUPERVISOR)
    status = bench.value("mstatus")
    assert status & (Status.SPP | Status.SPIE | Status.SIE) == Status.SPIE
    assert status & (Status.MIE | Status.MPP) == Status.MIE | Status.MPP
    assert (bench.value("mcause"), bench.value("mepc")) == (0x33, 0x44)


def test_a_horizontal_trap_remembers_supervisor_mode(bench: Bench) -> None:
    bench.put("medeleg", 1 << 3)
    bench.enter(SUPERVISOR)
    bench.run(EBREAK)
    assert bench.trapped(3, PC, mode=SUPERVISOR)
    assert bench.value("sstatus") & (Status.SPP | Status.SPIE) == Status.SPP


def test_traps_never_go_down(bench: Bench) -> None:
    bench.put("medeleg", 1 << 3)
    bench.run(EBREAK)
    assert bench.trapped(3, PC, mode=MACHINE)


def test_vectored_mode_spreads_interrupts_but_not_exceptions(bench: Bench) -> None:
    bench.put("mtvec", HANDLER | 1)
    bench.run(ECALL)
    assert bench.hart.pc == HANDLER
    bench.enter(MACHINE)
    bench.put("mie", Irq.MTI)
    bench.hart.mtimecmp = 0
    bench.write("mie", Irq.MTI)
    bench.write("mstatus", Status.MIE)
    assert bench.hart.pc == HANDLER + 4 * 7
    assert bench.value("mepc") == PC + 8


def test_a_vectored_supervisor(bench: Bench) -> None:
    bench.put("stvec", SUPERVISOR_HANDLER | 1)
    bench.put("mideleg", Irq.SSI)
    bench.put("mie", Irq.SSI)
    bench.enter(USER)
    bench.hart.mip = Irq.SSI
    bench.run(wrs_sto)
    vocabulary.interrupts_changed(bench.hart)
    assert bench.hart.resync == 1
    bench.run(wrs_sto)
    assert bench.hart.pc == SUPERVISOR_HANDLER + 4


def test_mret_pops_the_stack(bench: Bench) -> None:
    bench.put("mepc", 0x8000_9000)
    bench.put("mstatus", Status.MPIE | Status.MPRV | SUPERVISOR << Status.MPP_SHIFT)
    bench.run(MRET)
    assert (bench.hart.priv, bench.hart.pc) == (SUPERVISOR, 0x8000_9000)
    status = bench.value("mstatus")
    assert status & Status.MIE
    assert status & Status.MPIE
    assert status & Status.MPP == 0, "U, the least privileged"
    assert status & Status.MPRV == 0, "cleared on the way below M mode"


def test_mret_to_machine_mode_keeps_mprv(bench: Bench) -> None:
    bench.put("mstatus", Status.MPRV | Status.MPP)
    bench.run(MRET)
    assert bench.hart.priv == MACHINE
    assert bench.value("mstatus") & (Status.MPRV | Status.MIE) == Status.MPRV


def test_mret_without_user_mode_leaves_mpp_at_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="u s sv39")
    bench.run(MRET)
    assert bench.hart.priv == MACHINE
    assert bench.value("mstatus") & Status.MPP == Status.MPP


@pytest.mark.parametrize("priv", [USER, SUPERVISOR])
def test_mret_below_machine_mode_is_illegal(bench: Bench, priv: int) -> None:
    bench.enter(priv)
    bench.run(MRET)
    assert bench.illegal()


@pytest.mark.parametrize("priv", [SUPERVISOR, MACHINE])
@pytest.mark.parametrize("spp", [0, Status.SPP])
def test_sret_pops_the_stack(bench: Bench, priv: int, spp: int) -> None:
    bench.put("mstatus", spp | Status.SPIE | Status.MPRV | Status.MPP)
    bench.put("sepc", 0x8000_9000)
    bench.enter(priv)
    bench.run(SRET)
    assert bench.hart.pc == 0x8000_9000
    assert bench.hart.priv == (SUPERVISOR if spp else USER)
    status = bench.value("mstatus")
    assert status & (Status.SIE | Status.SPIE) == Status.SIE | Status.SPIE
    assert status & (Status.SPP | Status.MPRV) == 0
    assert status & Status.MPP == Status.MPP


def test_sret_is_illegal_in_user_mode_and_under_tsr(bench: Bench) -> None:
    bench.enter(USER)
    bench.run(SRET)
    assert bench.illegal()
    bench.put("mstatus", Status.TSR)
    bench.enter(SUPERVISOR)
    bench.run(SRET)
    assert bench.illegal()
    bench.enter(MACHINE)
    bench.put("mstatus", Status.TSR)
    bench.run(SRET)
    assert bench.hart.priv == USER


@pytest.mark.parametrize(
    ("priv", "status", "legal"),
    [
        (MACHINE, Status.TW, True),
        (SUPERVISOR, 0, True),
        (SUPERVISOR, Status.TW, False),
        (USER, 0, False),
        (USER, Status.TW, False),
    ],
)
def test_who_may_wait_for_an_interrupt(bench: Bench, priv: int, status: int, legal: bool) -> None:
    bench.put("mstatus", status)
    bench.enter(priv)
    bench.run(WFI)
    assert bench.illegal() is not legal
    assert bench.hart.stop == (STOP_WFI if legal else STOP_NONE)


def test_wfi_in_user_mode_without_supervisor_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="s sv39 sstc")
    bench.enter(USER)
    bench.run(WFI)
    assert bench.hart.pc == PC + 4


@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
def test_waits_on_reservation_sets(bench: Bench, priv: int) -> None:
    bench.put("mstatus", Status.TW)
    bench.enter(priv)
    bench.run(wrs_sto)
    assert bench.hart.pc == PC + 4
    bench.enter(priv)
    bench.run(wrs_nto)
    assert bench.illegal() is (priv != MACHINE)
    bench.enter(priv)
    bench.put("mstatus", 0)
    bench.run(wrs_nto)
    assert bench.hart.pc == PC + 4


def test_a_trap_changes_the_context_once(bench: Bench) -> None:
    bench.enter(USER)
    bench.contexts = 0
    bench.run(ECALL)
    assert bench.contexts == 1


def test_a_trapping_instruction_does_not_retire_but_costs_budget(bench: Bench) -> None:
    before, budget = vocabulary.retired(bench.hart), int(bench.hart.budget)
    bench.run(ECALL)
    assert vocabulary.retired(bench.hart) == before
    assert bench.hart.budget == budget - 1


def test_raise_trap_clears_what_a_guest_fault_left(bench: Bench) -> None:
    bench.hart.trap_tval2 = bench.hart.trap_tinst = 5
    bench.hart.trap_gva = 1
    with pytest.raises(Trap):
        vocabulary.raise_trap(bench.hart, u64(13), u64(0x123))
    assert (bench.hart.trap_cause, bench.hart.trap_tval) == (13, 0x123)
    for field in ("trap_tval2", "trap_tinst", "trap_gva"):
        assert getattr(bench.hart, field) == 0


def test_causes_beyond_what_medeleg_has_go_to_machine_mode(bench: Bench) -> None:
    bench.put("medeleg", (1 << 64) - 1)
    bench.enter(USER)
    bench.hart.trap_cause = 11
    take_trap(bench.hart)
    assert bench.hart.priv == MACHINE


def test_an_interrupts_cause_is_looked_up_in_mideleg(bench: Bench) -> None:
    bench.put("medeleg", 1 << 5)
    bench.put("mideleg", Irq.SSI)
    bench.enter(USER)
    bench.hart.trap_cause = INTERRUPT | 5
    take_trap(bench.hart)
    assert bench.hart.priv == MACHINE
