"""Interrupts are checked right after an instruction that changes what they depend on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rvplat.engine.budgets import QUANTUM
from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    CODE,
    HANDLERS,
    MODES,
    NO_DEVICE,
    NOP,
    NUMBERS,
    ONES,
    Bench,
    csr_word,
    native_core,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import MIP, section

SSI, VSSI, STI, VSTI, VSEI, SGEI = 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 10, 1 << 12
STCE = 1 << 63


@dataclass(frozen=True)
class Write:
    """The registers before; the CSR, value and mode of a write; the mode that takes the interrupt,
    and the interrupt's number."""

    mode: str
    name: str
    value: int
    taken: tuple[str, int]
    before: tuple[tuple[str, int], ...] = ()
    hideleg: int = 0
    line: int = 0


HS, VS = ("mstatus", Status.SIE), ("vsstatus", Status.SIE)
TIMED = (("menvcfg", STCE), ("henvcfg", STCE), ("mcounteren", 2), ("hcounteren", 2))
WRITES = [
    Write("HS", "hvip", VSSI, ("HS", 2), (HS, ("hie", VSSI))),
    Write("HS", "hip", VSSI, ("HS", 2), (HS, ("hie", VSSI))),
    Write("HS", "hie", VSSI, ("HS", 2), (HS, ("hvip", VSSI))),
    Write("HS", "hideleg", 0, ("HS", 2), (HS, ("hvip", VSSI), ("hie", VSSI)), hideleg=VSSI),
    Write("HS", "sstatus", Status.SIE, ("HS", 2), (("hvip", VSSI), ("hie", VSSI))),
    Write("HS", "hgeie", 2, ("HS", 12), (HS, ("hie", SGEI)), line=1),
    Write("HS", "hstatus", 1 << 12, ("HS", 10), (HS, ("hie", VSEI)), line=1),
    Write("HS", "vstimecmp", 5, ("HS", 6), (HS, *TIMED, ("hie", VSTI))),
    Write("HS", "htimedelta", ONES - 100, ("HS", 6),
          (HS, *TIMED, ("hie", VSTI), ("vstimecmp", ONES - 50))),
    Write("HS", "henvcfg", STCE, ("HS", 6),
          (HS, *TIMED, ("mstateen0", ONES), ("vstimecmp", 5), ("henvcfg", 0), ("hie", VSTI))),
    Write("VS", "sip", SSI, ("VS", 1), (VS, ("hie", VSSI)), hideleg=VSSI),
    Write("VS", "sie", SSI, ("VS", 1), (VS, ("hvip", VSSI)), hideleg=VSSI),
    Write("VS", "sstatus", Status.SIE, ("VS", 1), (("hvip", VSSI), ("hie", VSSI)), hideleg=VSSI),
    Write("VS", "stimecmp", 5, ("VS", 5), (VS, *TIMED, ("hie", VSTI)), hideleg=VSTI),
]  # fmt: skip


def run_on(bench: Bench, bits: int, mode: str) -> tuple[str, int] | None:
    """Run the instruction and some more; return which mode took which interrupt after the first."""
    for i in range(1, 5):
        bench.poke(CODE + 4 * i, NOP, 4)
    for handler in HANDLERS.values():
        bench.poke(handler, word("jal", rd=0), 4)  # loop at the handler
    bench.poke(CODE, bits, 4)
    bench.enter(mode)
    found = bench.go(4)
    if found is None:
        return None
    saved = {"M": "mepc", "HS": "sepc", "VS": "vsepc"}[found.mode]
    assert bench[saved] == CODE + 4, "it was taken later"
    return found.mode, found.cause & ~(1 << 63)


@section(MIP)
@pytest.mark.parametrize("write", WRITES, ids=lambda w: f"{w.mode}-{w.name}")
def test_a_write_takes_effect_before_the_next_instruction(make: MakeBench, write: Write) -> None:
    """ "Immediately following ... an explicit write to a CSR on which these ... depend"."""
    bench = make(geilen=1)
    bench.machine.view.time_now = 100
    bench.delegate(hideleg=write.hideleg)
    for name, value in write.before:
        bench[name] = value
    if write.line:
        bench.native.set_guest_line(write.line, True)
    bench.hart.x[6] = write.value
    found = run_on(bench, csr_word("csrrw", write.name), write.mode)
    bench.machine.view.time_now = 0
    if write.line:
        bench.native.set_guest_line(write.line, False)
    assert found == write.taken


