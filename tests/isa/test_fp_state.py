"""mstatus.FS, fcsr and the traps of floating point, natively and on the reference."""

from __future__ import annotations

from typing import Any

import pytest

from rvplat.isa import rv_fd, rv_scalar, rv_zfa, zicsr
from rvplat.isa.fp_state import F
from rvplat.isa.machinery.extension import Instruction
from tests.isa.fp_guest import (
    DONE,
    FS_CLEAN,
    FS_DIRTY,
    FS_INITIAL,
    INTEGER,
    RAM,
    FpGuest,
    guest_of,
    text_of,
    width_of,
)
from tests.isa.fp_oracle import BOX, BOXES, immediate
from tests.lang.floating_point.ieee import FORMATS

ILLEGAL = 2
FS = 3 << 13
EVERY = [*F.instructions, *rv_fd.D.instructions, *rv_zfa.Zfa.instructions]
ROUNDING = [row for row in EVERY if "rm" in row.pattern.operands]
NAMES: dict[str, Any] = {"ids": lambda row: row.name}
WRITES_F = [row for row in EVERY if " frd" in row.syntax]
INEXACT, EXACT = (0x3FD5_5555_5555_5555, 0x3FD0_0000_0000_0001), (0x3FF0 << 48, 0x4000 << 48)
csrrw, csrrs = zicsr.csrrw.pattern.encode, zicsr.csrrs.pattern.encode


@pytest.fixture(params=["native", "reference"])
def guest(request: pytest.FixtureRequest) -> FpGuest:
    return guest_of(request.param)


@pytest.fixture
def native() -> FpGuest:
    return guest_of("native")


def one(
    guest: FpGuest, bits: int, fs: int = FS_DIRTY, frm: int = 0, f1: int = 0, f2: int = 0
) -> bool:
    """Run one instruction; return False if it is illegal (mtval must hold its bits)."""
    guest.start([bits], fs, frm)
    guest.hart.f[1], guest.hart.f[2], guest.hart.x[INTEGER] = f1, f2, RAM + 0x8000
    guest.go(1)
    if int(guest.hart.pc) == RAM + 4:
        return True
    assert int(guest.hart.pc) == DONE
    assert (int(guest.hart.mcause), int(guest.hart.mtval)) == (ILLEGAL, bits)
    return False


@pytest.mark.parametrize("row", EVERY, **NAMES)
def test_with_fs_off_every_instruction_is_illegal(guest: FpGuest, row: Instruction) -> None:
    assert not one(guest, text_of(row, 0)[0], fs=0)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_with_fs_off_fcsr_is_illegal(guest: FpGuest, number: int) -> None:
    assert not one(guest, csrrs(rd=6, rs1=0, csr=number), fs=0)


@pytest.mark.parametrize("row", WRITES_F, **NAMES)
def test_writing_an_f_register_makes_the_state_dirty(guest: FpGuest, row: Instruction) -> None:
    for fs in (FS_INITIAL, FS_CLEAN):
        assert one(guest, text_of(row, 0)[0], fs=fs)
        assert int(guest.hart.mstatus) & FS == FS_DIRTY


@pytest.mark.parametrize("row", [row for row in EVERY if row not in WRITES_F], **NAMES)
def test_an_instruction_that_writes_nothing_leaves_the_state_clean(
    guest: FpGuest, row: Instruction
) -> None:
    numbers = (BOX | 0x3F80_0000, BOX | 0x4000_0000) if width_of(row) == 32 else EXACT
    assert one(guest, text_of(row, 0)[0], fs=FS_CLEAN, f1=numbers[0], f2=numbers[1])
    assert int(guest.hart.mstatus) & FS == FS_CLEAN


@pytest.mark.parametrize("row", [rv_fd.fcvt_w.d, rv_fd.fcvt_lu.d, rv_zfa.fcvtmod_w_d], **NAMES)
def test_a_flag_makes_the_state_dirty(guest: FpGuest, row: Instruction) -> None:
    assert one(guest, text_of(row, 1)[0], fs=FS_CLEAN, f1=INEXACT[0])
    assert int(guest.hart.mstatus) & FS == FS_DIRTY
    assert int(guest.hart.fflags) == 1


def test_a_comparison_with_a_nan_makes_the_state_dirty(guest: FpGuest) -> None:
    for row, dirty in ((rv_fd.flt.d, True), (rv_fd.feq.d, False), (rv_zfa.fltq.d, False)):
        assert one(guest, text_of(row, 0)[0], fs=FS_CLEAN, f1=FORMATS[64].nan)
        assert (int(guest.hart.mstatus) & FS == FS_DIRTY) == dirty


