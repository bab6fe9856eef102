"""Reference against native on RV32: every instruction, with XLEN 32 from the same definitions."""

from __future__ import annotations

import functools

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rvplat.isa.machinery.extension import enabled_rows
from tests.engine.native_bench import Twin, scalar_extensions
from tests.engine.test_native import arrange, cases

EXTENSIONS = [one.of(32) for one in scalar_extensions() if 32 in one.widths]
ROWS = enabled_rows(EXTENSIONS)


@functools.cache
def twin() -> Twin:
    return Twin(EXTENSIONS, True)


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row.name for row in ROWS])
@settings(max_examples=8, deadline=None, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_leaves_what_the_reference_leaves(number: int, data: st.DataObject) -> None:
    row = ROWS[number]
    case = data.draw(cases(row).filter(lambda case: twin().reference.find(case.bits) is row))
    arrange(twin(), case, row.pattern.length)
    assert twin().differences() == []


def test_registers_stay_within_32_bits() -> None:
    """The high half of a register's cell is zero, so that tools read the cell as one number."""
    bench = twin()
    rows = {row.name: row for row in ROWS}
    bench.begin()
    hart = bench.hart
    code = (
        rows["addi"].pattern.encode(rd=1, rs1=0, imm=-1),
        rows["slli"].pattern.encode(rd=2, rs1=1, shamt=31),
        rows["mulhu"].pattern.encode(rd=3, rs1=1, rs2=1),
        rows["auipc"].pattern.encode(rd=4, imm=-4096),
        rows["sltu"].pattern.encode(rd=5, rs1=2, rs2=1),
        rows["srai"].pattern.encode(rd=6, rs1=2, shamt=31),
    )
    bench.poke(int(hart.pc), b"".join(bits.to_bytes(4, "little") for bits in code))
    start = int(hart.pc)
    assert bench.differences() == []
    assert [int(bench.native.plain.x[n]) for n in range(1, 7)] == [
        0xFFFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, start + 12 - 4096, 1, 0xFFFF_FFFF,
    ]  # fmt: skip
