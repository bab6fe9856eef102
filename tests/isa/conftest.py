"""A hart in plain Python, with which definitions of instructions are tested alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rvplat.isa import rv_a, rv_i
from rvplat.isa.machinery.extension import SINK, Instruction
from rvplat.lang import u64

PC = 0x8000_1000


class MisalignedTarget(Exception):
    """Raised by the `check_target` of this hart."""


class ScratchHart:
    """Registers, a pc, bytes by address, and the words of the vocabulary as methods."""

    def __init__(self) -> None:
        self.x = [u64(0)] * (SINK + 1)
        self.pc = u64(PC)
        self.next_pc = u64(PC + 4)
        self.memory = bytearray(64)
        self.ialign = 2
        self.reserved: tuple[int, int] | None = None

    def run(self, row: Instruction, **operands: int) -> None:
        """Run one instruction. `rd=0` becomes SINK, as in the engine."""
        if operands.get("rd") == 0 and row.redirects_rd:
            operands["rd"] = SINK
        row.definition(self, *(u64(operands[name]) for name in row.operands))

    def result(self, row: Instruction, a: int = 0, b: int = 0, **operands: int) -> int:
        """Run the instruction with a in x1 and b in x2; return x3."""
        self.x[1], self.x[2] = u64(a), u64(b)
        self.run(row, **{"rd": 3, "rs1": 1, "rs2": 2, **operands})
        return int(self.x[3])

    def jump(self, target: Any) -> None:
        self.next_pc = u64(target)

    def branch(self, offset: Any) -> None:
        self.next_pc = self.pc + offset

    def check_target(self, target: Any) -> None:
        if target & (self.ialign - 1) != 0:
            raise MisalignedTarget

    def load(self, va: int, size: int) -> int:
        return int.from_bytes(self.memory[va : va + size], "little")

    def store(self, va: int, value: int, size: int) -> None:
        self.memory[va : va + size] = int(value).to_bytes(size, "little")

    def load_reserved(self, va: int, size: int) -> int:
        self.reserved = (int(va), size)
        return self.load(va, size)

    def store_conditional(self, va: int, value: int, size: int) -> bool:
        held, self.reserved = self.reserved == (int(va), size), None
        if held:
            self.store(va, value, size)
        return held


def _of_size(word: Callable[..., Any], size: int) -> Callable[..., Any]:
    return lambda hart, *arguments: word(hart, *arguments, size)


@pytest.fixture
def hart(monkeypatch: pytest.MonkeyPatch) -> ScratchHart:
    """A scratch hart, on which the words that rv_i and rv_a call act during the test."""
    for word in ("jump", "branch", "check_target"):
        monkeypatch.setattr(rv_i, word, getattr(ScratchHart, word))
    for size in (1, 2, 4, 8):
        bits = 8 * size
        monkeypatch.setattr(rv_i, f"load_u{bits}", _of_size(ScratchHart.load, size))
        monkeypatch.setattr(rv_i, f"store_u{bits}", _of_size(ScratchHart.store, size))
    for size in (4, 8):
        bits = 8 * size
        for word in ("load_reserved", "store_conditional"):
            monkeypatch.setattr(rv_a, f"{word}_u{bits}", _of_size(getattr(ScratchHart, word), size))
    return ScratchHart()
