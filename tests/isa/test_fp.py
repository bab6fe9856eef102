"""F, D, Zfh and Zfa as a guest sees them: on the host's unit, in software, on the reference."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rvplat.isa import rv_fd, rv_scalar, rv_zfa
from rvplat.isa.fp_state import F
from rvplat.isa.machinery.extension import Instruction
from tests.isa.fp_guest import FpGuest, guest_of, width_of
from tests.isa.fp_oracle import BOX, BOXES, expected
from tests.lang.floating_point.patterns import corners, some_numbers

LOADS = ("flw", "fsw", "fld", "fsd", "flh", "fsh", "fli.h", "fli.s", "fli.d")
ROWS = [
    row
    for extension in (F, rv_fd.D, rv_zfa.Zfa, rv_scalar.Zfhmin, rv_scalar.Zfh, rv_scalar.Zfbfmin)
    for row in extension.instructions
    if row.name not in LOADS and row.extension is extension
]
ROUNDING = [row for row in ROWS if "rm" in row.pattern.operands]
FIXED = [row for row in ROWS if row not in ROUNDING]
NAMES: dict[str, Any] = {"ids": lambda row: row.name}


@pytest.fixture
def native() -> FpGuest:
    return guest_of("native")


@pytest.fixture
def reference() -> FpGuest:
    return guest_of("reference")


def some_integer(chance: random.Random) -> int:
    return chance.getrandbits(64) >> chance.randrange(64) ^ chance.choice((0, 2**64 - 1))


def operands(row: Instruction, count: int, seed: object) -> list[tuple[int, ...]]:
    """Operands for an instruction, with a few narrow numbers that aren't NaN-boxed."""
    chance = random.Random(f"{row.name} {seed}")
    width = width_of(row)
    if width == 0:
        return [(some_integer(chance), 0, 0) for _ in range(count)]
    made: list[tuple[int, ...]] = []
    for _ in range(count):
        values: tuple[int, ...] = some_numbers(chance, width)
        if width != 64:
            spoiled, box = chance.randrange(40), BOXES[width]
            values = tuple(v | (box if i != spoiled else box // 2) for i, v in enumerate(values))
        made.append(values)
    return made


def check(guest: FpGuest, row: Instruction, rows: list[tuple[int, ...]], rm: int, frm: int) -> None:
    """Check that the guest's results equal the oracle's."""
    mode = frm if rm == 7 else rm
    made = guest.run(row, rows, rm, frm)
    for values, (result, flags) in zip(rows, made, strict=True):
        wanted = expected(row.name, values, mode)
        shown = f"{row.name} {[hex(v) for v in values]} rm {rm} frm {frm}"
        assert f"{shown}: {result:#x} {flags:#x}" == f"{shown}: {wanted[0]:#x} {wanted[1]:#x}"


@pytest.mark.parametrize("frm", range(5))
@pytest.mark.parametrize("row", ROUNDING, **NAMES)
def test_dynamic_rounding_natively(native: FpGuest, row: Instruction, frm: int) -> None:
    check(native, row, operands(row, 150, frm), 7, frm)


@pytest.mark.parametrize("rm", range(5))
@pytest.mark.parametrize("row", ROUNDING, **NAMES)
def test_static_rounding_natively(native: FpGuest, row: Instruction, rm: int) -> None:
    for frm in range(5):
        check(native, row, operands(row, 25, (rm, frm)), rm, frm)


@pytest.mark.parametrize("row", FIXED, **NAMES)
def test_instructions_that_do_not_round_natively(native: FpGuest, row: Instruction) -> None:
    for frm in (0, 1, 4, 7):
        check(native, row, operands(row, 150, frm), 0, frm)


@pytest.mark.parametrize("row", ROWS, **NAMES)
def test_the_reference(reference: FpGuest, row: Instruction) -> None:
    if row in FIXED:
        check(reference, row, operands(row, 12, "reference"), 0, 2)
        return
    for rm, frm in ((7, 0), (7, 3), (7, 4), (1, 0), (2, 3)):
        check(reference, row, operands(row, 5, (rm, frm)), rm, frm)


@pytest.mark.parametrize(
    "row", [rv_fd.fmadd.d, rv_fd.fadd.s, rv_fd.fcvt_s_d, rv_fd.fmin.s], **NAMES
)
def test_every_pair_of_corners_natively(native: FpGuest, row: Instruction) -> None:
    """A third operand is drawn from the corners. A few singles aren't NaN-boxed."""
    width = width_of(row)
    chance = random.Random(row.name)
    some = chance.sample(corners(width), 60)
    lift = BOX if width == 32 else 0
    rows: list[tuple[int, ...]] = [
        (a | lift, b | lift, chance.choice(some) | lift) for a in some for b in some
    ]
    check(native, row, rows, 7 if row in ROUNDING else 0, 0)
