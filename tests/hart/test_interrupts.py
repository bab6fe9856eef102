"""Which interrupts are pending, which is taken (Privileged, "Machine Interrupt Registers")."""

from __future__ import annotations

import pytest

from rvplat.hart.counters import NEVER, timer_check, update_deadline
from rvplat.hart.interrupts import first_interrupt, pending_interrupt
from rvplat.hart.state import STOP_NONE, STOP_WFI
from rvplat.isa import zicsr
from rvplat.isa.privileged import INTERRUPT, MACHINE, SUPERVISOR, USER, Counter, EnvCfg, Irq, Status
from rvplat.lang import u64
from tests.hart.privileged_bench import PC, WFI, Bench, bench, make

__all__ = ["bench"]

ORDER = [11, 3, 7, 9, 1, 5, 12, 10, 2, 6, 13]


def test_priorities() -> None:
    for i, first in enumerate(ORDER):
        pending = sum(1 << n for n in ORDER[i:])
        assert first_interrupt(u64(pending)) == first


def test_platform_interrupts_go_first_the_lowest_ahead() -> None:
    assert first_interrupt(u64(1 << 40 | 1 << 17 | Irq.MEI)) == 17


def test_nothing_pending(bench: Bench) -> None:
    bench.put("mstatus", Status.MIE)
    bench.put("mie", (1 << 64) - 1)
    assert pending_interrupt(bench.hart) == 0


@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
@pytest.mark.parametrize("mie", [0, Status.MIE])
def test_machine_interrupts_are_enabled_below_machine_mode(
    bench: Bench, priv: int, mie: int
) -> None:
    bench.put("mie", Irq.MEI)
    bench.put("mstatus", mie)
    bench.hart.irq_lines = Irq.MEI
    bench.enter(priv)
    taken = priv != MACHINE or mie != 0
    assert pending_interrupt(bench.hart) == (INTERRUPT | 11 if taken else 0)


@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
@pytest.mark.parametrize("sie", [0, Status.SIE])
def test_delegated_interrupts_are_masked_in_machine_mode(bench: Bench, priv: int, sie: int) -> None:
    bench.put("mideleg", Irq.SEI)
    bench.put("mie", Irq.SEI)
    bench.put("mstatus", sie | Status.MIE)
    bench.hart.irq_lines = Irq.SEI
    bench.enter(priv)
    taken = priv == USER or (priv == SUPERVISOR and sie != 0)
    assert pending_interrupt(bench.hart) == (INTERRUPT | 9 if taken else 0)


def test_machine_interrupts_go_before_delegated_ones(bench: Bench) -> None:
    bench.put("mideleg", Irq.SEI)
    bench.put("mie", Irq.SEI | Irq.STI)
    bench.hart.irq_lines = Irq.SEI
    bench.hart.mip = Irq.STI
    bench.enter(USER)
    assert pending_interrupt(bench.hart) == INTERRUPT | 5


def test_supervisor_interrupts_that_are_not_delegated_go_to_machine_mode(bench: Bench) -> None:
    bench.put("mie", Irq.SSI)
    bench.enter(SUPERVISOR)
    bench.hart.mip = Irq.SSI
    bench.hart.resync = 1
    bench.read("sscratch")
    assert bench.interrupted(1)
    assert bench.value("mepc") == PC + 4
    assert bench.value("mtval") == 0


@pytest.mark.parametrize("name", ["mip", "mie", "mstatus", "mideleg"])
def test_a_write_to_what_interrupts_depend_on_takes_effect_at_once(bench: Bench, name: str) -> None:
    state = {"mip": Irq.SSI, "mie": Irq.SSI, "mstatus": Status.MIE, "mideleg": 0}
    before = dict(state, mideleg=Irq.SSI)
    for other, value in before.items():
        if other != name or name == "mideleg":
            bench.put(other, value)
    assert pending_interrupt(bench.hart) == 0
    bench.write(name, state[name])
    if name != "mideleg":
        bench.write("mideleg", 0)
    assert bench.interrupted(1)


