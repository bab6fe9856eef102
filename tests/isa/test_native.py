"""Reference against native: every instruction of every extension, on generated operands."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from native_bench import BASE, CODE, DATA, FAULTS, SIZE, WFI, twin

from rvplat.engine.reference import decode
from rvplat.isa.disassemble import render
from rvplat.isa.extension import Row, enabled_rows
from rvplat.machine.catalogue import shipped_extensions

EXTENSIONS = list(shipped_extensions().values())
ROWS = enabled_rows(EXTENSIONS)
CSR_NUMBERS = sorted({csr.number for e in EXTENSIONS for csr in e.csrs})
ONES = (1 << 64) - 1
EDGES = [0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 255, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32]
CORNERS = [*EDGES, *(ONES - v for v in EDGES), (1 << 63) - 1, 1 << 63, 0x0123_4567_89AB_CDEF]
SINGLES = [
    0, 0x8000_0000, 1, 0x007F_FFFF, 0x0080_0000, 0x3F80_0000, 0xBF80_0000, 0x3F80_0001, 0x4000_0000,
    0x7F7F_FFFF, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001, 0xFFC0_1234, 0x4EFF_FFFF,
    0x4F00_0000, 0x4F80_0000, 0x5F00_0000, 0x5F80_0000, 0xCF00_0001, 0x3EFF_FFFF, 0x3F00_0000,
]  # fmt: skip
DOUBLES = [
    *(struct.unpack("<Q", struct.pack("<d", value))[0]
      for value in (0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, 2.0**31, -(2.0**31), 2.0**32, 2.0**63,
                    2.0**64, 1e300, 3.4028235e38, 1.1754943e-38, 1e-45, 5e-324, 2.2e-308,
                    float("inf"), float("-inf"), 0.1)),
    0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0xFFF8_0000_0000_1234, 0x7FEF_FFFF_FFFF_FFFF,
    0x000F_FFFF_FFFF_FFFF, 0x41DF_FFFF_FFFF_FFFF, 0x41EF_FFFF_FFFF_FFFF,
]  # fmt: skip
BOX = 0xFFFF_FFFF_0000_0000

words = st.one_of(st.sampled_from(CORNERS), st.integers(0, ONES))
floats = st.one_of(
    st.sampled_from([BOX | s for s in SINGLES]), st.sampled_from(DOUBLES), st.integers(0, ONES),
    st.integers(0, ONES).map(lambda v: BOX | v),
)  # fmt: skip
addresses = st.one_of(
    st.integers(0, 0x1FF0).map(lambda offset: DATA + offset),
    st.integers(0, 64).map(lambda offset: DATA + 8 * offset),
    st.integers(-16, 0).map(lambda offset: BASE + SIZE + offset),
    st.integers(0xFF8, 0x1000).map(lambda offset: DATA + offset),
    st.sampled_from([0, FAULTS, FAULTS + 1, ONES, ONES - 3, 1 << 55, 1 << 63]),
)
places = st.sampled_from([CODE + 0x800, CODE + 0x802, CODE + 0xFFC, CODE + 0xFFE])


def is_access(row: Row) -> bool:
    """Whether the row adds its immediate, if it has one, to x[rs1] for an address."""
    return "(rs1)" in row.syntax or "(sp)" in row.syntax


@st.composite
def instructions(draw: st.DrawFn, row: Row) -> int:
    """Bits of the row with any operands."""
    operands = sum(operand.mask for operand in row.pattern.operands.values())
    bits = row.pattern.match | draw(st.integers(0, 0xFFFF_FFFF)) & operands
    if "csr" in row.pattern.operands and draw(st.booleans()):
        csr = row.pattern.operands["csr"]
        bits = bits & ~csr.mask | csr.insert(draw(st.sampled_from(CSR_NUMBERS)))
    return bits


def set_registers(draw: st.DrawFn, row: Row, bits: int) -> None:
    """All registers random, the instruction's own from the corners."""
    hart = twin().hart
    chance = random.Random(draw(st.integers(0, 1 << 16)))
    for i in range(32):
        hart.x[i] = chance.getrandbits(64) if i else 0
        hart.f[i] = chance.choice([BOX | chance.choice(SINGLES), chance.choice(DOUBLES)])
    _, operands = decode(row, bits)
    for name in ("rs1", "rs2", "rs3"):
        number = operands.get(name, 0)
        hart.f[number] = draw(floats)
        if number:
            hart.x[number] = draw(words)
    base = operands.get("rs1", 0)
    if base and is_access(row):
        hart.x[base] = (draw(addresses) - operands.get("imm", 0)) & ONES
    elif base and row.syntax.startswith(("jalr", "c.j")):
        hart.x[base] = draw(st.one_of(places, words))


def set_mode(draw: st.DrawFn) -> None:
    """Any mode; floating point off, initial or dirty, any rounding."""
    hart = twin().hart
    hart.priv = draw(st.sampled_from([3, 3, 1, 0]))
    status = draw(st.integers(0, ONES)) & int(hart.mstatus_writable)
    fs = draw(st.sampled_from([3, 3, 3, 1, 0]))
    off = 0x6000 | 1 << 17 | 0xA  # FS, MPRV, MIE, SIE
    hart.mstatus = int(hart.mstatus) | status & ~off | fs << 13
    if (int(hart.mstatus) >> 11) & 3 == 2:
        hart.mstatus = int(hart.mstatus) & ~0x1800
    hart.frm = draw(st.sampled_from([0, 0, 1, 2, 3, 4, 5, 7]))
    hart.fflags = draw(st.sampled_from([0, 0x1F, 0x10]))
    hart.mepc, hart.sepc = CODE + 0x40, CODE + 0x80
    hart.mscratch = draw(words)
    twin().core.export("context_changed")(hart)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(
    max_examples=25, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(data=st.data())
def test_native_leaves_what_the_reference_leaves(row: Row, data: st.DataObject) -> None:
    bench = twin()
    bits = data.draw(instructions(row))
    if bench.reference.find(bits) is not row:
        event("another row's")
        return
    bench.begin()
    pc = data.draw(places)
    length = row.pattern.length
    after = b"".join(WFI.to_bytes(4, "little") for _ in range(4))
    bench.poke(pc, bits.to_bytes(length, "little") + after)
    bench.poke(DATA, random.Random(bits).randbytes(0x2000))
    data.draw(st.composite(lambda draw: set_registers(draw, row, bits))())
    data.draw(st.composite(lambda draw: set_mode(draw))())
    bench.hart.pc = pc
    assert bench.differences() == [], f"{render(row, bits)} ({bits:#x}) at {pc:#x}"
