"""Guests and boards for the tests of going back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rvplat import Machine
from rvplat.machine.history.history import History
from tests.machine.small_guests import guest

VIRTUAL = {"clock": "virtual"}
TEXT = 0x8000_0000
ROM = 6  # instructions before a program
COUNT = "1: addi s6, s6, 1\n  j 1b\n"

#: Each hart has a timer, which counts in s5, and sends the other one software interrupts from its
#: loop, which counts in s6. Both write to the word at 0x80100000 + 8 * hart.
TALKING = """
  csrr s7, mhartid
  la t0, handler
  csrw mtvec, t0
  li s2, MTIME
  li s1, MTIMECMP
  slli t0, s7, 3
  add s1, s1, t0
  li s8, 0x80100000
  add s8, s8, t0
  ld t1, 0(s2)
  addi t1, t1, 50
  sd t1, 0(s1)
  li t1, 0x88
  csrw mie, t1
  li s3, CLINT
  xori t0, s7, 1
  slli t0, t0, 2
  add s4, s3, t0          # msip of the other hart
  slli t0, s7, 2
  add s3, s3, t0          # its own
  csrsi mstatus, 8
loop:
  addi s6, s6, 1
  andi t0, s6, 127
  bnez t0, loop
  sd s6, 0(s8)
  li t0, 1
  sw t0, 0(s4)
  andi t0, s6, 2047
  bnez t0, loop
  wfi
  j loop
.align 2
handler:
  csrr t3, mcause
  andi t3, t3, 7
  addi t3, t3, -3
  beqz t3, 1f
  ld t4, 0(s2)
  addi t4, t4, 25
  sd t4, 0(s1)
  addi s5, s5, 1
  mret
1: sw zero, 0(s3)
  mret
"""


@contextmanager
def board(text: str, harts: int = 1, **settings: object) -> Iterator[tuple[Machine, History]]:
    """A machine that keeps its history."""
    with Machine.open(
        "virt", program=guest(text), settings={**VIRTUAL, **settings}, harts=harts
    ) as machine:
        yield machine, machine.keep_history()


def state(machine: Machine) -> Any:
    """Registers, counters, time and the written words."""
    words = machine.memory.read(0x8010_0000, 32)
    harts = [(one.pc, one.instret, list(one.x), one.csr("mcause")) for one in machine.harts]
    return harts, words, machine.turns.virtual.ticks  # type: ignore[union-attr]


def close_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checkpoints be made at each place where they can be."""
    monkeypatch.setattr("rvplat.machine.history.keeper.SHORTEST_S", 0.0)
    monkeypatch.setattr("rvplat.machine.history.keeper.COST", 0)