@section(MIP)
@pytest.mark.parametrize("to", ["VS", "VU", "U", "HS"])
@pytest.mark.parametrize("name", ["mret", "sret"])
@pytest.mark.parametrize("delegated", [False, True])
def test_a_return_to_a_guest_takes_its_interrupt_first(
    bench: Bench, to: str, name: str, delegated: bool
) -> None:
    """ "... of an xRET": a guest's interrupt if V becomes 1, and HS mode's below HS mode."""
    bench.delegate(hideleg=VSSI if delegated else 0)
    bench["hie"] = bench["hvip"] = VSSI
    priv, virt = MODES[to]
    bench["vsstatus"] = Status.SIE
    bench["hstatus"] = HStatus.SPV if virt else 0
    bench["mstatus"] = (
        priv << Status.MPP_SHIFT | (Status.MPV if virt else 0) | (Status.SPP if priv else 0)
    )
    bench["mepc"] = bench["sepc"] = CODE + 4
    expected = None
    if delegated and virt:
        expected = ("VS", 1)
    elif not delegated and to != "HS":
        expected = ("HS", 2)
    assert run_on(bench, word(name), "M") == expected


# --- what becomes due by itself -------------------------------------------------------------------

MTI, OWN = 1 << 7, (("mstatus", Status.MIE), ("mie", 1 << 7))
EARLIER = 3  # instructions between the hart's check of its timers and the tested instruction
TRIED, BEHIND = CODE + 4 * EARLIER, CODE + 4 * EARLIER + 4
FURTHER = BEHIND + 8
DUE, UNTOUCHED = 100, 0xBAD


@dataclass(frozen=True)
class Look:
    """The registers before, an instruction in a mode, and which mode takes which interrupt at which
    address. A timer has become due since the hart last checked its timers."""

    mode: str
    bits: int
    taken: tuple[str, int]
    before: tuple[tuple[str, int], ...]
    hideleg: int = 0
    at: int = BEHIND


GUEST_TIMED = (*TIMED, ("hie", VSTI), ("vstimecmp", DUE))
HOST_TIMED = (*TIMED, ("mie", STI), ("stimecmp", DUE), ("scounteren", 2))
READ_TIME = csr_word("csrrs", "time", rs1=0)
LOOKS = {
    "wfi": Look("M", word("wfi"), ("M", 7), OWN),
    "wfi below M mode": Look("HS", word("wfi"), ("M", 7), OWN),
    "wfi, stimecmp": Look("HS", word("wfi"), ("HS", 5), (HS, *HOST_TIMED)),
    "wfi, vstimecmp": Look("HS", word("wfi"), ("HS", 6), (HS, *GUEST_TIMED)),
    "wfi of a guest": Look("VS", word("wfi"), ("VS", 5), (VS, *GUEST_TIMED), VSTI),
    "wrs.nto": Look("M", word("wrs.nto"), ("M", 7), OWN),
    "wrs.sto of a guest": Look("VS", word("wrs.sto"), ("VS", 5), (VS, *GUEST_TIMED), VSTI),
    "mip": Look("M", csr_word("csrrs", "mip", rs1=0), ("M", 7), OWN),
    "hip": Look("HS", csr_word("csrrs", "hip", rs1=0), ("HS", 6), (HS, *GUEST_TIMED)),
    "sip of a guest": Look(
        "VS", csr_word("csrrs", "sip", rs1=0), ("VS", 5), (VS, *GUEST_TIMED), VSTI
    ),
    "time": Look("M", READ_TIME, ("M", 7), OWN, at=TRIED),
    "time, by a guest": Look("VS", READ_TIME, ("VS", 5), (VS, *GUEST_TIMED), VSTI, TRIED),
    "time, by a guest whose host is due": Look("VU", READ_TIME, ("HS", 5), HOST_TIMED, at=TRIED),
    "a device is read": Look("M", word("ld", rd=5, rs1=7), ("M", 7), OWN, at=TRIED),
    "a device is written": Look("M", word("sd", rs1=7, rs2=0), ("M", 7), OWN, at=TRIED),
}  # fmt: skip


