"""Zba, Zbb, Zbc, Zbs, Zicond and the hints: corner cases with known answers."""

from __future__ import annotations

import pytest

from rvplat.isa import rv_zba, rv_zbb, rv_zbc, rv_zbs, rv_zicond, rv_zihint
from rvplat.isa.machinery.extension import Instruction
from tests.isa.conftest import ScratchHart

MIN, MAX, ONES = 1 << 63, (1 << 63) - 1, (1 << 64) - 1
W1 = 0xFFFF_FFFF_0000_0001  # the word is 1, the register is negative


@pytest.mark.parametrize(
    ("row", "a", "b", "expected"),
    [
        (rv_zba.add_uw, W1, 10, 11),
        (rv_zba.sh1add, MIN, 10, 10),
        (rv_zba.sh1add_uw, W1, 10, 12),
        (rv_zba.sh2add, 3, 10, 22),
        (rv_zba.sh2add_uw, W1, 10, 14),
        (rv_zba.sh3add, ONES, 8, 0),
        (rv_zba.sh3add_uw, 0xFFFF_FFFF, 0, 0x7_FFFF_FFF8),
        (rv_zbb.andn, 0xFF, 0x0F, 0xF0),
        (rv_zbb.orn, 0, 0xF, ONES - 0xF),
        (rv_zbb.xnor, 5, 5, ONES),
        (rv_zbb.clz_, 0, 0, 64),
        (rv_zbb.clz_, 1, 0, 63),
        (rv_zbb.clzw, ONES << 32 & ONES, 0, 32),
        (rv_zbb.ctz_, 0, 0, 64),
        (rv_zbb.ctz_, MIN, 0, 63),
        (rv_zbb.ctzw, 1 << 32, 0, 32),
        (rv_zbb.cpop, ONES, 0, 64),
        (rv_zbb.cpopw, ONES, 0, 32),
        (rv_zbb.max_, MIN, 1, 1),
        (rv_zbb.maxu, MIN, 1, MIN),
        (rv_zbb.min_, MIN, 1, MIN),
        (rv_zbb.minu, MIN, 1, 1),
        (rv_zbb.sext_b, 0x80, 0, ONES - 0x7F),
        (rv_zbb.sext_h, 0x1_7FFF, 0, 0x7FFF),
        (rv_zbb.zext_h, ONES, 0, 0xFFFF),
        (rv_zbb.rol, MIN + 1, 1, 3),
        (rv_zbb.rol, 5, 64, 5),
        (rv_zbb.rolw, 0x8000_0000, 32, 0xFFFF_FFFF_8000_0000),
        (rv_zbb.rolw, 0xC000_0000, 1, 0xFFFF_FFFF_8000_0001),
        (rv_zbb.ror, 1, 1, MIN),
        (rv_zbb.rorw, 0xFFFF_FFFF_0000_0001, 1, 0xFFFF_FFFF_8000_0000),
        (rv_zbb.orc_b, 0x0100_8000_0010_00FF, 0, 0xFF00_FF00_00FF_00FF),
        (rv_zbb.orc_b, ONES, 0, ONES),
        (rv_zbb.rev8, 0x0102_0304_0506_0708, 0, 0x0807_0605_0403_0201),
        (rv_zbc.clmul, 3, 3, 5),
        (rv_zbc.clmul, ONES, 2, ONES - 1),
        (rv_zbc.clmulh, MIN, MIN, 1 << 62),
        (rv_zbc.clmulh, ONES, 1, 0),
        (rv_zbc.clmulr, MIN, MIN, MIN),
        (rv_zbc.clmulr, MIN, 1, 1),
        (rv_zbs.bclr, ONES, 64, ONES - 1),
        (rv_zbs.bext, MIN, 63, 1),
        (rv_zbs.bext, MIN, 62, 0),
        (rv_zbs.binv, 1, 64, 0),
        (rv_zbs.bset, 0, 127, MIN),
        (rv_zicond.czero_eqz, 7, 0, 0),
        (rv_zicond.czero_eqz, 7, MIN, 7),
        (rv_zicond.czero_nez, 7, 0, 7),
        (rv_zicond.czero_nez, 7, MIN, 0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_register_register(
    hart: ScratchHart, row: Instruction, a: int, b: int, expected: int
) -> None:
    assert hart.result(row, a, b) == expected


@pytest.mark.parametrize(
    ("row", "a", "shamt", "expected"),
    [
        (rv_zba.slli_uw, W1, 63, MIN),
        (rv_zba.slli_uw, ONES, 32, 0xFFFF_FFFF_0000_0000),
        (rv_zbb.rori, 1, 63, 2),
        (rv_zbb.rori, 1, 0, 1),
        (rv_zbb.roriw, 0x8000_0000, 31, 1),
        (rv_zbs.bclri, ONES, 63, MAX),
        (rv_zbs.bexti, 2, 1, 1),
        (rv_zbs.binvi, 0, 63, MIN),
        (rv_zbs.bseti, 0, 0, 1),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_immediate(hart: ScratchHart, row: Instruction, a: int, shamt: int, expected: int) -> None:
    assert hart.result(row, a, shamt=shamt) == expected


@pytest.mark.parametrize("row", rv_zihint.Zihintntl.instructions, ids=lambda row: row.name)
def test_a_hint_changes_nothing(hart: ScratchHart, row: Instruction) -> None:
    hart.run(row)
    assert not any(value != 0 for value in hart.x)


def test_carry_less_products_agree_with_each_other(hart: ScratchHart) -> None:
    a, b = 0xB4C1_5E77_0193_86AF, 0x9D83_F3AA_6601_2345
    low, high = (hart.result(row, a, b) for row in (rv_zbc.clmul, rv_zbc.clmulh))
    product = 0
    for i in range(64):
        product ^= (a << i) * (b >> i & 1)
    assert high << 64 | low == product
    assert hart.result(rv_zbc.clmulr, a, b) == product >> 63 & ONES