@pytest.mark.parametrize("number", [1, 2, 3])
def test_writing_fcsr_makes_the_state_dirty_and_reading_does_not(
    guest: FpGuest, number: int
) -> None:
    assert one(guest, csrrs(rd=6, rs1=0, csr=number), fs=FS_CLEAN)
    assert int(guest.hart.mstatus) & FS == FS_CLEAN
    assert one(guest, csrrw(rd=0, rs1=0, csr=number), fs=FS_CLEAN)
    assert int(guest.hart.mstatus) & FS == FS_DIRTY


@pytest.mark.parametrize("row", ROUNDING, **NAMES)
def test_reserved_rounding_modes_are_illegal(guest: FpGuest, row: Instruction) -> None:
    for rm in (5, 6):
        for fs in (FS_CLEAN, FS_DIRTY):
            assert not one(guest, text_of(row, rm)[0], fs=fs)
            assert int(guest.hart.mstatus) & FS == fs
    for frm in (5, 6, 7):
        assert not one(guest, text_of(row, 7)[0], frm=frm)
        assert one(guest, text_of(row, 0)[0], frm=frm)


@pytest.mark.parametrize("row", [row for row in EVERY if row not in ROUNDING], **NAMES)
def test_a_reserved_frm_is_legal_for_instructions_that_do_not_round(
    guest: FpGuest, row: Instruction
) -> None:
    assert one(guest, text_of(row, 0)[0], frm=6)


def test_fcsr_is_its_parts(guest: FpGuest) -> None:
    code = [csrrw(rd=0, rs1=1, csr=3), csrrs(rd=5, rs1=0, csr=1), csrrs(rd=6, rs1=0, csr=2)]
    code += [csrrs(rd=7, rs1=0, csr=3), csrrw(rd=8, rs1=2, csr=2), csrrw(rd=9, rs1=3, csr=1)]
    code += [csrrs(rd=10, rs1=0, csr=3)]
    guest.start(code, FS_INITIAL, 0)
    guest.hart.x[1], guest.hart.x[2], guest.hart.x[3] = 2**64 - 1 - (1 << 5), 0x1D, 0xFFE4
    guest.go(len(code))
    assert [int(guest.hart.x[n]) for n in range(5, 11)] == [0x1F, 6, 0xDF, 6, 0x1F, 0xA4]


def test_flags_accrue_until_they_are_cleared_and_rounding_follows_frm(guest: FpGuest) -> None:
    """1/3 in four modes, then an overflow; after fflags is cleared, only later flags are set."""
    third = rv_fd.fdiv.d.pattern.encode(rd=3, rs1=1, rs2=2, rm=7)
    square = rv_fd.fmul.d.pattern.encode(rd=5, rs1=4, rs2=4, rm=7)
    keep = rv_fd.fmv_x_d.pattern.encode
    code: list[int] = []
    for mode in range(5):
        code += [csrrw(rd=0, rs1=10 + mode, csr=2), third, keep(rd=20 + mode, rs1=3)]
    code += [square, csrrs(rd=6, rs1=0, csr=1), csrrw(rd=0, rs1=0, csr=1), third]
    code += [csrrs(rd=7, rs1=0, csr=1)]
    guest.start(code, FS_CLEAN, 0)
    for mode in range(5):
        guest.hart.x[10 + mode] = mode
    guest.hart.f[1], guest.hart.f[2], guest.hart.f[4] = 0x3FF0 << 48, 0x4008 << 48, 0x7FE0 << 48
    guest.go(len(code))
    down = 0x3FD5_5555_5555_5555
    assert [int(guest.hart.x[n]) - down for n in range(20, 25)] == [0, 0, 0, 1, 0]
    assert (int(guest.hart.x[6]), int(guest.hart.x[7])) == (5, 1)
    assert int(guest.hart.fflags) == 1


def test_flags_stay_with_the_hart_when_native_code_is_left(guest: FpGuest) -> None:
    bits = rv_fd.fdiv.d.pattern.encode(rd=3, rs1=1, rs2=2, rm=7)
    guest.start([bits, csrrs(rd=6, rs1=0, csr=1)], FS_DIRTY, 0)
    guest.hart.f[1], guest.hart.f[2] = 0x3FF0 << 48, 0x4008 << 48
    guest.go(1)
    assert int(guest.hart.fflags) == 1
    assert 1.0 / 3.0 == 0.333333333333333314829616256247  # the host has its unit back
    guest.go(1)
    assert int(guest.hart.x[6]) == 1


def test_the_host_keeps_its_rounding(native: FpGuest) -> None:
    native.start([csrrw(rd=0, rs1=1, csr=2)] * 2, FS_DIRTY, 0)
    native.hart.x[1] = 3
    native.go(1)
    assert 1.0 + 2.0**-53 == 1.0
    native.go(1)
    assert 1.0 + 2.0**-53 == 1.0


