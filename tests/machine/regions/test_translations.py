"""Regions under translations: address spaces, VMIDs, two stages, and tables that change."""

from __future__ import annotations

import pytest

from rvplat import Machine
from rvplat.guests import hypervisor_elf
from tests.machine.regions.forced import (
    LEAF,
    RAM,
    USER,
    compile_quickly,
    end_of,
    machine_of,
    map_gigabyte,
    map_page,
    same_in_regions,
)
from tests.machine.small_guests import POWER_OFF

A, B = RAM + 0x10_0000, RAM + 0x14_0000  # root tables
DATA_A, DATA_B = RAM + 0x20_0000, RAM + 0x20_1000
BODY = RAM + 0x1000
CODE_A, CODE_B, DATA = 0x1000_0000, 0x2000_0000, 0x4000_0000
LEAF_OF_DATA = A + 0x4000 + 0x2000 + 0x1000  # the entry for DATA
SV39 = 8 << 60

#: M mode runs `body` in turns with two values of satp (or hgatp), until s0 is 0.
TURNS = (
    f"""
.option norvc
  la t0, handler
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  li s0, 8
  li s3, {DATA:#x}
enter:
  SETUP
  csrr t0, mstatus
  li t1, 0x1800
  not t1, t1
  and t0, t0, t1
  li t1, MODE
  or t0, t0, t1
  csrw mstatus, t0
  mret
.balign 4
handler:
  csrr s11, mcause
  li t1, CAUSE
  bne s11, t1, off
  addi s0, s0, -1
  bnez s0, enter
off:
"""
    + POWER_OFF
)

LOOP = """
.balign 4096
body:
  li t0, 20000
1: ld t1, 0(s3)
  add s1, s1, t1
  sd s1, 8(s3)
  ld t2, 8(s3)
  xor s2, s2, t2
  addi t0, t0, -1
  bnez t0, 1b
  ecall
"""


STRAIGHT = """
.balign 4096
body:
.rept 40
  ld t1, 0(s3)
  add s1, s1, t1
  sd s1, 8(s3)
  ld t2, 8(s3)
  xor s2, s2, t2
.endr
  ecall
"""


def turns(setup: str, body: str = LOOP, mode: int = 0x800, cause: int = 9) -> str:
    text = TURNS.replace("SETUP", setup).replace("MODE", f"{mode:#x}")
    return text.replace("CAUSE", str(cause)) + body


def fill(machine: Machine) -> None:
    machine.memory.write(DATA_A, (3).to_bytes(8, "little"))
    machine.memory.write(DATA_B, (1000).to_bytes(8, "little"))


def spaces(machine: Machine) -> None:
    """Two address spaces with the same code at different addresses, and different data at one."""
    fill(machine)
    for root, code, data in ((A, CODE_A, DATA_A), (B, CODE_B, DATA_B)):
        map_page(machine, root, code, BODY)
        map_page(machine, root, DATA, data)
        map_gigabyte(machine, root, RAM)


SWITCH = f"""
  li t1, {SV39 | 1 << 44 | A >> 12:#x}
  li t2, {CODE_A:#x}
  andi t0, s0, 1
  bnez t0, 1f
  li t1, {SV39 | 2 << 44 | B >> 12:#x}
  li t2, {CODE_B:#x}
1: csrw satp, t1
  csrw mepc, t2
"""
SPACES = turns(SWITCH)


@pytest.mark.parametrize(("body", "rounds"), [(LOOP, 20_000), (STRAIGHT, 40)])
def test_address_spaces_with_the_same_code(body: str, rounds: int) -> None:
    end = same_in_regions(turns(SWITCH, body), spaces, "body")
    assert end.x[0][27] == 9, "ecall from S mode"
    assert end.x[0][9] == rounds * 4 * (3 + 1000)


