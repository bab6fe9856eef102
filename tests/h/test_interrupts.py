"""Interrupts of guests, and the guests' timer."""

from __future__ import annotations

import itertools

import pytest

from rvplat.hart.state import STOP_LIMIT, STOP_WFI
from rvplat.isa.privileged import Status
from tests.h.bench import ALL_MODES, MODES, ONES, Bench, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import DELEGATION, EXTERNALS, INTERRUPTS, MIP, VSINTERRUPTS, VSTIMECMP, section

VSSI, VSTI, VSEI, SGEI = 1 << 2, 1 << 6, 1 << 10, 1 << 12
GUEST = VSSI | VSTI | VSEI
NAMES = {2: "VSSI", 6: "VSTI", 10: "VSEI", 12: "SGEI", 1: "SSI", 5: "STI", 9: "SEI"}
# The priorities of HS mode, the highest first.
ORDER = [9, 1, 5, 12, 10, 2, 6]
MACHINE_ORDER = [11, 3, 7, 9, 1, 5]


# --- registers that are views of others -----------------------------------------------------------


@section(INTERRUPTS)
@pytest.mark.parametrize("irq", [VSSI, VSTI, VSEI])
@pytest.mark.parametrize("hideleg", [0, GUEST])
def test_interrupts_in_hvip_are_pending_in_hip_and_mip(
    bench: Bench, irq: int, hideleg: int
) -> None:
    """hideleg has no effect on these three; vsip shows what hideleg delegates, one bit lower."""
    bench["hideleg"] = hideleg
    bench["hvip"] = irq
    assert bench["hvip"] == bench["hip"] == bench["mip"] & GUEST == irq
    assert bench["vsip"] == (irq & hideleg) >> 1
    assert bench["sip"] == 0
    bench["hvip"] = 0
    assert bench["hip"] == bench["vsip"] == 0


@pytest.mark.parametrize(("section", "name"), [(INTERRUPTS, "hip"), (MIP, "mip")])
def test_only_vssip_is_writable_in_hip_and_mip(bench: Bench, name: str) -> None:
    bench[name] = ONES
    assert bench["hvip"] == VSSI
    bench["hvip"] = GUEST
    bench[name] = 0
    assert bench["hvip"] == VSTI | VSEI


@section(VSINTERRUPTS)
@pytest.mark.parametrize("hideleg", [0, VSSI, VSTI, VSEI, GUEST])
def test_vsip_and_vsie_are_aliases_of_delegated_bits(bench: Bench, hideleg: int) -> None:
    bench["hideleg"] = hideleg
    bench["vsip"] = bench["vsie"] = ONES
    assert bench["hvip"] == hideleg & VSSI, "only SSIP is writable"
    assert bench["hie"] == hideleg
    assert bench["vsie"] == hideleg >> 1
    bench["hie"] = bench["hvip"] = GUEST
    bench["vsip"] = bench["vsie"] = 0
    assert bench["hvip"] == GUEST & ~(hideleg & VSSI)
    assert bench["hie"] == GUEST & ~hideleg


@section(MIP)
def test_hie_is_part_of_mie_and_not_of_sie(bench: Bench) -> None:
    bench["mideleg"] = ONES
    bench["hie"] = GUEST
    assert bench["mie"] == GUEST
    assert bench["sie"] == 0
    bench["sie"] = ONES
    assert bench["mie"] == GUEST | 0x2222
    assert bench["hie"] == GUEST
    bench["mie"] = 0
    assert bench["hie"] == 0


@section(INTERRUPTS)
@pytest.mark.parametrize("geilen", [0, 1])
def test_bits_of_sip_and_sie_are_zero_in_hip_and_hie(make: MakeBench, geilen: int) -> None:
    """ "The corresponding bit shall be read-only zero in both hip and hie"; M mode's too."""
    bench = make(geilen=geilen)
    bench.delegate()
    ours = GUEST | (SGEI if geilen else 0)
    bench["mip"] = 0x222
    assert (bench["sip"], bench["hip"]) == (0x222, 0)
    bench["hie"] = ONES
    assert bench["hie"] == bench["mie"] == ours
    bench["mie"] = ONES
    bench["hie"] = 0
    assert (bench["mie"], bench["sie"]) == (0x2AAA, 0x2222)


