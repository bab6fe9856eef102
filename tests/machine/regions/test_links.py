"""Jumps from the region of a page to that of another one."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.regions.forced import (
    LEAF,
    RAM,
    map_gigabyte,
    map_page,
    same_in_regions,
)
from tests.machine.regions.test_translations import BODY, CODE_A, SV39, A, turns
from tests.machine.small_guests import POWER_OFF, TIMER_ON

NEXT = CODE_A + 0x1000  # the page after `body`: that of `one` or `two`
PTE_OF_NEXT = A + 0x4000 + 0x1000 + 8 * (NEXT >> 12 & 511)
ONE, TWO = BODY + 0x1000, BODY + 0x2000

#: How `one` is called: a jump to another page, and an indirect one. Both return by an indirect one.
CALLS = ["jal ra, one", "jalr ra, 0(s8)"]

FUNCTIONS = """
.balign 4096
one:
  addi s1, s1, 3
  ret
.balign 4096
two:
  addi s1, s1, 1000
  ret
"""
IN_SPACE_A = f"""
  li t1, {SV39 | A >> 12:#x}
  csrw satp, t1
  li t2, {CODE_A:#x}
  csrw mepc, t2
"""


def code(machine: Machine) -> None:
    """`body`, and `one` after it."""
    map_page(machine, A, CODE_A, BODY)
    map_page(machine, A, NEXT, ONE)
    map_gigabyte(machine, A, RAM)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fence", ["sfence.vma", "sfence.vma s8, zero"])
def test_the_page_of_the_target_is_mapped_elsewhere(call: str, fence: str) -> None:
    """After the fence, the same address is in another page with another region."""
    first, second = (pa >> 12 << 10 | LEAF for pa in (ONE, TWO))
    body = f"""
.balign 4096
body:
  li t0, 600
  li s8, {NEXT:#x}
  li t4, {PTE_OF_NEXT:#x}
  li t5, {first:#x}
  li t6, {second:#x}
1: sd t5, 0(t4)
  {fence}
  li a1, 20
2: {call}
  addi a1, a1, -1
  bnez a1, 2b
  mv a0, t5
  mv t5, t6
  mv t6, a0
  addi t0, t0, -1
  bnez t0, 1b
  ecall
"""
    end = same_in_regions(turns(IN_SPACE_A, body + FUNCTIONS), code, "body", "one", "two")
    assert end.x[0][27] == 9, "ecall from S mode"
    assert end.x[0][9] == 8 * 20 * 300 * (3 + 1000)


def test_the_page_of_the_target_is_no_longer_mapped() -> None:
    """The jump has been executed; its target raises the page fault."""
    body = f"""
.balign 4096
body:
  li t0, 20000
  li s8, {NEXT:#x}
  li t4, {PTE_OF_NEXT:#x}
1: jalr ra, 0(s8)
  addi t0, t0, -1
  bnez t0, 1b
  sd zero, 0(t4)
  sfence.vma
  li s2, 7
2: jalr s3, 0(s8)
  li s2, 8
  ecall
"""
    end = same_in_regions(
        turns(IN_SPACE_A, body + FUNCTIONS, cause=12).replace("bnez s0, enter", "j off"), code
    )
    x = end.x[0]
    assert x[27] == 12, "instruction page fault"
    assert (x[18], end.csrs[0][1]) == (7, NEXT), "after the jump, before what follows it"


@pytest.mark.parametrize("call", ["jal ra, work", "jalr ra, 0(s8)"])
def test_the_page_of_the_target_is_rewritten(call: str) -> None:
    """Each round stores another instruction into the function that it calls."""
    text = (
        f"""
.option norvc
  la s8, work
  li s0, 60
round:
  andi t0, s0, 3
  addi t0, t0, 1
  slli t0, t0, 20
  li t1, 0x00048493        # addi s1, s1, 0
  or t0, t0, t1
  sw t0, 0(s8)
  fence.i
  li s2, 4000
1: {call}
  addi s2, s2, -1
  bnez s2, 1b
  addi s0, s0, -1
  bnez s0, round
"""
        + POWER_OFF
        + ".balign 4096\nwork: addi s1, s1, 0\n  ret\n"
    )
    end = same_in_regions(text)
    assert end.x[0][9] == 4000 * 15 * (1 + 2 + 3 + 4)


def test_interrupts_come_at_the_same_instructions() -> None:
    """Budgets end at jumps to other pages as they do in the interpreter: on the virtual clock the
    timer interrupts the same instructions of three pages that call each other."""
    text = (
        TIMER_ON
        + """
  la s8, second
1: call first
  jalr s8
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
  ld t1, 0(s2)
  addi t1, t1, 317
  sd t1, 0(s1)
  addi s5, s5, 1
  mret
.balign 4096
first:
  addi s3, s3, 1
  mv s9, ra
  call second
  mv ra, s9
  ret
.balign 4096
second:
  xor s4, s4, s3
  beqz s4, first
  ret
"""
    )
    end = same_in_regions(text, None, "first", "second", clock="virtual")
    assert end.x[0][21] == 200


def test_a_page_with_many_heads() -> None:
    """Each place after a call is one."""
    text = (
        """
.option norvc
  la s8, many
  li s0, 300
1: jalr ra, 0(s8)
  addi s0, s0, -1
  bnez s0, 1b
"""
        + POWER_OFF
        + ".balign 4096\nleaf:\n  addi s1, s1, 1\n  ret\n.balign 4096\nmany:\n  mv s2, ra\n"
        + "  jal ra, leaf\n" * 300
        + "  mv ra, s2\n  ret\n"
    )
    assert same_in_regions(text, None, "many").x[0][9] == 300 * 300
