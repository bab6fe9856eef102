"""Native code against the oracles: every instruction on vectors of integers and numbers and on
element groups, on random state."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rvplat.isa.fp_state import fflags_read
from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import u32

from .bench import (
    OP_VE,
    ROWS,
    STATUS,
    VLEN,
    VTYPES,
    VectorTwin,
    begin,
    draw,
    names_x,
    twin,
    vtypes_for,
)
from .ciphers import group_of, size_of
from .float_oracle import FloatRun
from .oracle import Run, State

LIMIT, ILLEGAL, CASES = 1 << 20, 2, 40
OP_V = 0x57
INTEGER = [row for row in ROWS
           if row.extension.name in ("Zve32x", "Zvkb", "Zvbb", "Zvbc")
           and row.pattern.match & 127 == OP_V and not row.name.startswith("vset")]  # fmt: skip
GROUPS = [row for row in ROWS if row.pattern.match & 127 == OP_VE]


OFFSETS = ("vslideup", "vslidedown", "vrgather")  # their numbers are unsigned and not truncated


def scalars(hart: Any, name: str, xlen: int) -> list[int]:
    """The x registers as operands of an instruction ("Vector Arithmetic Instruction Formats": if
    XLEN is less than SEW, they are sign-extended)."""
    found = [int(hart.x[i]) for i in range(32)]
    if xlen == 32 and name not in OFFSETS:
        found = [value | (value >> 31) * (0xFFFF_FFFF << 32) for value in found]
    return found


EACH = [(row, 64) for row in INTEGER] + [(row, 32) for row in INTEGER if names_x(row)]


@pytest.mark.parametrize(("row", "xlen"), EACH, ids=[f"{row.name}-{xlen}" for row, xlen in EACH])
def test_native_leaves_what_the_oracle_leaves(row: Instruction, xlen: int) -> None:
    chance = random.Random(row.name)
    bench, compared = twin(xlen), 0
    name, _, form = row.name.partition(".")
    for _ in range(400):
        bits, values = draw(chance, row)
        vtype = chance.choice(VTYPES)
        begin(bench, chance, bits, vtype, chance.choice((0, 1, 2, 3, 7, 16, 200)))
        hart = bench.hart
        lmul = 2.0 ** ((vtype & 7) - (8 if vtype & 4 else 0))
        size = 32 * VLEN // 8
        state = State(
            VLEN, bytearray(bench.vectors[:size]), scalars(hart, name, xlen),
            8 << (vtype >> 3), lmul, int(hart.vl), int(hart.vxrm),
        )  # fmt: skip
        hart.limit = LIMIT
        bench.core.run(bench.native.address)
        if hart.mcause == ILLEGAL:
            continue  # test_rules.py
        found = Run(state, name, form, values).execute()
        shown = f"{render(row, bits)} vtype {vtype:#x} vl {state.vl} vxrm {state.vxrm}"
        assert bytes(bench.vectors[:size]) == bytes(state.v), shown
        assert int(hart.vxsat) == state.vxsat, shown
        if found is not None and values["rd"]:
            assert int(hart.x[values["rd"]]) == found & bench.mask, shown
        compared += 1
        if compared == CASES:
            break
    assert compared >= 5


BFLOATS = ("Zvfbfmin", "Zvfbfwma")
FLOATS = [
    row for row in ROWS
    if row.extension.name in ("Zve32f", *BFLOATS) and row.name[:5] not in ("vfrec", "vfrsq")
]  # fmt: skip
RESERVED_VTYPES = [13, 21, 22, 29, 30, 31]  # SEW is more than LMUL * ELEN
NUMBERS = [0, 1 << 63, 0x3FF0 << 48, 0x7FF0 << 48, 0x7FF8 << 48, 0x7FF0_0000_0000_0001,
           0x3F80_0000, 0x7F80_0000, 0x7F80_0001, 0x7FC0_0000, 0xFF80_0000, 0x0080_0000,
           0x3C00, 0x7C00, 0x7C01, 0x7E00, 0xFC00, 0x0400, 0x03FF, 0x7BFF,
           0x3F80, 0x7F80, 0x7F81, 0x7FC0, 0x0080]  # fmt: skip


def fill_with_numbers(chance: random.Random, bench: VectorTwin, sew: int) -> None:
    """Some elements become numbers of any format."""
    for at in range(0, 32 * VLEN // 8, sew // 8):
        if chance.randrange(2):
            number = chance.choice(NUMBERS) & (1 << sew) - 1
            bench.vectors[at : at + sew // 8] = list(number.to_bytes(sew // 8, "little"))
    for n in range(32):
        box = (1 << 64) - (1 << sew) if chance.randrange(8) else 0
        bench.hart.f[n] = box | chance.choice((*NUMBERS, chance.getrandbits(64))) & (1 << sew) - 1


@pytest.mark.parametrize("row", FLOATS, ids=[row.name for row in FLOATS])
def test_numbers_become_what_the_oracle_makes_of_them(row: Instruction) -> None:
    chance = random.Random(row.name)
    bench, compared, widths = twin(), 0, set()
    name, _, form = row.name.partition(".")
    enough = 1 if row.extension.name in BFLOATS else 2
    for _ in range(600):
        bits, values = draw(chance, row)
        vtype = chance.choice([one for one in VTYPES if one not in RESERVED_VTYPES])
        begin(bench, chance, bits, vtype, chance.choice((0, 1, 2, 3, 7, 16)))
        hart = bench.hart
        sew, vl, frm = int(hart.vsew), int(hart.vl), int(hart.frm)
        fill_with_numbers(chance, bench, sew)
        state = State(VLEN, bytearray(bench.vectors[: 32 * VLEN // 8]), [], sew, 1, vl)
        run = FloatRun(state, [int(hart.f[n]) for n in range(32)], frm, name, form, values)
        hart.limit = LIMIT
        bench.core.run(bench.native.address)
        if hart.mcause == ILLEGAL:
            continue  # test_rules.py
        found = run.execute()
        shown = f"{render(row, bits)} sew {sew} vl {vl} frm {frm}"
        assert bytes(bench.vectors[: 32 * VLEN // 8]) == bytes(state.v), shown
        assert int(fflags_read(hart, u32(1))) == run.flags, shown
        if found is not None:
            assert int(hart.f[values["rd"]]) == found | (1 << 64) - (1 << sew), shown
        widths.add(sew)
        compared += 1
        if compared >= CASES and len(widths) >= enough:
            break
    assert compared >= CASES
    assert len(widths) >= enough


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
