"""Interrupts of counters that overflow while the machine runs, in tier 0 and in regions."""

from __future__ import annotations

import pytest

from rvplat.machine.open import open_board
from tests.machine.regions.forced import machine_of
from tests.machine.small_guests import POWER_OFF

PERIOD, LOOPS = 5000, 400_000
ISA = open_board("virt")[0].harts.isa + "_sscofpmf"

#: Takes an interrupt each PERIOD instructions of the loop; s2 counts them, s3 is the most
#: instructions that one of them came late.
PROGRAM = (
    f"""
  la t0, handler
  csrw mtvec, t0
  li s4, {-PERIOD}
  li s5, 1
  slli s5, s5, 62      # MINH: the handler isn't counted
  addi s5, s5, EVENT
  csrw 0x323, s5       # mhpmevent3
  csrw 0xb03, s4       # mhpmcounter3
  li t0, 1 << 13
  csrw mie, t0
  csrw mideleg, x0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  la t0, loop
  csrw mepc, t0
  li t0, 0x1800
  csrc mstatus, t0
  li t0, 0x800
  csrs mstatus, t0
  li s0, {LOOPS}
  li s1, 0
  mret
.balign 4
handler:
  csrr t0, mcause
  bgez t0, off
  csrr t1, 0xb03
  bleu t1, s3, 1f
  mv s3, t1
1: addi s2, s2, 1
  li t0, 1 << 13
  csrc mip, t0
  csrw 0xb03, s4
  csrw 0x323, s5       # clears OF
  mret
off:
"""
    + POWER_OFF
    + """
.balign 4096
loop:
  addi s1, s1, 3
  xor s1, s1, s0
  srli t2, s1, 3
  add s1, s1, t2
  addi s0, s0, -1
  bnez s0, loop
  ecall
"""
)


@pytest.mark.parametrize("regions", ["off", "all", "hot"])
@pytest.mark.parametrize("event", [1, 2])
def test_overflows_come_in_time(regions: str, event: int) -> None:
    program = PROGRAM.replace("EVENT", str(event))
    with machine_of(program, regions, **{"harts.isa": ISA}) as machine:
        assert machine.run(timeout_s=120).reason == "off"
        x = machine.harts[0].x
        assert int(x[19]) < 64, "an interrupt comes with the next branch"
        expected = LOOPS * 6 // PERIOD
        assert 0.97 * expected <= int(x[18]) <= expected


def test_a_sampled_loop_computes_the_same() -> None:
    found = set()
    for isa in (ISA, ISA.removesuffix("_sscofpmf")):
        for regions in ("off", "all"):
            with machine_of(
                PROGRAM.replace("EVENT", "2"), regions, **{"harts.isa": isa}
            ) as machine:
                assert machine.run(timeout_s=120).reason == "off"
                found.add(int(machine.harts[0].x[9]))
    assert len(found) == 1
