"""F, single-precision floating-point (Unprivileged, "F").

fcsr stands in fp_state.py, what the arithmetic does in fp_single.py.
"""

from rvplat.isa.fp_single import (
    MAGNITUDE,
    SIGN,
    add_s,
    div_s,
    eq_s,
    fma_s,
    from_integer_s,
    from_unsigned_s,
    le_s,
    lt_s,
    max_s,
    min_s,
    mul_s,
    sqrt_s,
    sub_s,
    to_long_s,
    to_unsigned_long_s,
    to_unsigned_word_s,
    to_word_s,
)
from rvplat.isa.fp_state import (
    BOX,
    F,
    box,
    make_dirty,
    reads_f,
    require_fp,
    unbox,
    writes_f,
)
from rvplat.isa.machinery.vocabulary import load_u32, store_u32
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, s32, s64, u32, u64
from rvplat.lang.softfloat_convert import classify

# "Single-Precision Load and Store Instructions"


@F.instruction("imm[11:0] rs1 010 rd 0000111", "flw frd, imm(rs1)")
def flw(hart, rd, rs1, imm):
    """The bits as they are, boxed."""
    if not writes_f(hart):
        require_fp(hart)
    value = load_u32(hart, hart.x[rs1] + imm)
    if not writes_f(hart):
        make_dirty(hart)
    hart.f[rd] = box(value)


@F.instruction("imm[11:5] rs2 rs1 010 imm[4:0] 0100111", "fsw frs2, imm(rs1)")
def fsw(hart, rs1, rs2, imm):
    """The low half of the register as it is."""
    if not reads_f(hart):
        require_fp(hart)
    store_u32(hart, hart.x[rs1] + imm, u32(hart.f[rs2]))


# "Single-Precision Floating-Point Computational Instructions"


@F.instruction("0000000 rs2 rs1 rm rd 1010011", "fadd.s frd, frs1, frs2, rm")
def fadd_s(hart, rd, rs1, rs2, rm):
    hart.f[rd] = add_s(hart, hart.f[rs1], hart.f[rs2], rm)


@F.instruction("0000100 rs2 rs1 rm rd 1010011", "fsub.s frd, frs1, frs2, rm")
def fsub_s(hart, rd, rs1, rs2, rm):
    hart.f[rd] = sub_s(hart, hart.f[rs1], hart.f[rs2], rm)


@F.instruction("0001000 rs2 rs1 rm rd 1010011", "fmul.s frd, frs1, frs2, rm")
def fmul_s(hart, rd, rs1, rs2, rm):
    hart.f[rd] = mul_s(hart, hart.f[rs1], hart.f[rs2], rm)


@F.instruction("0001100 rs2 rs1 rm rd 1010011", "fdiv.s frd, frs1, frs2, rm")
def fdiv_s(hart, rd, rs1, rs2, rm):
    hart.f[rd] = div_s(hart, hart.f[rs1], hart.f[rs2], rm)


@F.instruction("0101100 00000 rs1 rm rd 1010011", "fsqrt.s frd, frs1, rm")
def fsqrt_s(hart, rd, rs1, rm):
    hart.f[rd] = sqrt_s(hart, hart.f[rs1], rm)


@F.instruction("0010100 rs2 rs1 000 rd 1010011", "fmin.s frd, frs1, frs2")
def fmin_s(hart, rd, rs1, rs2):
    """minimumNumber: -0 before +0, a number rather than a NaN."""
    hart.f[rd] = min_s(hart, hart.f[rs1], hart.f[rs2])


@F.instruction("0010100 rs2 rs1 001 rd 1010011", "fmax.s frd, frs1, frs2")
def fmax_s(hart, rd, rs1, rs2):
    """maximumNumber: +0 after -0, a number rather than a NaN."""
    hart.f[rd] = max_s(hart, hart.f[rs1], hart.f[rs2])


@F.instruction("rs3 00 rs2 rs1 rm rd 1000011", "fmadd.s frd, frs1, frs2, frs3, rm")
def fmadd_s(hart, rd, rs1, rs2, rs3, rm):
    """(rs1 * rs2) + rs3."""
    hart.f[rd] = fma_s(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(0), u64(0), rm)


@F.instruction("rs3 00 rs2 rs1 rm rd 1000111", "fmsub.s frd, frs1, frs2, frs3, rm")
def fmsub_s(hart, rd, rs1, rs2, rs3, rm):
    """(rs1 * rs2) - rs3."""
    hart.f[rd] = fma_s(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(0), u64(SIGN), rm)


@F.instruction("rs3 00 rs2 rs1 rm rd 1001011", "fnmsub.s frd, frs1, frs2, frs3, rm")
def fnmsub_s(hart, rd, rs1, rs2, rs3, rm):
    """-(rs1 * rs2) + rs3."""
    hart.f[rd] = fma_s(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(SIGN), u64(0), rm)


@F.instruction("rs3 00 rs2 rs1 rm rd 1001111", "fnmadd.s frd, frs1, frs2, frs3, rm")
def fnmadd_s(hart, rd, rs1, rs2, rs3, rm):
    """-(rs1 * rs2) - rs3."""
    hart.f[rd] = fma_s(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(SIGN), u64(SIGN), rm)


