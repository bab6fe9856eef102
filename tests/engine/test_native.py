"""Reference against native: every instruction of every extension, on generated operands."""

from __future__ import annotations

import ctypes
import dataclasses
import random
import struct

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rvplat.engine.reference import decode
from rvplat.isa.machinery.disassemble import render
from rvplat.isa.machinery.extension import Row, enabled_rows
from tests.engine.native_bench import (
    BASE,
    CODE,
    DATA,
    FAULTS,
    SIZE,
    WFI,
    Twin,
    scalar_extensions,
    twin,
)

EXTENSIONS = scalar_extensions()
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
BOX, BOX_H = 0xFFFF_FFFF_0000_0000, 0xFFFF_FFFF_FFFF_0000
HALVES = [
    0, 1, 0x3FF, 0x400, 0x401, 0x3800, 0x3BFF, 0x3C00, 0x3C01, 0x4000, 0x77FF, 0x7BFF, 0x7C00,
    0x7C01, 0x7DFF, 0x7E00, 0x7E01, 0x8000, 0xBC00, 0xFBFF, 0xFC00, 0xFD55, 0xFFFF,
]  # fmt: skip
MPP = 3 << 11
KEPT = 3 << 13 | 1 << 17 | 0xA  # FS is drawn by itself; MPRV, MIE and SIE stay clear

words = st.one_of(st.sampled_from(CORNERS), st.integers(0, ONES))
floats = st.one_of(
    st.sampled_from([BOX | s for s in SINGLES]), st.sampled_from(DOUBLES), st.integers(0, ONES),
    st.integers(0, ONES).map(lambda v: BOX | v),
    st.sampled_from([BOX_H | h for h in HALVES]), st.integers(0, ONES).map(lambda v: BOX_H | v),
)  # fmt: skip
addresses = st.one_of(
    st.integers(0, 0x1FF0).map(lambda offset: DATA + offset),
    st.integers(0, 64).map(lambda offset: DATA + 8 * offset),
    st.integers(-16, 0).map(lambda offset: BASE + SIZE + offset),
    st.integers(0xFF8, 0x1000).map(lambda offset: DATA + offset),
    st.sampled_from([0, FAULTS, FAULTS + 1, ONES, ONES - 3, 1 << 55, 1 << 63]),
)
places = st.sampled_from([CODE + 0x800, CODE + 0x802, CODE + 0xFFC, CODE + 0xFFE])


@dataclasses.dataclass(frozen=True)
class Case:
    """An instruction and the state that it meets."""

    text: str
    bits: int
    pc: int
    seed: int  # of the registers that the instruction doesn't name, and of memory
    x: dict[int, int]
    f: dict[int, int]
    priv: int
    mstatus: int
    frm: int
    fflags: int
    mscratch: int


@st.composite
def instructions(draw: st.DrawFn, row: Row) -> int:
    """Bits of the row with any operands."""
    operands = sum(operand.mask for operand in row.pattern.operands.values())
    bits = row.pattern.match | draw(st.integers(0, 0xFFFF_FFFF)) & operands
    if "csr" in row.pattern.operands and draw(st.booleans()):
        csr = row.pattern.operands["csr"]
        bits = bits & ~csr.mask | csr.insert(draw(st.sampled_from(CSR_NUMBERS)))
    return bits


def base_values(row: Row, offset: int) -> st.SearchStrategy[int]:
    """Values for x[rs1]: addresses where the row adds its offset to it, else anything. Jumps go
    nowhere or among the code: what runs from a page that was stored to fills the TLB otherwise."""
    if row.syntax.startswith(("jalr", "c.j")):
        return st.one_of(places, words)
    if "(rs1)" in row.syntax or "(sp)" in row.syntax:
        return addresses.map(lambda address: (address - offset) & ONES)
    return words


