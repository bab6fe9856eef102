"""A: the results of each AMO in memory and in rd; LR and SC."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from rvplat.isa import rv_a
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import u64
from tests.isa.conftest import ScratchHart

OPERATIONS = {  # old value, operand, new value: as words
    "swap": (7, 9, 9),
    "add": (0xFFFF_FFFF, 2, 1),
    "and": (0xFF00, 0x0FF0, 0x0F00),
    "or": (0xFF00, 0x0FF0, 0xFFF0),
    "xor": (0xFF00, 0x0FF0, 0xF0F0),
    "max": (0x8000_0000, 1, 1),
    "maxu": (0x8000_0000, 1, 0x8000_0000),
    "min": (0x8000_0000, 1, 0x8000_0000),
    "minu": (0x8000_0000, 1, 1),
}


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[ctypes.c_uint64]:
    """Eight bytes of the host's memory, to which every address refers."""
    cell = ctypes.c_uint64()
    address = u64(ctypes.addressof(cell))
    monkeypatch.setattr(rv_a, "amo_address", lambda hart, va, size: address)
    yield cell


@pytest.mark.parametrize("name", OPERATIONS)
def test_amo_on_a_word(hart: ScratchHart, cell: ctypes.c_uint64, name: str) -> None:
    old, operand, new = OPERATIONS[name]
    cell.value = 0xABCD_0000_0000_0000 | old
    row = getattr(rv_a, f"amo{name}_w")
    extended = old | 0xFFFF_FFFF_0000_0000 if old >> 31 else old
    assert hart.result(row, 0, 0x1234_0000_0000 | operand) == extended
    assert cell.value == 0xABCD_0000_0000_0000 | new


@pytest.mark.parametrize("name", OPERATIONS)
def test_amo_on_a_doubleword(hart: ScratchHart, cell: ctypes.c_uint64, name: str) -> None:
    old, operand, new = (value << 32 for value in OPERATIONS[name])
    cell.value = old
    assert hart.result(getattr(rv_a, f"amo{name}_d"), 0, operand) == old
    assert cell.value == new


def test_an_amo_may_overwrite_its_operand(hart: ScratchHart, cell: ctypes.c_uint64) -> None:
    cell.value = 5
    hart.result(rv_a.amoadd_d, 0, 6, rd=2)
    assert (hart.x[2], cell.value) == (5, 11)


@pytest.mark.parametrize(("lr", "sc", "expected"), [
    (rv_a.lr_w, rv_a.sc_w, 0xFFFF_FFFF_FFFF_FFFE), (rv_a.lr_d, rv_a.sc_d, 0x1234_FFFF_FFFE),
])  # fmt: skip
@pytest.mark.parametrize("rl", [0, 1])
def test_lr_then_sc_once(
    hart: ScratchHart, lr: Instruction, sc: Instruction, expected: int, rl: int
) -> None:
    hart.store(8, 0x1234_FFFF_FFFE, 8)
    assert hart.result(lr, 8, rl=rl) == expected
    assert hart.result(sc, 8, 77) == 0
    assert hart.load(8, 4) == 77
    assert hart.result(sc, 8, 78) == 1
    assert hart.load(8, 4) == 77
