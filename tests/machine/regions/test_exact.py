"""Regions are exact: retired instructions, traps, registers, floating point."""

from __future__ import annotations

from tests.machine.regions.forced import End, inside, machine_of, same_in_regions
from tests.machine.small_guests import POWER_OFF, TIMER_ON

#: Each round counts what it retired since the last one: s4 has all counts.
COUNTS = (
    """
  li s0, 3000
  csrr s1, minstret
1: li t0, 50
2: addi t0, t0, -1
  andi t2, t0, 1
  beqz t2, 3f
  addi s5, s5, 1
3: bnez t0, 2b
  csrr s2, minstret
  sub s3, s2, s1
  mv s1, s2
  slli t3, s4, 5
  sub s4, t3, s4
  add s4, s4, s3
  addi s0, s0, -1
  bnez s0, 1b
"""
    + POWER_OFF
)

#: Each kind of trap, in a loop whose registers are in host registers. The handler adds up mcause,
#: mepc, mtval and registers that changed just before.
TRAPS = (
    """
.option norvc             # the handler skips 4 bytes
  la t0, handler
  csrw mtvec, t0
  li s0, 3000
  li a1, 0x40000000       # no memory
  la a2, cell
  addi a4, a2, 2
loop:
  addi t1, s0, 1
  xori t2, s0, 0x55
  li a3, 1
a: ld t3, 8(a1)           # load access fault
  addi t4, s0, 2
  li a3, 2
b: sd t4, 16(a1)          # store access fault
  addi t5, t4, 3
  li a3, 3
c: lr.w t3, (a4)           # load address misaligned
  li a3, 4
d: amoadd.w t3, t4, (a1)     # store access fault
  addi t6, t5, 4
  li a3, 5
e: ecall
  addi t1, t6, 5
  li a3, 6
  .word 0                 # illegal instruction
  addi t2, t1, 6
  li a3, 7
g: csrr t3, 0x7ff         # no CSR
  li a3, 8
  la ra, back
h: jr a1                  # instruction access fault
back:
  sd t2, 0(a2)
  ld t3, 0(a2)
  add s5, s5, t3
  addi s0, s0, -1
  bnez s0, loop
"""
    + POWER_OFF
    + """
.balign 4
handler:
  csrr s6, mcause
  csrr s7, mepc
  csrr s8, mtval
  slli s9, s4, 7
  sub s4, s9, s4
  add s4, s4, s6
  add s4, s4, s7
  slli s9, s4, 3
  xor s4, s4, s9
  add s4, s4, s8
  add s4, s4, t1
  xor s4, s4, t2
  add s4, s4, t4
  xor s4, s4, t5
  add s4, s4, t6
  add s4, s4, a3
  addi s10, s10, 1
  li s9, 1
  beq s6, s9, 1f
  addi s7, s7, 4
  csrw mepc, s7
  mret
1: csrw mepc, ra
  mret
.balign 8
cell: .dword 0, 0
"""
)

FLOATS = (
    """
  li t0, 0x6000           # FS
  csrs mstatus, t0
  li s0, 20000
  fcvt.d.l fa0, s0
  li t1, 3
  fcvt.d.l fa1, t1
1: fdiv.d fa2, fa0, fa1
  fmadd.d fa3, fa2, fa1, fa0
  fsqrt.d fa4, fa3
  fcvt.s.d fa5, fa4
  fcvt.l.d t2, fa4, rtz
  add s1, s1, t2
  fadd.d fa0, fa0, fa1
  frflags t3
  add s2, s2, t3
  fsflags zero
  addi s0, s0, -1
  bnez s0, 1b
"""
    + POWER_OFF
)


def test_instret_is_exact() -> None:
    end = same_in_regions(COUNTS)
    x = end.x[0]
    assert x[19] == 9 + 4 * 50 + 25, "of each round, by the text of the program"


def test_traps_are_precise() -> None:
    end = same_in_regions(TRAPS, None, "a", "b", "c", "d", "h")
    assert end.x[0][26] == 3000 * 8, "traps: one of each kind in each round"


def test_floating_point_and_its_flags() -> None:
    end: End = same_in_regions(FLOATS)
    assert end.x[0][18] > 0, "flags were raised"


def test_the_same_on_the_virtual_clock() -> None:
    """Interrupts of the timer come at the same instructions."""
    ticks = (
        TIMER_ON
        + """
1: addi s3, s3, 1
  xor s4, s4, s3
  slli t2, s4, 1
  add s4, s4, t2
  li t2, 200
  blt s5, t2, 1b
"""
        + POWER_OFF
        + """
.balign 4
handler:
  csrr t3, mepc
  add s6, s6, t3
  xor s6, s6, s3
  add s6, s6, s4
  ld t1, 0(s2)
  addi t1, t1, 317
  sd t1, 0(s1)
  addi s5, s5, 1
  mret
"""
    )
    end = same_in_regions(ticks, clock="virtual")
    assert end.x[0][21] == 200


def test_a_budget_in_a_region_ends_where_it_would_in_the_interpreter() -> None:
    """Runs with a limit of instructions stop at the same ones."""
    with machine_of(COUNTS, "off") as plain, machine_of(COUNTS) as fast:
        for limit in (1, 1000, 30_000, 7, 100_003, 12_345):
            found = []
            for machine in (plain, fast):
                assert machine.run(max_instructions=limit, timeout_s=60).reason == "limit"
                hart = machine.harts[0]
                found.append((hart.pc, hart.instret, tuple(hart.x)))
            assert found[0] == found[1], limit
        assert inside(fast) > 0