# "Single-Precision Floating-Point Conversion and Move Instructions"


@F.instruction("1100000 00000 rs1 rm rd 1010011", "fcvt.w.s rd, frs1, rm")
def fcvt_w_s(hart, rd, rs1, rm):
    hart.x[rd] = ux(to_word_s(hart, hart.f[rs1], rm))


@F.instruction("1100000 00001 rs1 rm rd 1010011", "fcvt.wu.s rd, frs1, rm")
def fcvt_wu_s(hart, rd, rs1, rm):
    """Sign-extended though unsigned."""
    hart.x[rd] = ux(s32(to_unsigned_word_s(hart, hart.f[rs1], rm)))


@F.instruction("1100000 00010 rs1 rm rd 1010011", "fcvt.l.s rd, frs1, rm", xlen=64)
def fcvt_l_s(hart, rd, rs1, rm):
    hart.x[rd] = to_long_s(hart, hart.f[rs1], rm)


@F.instruction("1100000 00011 rs1 rm rd 1010011", "fcvt.lu.s rd, frs1, rm", xlen=64)
def fcvt_lu_s(hart, rd, rs1, rm):
    hart.x[rd] = to_unsigned_long_s(hart, hart.f[rs1], rm)


@F.instruction("1101000 00000 rs1 rm rd 1010011", "fcvt.s.w frd, rs1, rm")
def fcvt_s_w(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_s(hart, s64(s32(hart.x[rs1])), rm)


@F.instruction("1101000 00001 rs1 rm rd 1010011", "fcvt.s.wu frd, rs1, rm")
def fcvt_s_wu(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_s(hart, s64(u32(hart.x[rs1])), rm)


@F.instruction("1101000 00010 rs1 rm rd 1010011", "fcvt.s.l frd, rs1, rm", xlen=64)
def fcvt_s_l(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_s(hart, s64(hart.x[rs1]), rm)


@F.instruction("1101000 00011 rs1 rm rd 1010011", "fcvt.s.lu frd, rs1, rm", xlen=64)
def fcvt_s_lu(hart, rd, rs1, rm):
    hart.f[rd] = from_unsigned_s(hart, hart.x[rs1], rm)


@define
def put_s(hart, rd: u64, value: u64):
    """Write a single that no rounding made."""
    if not writes_f(hart):
        require_fp(hart)
        make_dirty(hart)
    hart.f[rd] = value | BOX


@F.instruction("0010000 rs2 rs1 000 rd 1010011", "fsgnj.s frd, frs1, frs2")
def fsgnj_s(hart, rd, rs1, rs2):
    """rs1 with the sign of rs2: fmv.s."""
    put_s(hart, rd, unbox(hart.f[rs1]) & MAGNITUDE | unbox(hart.f[rs2]) & SIGN)


@F.instruction("0010000 rs2 rs1 001 rd 1010011", "fsgnjn.s frd, frs1, frs2")
def fsgnjn_s(hart, rd, rs1, rs2):
    """rs1 with the opposite of rs2's sign: fneg.s."""
    put_s(hart, rd, unbox(hart.f[rs1]) & MAGNITUDE | ~unbox(hart.f[rs2]) & SIGN)


@F.instruction("0010000 rs2 rs1 010 rd 1010011", "fsgnjx.s frd, frs1, frs2")
def fsgnjx_s(hart, rd, rs1, rs2):
    """rs1 with the product of both signs: fabs.s."""
    put_s(hart, rd, unbox(hart.f[rs1]) ^ unbox(hart.f[rs2]) & SIGN)


@F.instruction("1110000 00000 rs1 000 rd 1010011", "fmv.x.w rd, frs1")
def fmv_x_w(hart, rd, rs1):
    """The low half as it is, sign-extended."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(s32(hart.f[rs1]))


@F.instruction("1111000 00000 rs1 000 rd 1010011", "fmv.w.x frd, rs1")
def fmv_w_x(hart, rd, rs1):
    put_s(hart, rd, hart.x[rs1])


# "Single-Precision Floating-Point Compare Instructions"


@F.instruction("1010000 rs2 rs1 010 rd 1010011", "feq.s rd, frs1, frs2")
def feq_s(hart, rd, rs1, rs2):
    """Quiet: only a signaling NaN raises NV."""
    hart.x[rd] = ux(eq_s(hart, hart.f[rs1], hart.f[rs2]))


@F.instruction("1010000 rs2 rs1 001 rd 1010011", "flt.s rd, frs1, frs2")
def flt_s(hart, rd, rs1, rs2):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(lt_s(hart, hart.f[rs1], hart.f[rs2]))


@F.instruction("1010000 rs2 rs1 000 rd 1010011", "fle.s rd, frs1, frs2")
def fle_s(hart, rd, rs1, rs2):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(le_s(hart, hart.f[rs1], hart.f[rs2]))


# "Single-Precision Floating-Point Classify Instruction"


@F.instruction("1110000 00000 rs1 001 rd 1010011", "fclass.s rd, frs1")
def fclass_s(hart, rd, rs1):
    """One bit for the class."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(1) << classify(unbox(hart.f[rs1]), 32)
