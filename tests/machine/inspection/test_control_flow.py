"""What people are told of landing pads and shadow stacks (Zicfilp, Zicfiss)."""

from __future__ import annotations

import pytest

from rvplat import Machine
from rvplat.cli.main import main
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.interfaces import Thread
from tests.machine.small_guests import guest

ISA = "rv64imafdc_zicsr_zimop_zcmop_zicfilp_zicfiss"
#: M mode demands landing pads, and jumps to one, or to none, with a label.
JUMP = """
  la t0, handler
  csrw mtvec, t0
  li t0, 1 << 10
  csrs 0x747, t0
  li t2, 0x12345 << 12
  la a0, target
  jr a0
  .balign 4
.globl target
target: {there}
  j target
  .balign 4
.globl handler
handler: .word 0x17
1: j 1b
"""
#: In S mode, 0xc0000000 is a shadow stack over RAM. A return address differs.
STACK = """
.globl handler
  la t0, handler
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  csrs 0x30a, 1 << 3
  li t0, 0x80010000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200000c5
  sd t1, 24(t0)
  li t0, 8 << 60 | 0x80010
  csrw satp, t0
  li t0, 0x80020000
  li t1, 0x1111
  sd t1, 8(t0)
  li t0, 0xc0020008
  csrw 0x011, t0
  li t0, 1 << 11
  csrw mstatus, t0
  la t0, 1f
  csrw mepc, t0
  li ra, 0x2222
  mret
1: .word 0xcdc0c073
  .balign 4
handler: j handler
"""


def told(source: str, until: str) -> tuple[Machine, str]:
    """A machine that has come to a symbol, and what `monitor cfi` says."""
    machine = Machine.open("virt", guest(source), settings={"harts.isa": ISA})
    machine.breakpoints.add(machine.symbols[until])
    assert machine.run(timeout_s=60).reason == "break"
    said: list[str] = []
    target = MonitoredTarget(machine)
    target.monitor(Thread(1, 1), "cfi", said.append)
    target.close()
    return machine, "".join(said)


@pytest.mark.parametrize(
    ("there", "found"),
    [("nop; nop", "c.nop"), (".word 0x54321017", "lpad 0x54321")],
)
def test_which_landing_pad_was_missing(there: str, found: str) -> None:
    machine, said = told(JUMP.format(there=there), "handler")
    with machine:
        at = machine.symbols["target"]
        expected = "expected lpad 0x12345 (x7) or lpad 0x0, found"
        text = f"the last software check failed at {at:#x}: {expected} {found}\n"
        assert said == f"hart 0: {text}"
        assert f"  {text}" in machine.dump()


def test_what_is_expected_now() -> None:
    machine, said = told(JUMP.format(there=".word 0x17"), "target")
    with machine:
        text = "ELP is 1: a landing pad must be at the pc, lpad 0x12345 (x7) or lpad 0x0"
        assert said == f"hart 0: {text}\n"
        machine.step(1)
        assert "ELP" not in machine.dump()


def test_which_return_address_differs() -> None:
    machine, said = told(STACK.replace("csrs 0x30a, 1 << 3", "csrsi 0x30a, 1 << 3"), "handler")
    with machine:
        hart = machine.harts[0]
        fault = "the shadow stack held 0x1111 at 0xc0020008, the link register 0x2222"
        at = hart.csr("mepc")
        assert f"hart 0: the last software check failed at {at:#x}: {fault}\n" in said
        hart.priv = 1
        assert "  ssp 0xc0020008: 0x1111, 0x0, 0x0, 0x0\n" in machine.dump()


def test_explain_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    program = str(guest(JUMP.format(there="nop; nop")))
    words = ["explain", program, "target", "--until", "handler", "--set", f"harts.isa={ISA}"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("the last software check failed at 0x")