@pytest.mark.parametrize("name", ["sip", "sie", "sstatus"])
def test_a_write_to_the_supervisors_view_takes_effect_at_once(bench: Bench, name: str) -> None:
    bench.put("mideleg", Irq.SSI)
    bench.enter(SUPERVISOR)
    state = {"sip": Irq.SSI, "sie": Irq.SSI, "sstatus": Status.SIE}
    for other, value in state.items():
        if other != name:
            bench.put(other, value)
    bench.write(name, state[name])
    assert bench.interrupted(1, SUPERVISOR)
    assert bench.value("sepc") == PC + 4


# --- mip ----------------------------------------------------------------------------------------


def test_the_plics_line_is_read_in_seip_but_never_written_back(bench: Bench) -> None:
    bench.hart.irq_lines = Irq.SEI
    assert bench.set("mip", Irq.SSI) == Irq.SEI
    assert bench.hart.mip == Irq.SSI, "csrrs: B stays 0 though E is 1"
    assert bench.clear("mip", Irq.SSI) == Irq.SEI | Irq.SSI
    assert bench.hart.mip == 0
    bench.set("mip", Irq.SEI)
    bench.hart.irq_lines = 0
    assert bench.read("mip") == Irq.SEI, "B was set by software"
    bench.hart.irq_lines = Irq.SEI
    bench.clear("mip", Irq.SEI)
    assert bench.read("mip") == Irq.SEI, "E still is"
    bench.hart.irq_lines = 0
    assert bench.read("mip") == 0


def test_csrrw_writes_seip_from_the_register(bench: Bench) -> None:
    bench.hart.irq_lines = Irq.SEI
    bench.hart.x[6] = Irq.SSI
    bench.run(zicsr.csrrw, rd=5, rs1=6, csr=0x344)
    assert bench.hart.x[5] == Irq.SEI
    assert bench.hart.mip == Irq.SSI


def test_what_devices_drive_is_read_only_in_mip(bench: Bench) -> None:
    bench.write("mip", (1 << 64) - 1)
    assert bench.hart.mip == Irq.SUPERVISOR
    bench.hart.irq_lines = Irq.MSI | Irq.MEI
    bench.write("mip", 0)
    assert bench.read("mip") == Irq.MSI | Irq.MEI


def test_without_supervisor_mode_its_interrupts_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="s sv39 sstc")
    bench.write("mip", (1 << 64) - 1)
    bench.write("mie", (1 << 64) - 1)
    assert bench.read("mip") == 0
    assert bench.read("mie") == Irq.MACHINE


def test_sip_shows_delegated_interrupts_and_writes_ssip_only(bench: Bench) -> None:
    bench.hart.irq_lines = Irq.SEI | Irq.MEI
    bench.put("mip", Irq.SSI | Irq.STI)
    assert bench.read("sip") == 0
    bench.put("mideleg", Irq.SUPERVISOR)
    assert bench.read("sip") == Irq.SUPERVISOR
    bench.write("sip", 0)
    assert bench.read("sip") == Irq.SEI | Irq.STI
    bench.put("mideleg", 0)
    bench.write("sip", Irq.SSI)
    assert bench.value("mip") & Irq.SSI == 0, "not delegated: read-only zero"


def test_sie_is_mie_where_delegated(bench: Bench) -> None:
    bench.put("mie", Irq.MTI | Irq.SEI)
    bench.put("mideleg", Irq.SSI)
    bench.write("sie", (1 << 64) - 1)
    assert bench.read("sie") == Irq.SSI
    assert bench.read("mie") == Irq.MTI | Irq.SEI | Irq.SSI
    bench.write("sie", 0)
    assert bench.read("mie") == Irq.MTI | Irq.SEI


# --- timers -------------------------------------------------------------------------------------


def test_the_machine_timer_compares_unsigned(bench: Bench) -> None:
    bench.hart.mtimecmp = 1 << 63
    for now, pending in [(0, False), ((1 << 63) - 1, False), (1 << 63, True), (NEVER, True)]:
        bench.machine.time_now = now
        assert bool(bench.read("mip") & Irq.MTI) is pending


def test_the_deadline_is_the_earliest_timer_that_mie_enables(bench: Bench) -> None:
    hart = bench.hart
    bench.put("menvcfg", EnvCfg.STCE)
    hart.mtimecmp = 500
    hart.stimecmp = 300
    update_deadline(hart)
    assert hart.deadline == NEVER, "no timer is enabled"
    bench.put("mie", Irq.MTI)
    assert hart.deadline == 500
    bench.put("mie", Irq.MTI | Irq.STI)
    assert hart.deadline == 300
    bench.put("stimecmp", 700)
    assert hart.deadline == 500
    bench.put("menvcfg", 0)
    bench.put("mie", Irq.STI)
    assert hart.deadline == NEVER


