"""Programs with loops whose accesses are covered by one guard, for RV64 and RV32."""

from __future__ import annotations

from tests.machine.regions.forced import RAM
from tests.machine.small_guests import POWER_OFF, TIMER_ON

DATA = RAM + 0x20_0000
VA = 0x4000_0000

#: Runs LOOP for s0 = 400 to 1. It may change all registers but s0 to s3. The sum of all that
#: it leaves in t0 to t6 and in memory is in s1; the handler of traps skips an instruction, and s2
#: has the sum of causes and addresses.
ROUNDS = (
    f"""
.option norvc
  la t0, handler
  csrw mtvec, t0
  li s3, {DATA:#x}
  li t0, 4096            # something in memory
1: sd t0, 0(s3)
  slli t1, t0, 13
  xor t0, t0, t1
  addi s3, s3, 8
  srli t1, t0, 7
  xor t0, t0, t1
  li t1, {DATA + 0x4000:#x}
  bne s3, t1, 1b
  li s3, {DATA:#x}
  li s0, 400
round:
LOOP
  add s1, s1, t0
  xor s1, s1, t1
  add s1, s1, t2
  xor s1, s1, t3
  add s1, s1, a0
  xor s1, s1, a1
  slli t0, s1, 5
  sub s1, t0, s1
  addi s0, s0, -1
  bnez s0, round
  mv a0, s3
  li t1, {DATA + 0x4000:#x}
2: ld t0, 0(a0)
  add s1, s1, t0
  slli t2, s1, 7
  xor s1, s1, t2
  addi a0, a0, 8
  bne a0, t1, 2b
"""
    + POWER_OFF
    + """
.balign 4
handler:
  csrr s4, mcause
  add s2, s2, s4
  csrr s4, mtval
  xor s2, s2, s4
  slli s4, s2, 3
  add s2, s2, s4
  csrr s4, mepc
  add s2, s2, s4
  addi s4, s4, 4
  csrw mepc, s4
  mret
"""
)

#: Words from one place to another, unrolled, at distances that leave both pages at any place.
UNROLLED = """
  slli a0, s0, 3
  add a0, a0, s3
  slli a1, s0, 4
  add a1, a1, s3
  li t4, 1
  slli t4, t4, 11
  add a1, a1, t4
  li a2, 70
1: ld t0, 0(a0)
  ld t1, 8(a0)
  ld t2, 16(a0)
  ld t3, 24(a0)
  sd t3, 0(a1)
  sd t1, 8(a1)
  sd t2, 16(a1)
  sd t0, 24(a1)
  addi a0, a0, 32
  addi a1, a1, 32
  addi a2, a2, -1
  bnez a2, 1b
"""

#: Downwards, with accesses on both sides of the register, at all alignments.
DOWN = """
  add a0, s3, s0
  li t4, 9000
  add a0, a0, t4
  li a2, 60
1: lw t0, -4(a0)
  lhu t1, 0(a0)
  add t2, t2, t0
  xor t3, t3, t1
  addi a0, a0, -4
  sw t2, 4(a0)
  addi a2, a2, -1
  bnez a2, 1b
"""

#: By a register: up, down, not at all, and by more than a page.
STRIDE = """
  li t5, 4800
  andi t4, s0, 3
  addi a2, s0, 1
  slli a2, a2, 3
  beqz t4, 2f
  neg a2, a2
  addi t4, t4, -1
  beqz t4, 2f
  li a2, 0
  addi t4, t4, -1
  beqz t4, 2f
  li a2, 4104
  li t5, 0
2: add a0, s3, t5
  li a1, 3
  bnez t5, 1f
1: ld t0, 0(a0)
  addi t0, t0, 5
  sd t0, 0(a0)
  add a0, a0, a2
  addi a1, a1, -1
  bnez a1, 1b
"""

#: A list: the register may have any value in the next iteration.
CHAIN = """
  mv a0, s3
  li t5, 40
  li a2, 4080
1: slli t1, t5, 8
  add t1, t1, s0
  slli t1, t1, 3
  and t1, t1, a2
  slli t2, t5, 10
  add t1, t1, t2
  and t1, t1, a2
  add t1, t1, s3
  sd t1, 0(a0)
  sd t5, 8(a0)
  ld t0, 8(a0)
  ld a0, 0(a0)
  addi t5, t5, -1
  bnez t5, 1b
"""

#: A store on one way only, and a register that moves on two ways by different steps.
WAYS = """
  add a0, s3, s0
  li t3, 3000
  add a0, a0, t3
  li a2, 900
1: lbu t0, 0(a0)
  andi t1, t0, 4
  beqz t1, 2f
  sb a2, 1(a0)
  addi a0, a0, 2
  j 3f
2: addi a0, a0, 1
3: addi a2, a2, -1
  bnez a2, 1b
"""

#: Two scans towards each other, as in quicksort: the first one has its header in common with the
#: loop around both.
SCANS = """
  slli a0, s0, 3
  add a0, a0, s3
  li t4, 4000
  add a1, a0, t4
  ld t2, 800(a0)
  li t5, 700
  j 2f
1: sd t0, -8(a0)
  sd t1, 0(a1)
2: ld t0, 0(a0)
  addi a0, a0, 8
  addi t5, t5, -1
  bltu t0, t2, 2b
3: ld t1, -8(a1)
  addi a1, a1, -8
  addi t5, t5, -1
  bltu t2, t1, 3b
  bgtz t5, 1b
"""