@section(MIP)
def test_sgei_is_the_same_in_hip_and_mip(make: MakeBench) -> None:
    """SGEIP is read-only. SGEIE is the same bit in mie and hie."""
    bench = make(geilen=2)
    bench["hgeie"] = 1 << 2
    for line in (1, 2):
        bench.native.set_guest_line(line, True)
        assert bench["hip"] == bench["mip"] == (SGEI if line == 2 else 0)
    bench["hip"] = bench["mip"] = 0
    assert bench["hip"] == bench["mip"] == SGEI
    bench.native.set_guest_line(1, False)
    bench.native.set_guest_line(2, False)
    bench["hip"] = bench["mip"] = ONES & ~GUEST & ~0x2222
    assert bench["hip"] == bench["mip"] == 0
    bench["hie"] = SGEI
    assert bench["mie"] == SGEI
    bench["mie"] = 0
    assert bench["hie"] == 0


@section(VSINTERRUPTS)
@pytest.mark.parametrize("op", ["csrrs", "csrrc", "csrrw"])
def test_a_guest_reaches_its_own_interrupts_by_sip_and_sie(bench: Bench, op: str) -> None:
    bench["hideleg"] = GUEST
    bench["hvip"] = VSSI if op == "csrrc" else 0
    bench.hart.x[6] = 0x222
    assert bench.outcome(csr_word(op, "sie"), "VS") == "ok"
    assert bench["hie"] == (0 if op == "csrrc" else GUEST)
    bench["hie"] = 0
    assert bench.outcome(csr_word(op, "sip"), "VS") == "ok"
    assert bench["hvip"] == (0 if op == "csrrc" else VSSI)


# --- guest external interrupts --------------------------------------------------------------------


@section(EXTERNALS)
@pytest.mark.parametrize("vgein", range(6))
@pytest.mark.parametrize("line", range(1, 6))
def test_vgein_selects_the_line_for_vseip(make: MakeBench, vgein: int, line: int) -> None:
    bench = make(geilen=5)
    bench["hstatus"] = ONES & ~(63 << 12) | vgein << 12
    bench.native.set_guest_line(line, True)
    assert bench["hgeip"] == 1 << line
    assert bench["hip"] == (VSEI if vgein == line else 0), "hgeie enables SGEIP alone"
    bench["hgeie"] = 1 << line
    assert bench["hip"] == SGEI | (VSEI if vgein == line else 0)
    bench["hgeie"] = ONES ^ 1 << line
    assert bench["hip"] & SGEI == 0
    bench.native.set_guest_line(line, False)
    assert bench["hgeip"] == bench["hip"] == 0


@section(INTERRUPTS)
def test_vseip_is_the_or_of_its_sources(make: MakeBench) -> None:
    bench = make(geilen=1)
    bench["hstatus"] = 1 << 12
    bench["hvip"] = VSEI
    assert bench["hip"] == VSEI
    bench.native.set_guest_line(1, True)
    bench["hvip"] = 0
    assert bench["hip"] == VSEI
    assert bench["hvip"] == 0
    bench.native.set_guest_line(1, False)


@pytest.mark.parametrize("op", ["csrrs", "csrrc", "csrrw"])
@pytest.mark.parametrize(
    ("section", "name", "mode", "bits"),
    [(INTERRUPTS, "hip", "HS", VSSI), (INTERRUPTS, "hvip", "HS", VSSI), (MIP, "mip", "M", VSSI),
     (VSINTERRUPTS, "sip", "VS", VSSI >> 1)],
)  # fmt: skip
def test_lines_are_not_latched(make: MakeBench, name: str, mode: str, bits: int, op: str) -> None:
    """Software reads the register, changes VSSIP and writes it back. That doesn't write the pending
    bits of guest external interrupts and of vstimecmp to hvip."""
    bench = timed(make(geilen=1), 100)
    bench["hideleg"], bench["vstimecmp"], bench["hstatus"] = GUEST, 5, 1 << 12
    bench["hvip"] = VSSI if op == "csrrc" else 0
    bench.native.set_guest_line(1, True)
    bench.hart.x[6] = bits
    assert bench.outcome(csr_word(op, name), mode) == "ok"
    assert bench["hip"] & (VSEI | VSTI) == VSEI | VSTI
    bench.native.set_guest_line(1, False)
    bench["vstimecmp"] = ONES
    bench.machine.view.time_now = 0
    expected = 0 if op == "csrrc" else VSSI
    assert bench["hvip"] == bench["hip"] == expected


