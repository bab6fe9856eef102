"""Reference against native: every vector instruction, on random state."""

from __future__ import annotations

import random

import pytest

from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Instruction

from .bench import NARROW, ROWS, begin, draw, names_x, twin, vtypes_for

CASES = 12
ILLEGAL = 2
ON_RV32 = [row for row in NARROW if names_x(row)]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_native_leaves_what_the_reference_leaves(row: Instruction) -> None:
    compare(row, 64)


@pytest.mark.parametrize("row", ON_RV32, ids=[row.name for row in ON_RV32])
def test_native_leaves_what_the_reference_leaves_on_rv32(row: Instruction) -> None:
    compare(row, 32)


def compare(row: Instruction, xlen: int) -> None:
    """Run a row's cases both ways."""
    chance = random.Random(row.name)
    bench, legal = twin(xlen), 0
    for number in range(100):
        bits, _ = draw(chance, row)
        if bench.reference.find(bits) is not row:
            continue
        vtype = chance.choice(vtypes_for(row)) | chance.randrange(4) << 6
        begin(bench, chance, bits, vtype, chance.choice((0, 1, 3, 5, 16, 200)))
        bench.hart.vstart = chance.choice((0, 0, 0, 1, 7))
        shown = f"{render(row, bits)} {vtype:#x}"
        assert bench.differences() == [], shown
        legal += int(bench.hart.mcause) != ILLEGAL
        if number >= CASES and legal:
            break
    assert legal
