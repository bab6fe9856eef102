"""Harts in threads: one writes the code that the other runs in regions."""

from __future__ import annotations

import pytest

from tests.machine.regions.forced import inside, machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

#: Hart 1 writes `addi s1, zero, N` into hart 0's loop, for N from 1, and tells N. Hart 0 runs the
#: old code until it sees N, executes fence.i, and then must get N.
PATCHED = (
    """
.option norvc
  csrr t0, mhartid
  la s2, word
  la s3, told
  la s4, seen
  bnez t0, writer
  li s5, 0
round:
  addi s5, s5, 1
1: call work
  ld t1, 0(s3)
  bne t1, s5, 1b
  fence
  fence.i
  call work
  beq s1, s5, 2f
  addi s6, s6, 1          # old code
2: fence
  sd s5, 0(s4)
  li t1, ROUNDS
  bne s5, t1, round
"""
    + POWER_OFF
    + """
writer:
  li s5, 0
3: addi s5, s5, 1
  slli t1, s5, 20
  ori t1, t1, 0x493       # addi s1, zero, N
  sw t1, 0(s2)
  fence
  sd s5, 0(s3)
4: ld t2, 0(s4)
  bne t2, s5, 4b
  li t1, ROUNDS
  bne s5, t1, 3b
5: wfi
  j 5b
.balign 4096
work:
  li t3, 400
6: addi s7, s7, 1
word: addi s1, zero, 0
  addi t3, t3, -1
  bnez t3, 6b
  ret
.section .data
.balign 64
told: .dword 0
.balign 64
seen: .dword 0
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["all", "hot"])
def test_a_hart_writes_the_code_of_another(mode: str) -> None:
    rounds = 100 if mode == "all" else 1000
    with machine_of(PATCHED.replace("ROUNDS", str(rounds)), mode, **{"harts.count": 2}) as machine:
        end = run_to_end(machine)
        assert end.reason == "off"
        assert (end.x[0][21], end.x[0][22]) == (rounds, 0), "rounds, and those with old code"
        assert mode == "hot" or inside(machine) > 0
