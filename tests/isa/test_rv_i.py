"""RV64I: corner cases with known answers."""

from __future__ import annotations

from typing import Any

import pytest

from rvplat.isa import rv_i
from rvplat.isa.machinery.extension import Instruction
from tests.isa.conftest import PC, MisalignedTarget, ScratchHart

MIN, MAX, ONES = 1 << 63, (1 << 63) - 1, (1 << 64) - 1
MIN32 = 0xFFFF_FFFF_8000_0000  # -2**31 in a register


@pytest.mark.parametrize(
    ("row", "a", "b", "expected"),
    [
        (rv_i.add, ONES, 1, 0),
        (rv_i.add, MAX, 1, MIN),
        (rv_i.sub, 0, 1, ONES),
        (rv_i.sub, MIN, 1, MAX),
        (rv_i.slt, MIN, 0, 1),
        (rv_i.slt, 0, MIN, 0),
        (rv_i.slt, 5, 5, 0),
        (rv_i.sltu, MIN, 0, 0),
        (rv_i.sltu, 0, ONES, 1),
        (rv_i.and_, 0xF0F0, 0xFF00, 0xF000),
        (rv_i.or_, 0xF0F0, 0xFF00, 0xFFF0),
        (rv_i.xor, 0xF0F0, 0xFF00, 0x0FF0),
        (rv_i.sll, 1, 63, MIN),
        (rv_i.sll, 3, 64, 3),
        (rv_i.sll, 3, ONES, MIN),
        (rv_i.srl, MIN, 63, 1),
        (rv_i.srl, MIN, 64, MIN),
        (rv_i.sra, MIN, 63, ONES),
        (rv_i.sra, MAX, 62, 1),
        (rv_i.addw, 0x7FFF_FFFF, 1, MIN32),
        (rv_i.addw, 0xFFFF_FFFF, 1, 0),
        (rv_i.addw, 0x1_0000_0001, 0x5_0000_0001, 2),
        (rv_i.subw, MIN32, 1, 0x7FFF_FFFF),
        (rv_i.subw, 0, 1, ONES),
        (rv_i.sllw, 1, 31, MIN32),
        (rv_i.sllw, 1, 32, 1),
        (rv_i.sllw, 0xFFFF_FFFF_0000_0001, 4, 16),
        (rv_i.srlw, 0x1_8000_0000, 31, 1),
        (rv_i.srlw, 0x8000_0000, 32, MIN32),
        (rv_i.sraw, 0x1_8000_0000, 31, ONES),
        (rv_i.sraw, 0xFFFF_FFFF_7000_0000, 28, 7),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_register_register(
    hart: ScratchHart, row: Instruction, a: int, b: int, expected: int
) -> None:
    assert hart.result(row, a, b) == expected


@pytest.mark.parametrize(
    ("row", "a", "operand", "expected"),
    [
        (rv_i.addi, 0, -1, ONES),
        (rv_i.addi, ONES, 1, 0),
        (rv_i.slti, MIN, -1, 1),
        (rv_i.slti, ONES, -1, 0),
        (rv_i.sltiu, 5, -1, 1),
        (rv_i.sltiu, 0, 1, 1),
        (rv_i.sltiu, 1, 1, 0),
        (rv_i.andi, ONES, -2048, ONES - 2047),
        (rv_i.ori, 0, -1, ONES),
        (rv_i.xori, 5, -1, ONES - 5),
        (rv_i.addiw, 0x7FFF_FFFF, 1, MIN32),
        (rv_i.addiw, 0xFFFF_FFFF_8000_0000, -1, 0x7FFF_FFFF),
        (rv_i.addiw, 0x1234_5678_9ABC_DEF0, 0, 0xFFFF_FFFF_9ABC_DEF0),
        (rv_i.lui, 0, -0x8000_0000, MIN32),
        (rv_i.auipc, 0, -0x1000, PC - 0x1000),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_immediate(
    hart: ScratchHart, row: Instruction, a: int, operand: int, expected: int
) -> None:
    assert hart.result(row, a, imm=operand) == expected


@pytest.mark.parametrize(
    ("row", "a", "shamt", "expected"),
    [
        (rv_i.slli, 1, 63, MIN),
        (rv_i.srli, MIN, 63, 1),
        (rv_i.srai, MIN, 63, ONES),
        (rv_i.srai, MIN, 0, MIN),
        (rv_i.slliw, 3, 31, MIN32),
        (rv_i.srliw, 0xFFFF_FFFF_8000_0000, 0, MIN32),
        (rv_i.srliw, 0xFFFF_FFFF_8000_0000, 31, 1),
        (rv_i.sraiw, 0x0000_0001_8000_0000, 31, ONES),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_shift_by_immediate(
    hart: ScratchHart, row: Instruction, a: int, shamt: int, expected: int
) -> None:
    assert hart.result(row, a, shamt=shamt) == expected


def test_writing_x0_changes_nothing(hart: ScratchHart) -> None:
    hart.run(rv_i.addi, rd=0, rs1=0, imm=7)
    assert hart.x[0] == 0


def test_jal_links_and_goes_to_the_offset(hart: ScratchHart) -> None:
    hart.run(rv_i.jal, rd=1, imm=-0x800)
    assert (hart.x[1], hart.next_pc) == (PC + 4, PC - 0x800)


def test_jalr_clears_the_lowest_bit_and_may_overwrite_its_base(hart: ScratchHart) -> None:
    hart.x[1] = type(hart.pc)(0x2000)
    hart.run(rv_i.jalr, rd=1, rs1=1, imm=-1)
    assert (hart.x[1], hart.next_pc) == (PC + 4, 0x1FFE)


@pytest.mark.parametrize(
    ("row", "operands"), [(rv_i.jal, {"imm": 6}), (rv_i.jalr, {"rs1": 0, "imm": 6})]
)
def test_a_misaligned_target_leaves_the_link_alone(
    hart: ScratchHart, row: Instruction, operands: dict[str, Any]
) -> None:
    hart.ialign = 4
    with pytest.raises(MisalignedTarget):
        hart.run(row, rd=1, **operands)
    assert hart.x[1] == 0


@pytest.mark.parametrize("row", [rv_i.beq, rv_i.bge], ids=lambda row: row.name)
def test_a_taken_branch_checks_its_target(hart: ScratchHart, row: Instruction) -> None:
    hart.ialign = 4
    with pytest.raises(MisalignedTarget):
        hart.run(row, rs1=0, rs2=0, imm=6)


def test_a_branch_that_is_not_taken_does_not_check_its_target(hart: ScratchHart) -> None:
    hart.ialign = 4
    hart.run(rv_i.bne, rs1=0, rs2=0, imm=6)
    assert hart.next_pc == PC + 4


@pytest.mark.parametrize(
    ("row", "taken"),  # for (1, -1), (-1, 1), (3, 3)
    [
        (rv_i.beq, (False, False, True)),
        (rv_i.bne, (True, True, False)),
        (rv_i.blt, (False, True, False)),
        (rv_i.bge, (True, False, True)),
        (rv_i.bltu, (True, False, False)),
        (rv_i.bgeu, (False, True, True)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_branch(hart: ScratchHart, row: Instruction, taken: tuple[bool, ...]) -> None:
    for pair, goes in zip(((1, ONES), (ONES, 1), (3, 3)), taken, strict=True):
        hart.next_pc = hart.pc + 4
        hart.result(row, *pair, imm=64)
        assert hart.next_pc == (PC + 64 if goes else PC + 4)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (rv_i.lb, 0xFFFF_FFFF_FFFF_FF88), (rv_i.lbu, 0x88),
        (rv_i.lh, 0xFFFF_FFFF_FFFF_9988), (rv_i.lhu, 0x9988),
        (rv_i.lw, 0xFFFF_FFFF_BBAA_9988), (rv_i.lwu, 0xBBAA_9988),
        (rv_i.ld, 0xFFEE_DDCC_BBAA_9988),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_load_extends(hart: ScratchHart, row: Instruction, expected: int) -> None:
    hart.memory[8:16] = bytes.fromhex("8899aabbccddeeff")
    assert hart.result(row, 16, imm=-8) == expected


@pytest.mark.parametrize(
    ("row", "size"), [(rv_i.sb, 1), (rv_i.sh, 2), (rv_i.sw, 4), (rv_i.sd, 8)],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_store_writes_the_low_bytes_only(hart: ScratchHart, row: Instruction, size: int) -> None:
    hart.memory[:] = b"\xee" * len(hart.memory)
    hart.result(row, 16, 0x0807_0605_0403_0201, imm=-8)
    assert hart.memory[:24] == b"\xee" * 8 + bytes(range(1, size + 1)) + b"\xee" * (16 - size)