@section("rvplat: guest external interrupts")
def test_lines_beyond_geilen_are_refused(make: MakeBench) -> None:
    bench = make(geilen=2)
    for line in (0, 3, 64):
        with pytest.raises(ValueError, match=f"guest external interrupt {line} of 1 to 2"):
            bench.native.set_guest_line(line, True)


# --- the mode that takes an interrupt -------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 6, 10])
@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize(("section", "delegated"), [(INTERRUPTS, False), (DELEGATION, True)])
def test_who_takes_a_guests_interrupt(
    bench: Bench, number: int, delegated: bool, enabled: bool, mode: str
) -> None:
    """VS mode takes a delegated one with V=1 (in VS mode only with vsstatus.SIE); HS mode takes the
    others (in HS mode only with SIE)."""
    bench.delegate(hideleg=ONES if delegated else 0)
    bench["mstatus"] = Status.MIE | (Status.SIE if enabled else 0)
    bench["vsstatus"] = Status.SIE if enabled else 0
    bench["hie"] = bench["hvip"] = 1 << number
    bench.enter(mode)
    expected = None
    if delegated and (mode == "VU" or (mode == "VS" and enabled)):
        expected = ("VS", number - 1)
    elif not delegated and (mode in ("U", "VS", "VU") or (mode == "HS" and enabled)):
        expected = ("HS", number)
    assert bench.interrupted() == expected
    if expected == ("VS", number - 1):
        assert bench["vscause"] == 1 << 63 | number - 1


@section(INTERRUPTS)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_sgei_goes_to_hs_mode(make: MakeBench, mode: str) -> None:
    bench = make(geilen=3)
    bench["hgeie"] = bench["hie"] = ONES
    bench["mstatus"] = Status.MIE
    bench.native.set_guest_line(2, True)
    bench.enter(mode)
    expected = ("HS", 12) if MODES[mode] < (1, 0) or mode == "VS" else None
    assert bench.interrupted() == expected
    bench.native.set_guest_line(2, False)


def pend(bench: Bench, *numbers: int) -> None:
    """Make interrupts pending and enabled."""
    hart = bench.hart
    hart.irq_lines = sum(1 << n for n in numbers if n in (3, 9, 11, 1, 5))
    hart.mtimecmp = 0 if 7 in numbers else ONES
    bench["mie"] = sum(1 << n for n in numbers)
    bench["hgeie"] = ONES
    bench["hvip"] = sum(1 << n for n in numbers if n in (2, 6, 10))
    hart.guest_lines = 2 if 12 in numbers else 0


def unpend(bench: Bench) -> None:
    bench.hart.irq_lines = bench.hart.guest_lines = 0
    bench.hart.mtimecmp = ONES


@section(INTERRUPTS)
@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(ORDER, 2)])
def test_priorities_of_hs_mode(make: MakeBench, first: int, second: int) -> None:
    """ "SEI, SSI, STI, SGEI, VSEI, VSSI, VSTI"."""
    bench = make(geilen=1)
    bench.delegate()
    pend(bench, first, second)
    bench.enter("VU")
    found = bench.interrupted()
    unpend(bench)
    assert found == ("HS", first)


@section("Supervisor Interrupt (sip and sie) Registers")
@pytest.mark.parametrize(("first", "second"), [*itertools.combinations([10, 2, 6], 2)])
def test_priorities_of_vs_mode(bench: Bench, first: int, second: int) -> None:
    bench.delegate(hideleg=ONES)
    pend(bench, first, second)
    bench.enter("VU")
    assert bench.interrupted() == ("VS", first - 1)


@section(MIP)
@pytest.mark.parametrize("machine", [3, 7, 11])
@pytest.mark.parametrize("other", [10, 2, 6])
@pytest.mark.parametrize("hideleg", [0, ONES])
def test_m_mode_s_interrupts_have_priority(
    bench: Bench, machine: int, other: int, hideleg: int
) -> None:
    bench.delegate(hideleg=hideleg)
    pend(bench, machine, other)
    bench.enter("VU")
    found = bench.interrupted()
    unpend(bench)
    assert found == ("M", machine)


