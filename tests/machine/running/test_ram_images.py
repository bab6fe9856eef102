"""Images of RAM under harts: what harts derived from RAM follows a restored image."""

from __future__ import annotations

import random

import pytest

from rvplat import Machine
from tests.machine.small_guests import guest

#: Counts in a3 with an instruction that it changes, and in `counter`; a mark in a2 says where.
CHANGES_ITSELF = """
  la a0, counter
  la a1, patched
  li a2, 0
  li a5, 0x00168693  # addi a3, a3, 1
1: ld t0, (a0)
  addi t0, t0, 1
  sd t0, (a0)
  sw a5, (a1)
  fence.i
patched: nop
  bnez a6, 2f
  j 1b
2: li a5, 0x00268693  # addi a3, a3, 2
  li a6, 0
  j 1b
.data
.balign 4096
counter: .dword 0
"""


def registers(machine: Machine) -> tuple[int, ...]:
    hart = machine.harts[0]
    return (hart.pc, *hart.x)


@pytest.mark.parametrize("regions", ["off", "all"])
def test_code_that_was_changed_is_that_of_the_image_again(regions: str) -> None:
    with Machine.open(
        "virt", guest(CHANGES_ITSELF), settings={"harts.regions": regions}
    ) as machine:
        hart = machine.harts[0]
        machine.run(max_instructions=1000)
        image, kept = machine.memory.capture(), registers(machine)
        machine.run(max_instructions=1000)
        first = registers(machine), machine.memory.read(hart.x["a0"], 8)
        hart.x["a6"] = 1
        machine.run(max_instructions=1000)
        for _ in range(3):
            machine.memory.restore(image)
            hart.pc = kept[0]
            for n in range(1, 32):
                hart.x[n] = kept[1 + n]
            machine.run(max_instructions=1000)
            assert (registers(machine), machine.memory.read(hart.x["a0"], 8)) == first
            hart.x["a6"] = 1
            machine.run(max_instructions=1000)


#: Writes to a page of its own in each way that a hart has; a1 counts the rounds. Machine mode, then
#: the same stores through a page table without A and D bits, which the walker sets (Svadu).
WRITES = """
  la t0, 9f
  csrw mtvec, t0
  csrr t0, menvcfg
  li t1, 0x20000000000000f0  # ADUE, cache-block operations
  csrs menvcfg, t1
  li t1, 0x6600  # FS, VS
  csrs mstatus, t1
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  la t0, table
  li t1, 0x200000ef & ~0xc0  # the leaf of 0x80000000, a GiB: V R W X G, no A or D
  sd t1, 16(t0)
  srli t0, t0, 12
  li t1, 8 << 60
  or t0, t0, t1
  csrw satp, t0
  li s2, 0
1: addi a1, a1, 1
  la s0, pages
  li s1, 4096
  sb a1, (s0)
  add s0, s0, s1
  sd a1, (s0)
  add s0, s0, s1
  add s0, s0, s1
  sw a1, -2(s0)  # two pages
  add s0, s0, s1
  amoadd.d a2, a1, (s0)
  add s0, s0, s1
2: lr.d a2, (s0)
  sc.d a3, a1, (s0)
  bnez a3, 2b
  add s0, s0, s1
  ld a3, 128(s0)
  .word 0x0044200f  # cbo.zero (s0)
  add s0, s0, s1
  .word 0xc1027057  # vsetivli x0, 4, e32, m1
  .word 0x5e05c057  # vmv.v.x v0, a1
  .word 0x02046027  # vse32.v v0, (s0)
  add s0, s0, s1
  fmv.d.x f0, a1
  fsd f0, (s0)
  bnez s2, 1b
  li s2, 1
  li t1, 0x20000 | 0x800  # MPRV, S mode
  csrs mstatus, t1
  j 1b
9: j 9b
.data
.balign 4096
table: .zero 4096
pages: .zero 4096 * 10, 0x55
"""


@pytest.mark.parametrize("regions", ["off", "all"])
def test_every_way_to_write_is_undone(regions: str) -> None:
    """Each image is restored after runs of random lengths, and RAM is as it was, page by page."""
    chance = random.Random(regions)
    settings = {"harts.regions": regions, "harts.isa": "rv64gcv_zicboz_zicclsm_svadu"}
    with Machine.open("virt", guest(WRITES), settings=settings, memory="1M") as machine:
        memory, start = machine.memory, machine.board.main_memory.base
        size = machine.board.main_memory.size
        machine.run(max_instructions=10)
        written = set()
        for _ in range(20):
            image, before = memory.capture(), memory.read(start, size)
            machine.run(max_instructions=chance.randrange(1, 3000))
            after = memory.read(start, size)
            written |= {
                n for n in range(0, size, 4096) if before[n : n + 4096] != after[n : n + 4096]
            }
            memory.restore(image)
            assert memory.read(start, size) == before
            machine.run(max_instructions=chance.randrange(1, 300))
        assert len(written) >= 10, machine.dump()
