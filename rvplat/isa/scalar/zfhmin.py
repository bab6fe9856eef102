"""Zfhmin, loads, stores, moves and conversions of halves (Unprivileged, "Zfhmin")."""

from rvplat.isa.fp_arithmetic import converted, register
from rvplat.isa.fp_state import make_dirty, reads_f, require_fp, writes_f
from rvplat.isa.machinery.vocabulary import load_u16, store_u16
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_fd import put
from rvplat.isa.rv_scalar import Zfhmin
from rvplat.lang import s16, u16, u64


@Zfhmin.instruction("imm[11:0] rs1 001 rd 0000111", "flh frd, imm(rs1)")
def flh(hart, rd, rs1, imm):
    """Load the bits unchanged, and box them."""
    if not writes_f(hart):
        require_fp(hart)
    value = load_u16(hart, hart.x[rs1] + imm)
    if not writes_f(hart):
        make_dirty(hart)
    hart.f[rd] = register(u64(value), 16)


@Zfhmin.instruction("imm[11:5] rs2 rs1 001 imm[4:0] 0100111", "fsh frs2, imm(rs1)")
def fsh(hart, rs1, rs2, imm):
    """Store the low 16 bits of the register unchanged."""
    if not reads_f(hart):
        require_fp(hart)
    store_u16(hart, hart.x[rs1] + imm, u16(hart.f[rs2]))


@Zfhmin.instruction("1110010 00000 rs1 000 rd 1010011", "fmv.x.h rd, frs1")
def fmv_x_h(hart, rd, rs1):
    """Move the low 16 bits unchanged, sign-extended."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(s16(hart.f[rs1]))


@Zfhmin.instruction("1111010 00000 rs1 000 rd 1010011", "fmv.h.x frd, rs1")
def fmv_h_x(hart, rd, rs1):
    put(hart, rd, u64(hart.x[rs1]), 16)


@Zfhmin.instruction("0100000 00010 rs1 rm rd 1010011", "fcvt.s.h frd, frs1, rm=rne")
def fcvt_s_h(hart, rd, rs1, rm):
    """Exact."""
    hart.f[rd] = converted(hart, hart.f[rs1], 16, 32, rm)


@Zfhmin.instruction("0100010 00000 rs1 rm rd 1010011", "fcvt.h.s frd, frs1, rm")
def fcvt_h_s(hart, rd, rs1, rm):
    hart.f[rd] = converted(hart, hart.f[rs1], 32, 16, rm)


@Zfhmin.instruction(
    "0100001 00010 rs1 rm rd 1010011", "fcvt.d.h frd, frs1, rm=rne", requires=("D",)
)
def fcvt_d_h(hart, rd, rs1, rm):
    """Exact."""
    hart.f[rd] = converted(hart, hart.f[rs1], 16, 64, rm)


@Zfhmin.instruction("0100010 00001 rs1 rm rd 1010011", "fcvt.h.d frd, frs1, rm", requires=("D",))
def fcvt_h_d(hart, rd, rs1, rm):
    hart.f[rd] = converted(hart, hart.f[rs1], 64, 16, rm)