@st.composite
def cases(draw: st.DrawFn, row: Row) -> Case:
    """Cases with corner values in the registers that the instruction reads, in any mode with
    floating point off, initial or dirty."""
    bits = draw(instructions(row))
    _, operands = decode(row, bits)
    named = {name: operands[name] for name in ("rs1", "rs2", "rs3") if name in operands}
    x = {number: draw(words) for number in named.values() if number}
    if named.get("rs1"):
        x[named["rs1"]] = draw(base_values(row, operands.get("imm", 0)))
    return Case(
        text=render(row, bits), bits=bits, pc=draw(places), seed=draw(st.integers(0, 1 << 16)), x=x,
        f={number: draw(floats) for number in named.values()},
        priv=draw(st.sampled_from([3, 3, 1, 0])),
        mstatus=draw(st.integers(0, ONES)) & ~KEPT | draw(st.sampled_from([3, 3, 3, 1, 0])) << 13,
        frm=draw(st.sampled_from([0, 0, 1, 2, 3, 4, 5, 7])),
        fflags=draw(st.sampled_from([0, 0x1F, 0x10])), mscratch=draw(words),
    )  # fmt: skip


def arrange(bench: Twin, case: Case, length: int) -> None:
    """Put the state of a case into the hart and its memory."""
    bench.begin()
    after = WFI.to_bytes(4, "little") * 4
    bench.poke(case.pc, case.bits.to_bytes(length, "little") + after)
    chance = random.Random(case.seed)
    bench.poke(DATA, chance.randbytes(0x2000))
    hart = bench.hart
    for i in range(32):
        hart.x[i] = case.x.get(i, chance.getrandbits(64) if i else 0) & bench.mask
        boxed = BOX | chance.choice(SINGLES)
        hart.f[i] = case.f.get(i, chance.choice([boxed, chance.choice(DOUBLES)]))
    writable = int(hart.mstatus_writable) & (~MPP if case.mstatus >> 11 & 3 == 2 else ONES)
    hart.mstatus = int(hart.mstatus) | case.mstatus & writable
    hart.priv, hart.frm, hart.fflags = case.priv, case.frm, case.fflags
    hart.mepc, hart.sepc, hart.mscratch = CODE + 0x40, CODE + 0x80, case.mscratch
    hart.pc = case.pc
    bench.context_changed(hart)


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row.name for row in ROWS])
@settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_native_leaves_what_the_reference_leaves(number: int, data: st.DataObject) -> None:
    row = ROWS[number]
    case = data.draw(cases(row).filter(lambda case: twin().reference.find(case.bits) is row))
    arrange(twin(), case, row.pattern.length)
    assert twin().differences() == []


JUMPS = [
    number for number, row in enumerate(ROWS)
    if row.extension.name == "I" and (row.name.startswith("b") or row.name in ("jal", "jalr"))
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", JUMPS, ids=[ROWS[number].name for number in JUMPS])
@settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_the_same_where_targets_must_be_aligned(number: int, data: st.DataObject) -> None:
    case = data.draw(cases(ROWS[number]))
    arrange(twin(compressed=False), dataclasses.replace(case, pc=case.pc & ~3), 4)
    assert twin(compressed=False).differences() == []


def test_a_slow_handler_only_where_a_fast_one_gives_up() -> None:
    """A fast handler that never gives up also serves where the slow one is wanted."""
    handlers = twin().core.handlers
    for name in ("add.4", "mul.4", "auipc.4", "fence.4"):
        assert handlers[f"{name} slow"] == handlers[name], name
    for name in ("lw.4", "sd.4", "fadd.d.4", "csrrw.4"):
        assert handlers[f"{name} slow"] != handlers[name], name


@pytest.mark.parametrize("name", ["amocas.b", "amocas.h", "amocas.w", "amocas.d", "amocas.q"])
def test_compare_and_swap_that_finds_what_it_expects(name: str) -> None:
    bench = twin()
    row = next(row for row in ROWS if row.name == name)
    bits = row.pattern.encode(rd=10, rs1=9, rs2=12)
    case = Case("", bits, CODE + 0x800, 1, {9: DATA + 16}, {}, 3, 3 << 13, 0, 0, 0)
    arrange(bench, case, 4)
    found = ctypes.string_at(bench.ram.address + DATA + 16 - BASE, 16)
    bench.hart.x[10], bench.hart.x[11] = struct.unpack("<2Q", found)
    new = struct.pack("<2Q", bench.hart.x[12], bench.hart.x[13])
    assert bench.differences() == []
    size = {"b": 1, "h": 2, "w": 4, "d": 8, "q": 16}[name[-1]]
    after = ctypes.string_at(bench.ram.address + DATA + 16 - BASE, 16)
    assert after == new[:size] + found[size:]