#: Addresses are sums of two registers: one is fixed, both move, they are the same, one moves by a
#: register, and both move so that the sum stays.
SUMS = """
  andi t4, s0, 3
  add a1, s3, t4
  li a0, 3000
  li a2, 300
1: add t4, a1, a0
  lbu t0, 0(t4)
  add t1, t1, t0
  addi a0, a0, 5
  add t4, a0, a1
  sb t1, 3(t4)
  addi a2, a2, -1
  bnez a2, 1b
  li a0, 2048
  slli t4, s0, 2
  add a0, a0, t4
  add a1, zero, s3
  li a2, 300
1: add t4, a1, a0
  lw t0, 0(t4)
  add t1, t1, t0
  sw t1, -8(t4)
  addi a0, a0, 4
  addi a1, a1, 8
  addi a2, a2, -1
  bnez a2, 1b
  srli a0, s3, 1
  li a2, 300
1: add t4, a0, a0
  ld t0, 24(t4)
  add t2, t2, t0
  addi a0, a0, 12
  addi a2, a2, -1
  bnez a2, 1b
  slli a3, s0, 2
  li a0, 0
  li a2, 9
1: add t4, s3, a0
  lw t0, 16(t4)
  add t2, t2, t0
  add a0, a0, a3
  addi a2, a2, -1
  bnez a2, 1b
  li a0, 8
  addi a1, s3, 2047
  li a2, 50
1: add t4, a1, a0
  lb t0, 1(t4)
  add t3, t3, t0
  addi a0, a0, 16
  addi a1, a1, -16
  addi a2, a2, -1
  bnez a2, 1b
"""

#: Most iterations go around the inner loop, as in a sieve; some come back into the middle.
AROUND = """
  li a0, 0
  li a2, 1500
1: add t4, s3, a0
  lbu t0, 0(t4)
  addi a0, a0, 7
  andi t3, t0, 63
  bnez t3, 3f
  li a3, 6
2: sb a3, 9(t4)
  addi t4, t4, 3
  addi a3, a3, -1
  bnez a3, 2b
3: add t1, t1, t0
  addi a2, a2, -1
  bnez a2, 1b
"""


LOOPS = {
    "unrolled": UNROLLED,
    "down": DOWN,
    "stride": STRIDE,
    "chain": CHAIN,
    "ways": WAYS,
    "scans": SCANS,
    "sums": SUMS,
    "around": AROUND,
}


def sums(start: int, rounds: int, step: int = 16, seen: int = 0) -> str:
    """A loop upwards from an address: it adds doublewords up, and stores each sum behind them.
    `seen` is where one is read before, so that the TLB has its page."""
    return f"""
.balign 4096
body:
  li s4, {seen or start:#x}
  ld t1, 0(s4)
  li s4, {start:#x}
  li t0, {rounds}
1: ld t1, 0(s4)
  add s1, s1, t1
  sd s1, 8(s4)
  addi s4, s4, {step}
  addi t0, t0, -1
  bnez t0, 1b
  ecall
"""


#: Large steps, in instructions of the loop: constant ones, and those of a register.
STEPS = {
    "constant": "addi s4, s4, 2040\n addi s4, s4, 2040",
    "register": "add s4, s4, a2",
    "down": "addi s4, s4, -2040\n addi s4, s4, -2040",
}


def places(group: int) -> dict[int, int]:
    """Where the pages -21 to 20 are in memory. `group` neighbours follow each other there too."""
    groups = 42 // group
    return {n: DATA + (n // group * 5 % groups * group + n % group) * 4096 for n in range(-21, 21)}


def large_steps(case: str, xlen: int) -> str:
    """Loops with the steps of a case over the end of the address space."""
    start = (1 << xlen) + 20 * 4080 * (1 if case == "down" else -1)
    return f"""
.balign 4096
body:
  li s6, 200
2: li s4, {start % (1 << xlen) + 8:#x}
  li t0, 40
  li a2, 4080
1: ld t1, 0(s4)
  add s1, s1, t1
  slli t1, s1, 3
  xor s1, s1, t1
  {STEPS[case]}
  addi t0, t0, -1
  bnez t0, 1b
  addi s6, s6, -1
  bnez s6, 2b
  ecall
"""


#: Interrupts of the timer at many places of a loop. s5 counts them.
INTERRUPTS = (
    ".option norvc\n"
    + TIMER_ON
    + f"""
2: li a0, {DATA:#x}
  li a1, {DATA + 0x4000:#x}
1: ld t0, 0(a0)
  add t0, t0, a0
  sd t0, 0(a0)
  addi a0, a0, 8
  bne a0, a1, 1b
  li t2, 300
  blt s5, t2, 2b
"""
    + POWER_OFF
    + """
.balign 4
handler:
  csrr t3, mepc
  add s6, s6, t3
  slli t3, s6, 7
  xor s6, s6, t3
  add s6, s6, a0
  add s6, s6, t0
  ld t1, 0(s2)
  andi t3, s5, 63
  add t1, t1, t3
  addi t1, t1, 100
  sd t1, 0(s1)
  addi s5, s5, 1
  mret
"""
)


#: Loops whose register goes down past 0: where it begins, what its loop does, its iterations.
PAST_0 = {
    "loads": ("0xff8", "ld t2, 0(a0)\n addi a0, a0, -8", 520),
    "stores": ("0xff8", "sd t3, 0(a0)\n addi a0, a0, -8", 520),
    "below": ("0x1008", "ld t2, -8(a0)\n addi a0, a0, -16", 260),
}


#: Loops at the address 1 << 63, where nothing is, and what they do.
NOWHERE = {
    "up": "ld t2, 0(a0)\n addi a0, a0, 8",
    "down": "ld t2, 0xf0(a0)\n addi a0, a0, -8",
    "fixed": "ld t2, 0(a0)\n ld t4, 8(a0)",
    "any": "ld t2, 0(a0)\n ld t4, 8(a0)\n xor a0, a0, t3\n xor a0, a0, t3",
}
