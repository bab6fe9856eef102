"""Native code against the oracle: every integer instruction on vectors, on random state."""

from __future__ import annotations

import random

import pytest

from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Instruction

from .bench import ROWS, STATUS, VLEN, VTYPES, begin, draw, twin
from .oracle import Run, State

LIMIT, ILLEGAL, CASES = 1 << 20, 2, 40
INTEGER = [row for row in ROWS if row.extension.name == "Zve32x" and row.pattern.match & 127 == 87
           and not row.name.startswith("vset")]  # fmt: skip


@pytest.mark.parametrize("row", INTEGER, ids=[row.name for row in INTEGER])
def test_native_leaves_what_the_oracle_leaves(row: Instruction) -> None:
    chance = random.Random(row.name)
    bench, compared = twin(), 0
    for _ in range(400):
        bits, values = draw(chance, row)
        vtype = chance.choice(VTYPES)
        begin(bench, chance, bits, vtype, chance.choice((0, 1, 2, 3, 7, 16, 200)))
        hart = bench.hart
        lmul = 2.0 ** ((vtype & 7) - (8 if vtype & 4 else 0))
        size = 32 * VLEN // 8
        state = State(
            VLEN, bytearray(bench.vectors[:size]), [int(hart.x[i]) for i in range(32)],
            8 << (vtype >> 3), lmul, int(hart.vl), int(hart.vxrm),
        )  # fmt: skip
        name, _, form = row.name.partition(".")
        hart.limit = LIMIT
        bench.core.run(bench.native.address)
        if hart.mcause == ILLEGAL:
            continue  # test_rules.py
        found = Run(state, name, form, values).execute()
        shown = f"{render(row, bits)} vtype {vtype:#x} vl {state.vl} vxrm {state.vxrm}"
        assert bytes(bench.vectors[:size]) == bytes(state.v), shown
        assert int(hart.vxsat) == state.vxsat, shown
        if found is not None and values["rd"]:
            assert int(hart.x[values["rd"]]) == found & (1 << 64) - 1, shown
        compared += 1
        if compared == CASES:
            break
    assert compared >= 5


def test_the_oracle_starts_with_vector_state_on() -> None:
    assert STATUS >> 9 & 3 == 3
