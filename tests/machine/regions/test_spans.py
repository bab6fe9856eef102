"""Accesses of straight code that share a check: at the ends of pages, and where the check fails."""

from __future__ import annotations

import time

import pytest

from rvplat import Machine
from rvplat.engine.regions.flow import Flow
from rvplat.engine.regions.graph import Decoder, discover
from rvplat.engine.regions.spans import spans_of
from rvplat.engine.regions.tables import Tables
from tests.machine.regions.covered_programs import DATA, ROUNDS, VA
from tests.machine.regions.forced import (
    LEAF,
    RAM,
    compile_quickly,
    in_region,
    inside,
    machine_of,
    map_gigabyte,
    map_page,
    same_in_regions,
)
from tests.machine.regions.test_covered_loops import SUPERVISOR
from tests.machine.regions.test_translations import A, turns
from tests.machine.small_guests import POWER_OFF

#: A function's frame at each place on both sides of the end of a page, aligned and not.
FRAMES = """
  slli a0, s0, SHIFT
  add sp, s3, a0
  li t4, 4000
  add sp, sp, t4
  la t4, 3f
  jalr ra, t4
  j 4f
3: addi sp, sp, -64
  sd ra, 56(sp)
  sd t0, 48(sp)
  sw t1, 44(sp)
  sh t2, 42(sp)
  sb t3, 41(sp)
  sd a0, 32(sp)
  addi sp, sp, -16
  sd s0, 8(sp)
  lw a1, 60(sp)
  lbu t3, 57(sp)
  addi sp, sp, 16
  ld t2, 48(sp)
  ld ra, 56(sp)
  ld t1, 32(sp)
  addi sp, sp, 64
  ret
4:
"""

#: The register that is the base of accesses is one of those that they load.
POINTERS = """
  slli a0, s0, 4
  add a0, a0, s3
  addi a1, a0, 24
  li t4, 4040
  add a2, s3, t4
  sd a1, 0(a0)
  sd a2, 8(a0)
  sd a0, 0(a1)
  sd s0, 8(a1)
  la t4, 3f
  jalr ra, t4
  j 4f
3: ld a0, 0(a0)
  ld t0, 8(a0)
  ld a0, 0(a0)
  ld a1, 8(a0)
  ld t1, 0(a1)
  ld a1, 8(a1)
  lw t2, 0(s3)
  mv s3, a2
  lw t3, 0(s3)
  lw t4, 4(s3)
  li s3, DATA
  ret
4:
"""

#: Accesses on one of two ways only, with a trap in the middle of some.
WAYS = """
  li a0, 40
  mul a0, a0, s0
  add a0, a0, s3
  la t4, 3f
  jalr ra, t4
  j 5f
3: ld t0, 0(a0)
  andi t1, t0, 1
  ld t2, 8(a0)
  beqz t1, 4f
  ld t3, 16(a0)
  sd t2, 24(a0)
  lw a1, 2000(a0)
  sd t3, 32(a0)
  sw t0, 2004(a0)
  ret
4: addi a0, a0, -32
  ld t3, 0(a0)
  ebreak
  sw t3, 8(a0)
  sd t0, 48(a0)
  ret
5:
"""


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_frames_over_the_ends_of_pages(shift: int) -> None:
    same_in_regions(ROUNDS.replace("LOOP", FRAMES).replace("SHIFT", str(shift)))


@pytest.mark.parametrize("loop", [POINTERS, WAYS], ids=["pointers", "ways"])
def test_structures_over_the_ends_of_pages(loop: str) -> None:
    program = ROUNDS.replace("LOOP", loop).replace("li s3, DATA", f"li s3, {DATA:#x}")
    same_in_regions(program.replace("s0, 400", "s0, 380"))


def test_the_end_of_memory_is_a_trap_at_the_right_access() -> None:
    loop = f"""
  li a0, {RAM + (1 << 30) - 8 * 120:#x}
  slli t4, s0, 3
  add a0, a0, t4
  la t4, 3f
  jalr ra, t4
  j 4f
3: ld t0, 0(a0)
  addi t1, t1, 1
  ld t2, 16(a0)
  addi t3, t3, 1
  sd t3, 8(a0)
  sd t1, 40(a0)
  lbu a1, 32(a0)
  ret
4:
"""
    end = same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 130"))
    assert end.x[0][18] != 0, "there were traps"


#: Both pages are reached by one register; the second one has other rights, or lies elsewhere.
STRUCTURES = f"""
.balign 4096
body:
  li s4, {VA + 64:#x}
  li t0, 1000
1: jal ra, 2f
  addi s4, s4, 8
  addi t0, t0, -1
  bnez t0, 1b
  ecall
2: ld t1, 0(s4)
  add s1, s1, t1
  ld t2, 16(s4)
  xor s1, s1, t2
  sd s1, 8(s4)
  slli t3, s1, 3
  add s1, s1, t3
  sd t1, 24(s4)
  ret
"""


