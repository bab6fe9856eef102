"""Native code against the oracles: every instruction on vectors of integers and on element groups,
on random state."""

from __future__ import annotations

import random

import pytest

from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Instruction

from .bench import OP_VE, ROWS, STATUS, VLEN, VTYPES, begin, draw, twin, vtypes_for
from .ciphers import group_of, size_of
from .oracle import Run, State

LIMIT, ILLEGAL, CASES = 1 << 20, 2, 40
OP_V = 0x57
INTEGER = [row for row in ROWS
           if row.extension.name in ("Zve32x", "Zvkb", "Zvbb", "Zvbc")
           and row.pattern.match & 127 == OP_V and not row.name.startswith("vset")]  # fmt: skip
GROUPS = [row for row in ROWS if row.pattern.match & 127 == OP_VE]


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


def words(state: State, register: int, first: int, count: int) -> list[int]:
    """Elements of a group of registers."""
    return [state.get(register, state.sew, first + i) for i in range(count)]


@pytest.mark.parametrize("row", GROUPS, ids=[row.name for row in GROUPS])
def test_an_element_group_becomes_what_the_oracle_makes_of_it(row: Instruction) -> None:
    chance = random.Random(row.name)
    bench, compared = twin(), 0
    name, _, form = row.name.partition(".")
    size = size_of(name)
    while compared < CASES:
        bits, values = draw(chance, row)
        begin(bench, chance, bits, chance.choice(vtypes_for(row)), chance.choice((4, 8, 16, 32)))
        hart = bench.hart
        sew, vl = int(hart.vsew), int(hart.vl)
        state = State(VLEN, bytearray(bench.vectors[: 32 * VLEN // 8]), [], sew, 1, vl)
        hart.limit = LIMIT
        bench.core.run(bench.native.address)
        if hart.mcause == ILLEGAL:
            continue
        made = []
        for first in range(0, vl, size):
            d, a, b = (words(state, values.get(v, 0), first, size) for v in ("vd", "vs2", "vs1"))
            key = words(state, values["vs2"], 0, size) if form == "vs" else a
            made += group_of(name, sew)(d, key, b if "vs1" in values else values.get("uimm", 0))
        for i, word in enumerate(made):
            state.put(values["vd"], sew, i, word)
        shown = f"{render(row, bits)} sew {sew} vl {vl}"
        assert bytes(bench.vectors[: 32 * VLEN // 8]) == bytes(state.v), shown
        compared += 1


def test_the_oracle_starts_with_vector_state_on() -> None:
    assert STATUS >> 9 & 3 == 3