@section(MIP)
@pytest.mark.parametrize("host", [9, 1, 5])
@pytest.mark.parametrize("guest", [10, 2, 6])
def test_hs_mode_s_interrupts_have_priority_over_vs_mode_s(
    bench: Bench, host: int, guest: int
) -> None:
    bench.delegate(hideleg=ONES)
    pend(bench, guest, host)
    bench.enter("VU")
    found = bench.interrupted()
    unpend(bench)
    assert found == ("HS", host)


@section(INTERRUPTS)
def test_an_interrupt_that_is_not_enabled_waits(bench: Bench) -> None:
    bench.delegate(hideleg=ONES)
    bench["hvip"] = GUEST
    bench.enter("VU")
    assert bench.interrupted() is None


@section("Wait for Interrupt")
@pytest.mark.parametrize("mode", ["HS", "VS"])
def test_wfi_ends_for_what_mie_enables(bench: Bench, mode: str) -> None:
    """ "Regardless of delegation and the global enables": for a guest's interrupts too."""
    bench.delegate(hideleg=ONES)
    for pending, stop in ((0, STOP_WFI), (VSSI, STOP_LIMIT)):
        bench["hie"], bench["hvip"] = VSSI, pending
        assert bench.step(word("wfi"), mode) is None
        assert bench.hart.stop == stop


# --- the guest's timer ----------------------------------------------------------------------------


def timed(bench: Bench, now: int, delta: int = 0) -> Bench:
    """Enable Sstc for guests, and set the time and htimedelta."""
    bench["menvcfg"] = bench["henvcfg"] = 1 << 63
    bench["mcounteren"] = bench["hcounteren"] = 2
    bench.machine.view.time_now = now
    bench["htimedelta"] = delta
    return bench


@section(VSTIMECMP)
@pytest.mark.parametrize(
    ("now", "delta", "vstimecmp", "pending"),
    [
        (100, 0, 101, False), (100, 0, 100, True), (100, 0, 99, True), (100, 50, 150, True),
        (100, 50, 151, False), (100, ONES - 49, 50, True), (100, ONES - 49, 51, False),
        (100, 0, ONES, False), (100, ONES - 100, ONES, True), (0, ONES - 10, 5, True),
    ],
)  # fmt: skip
def test_vstip_compares_time_and_htimedelta(
    bench: Bench, now: int, delta: int, vstimecmp: int, pending: bool
) -> None:
    timed(bench, now, delta)["vstimecmp"] = vstimecmp
    assert bench["hip"] == (VSTI if pending else 0)
    bench["hvip"] = VSTI
    assert bench["hip"] == VSTI, "the OR of both"
    bench["hvip"] = 0
    for name in ("henvcfg", "menvcfg"):
        bench[name] = ONES & ~(1 << 63)
        assert bench["hip"] == 0, "vstimecmp has no effect"
        bench[name] = ONES
        assert bench["hip"] == (VSTI if pending else 0)
    bench.machine.view.time_now = 0


@section("Hypervisor Time Delta (htimedelta) Register")
@pytest.mark.parametrize("mode", ALL_MODES)
def test_guests_read_time_plus_htimedelta(bench: Bench, mode: str) -> None:
    timed(bench, 1000, 234)["scounteren"] = 2
    bench.step(csr_word("csrrs", "time", rs1=0), mode)
    bench.machine.view.time_now = 0
    assert bench.hart.x[5] == 1000 + (234 if MODES[mode][1] else 0)


@section("rvplat: deadline of the next timer")
def test_the_deadline_includes_the_guest_s_timer(bench: Bench) -> None:
    timed(bench, 100, 1000)["hie"] = VSTI
    bench["vstimecmp"] = 1500
    assert bench.hart.deadline == 500
    bench["htimedelta"] = 1200
    assert bench.hart.deadline == 300
    bench["vstimecmp"] = 5
    assert bench["hip"] == VSTI
    bench.machine.view.time_now = 0


@section(VSTIMECMP)
def test_a_timer_that_fires_is_taken_by_the_guest(bench: Bench) -> None:
    timed(bench, 100).delegate(hideleg=ONES)
    bench["hie"] = VSTI
    bench["vstimecmp"] = 200
    bench.enter("VU")
    assert bench.interrupted() is None
    bench.machine.view.time_now = 200
    bench.enter("VU")
    found = bench.interrupted() or bench.interrupted()
    bench.machine.view.time_now = 0
    assert found == ("VS", 5)