@pytest.mark.parametrize("index", range(32))
def test_load_immediate(guest: FpGuest, index: int) -> None:
    rows = {row.name: row for row in rv_scalar.Zfh.instructions}
    for row, width in ((rows["fli.h"], 16), (rv_zfa.fli.s, 32), (rv_zfa.fli.d, 64)):
        assert one(guest, row.pattern.encode(rd=4, rs1=index))
        assert int(guest.hart.f[4]) == immediate(index, width) | BOXES[width]


def test_halves_keep_every_bit(guest: FpGuest) -> None:
    """A signaling NaN survives a load, moves and a store (Zfhmin)."""
    rows = {row.name: row.pattern.encode for row in rv_scalar.Zfhmin.instructions}
    code = [
        rows["flh"](rd=4, rs1=1, imm=2), rows["fmv.x.h"](rd=2, rs1=4), rows["fmv.h.x"](rd=5, rs1=2),
        rows["fsh"](rs2=5, rs1=1, imm=-2),
    ]  # fmt: skip
    guest.start(code, FS_INITIAL, 0)
    guest.hart.x[1] = RAM + 0x8000
    guest.ram.view[0x7FF8:0x8008] = bytes(8) + (0xFD55_DEAD).to_bytes(8, "little")
    guest.go(len(code))
    assert int(guest.hart.f[4]) == int(guest.hart.f[5]) == BOXES[16] | 0xFD55
    assert int(guest.hart.x[2]) == (1 << 64) - 0x10000 | 0xFD55
    assert guest.ram.view[0x7FF8:0x8000] == bytes(6) + b"\x55\xfd"


def test_a_single_is_no_half(guest: FpGuest) -> None:
    """A single in an f register is the canonical NaN where a half is wanted; a half in it is a NaN
    where a single is wanted."""
    rows = {row.name: row.pattern.encode for row in rv_scalar.Zfh.instructions}
    guest.start([rows["fclass.h"](rd=2, rs1=4), rv_fd.fclass.s.pattern.encode(rd=3, rs1=5)],
                FS_INITIAL, 0)  # fmt: skip
    guest.hart.f[4], guest.hart.f[5] = BOX | 0x3C00, BOXES[16] | 0x3C00
    guest.go(2)
    assert (int(guest.hart.x[2]), int(guest.hart.x[3])) == (1 << 9, 1 << 9)


def test_loads_and_stores_keep_every_bit(guest: FpGuest) -> None:
    """A signaling NaN (single) and any doubleword survive a store and a load."""
    at = RAM + 0x8000
    code = [
        rv_fd.flw.pattern.encode(rd=4, rs1=1, imm=4), rv_fd.fld.pattern.encode(rd=5, rs1=1, imm=0),
        rv_fd.fsw.pattern.encode(rs2=4, rs1=1, imm=-8),
        rv_fd.fsd.pattern.encode(rs2=5, rs1=1, imm=8),
    ]  # fmt: skip
    guest.start(code, FS_INITIAL, 0)
    guest.hart.x[1] = at
    offset = at - RAM
    guest.ram.view[offset : offset + 8] = (0x7F80_0001_DEAD_BEEF).to_bytes(8, "little")
    guest.go(len(code))
    assert int(guest.hart.f[4]) == BOX | 0x7F80_0001
    assert int(guest.hart.f[5]) == 0x7F80_0001_DEAD_BEEF
    assert bytes(guest.ram.view[offset - 8 : offset - 4]) == (0x7F80_0001).to_bytes(4, "little")
    assert bytes(guest.ram.view[offset + 8 : offset + 16]) == bytes(
        guest.ram.view[offset : offset + 8]
    )


def test_a_device_in_python_rounds_as_python_does(guest: FpGuest) -> None:
    """Floating-point arithmetic of the device raises none of the guest's flags."""
    code = [csrrw(rd=0, rs1=1, csr=2), rv_fd.fld.pattern.encode(rd=4, rs1=2, imm=0)]
    guest.start(code, FS_DIRTY, 0)
    guest.hart.x[1], guest.hart.x[2] = 3, 0x1000
    guest.go(2)
    assert int(guest.hart.pc) == DONE
    assert guest.host_rounds == (1.0, 1.0 + 2.0**-52)
    assert int(guest.hart.fflags) == 0


def test_a_load_that_faults_leaves_the_state_clean(guest: FpGuest) -> None:
    guest.start([rv_fd.fld.pattern.encode(rd=4, rs1=2, imm=0)], FS_CLEAN, 0)
    guest.hart.x[2] = 0x1000
    guest.go(1)
    assert int(guest.hart.mcause) == 5
    assert int(guest.hart.mstatus) & FS == FS_CLEAN