@pytest.mark.parametrize("branch", ["bnez a1, 2b", "nop"])
def test_a_table_that_changes_under_a_region(branch: str) -> None:
    """S mode changes the entry of the data page of a loop, or of code without one; sfence.vma
    follows."""
    first, second = (data >> 12 << 10 | LEAF for data in (DATA_A, DATA_B))
    body = f"""
.balign 4096
body:
  li t0, 1500
  li t4, {LEAF_OF_DATA:#x}
  li t5, {first:#x}
  li t6, {second:#x}
1: sd t5, 0(t4)
  sfence.vma s3, zero
  li a1, 20
2: ld t1, 0(s3)
  add s1, s1, t1
  sd s1, 8(s3)
  addi a1, a1, -1
  {branch}
  mv a0, t5
  mv t5, t6
  mv t6, a0
  addi t0, t0, -1
  bnez t0, 1b
  ecall
"""
    setup = f"li t1, {SV39 | A >> 12:#x}\n csrw satp, t1\n li t2, {CODE_A:#x}\n csrw mepc, t2\n"
    end = same_in_regions(turns(setup, body), spaces)
    assert end.x[0][27] == 9
    assert end.x[0][9] == 8 * (1 if branch == "nop" else 20) * 750 * (3 + 1000)


def guests(machine: Machine) -> None:
    """Two guests with the same code; the same guest-physical address is other memory in each."""
    fill(machine)
    for root, data in ((A, DATA_A), (B, DATA_B)):
        map_page(machine, root, DATA, data, LEAF | USER)
        map_gigabyte(machine, root, RAM, LEAF | USER)


GUEST = f"""
  li t1, {SV39 | 1 << 44 | A >> 12:#x}
  andi t0, s0, 1
  bnez t0, 1f
  li t1, {SV39 | 2 << 44 | B >> 12:#x}
1: csrw 0x680, t1          # hgatp
  li t2, {BODY:#x}
  csrw mepc, t2
"""
VIRTUAL_S = 1 << 39 | 0x800  # mstatus.MPV and MPP


def test_guests_with_the_same_code() -> None:
    """VMIDs select the memory, without a fence between them."""
    end = same_in_regions(turns(GUEST, mode=VIRTUAL_S, cause=10), guests, "body")
    assert end.x[0][27] == 10, "ecall from VS mode"
    assert end.x[0][9] == 20_000 * 4 * (3 + 1000)


def test_a_second_stage_that_changes_under_a_region() -> None:
    """M mode changes the entry of the data page of VMID 1; hfence.gvma follows."""
    first, second = (data >> 12 << 10 | LEAF | USER for data in (DATA_A, DATA_B))
    setup = f"""
  li t1, {SV39 | 1 << 44 | A >> 12:#x}
  csrw 0x680, t1
  li t4, {LEAF_OF_DATA:#x}
  li t5, {first:#x}
  andi t0, s0, 1
  bnez t0, 1f
  li t5, {second:#x}
1: sd t5, 0(t4)
  .insn r 0x73, 0, 0x31, x0, x0, x0   # hfence.gvma
  li t2, {BODY:#x}
  csrw mepc, t2
"""
    end = same_in_regions(turns(setup, mode=VIRTUAL_S, cause=10), guests, "body")
    assert end.x[0][27] == 10
    assert end.x[0][9] == 20_000 * 4 * (3 + 1000)


@pytest.mark.slow
def test_a_hypervisor_and_its_guests() -> None:
    """The same state, instructions by world, and traps by cause."""
    found = []
    for mode in ("off", "all"):
        with machine_of(hypervisor_elf(), mode, clock="virtual") as machine:
            compile_quickly(machine)
            stop = machine.run(max_instructions=5_000_000)
            (hart,) = machine.statistics().harts
            end = end_of(machine, stop, b"")
            found.append((end, hart.instructions, hart.traps, hart.worlds))
            assert mode == "off" or hart.region_samples > 0
    assert found[0] == found[1]