def test_timer_check_raises_the_line_when_the_tick_has_come(bench: Bench) -> None:
    hart = bench.hart
    hart.mtimecmp = 500
    bench.put("mie", Irq.MTI)
    bench.put("mstatus", Status.MIE)
    bench.machine.time_now = 499
    timer_check(hart)
    assert (hart.resync, pending_interrupt(hart)) == (0, 0)
    bench.machine.time_now = 500
    timer_check(hart)
    assert (hart.resync, pending_interrupt(hart)) == (1, INTERRUPT | 7)
    assert hart.deadline == NEVER, "the line is up: nothing to wait for"
    hart.mtimecmp = 900
    update_deadline(hart)
    assert (hart.deadline, pending_interrupt(hart)) == (900, 0)


def test_stimecmp_drives_stip_while_stce_is_set(bench: Bench) -> None:
    bench.put("mideleg", Irq.STI)
    bench.put("mie", Irq.STI)
    bench.put("mcounteren", Counter.TM)
    bench.machine.time_now = 1000
    bench.write("menvcfg", EnvCfg.STCE)
    bench.enter(SUPERVISOR)
    bench.write("stimecmp", 1001)
    assert bench.value("mip") & Irq.STI == 0
    bench.write("sstatus", Status.SIE)
    bench.write("stimecmp", 1000)
    assert bench.interrupted(5, SUPERVISOR)
    bench.write("mip", 0)
    bench.enter(MACHINE)
    bench.write("mip", 0)
    assert bench.read("mip") == Irq.STI, "read-only while stimecmp drives it"
    bench.write("stimecmp", NEVER)
    assert bench.read("mip") == 0


def test_without_stce_stip_is_software(bench: Bench) -> None:
    bench.put("stimecmp", 0)
    bench.machine.time_now = 10
    assert bench.read("mip") & Irq.STI == 0
    bench.write("mip", Irq.STI)
    assert bench.read("mip") == Irq.STI


def test_software_s_stip_ends_where_stimecmp_takes_it_over(bench: Bench) -> None:
    bench.write("mip", Irq.STI)
    bench.write("menvcfg", EnvCfg.STCE)
    assert bench.read("mip") == 0, "stimecmp is far off"
    bench.write("menvcfg", 0)
    assert bench.read("mip") == 0


# --- wfi ----------------------------------------------------------------------------------------


def test_wfi_goes_on_after_itself(bench: Bench) -> None:
    bench.run(WFI)
    assert (bench.hart.stop, bench.hart.pc) == (STOP_WFI, PC + 4)


@pytest.mark.parametrize("delegated", [0, Irq.SEI])
def test_wfi_does_not_wait_with_an_interrupt_pending(bench: Bench, delegated: int) -> None:
    bench.put("mie", Irq.SEI)
    bench.put("mideleg", delegated)
    bench.hart.irq_lines = Irq.SEI
    bench.run(WFI)
    assert (bench.hart.stop, bench.hart.pc) == (STOP_NONE, PC + 4), "mstatus.MIE is 0: not taken"


def test_wfi_waits_while_what_is_pending_is_not_enabled(bench: Bench) -> None:
    bench.put("mie", Irq.MEI)
    bench.hart.irq_lines = Irq.SEI
    bench.run(WFI)
    assert bench.hart.stop == STOP_WFI


def test_wfi_sees_a_timer_that_nobody_looked_at(bench: Bench) -> None:
    bench.hart.mtimecmp = 5
    bench.put("mie", Irq.MTI)
    bench.machine.time_now = 5
    bench.run(WFI)
    assert bench.hart.stop == STOP_NONE


def test_a_timer_that_was_moved_on_meanwhile_is_not_taken(bench: Bench) -> None:
    hart = bench.hart
    hart.mtimecmp = 5
    bench.machine.time_now = 5
    bench.put("mstatus", Status.MIE)
    bench.put("mie", Irq.MTI)
    assert pending_interrupt(hart) == INTERRUPT | 7
    hart.mtimecmp = 9  # by a device, which touches nothing else
    assert pending_interrupt(hart) == 0
    assert hart.deadline == 9
