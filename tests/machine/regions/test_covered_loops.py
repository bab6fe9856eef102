"""Loops whose accesses are covered by one guard: at the ends of pages, and where a guard fails."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.regions.forced import (
    LEAF,
    RAM,
    End,
    compile_quickly,
    machine_of,
    map_gigabyte,
    map_page,
    run_to_end,
    same_in_regions,
)
from tests.machine.regions.test_translations import BODY, SV39, A, turns
from tests.machine.small_guests import POWER_OFF

DATA = RAM + 0x20_0000
VA = 0x4000_0000
TOP = 0xFFFF_FFFF_FFFF_F000  # the last page of the address space

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


@pytest.mark.parametrize("name", LOOPS)
def test_loops_over_the_ends_of_pages(name: str) -> None:
    same_in_regions(ROUNDS.replace("LOOP", LOOPS[name]))


@pytest.mark.parametrize("name", LOOPS)
def test_a_guard_reads_nothing_that_was_not_written(name: str) -> None:
    """Without optimisation, such a value is what was on the stack."""
    program = ROUNDS.replace("LOOP", LOOPS[name]).replace("s0, 400", "s0, 40")
    ends = []
    for mode in ("off", "all"):
        with machine_of(program, mode) as machine:
            if mode == "all":
                compile_quickly(machine)
            ends.append(run_to_end(machine))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("step", [8, -8])
def test_the_end_of_memory_is_a_trap_at_the_right_access(step: int) -> None:
    """The loop runs out of RAM, and each access there is a trap."""
    end_of_ram = RAM + (1 << 30) if step > 0 else RAM
    loop = f"""
  li a0, {end_of_ram:#x}
  addi a0, a0, {-20 * step if step > 0 else 160}
  li a2, 40
1: ld t0, 0(a0)
  ld t1, 8(a0)
  add t2, t2, t0
  addi a0, a0, {step}
  addi a2, a2, -1
  bnez a2, 1b
"""
    end: End = same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 30"))
    assert end.x[0][18] != 0, "there were traps"


def test_a_loop_that_stores_into_its_own_instructions() -> None:
    """Stores come from a page of data into the page of the code, and change the loop's sum."""
    loop = """
  la t4, patched
  lw t5, 0(t4)
  li t6, 0x100000
  xor t5, t5, t6         # addi t1, t1, 1 or 0
  la a0, patched
  addi a0, a0, -80
  li a2, 40
  la t4, 1f
1: sub t3, t4, a0
  addi a0, a0, 4
  lw t0, 76(a0)
  lw t2, 80(a0)
patched:
  addi t1, t1, 1
  addi a2, a2, -1
  bnez a2, 1b
  la t4, patched
2: sw t5, 0(t4)
  addi t4, t4, -4
  lw t5, -4(t4)
  la t0, 1b
  bgeu t4, t0, 2b
  la t4, patched
  fence.i
"""
    same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 1"))


SUPERVISOR = f"li t1, {SV39 | A >> 12:#x}\n csrw satp, t1\n li t2, {BODY:#x}\n csrw mepc, t2\n"


def sums(start: int, rounds: int) -> str:
    """A loop upwards from an address: it adds doublewords up, and stores each sum behind them."""
    return f"""
.balign 4096
body:
  li s4, {start:#x}
  li t0, {rounds}
1: ld t1, 0(s4)
  add s1, s1, t1
  sd s1, 8(s4)
  addi s4, s4, 16
  addi t0, t0, -1
  bnez t0, 1b
  ecall
"""


def test_the_last_page_of_the_address_space() -> None:
    """A loop passes the end of the address space: the next page is the first one."""
    body = sums(TOP + 1024, 1600)

    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        for n in range(8):
            va = (TOP + n * 4096) % (1 << 39)
            map_page(machine, A, va, DATA + n * 4096)
            machine.memory.write(DATA + n * 4096, bytes(range(256)) * 16)

    end = same_in_regions(turns(SUPERVISOR, body), pages, "body")
    assert end.x[0][27] == 9, "ecall from S mode"
    assert end.x[0][20] == 1024 - 4096 + 1600 * 16


#: Large steps, in instructions of the loop: constant ones, and those of a register.
STEPS = {
    "constant": "addi s4, s4, 2040\n addi s4, s4, 2040",
    "register": "add s4, s4, a2",
    "down": "addi s4, s4, -2040\n addi s4, s4, -2040",
}


@pytest.mark.parametrize("case", STEPS)
def test_large_steps_over_the_end_of_the_address_space(case: str) -> None:
    """No iteration takes a page for that of another one. Neighbours have distant memory."""
    start = (1 << 64) + 20 * 4080 * (1 if case == "down" else -1)
    body = f"""
.balign 4096
body:
  li s6, 200
2: li s4, {start % (1 << 64) + 8:#x}
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

    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        for n in range(-21, 21):
            place = DATA + n * 5 % 42 * 4096
            map_page(machine, A, n * 4096 % (1 << 39), place)
            machine.memory.write(place, bytes((n * 7 + i) % 251 for i in range(4096)))

    end = same_in_regions(turns(SUPERVISOR, body), pages, "body")
    assert end.x[0][27] == 9, "ecall from S mode"


#: Interrupts of the timer at many places of a loop. s5 counts them.
INTERRUPTS = (
    f"""
.option norvc
  la t0, handler
  csrw mtvec, t0
  li s1, MTIMECMP
  li s2, MTIME
  ld t1, 0(s2)
  addi t1, t1, 300
  sd t1, 0(s1)
  li t1, 0x80
  csrw mie, t1
  csrsi mstatus, 8
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


def test_interrupts_within_several_iterations() -> None:
    """On the virtual clock, interrupts of the timer come at the same instructions."""
    end = same_in_regions(INTERRUPTS, clock="virtual")
    assert end.x[0][21] >= 300, "interrupts"


@pytest.mark.parametrize("bits", [LEAF & ~4, LEAF & ~2 & ~4], ids=["read only", "no access"])
def test_a_loop_that_comes_to_a_page_without_permission(bits: int) -> None:
    """Loads and stores go through one page; then a store, or the load, is a page fault."""
    body = sums(VA + 64, 1000)

    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        map_page(machine, A, VA, DATA)
        map_page(machine, A, VA + 4096, DATA + 4096, bits)
        machine.memory.write(DATA, bytes(range(256)) * 32)

    end = same_in_regions(turns(SUPERVISOR, body), pages, "body")
    assert end.x[0][27] == (15 if bits & 2 else 13), "store or load page fault"
    assert end.x[0][20] == VA + 4096


#: Loops whose register goes down past 0: where it begins, what its loop does, its iterations.
PAST_0 = {
    "loads": ("0xff8", "ld t2, 0(a0)\n addi a0, a0, -8", 520),
    "stores": ("0xff8", "sd t3, 0(a0)\n addi a0, a0, -8", 520),
    "below": ("0x1008", "ld t2, -8(a0)\n addi a0, a0, -16", 260),
}


@pytest.mark.parametrize("case", PAST_0)
def test_a_register_goes_down_past_address_0(case: str) -> None:
    """Memory at 0 ends there: the next access is at the end of the address space, and faults."""
    start, body, count = PAST_0[case]
    head, tail = f"li a0, {start}\n li t3, {count}\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    loop = head + body + "\n add t0, t0, t2" + tail
    memory: dict[str, object] = {"memory.low.base": 0, "memory.low.size": 0x1000}
    end = same_in_regions(ROUNDS.replace("LOOP", loop), None, **memory)
    assert end.x[0][18], "some accesses fault"


#: Loops at the address 1 << 63, where nothing is, and what they do.
NOWHERE = {
    "up": "ld t2, 0(a0)\n addi a0, a0, 8",
    "down": "ld t2, 0xf0(a0)\n addi a0, a0, -8",
    "fixed": "ld t2, 0(a0)\n ld t4, 8(a0)",
    "any": "ld t2, 0(a0)\n ld t4, 8(a0)\n xor a0, a0, t3\n xor a0, a0, t3",
}


@pytest.mark.parametrize("case", NOWHERE)
def test_no_address_is_in_the_page_of_a_loop_that_has_none(case: str) -> None:
    """What a guard holds before its first look-up is no page: each access is a fault."""
    head, tail = "li a0, 1 << 63\n li t3, 100\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    loop = head + NOWHERE[case] + "\n add t0, t0, t2" + tail
    end = same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 40"))
    assert end.x[0][18], "the accesses fault"
