"""Interrupts are looked for right after an instruction that changes what they depend on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import CODE, HANDLERS, MODES, NOP, ONES, Bench, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import MIP, section

SSI, VSSI, STI, VSTI, VSEI, SGEI = 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 10, 1 << 12
STCE = 1 << 63


@dataclass(frozen=True)
class Write:
    """Registers before, the CSR that is written with a value in a mode, and who takes what."""

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
    """Run the instruction and some that follow: who took what after the first of them."""
    for i in range(1, 5):
        bench.poke(CODE + 4 * i, NOP, 4)
    for handler in HANDLERS.values():
        bench.poke(handler, word("jal", rd=0), 4)  # stays there
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
        bench.cell.set_guest_line(write.line, True)
    bench.hart.x[6] = write.value
    found = run_on(bench, csr_word("csrrw", write.name), write.mode)
    bench.machine.view.time_now = 0
    if write.line:
        bench.cell.set_guest_line(write.line, False)
    assert found == write.taken


@section(MIP)
@pytest.mark.parametrize("to", ["VS", "VU", "U", "HS"])
@pytest.mark.parametrize("name", ["mret", "sret"])
@pytest.mark.parametrize("delegated", [False, True])
def test_a_return_to_a_guest_takes_its_interrupt_first(
    bench: Bench, to: str, name: str, delegated: bool
) -> None:
    """ "... of an xRET": a guest's where V becomes 1, HS mode's below HS mode."""
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
