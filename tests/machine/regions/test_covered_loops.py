"""Loops whose accesses are covered by one guard: at the ends of pages, and where a guard fails."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.regions.covered_programs import (
    DATA,
    INTERRUPTS,
    LOOPS,
    NOWHERE,
    PAST_0,
    ROUNDS,
    STEPS,
    VA,
    large_steps,
    places,
    sums,
)
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


TOP = 0xFFFF_FFFF_FFFF_F000  # the last page of the address space
SUPERVISOR = f"li t1, {SV39 | A >> 12:#x}\n csrw satp, t1\n li t2, {BODY:#x}\n csrw mepc, t2\n"


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


@pytest.mark.parametrize("group", [1, 3, 42])
@pytest.mark.parametrize("case", STEPS)
def test_large_steps_over_the_end_of_the_address_space(case: str, group: int) -> None:
    """No iteration takes a page for that of another one. Most neighbours have distant memory."""

    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        for n, place in places(group).items():
            map_page(machine, A, n * 4096 % (1 << 39), place)
            machine.memory.write(place, bytes((n * 7 + i) % 251 for i in range(4096)))

    end = same_in_regions(turns(SUPERVISOR, large_steps(case, 64)), pages, "body")
    assert end.x[0][27] == 9, "ecall from S mode"


def test_interrupts_within_several_iterations() -> None:
    """On the virtual clock, interrupts of the timer come at the same instructions."""
    end = same_in_regions(INTERRUPTS, clock="virtual")
    assert end.x[0][21] >= 300, "interrupts"


@pytest.mark.parametrize("step", [16, 64])
@pytest.mark.parametrize("bits", [LEAF & ~4, LEAF & ~2 & ~4], ids=["read only", "no access"])
def test_a_loop_that_comes_to_a_page_without_permission(bits: int, step: int) -> None:
    """Loads and stores go through one page; then a store, or the load, is a page fault."""
    body = sums(VA + 64, 1000, step, VA + 4096 if bits & 2 else VA)

    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        map_page(machine, A, VA, DATA)
        map_page(machine, A, VA + 4096, DATA + 4096, bits)
        machine.memory.write(DATA, bytes(range(256)) * 32)

    end = same_in_regions(turns(SUPERVISOR, body), pages, "body")
    assert end.x[0][27] == (15 if bits & 2 else 13), "store or load page fault"
    assert end.x[0][20] == VA + 4096


@pytest.mark.parametrize("case", PAST_0)
def test_a_register_goes_down_past_address_0(case: str) -> None:
    """Memory at 0 ends there: the next access is at the end of the address space, and faults."""
    start, body, count = PAST_0[case]
    head, tail = f"li a0, {start}\n li t3, {count}\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    loop = head + body + "\n add t0, t0, t2" + tail
    memory: dict[str, object] = {"memory.low.base": 0, "memory.low.size": 0x1000}
    end = same_in_regions(ROUNDS.replace("LOOP", loop), None, **memory)
    assert end.x[0][18], "some accesses fault"


@pytest.mark.parametrize("case", NOWHERE)
def test_no_address_is_in_the_page_of_a_loop_that_has_none(case: str) -> None:
    """What a guard holds before its first look-up is no page: each access is a fault."""
    head, tail = "li a0, 1 << 63\n li t3, 100\n1: ", "\n addi t3, t3, -1\n bnez t3, 1b\n"
    loop = head + NOWHERE[case] + "\n add t0, t0, t2" + tail
    end = same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 40"))
    assert end.x[0][18], "the accesses fault"