@pytest.mark.parametrize(
    "bits", [LEAF, LEAF & ~4, LEAF & ~2 & ~4], ids=["elsewhere", "read only", "no access"]
)
def test_a_structure_over_two_pages(bits: int) -> None:
    def pages(machine: Machine) -> None:
        map_gigabyte(machine, A, RAM)
        map_page(machine, A, VA, DATA)
        map_page(machine, A, VA + 4096, DATA + 0x3000, bits)
        map_page(machine, A, VA + 8192, DATA + 0x1000)
        machine.memory.write(DATA, bytes(range(256)) * 64)

    end = same_in_regions(turns(SUPERVISOR, STRUCTURES), pages, "body")
    assert end.x[0][27] == (9 if bits & 4 else 15)


def test_a_store_of_a_span_changes_code_behind_it() -> None:
    """The stores of a span go into the page of the code that executes them."""
    loop = """
  la a0, patched
  lw t5, 0(a0)
  li t6, 0x100000
  xor t5, t5, t6         # addi t1, t1, 1 or 0
  la t4, 3f
  jalr ra, t4
  j 4f
3: sw t5, 0(a0)
  sw t5, 4(a0)
  addi t2, t2, 1
  fence.i
patched:
  addi t1, t1, 1
  addi t1, t1, 1
  ret
4:
"""
    same_in_regions(ROUNDS.replace("LOOP", loop).replace("s0, 400", "s0, 6"))


def test_which_accesses_share_a_check() -> None:
    """Loads and stores have spans of their own; other values and distances have other ones."""
    text = f"""
  li a0, {DATA:#x}
  j 1f
1: ld t0, 0(a0)
  sd t0, 8(a0)
  ld t1, 16(a0)
  addi a0, a0, 8
  ld t2, 0(a0)
  sd t1, 32(a0)
  lw t3, 5(a0)
  lw t4, 1024(a0)
  lw t4, 1036(a0)
  ld a0, 24(a0)
  lbu t5, 0(a0)
  ebreak
"""
    with machine_of(".option norvc\n" + text + POWER_OFF) as machine:
        machine.run(max_instructions=20)
        tables = Tables.from_bytes(machine.regions._tables)  # type: ignore[attr-defined]
        page = machine.memory.read(RAM, 4096)
    start = page.index((0x00053283).to_bytes(4, "little"))  # ld t0, 0(a0)
    graph = discover(page, b"\1" * 2048, [start], Decoder(tables.rows), tables.templates, 100)
    spans = spans_of(Flow(tables, graph), ())
    of = {(at - start) // 4: ((spans[at].first - start) // 4) for at in spans}
    assert of == {0: 0, 2: 0, 4: 0, 1: 1, 5: 1, 7: 7, 8: 7}
    assert [(spans[start].low, spans[start].high), (spans[start + 4].high)] == [(0, 24), 48]
    rest = spans_of(Flow(tables, graph), (), [start, start + 28])
    assert {(at - start) // 4 for at in rest} == {1, 5}, "a split access takes the others along"


def test_a_frame_that_always_lies_in_two_pages_is_checked_access_by_access() -> None:
    program = f"""
  li t2, {time.time_ns() & 0x7FFFFFFF}   # no region of it is kept from an earlier run
  li s3, {DATA + 4096:#x}
  li s0, 1 << 40
1: jal ra, function
  addi s0, s0, -1
  bnez s0, 1b
{POWER_OFF}
function:
  addi sp, s3, 16
  sd ra, -8(sp)
  sd s0, -16(sp)
  sd s1, -24(sp)
  ld t1, -16(sp)
  ld s1, -24(sp)
  add s1, s1, t1
  ld ra, -8(sp)
  ret
"""
    with machine_of(program, "hot") as machine:
        compile_quickly(machine)
        hart = machine.harts[0].plain
        seen = False
        end = time.monotonic() + 120  # the compiler needs time, and the host may be busy
        while time.monotonic() < end:
            machine.run(max_instructions=20_000_000)
            page = machine.regions._pages.get(RAM)  # type: ignore[attr-defined]
            seen = seen or int(hart.split_slot) != 0
            hart.split_slot = 0
            if page is not None and page.split and in_region(machine, "function"):
                machine.run(max_instructions=20_000_000)
                if int(hart.split_slot) == 0:
                    break
        assert seen, "the region was left at these accesses"
        assert int(hart.split_slot) == 0, "and then no more"
        assert inside(machine) > 0
