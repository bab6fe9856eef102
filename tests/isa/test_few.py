"""Extensions that few boards enable: what an ISA string gives, and which rows need more."""

from __future__ import annotations

import pytest

from rvplat.isa.machinery.disassemble import Disassembler
from tests.lockstep.program import extensions


@pytest.mark.parametrize(
    ("isa", "bits", "text"),
    [
        ("rv64i_zcb", 0x8000, "c.lbu s0, 0(s0)"),
        ("rv64i_zcb", 0x9C61, "c.zext.b s0"),
        ("rv64i_zcb", 0x9C75, "c.not s0"),
        ("rv64i_zcb", 0x9C41, ".2byte 0x9c41"),  # c.mul
        ("rv64i_zmmul_zcb", 0x9C41, "c.mul s0, s0"),
        ("rv64i_zcb", 0x9C65, ".2byte 0x9c65"),  # c.sext.b
        ("rv64i_zbb_zcb", 0x9C65, "c.sext.b s0"),
        ("rv64i_zcb", 0x9C69, ".2byte 0x9c69"),  # c.zext.h
        ("rv64i_zbb_zcb", 0x9C69, "c.zext.h s0"),
        ("rv32i_zbb_zcb", 0x9C69, "c.zext.h s0"),  # "c.zext.h": RV32 and RV64
        ("rv32i_zba_zcb", 0x9C71, ".2byte 0x9c71"),  # c.zext.w
        ("rv64i_zcb", 0x9C6D, ".2byte 0x9c6d"),  # c.sext.h
        ("rv64i_zbb_zcb", 0x9C6D, "c.sext.h s0"),
        ("rv64i_zbb_zcb", 0x9C71, ".2byte 0x9c71"),  # c.zext.w
        ("rv64i_zba_zcb", 0x9C71, "c.zext.w s0"),
        ("rv64ic", 0x8000, ".2byte 0x8000"),
        ("rv64ic", 0x6081, ".2byte 0x6081"),
        ("rv64i_zcmop", 0x6081, "c.mop.1"),
        ("rv64i_zcmop", 0x6101, ".2byte 0x6101"),  # c.addi16sp with 0
        ("rv64i_zcmop", 0x6881, ".2byte 0x6881"),  # n = 17
        ("rv64i_zimop", 0xCDF5_C573, "mop.r.31 a0, a1"),
        ("rv64i_zimop", 0x82C5_C573, "mop.rr.0 a0, a1, a2"),
    ],
)
def test_what_an_isa_string_gives(isa: str, bits: int, text: str) -> None:
    assert Disassembler(extensions(isa)).text(bits) == text
