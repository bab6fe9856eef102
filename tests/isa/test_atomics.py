"""Zacas and Zabha: what is found and what is stored."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.rv_scalar import Zabha, Zacas
from rvplat.isa.scalar import zabha, zacas
from rvplat.lang import u64
from tests.isa.conftest import ScratchHart
from tests.isa.test_rv_a import OPERATIONS
from tests.lockstep.program import extensions

ONES = (1 << 64) - 1
ROWS = {row.name: row for one in (Zacas, Zabha) for row in one.instructions}
Cell = ctypes.Array[ctypes.c_uint64]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """Sixteen aligned bytes of the host's memory, to which every address refers."""
    room = (ctypes.c_uint64 * 3)()
    start = ctypes.addressof(room) + 15 & ~15
    for module in (zacas, zabha):
        monkeypatch.setattr(module, "amo_address", lambda hart, va, size: u64(start))
    yield (ctypes.c_uint64 * 2).from_address(start)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(("letter", "bits"), [("b", 8), ("h", 16)])
def test_an_amo_on_a_narrow_cell(
    hart: ScratchHart, cell: Cell, name: str, letter: str, bits: int
) -> None:
    """The words of OPERATIONS with the same bits at the top."""
    old, operand, new = (value >> 24 & 0xFE if value > 15 else value for value in OPERATIONS[name])
    if name in ("add", "and", "or", "xor"):
        old, operand = 0x8F, 0x92
        new = {"add": 0x121, "and": 0x82, "or": 0x9F, "xor": 0x1D}[name]
    shift, mask = bits - 8, (1 << bits) - 1
    old, operand, new = old << shift & mask, operand << shift & mask, new << shift & mask
    cell[0] = 0xABCD_ABCD_ABCD_0000 & ~mask | old
    found = old | ONES & ~mask if old >> bits - 1 else old
    assert hart.result(ROWS[f"amo{name}.{letter}"], 0, 0x5555_0000 & ~mask | operand) == found
    assert cell[0] == 0xABCD_ABCD_ABCD_0000 & ~mask | new


@pytest.mark.parametrize(("letter", "bits"), [("b", 8), ("h", 16), ("w", 32), ("d", 64)])
@pytest.mark.parametrize("equal", [True, False])
def test_compare_and_swap(
    hart: ScratchHart, cell: Cell, letter: str, bits: int, equal: bool
) -> None:
    mask = (1 << bits) - 1
    cell[0] = 0x9988_7766_D544_B3A2
    old = cell[0] & mask
    hart.x[3] = u64((old if equal else old ^ 1) | (0x1234 << 48 & ~mask))
    found = hart.result(ROWS[f"amocas.{letter}"], 0, 0x0102_0304_0506_0708)
    assert found == old | ONES & ~mask
    new = 0x0102_0304_0506_0708 & mask | cell[0] & ~mask
    assert (cell[0] == new) == equal
    assert cell[0] in (new, 0x9988_7766_D544_B3A2)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_quadword(hart: ScratchHart, cell: Cell, wrong: int) -> None:
    cell[0], cell[1] = 5, 6
    hart.x[4], hart.x[5] = u64(5 + (wrong == 1)), u64(6 + (wrong == 2))
    hart.x[6], hart.x[7] = u64(7), u64(8)
    hart.run(ROWS["amocas.q"], rd=4, rs1=1, rs2=6)
    assert (hart.x[4], hart.x[5]) == (5, 6)
    assert (cell[0], cell[1]) == ((5, 6) if wrong else (7, 8))


def test_x0_is_a_pair_of_zeros(hart: ScratchHart, cell: Cell) -> None:
    """As the expected value, as the new one; x1 is neither read nor written (Zacas)."""
    hart.x[1] = u64(77)
    cell[0] = cell[1] = 0
    hart.x[6], hart.x[7] = u64(7), u64(8)
    hart.run(ROWS["amocas.q"], rd=0, rs1=2, rs2=6)
    assert (cell[0], cell[1], hart.x[0], hart.x[1]) == (7, 8, 0, 77)
    hart.x[4], hart.x[5] = u64(7), u64(8)
    hart.run(ROWS["amocas.q"], rd=4, rs1=2, rs2=0)
    assert (cell[0], cell[1], hart.x[4], hart.x[5]) == (0, 0, 7, 8)


@pytest.mark.parametrize("name", ["amocas.w", "amocas.d", "amocas.b"])
def test_x0_expects_zero(hart: ScratchHart, cell: Cell, name: str) -> None:
    """What was written to x0 before doesn't count."""
    cell[0] = 9
    hart.run(ROWS[name], rd=0, rs1=1, rs2=2)
    hart.x[2] = u64(3)
    cell[0] = 0
    hart.run(ROWS[name], rd=0, rs1=1, rs2=2)
    assert (cell[0], hart.x[0]) == (3, 0)


@pytest.mark.parametrize(
    ("isa", "bits", "text"),
    [
        ("rv64i_zacas", 0x28C5_A52F, "amocas.w a0, a2, (a1)"),
        ("rv64i_zacas", 0x28C5_C52F, "amocas.q a0, a2, (a1)"),
        ("rv64i_zacas", 0x28D5_C52F, ".4byte 0x28d5c52f"),  # rs2 is odd
        ("rv64i_zacas", 0x28C5_C5AF, ".4byte 0x28c5c5af"),  # rd is odd
        ("rv64i_zacas", 0x28C5_852F, ".4byte 0x28c5852f"),
        ("rv64i_zabha", 0x28C5_852F, ".4byte 0x28c5852f"),  # amocas.b needs both
        ("rv64i_zabha_zacas", 0x28C5_852F, "amocas.b a0, a2, (a1)"),
        ("rv64i_zabha", 0x00C5_952F, "amoadd.h a0, a2, (a1)"),
        ("rv64ia", 0x00C5_952F, ".4byte 0x00c5952f"),
    ],
)
def test_what_an_isa_string_gives(isa: str, bits: int, text: str) -> None:
    assert Disassembler(extensions(isa)).text(bits) == text
