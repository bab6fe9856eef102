"""Zfbfmin, conversions of bfloat16 (Unprivileged, "Zfbfmin"). It has Zfhmin's loads, stores and
moves of 16 bits."""

from rvplat.isa.fp_arithmetic import converted
from rvplat.isa.rv_scalar import Zfbfmin
from rvplat.isa.scalar import zfhmin
from rvplat.lang.floating_point.formats import BFLOAT16

Zfbfmin.share(zfhmin.flh, zfhmin.fsh, zfhmin.fmv_x_h, zfhmin.fmv_h_x)


@Zfbfmin.instruction("0100010 01000 rs1 rm rd 1010011", "fcvt.bf16.s frd, frs1, rm")
def fcvt_bf16_s(hart, rd, rs1, rm):
    hart.f[rd] = converted(hart, hart.f[rs1], 32, BFLOAT16, rm)


@Zfbfmin.instruction("0100000 00110 rs1 rm rd 1010011", "fcvt.s.bf16 frd, frs1, rm=rne")
def fcvt_s_bf16(hart, rd, rs1, rm):
    """Exact."""
    hart.f[rd] = converted(hart, hart.f[rs1], BFLOAT16, 32, rm)