def run_into_deadline(
    bench: Bench, bits: int, mode: str, further: int = NOP
) -> tuple[str, int, int] | None:
    """Run the instruction at the tick DUE and one more, without a check of the timers in between.
    Return which mode took which interrupt, and where."""
    for at in range(CODE, CODE + 64, 4):
        bench.poke(at, NOP, 4)
    for at in (CODE + 64, *HANDLERS.values()):
        bench.poke(at, word("jal", rd=0), 4)  # loop at the handler
    bench.poke(TRIED, bits, 4)
    bench.poke(FURTHER, further, 4)
    native_core(True).export("drop_slots")(bench.native.address)  # poke leaves decoded code
    bench.enter(mode)
    bench.hart.slice_start = bench.native.retired
    bench.machine.view.time_now, bench.machine.view.instructions_per_tick = DUE - EARLIER, 1
    found = bench.go(QUANTUM)
    bench.machine.view.time_now, bench.machine.view.instructions_per_tick = 0, 1 << 40
    bench.hart.slice_start = 0
    if found is None:
        return None
    saved = {"M": "mepc", "HS": "sepc", "VS": "vsepc"}[found.mode]
    return found.mode, found.cause & ~(1 << 63), bench[saved]


def prepare(bench: Bench, look: Look) -> None:
    """Set the registers and the reservation that the instruction needs."""
    bench.delegate(hideleg=look.hideleg)
    bench.device = 1
    bench.hart.mtimecmp = DUE if look.before == OWN else ONES
    bench.hart.x[6], bench.hart.x[7] = CODE + 128, NO_DEVICE
    assert bench.step(word("lr.d", rd=8, rs1=6), look.mode) is None
    for name, value in look.before:
        bench[name] = value
    bench.hart.x[5] = UNTOUCHED


@section(MIP)
@pytest.mark.parametrize("make", ["native"], indirect=True)
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_timer_that_an_instruction_finds_due_interrupts_at_once(
    make: MakeBench, look: Look
) -> None:
    """The trap after a `wfi` is on the next instruction. No instruction reads a time at which the
    interrupt should have been taken already. (The reference checks the timers before each
    instruction.)"""
    bench = make()
    prepare(bench, look)
    assert run_into_deadline(bench, look.bits, look.mode) == (*look.taken, look.at)
    bench.hart.mtimecmp = ONES
    if look.at == TRIED:
        assert bench.hart.x[5] == UNTOUCHED, "the instruction comes after the interrupt"


@section(MIP)
@pytest.mark.parametrize("make", ["native"], indirect=True)
def test_a_timer_found_due_interrupts_as_soon_as_it_is_enabled(make: MakeBench) -> None:
    bench = make()
    prepare(bench, Look("M", READ_TIME, ("M", 7), OWN))
    bench["mstatus"] = 0
    bench.hart.x[6] = Status.MIE
    enable = csr_word("csrrs", "mstatus", rd=0)
    assert run_into_deadline(bench, READ_TIME, "M", enable) == ("M", 7, FURTHER + 4)
    assert bench.hart.x[5] == DUE
    bench.hart.mtimecmp = ONES


@section("rvplat: what a debugger reads")
@pytest.mark.parametrize("make", ["native"], indirect=True)
def test_a_debugger_s_read_of_the_time_raises_no_interrupt(make: MakeBench) -> None:
    bench = make()
    prepare(bench, Look("M", READ_TIME, ("M", 7), OWN))
    bench.machine.view.time_now = DUE
    read = native_core(True).export("read_csr")
    before = bench.hart.pc
    assert read(bench.native.address, NUMBERS["time"]) == DUE
    bench.machine.view.time_now = 0
    assert (bench.hart.pc, bench.hart.interrupts_held) == (before, 0)
    bench.hart.mtimecmp = ONES
