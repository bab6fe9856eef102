"""M: the table of corner cases of division, and the high halves of products."""

from __future__ import annotations

import pytest

from rvplat.isa import rv_m
from rvplat.isa.machinery.extension import Instruction
from tests.isa.conftest import ScratchHart

MIN, MAX, ONES = 1 << 63, (1 << 63) - 1, (1 << 64) - 1
MIN32, ONES32 = 0xFFFF_FFFF_8000_0000, 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("row", "a", "b", "expected"),
    [
        (rv_m.mul, ONES, ONES, 1),
        (rv_m.mul, 1 << 32, 1 << 32, 0),
        (rv_m.mulh, ONES, ONES, 0),
        (rv_m.mulh, MIN, MIN, 1 << 62),
        (rv_m.mulh, MIN, 1, ONES),
        (rv_m.mulhsu, ONES, ONES, ONES),
        (rv_m.mulhsu, 1, ONES, 0),
        (rv_m.mulhsu, MIN, ONES, MIN),
        (rv_m.mulhu, ONES, ONES, ONES - 1),
        (rv_m.mulhu, MIN, 2, 1),
        (rv_m.mulw, 0x7FFF_FFFF, 2, ONES - 1),
        (rv_m.mulw, 0x1_0001_0000, 0x1_0000, 0),
        (rv_m.div, 7, ONES - 1, ONES - 2),
        (rv_m.div, 7, 0, ONES),
        (rv_m.div, MIN, ONES, MIN),
        (rv_m.div, MIN, 0, ONES),
        (rv_m.divu, 7, 0, ONES),
        (rv_m.divu, MIN, ONES, 0),
        (rv_m.rem, ONES - 6, 2, ONES),
        (rv_m.rem, 7, ONES - 1, 1),
        (rv_m.rem, 7, 0, 7),
        (rv_m.rem, MIN, ONES, 0),
        (rv_m.remu, 7, 0, 7),
        (rv_m.remu, MIN, ONES, MIN),
        (rv_m.divw, MIN32, ONES, MIN32),
        (rv_m.divw, 7, 0xABCD_0000_0000, ONES),
        (rv_m.divw, 0x1_FFFF_FFF8, 2, ONES - 3),
        (rv_m.divuw, 0xFFFF_FFFF, 1, ONES),
        (rv_m.divuw, 7, 1 << 32, ONES),
        (rv_m.divuw, ONES, 2, 0x7FFF_FFFF),
        (rv_m.remw, MIN32, ONES, 0),
        (rv_m.remw, 0x8000_0000, 0, MIN32),
        (rv_m.remw, 0xFFFF_FFF9, 2, ONES),
        (rv_m.remuw, 0x8000_0000, 0, MIN32),
        (rv_m.remuw, ONES, 16, 15),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_product_and_quotient(
    hart: ScratchHart, row: Instruction, a: int, b: int, expected: int
) -> None:
    assert hart.result(row, a, b) == expected


def test_the_destination_may_be_a_source(hart: ScratchHart) -> None:
    assert hart.result(rv_m.rem, 17, 5, rd=1) == 0
    assert hart.x[1] == 2
