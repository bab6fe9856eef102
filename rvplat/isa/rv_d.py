"""D, double-precision floating-point (Unprivileged, "D"). Its arithmetic is in fp_double.py."""

from rvplat.isa.fp_double import (
    MAGNITUDE,
    SIGN,
    add_d,
    div_d,
    double_to_single,
    eq_d,
    fma_d,
    from_integer_d,
    from_unsigned_d,
    le_d,
    lt_d,
    max_d,
    min_d,
    mul_d,
    single_to_double,
    sqrt_d,
    sub_d,
    to_long_d,
    to_unsigned_long_d,
    to_unsigned_word_d,
    to_word_d,
)
from rvplat.isa.fp_state import (
    make_dirty,
    reads_f,
    require_fp,
    writes_f,
)
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import load_u64, store_u64
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, s32, s64, u32, u64
from rvplat.lang.softfloat_convert import classify

D = Extension(
    "D",
    version="2.2",
    standing="ratified",
    title="Double-precision floating-point",
    requires=("F",),
)


# "Double-Precision Load and Store Instructions"


@D.instruction("imm[11:0] rs1 011 rd 0000111", "fld frd, imm(rs1)")
def fld(hart, rd, rs1, imm):
    """The bits as they are."""
    if not writes_f(hart):
        require_fp(hart)
    value = load_u64(hart, hart.x[rs1] + imm)
    if not writes_f(hart):
        make_dirty(hart)
    hart.f[rd] = value


@D.instruction("imm[11:5] rs2 rs1 011 imm[4:0] 0100111", "fsd frs2, imm(rs1)")
def fsd(hart, rs1, rs2, imm):
    """The register as it is."""
    if not reads_f(hart):
        require_fp(hart)
    store_u64(hart, hart.x[rs1] + imm, hart.f[rs2])


# "Double-Precision Floating-Point Computational Instructions"


@D.instruction("0000001 rs2 rs1 rm rd 1010011", "fadd.d frd, frs1, frs2, rm")
def fadd_d(hart, rd, rs1, rs2, rm):
    hart.f[rd] = add_d(hart, hart.f[rs1], hart.f[rs2], rm)


@D.instruction("0000101 rs2 rs1 rm rd 1010011", "fsub.d frd, frs1, frs2, rm")
def fsub_d(hart, rd, rs1, rs2, rm):
    hart.f[rd] = sub_d(hart, hart.f[rs1], hart.f[rs2], rm)


@D.instruction("0001001 rs2 rs1 rm rd 1010011", "fmul.d frd, frs1, frs2, rm")
def fmul_d(hart, rd, rs1, rs2, rm):
    hart.f[rd] = mul_d(hart, hart.f[rs1], hart.f[rs2], rm)


@D.instruction("0001101 rs2 rs1 rm rd 1010011", "fdiv.d frd, frs1, frs2, rm")
def fdiv_d(hart, rd, rs1, rs2, rm):
    hart.f[rd] = div_d(hart, hart.f[rs1], hart.f[rs2], rm)


@D.instruction("0101101 00000 rs1 rm rd 1010011", "fsqrt.d frd, frs1, rm")
def fsqrt_d(hart, rd, rs1, rm):
    hart.f[rd] = sqrt_d(hart, hart.f[rs1], rm)


@D.instruction("0010101 rs2 rs1 000 rd 1010011", "fmin.d frd, frs1, frs2")
def fmin_d(hart, rd, rs1, rs2):
    """minimumNumber: -0 before +0, a number rather than a NaN."""
    hart.f[rd] = min_d(hart, hart.f[rs1], hart.f[rs2])


@D.instruction("0010101 rs2 rs1 001 rd 1010011", "fmax.d frd, frs1, frs2")
def fmax_d(hart, rd, rs1, rs2):
    """maximumNumber: +0 after -0, a number rather than a NaN."""
    hart.f[rd] = max_d(hart, hart.f[rs1], hart.f[rs2])


@D.instruction("rs3 01 rs2 rs1 rm rd 1000011", "fmadd.d frd, frs1, frs2, frs3, rm")
def fmadd_d(hart, rd, rs1, rs2, rs3, rm):
    """(rs1 * rs2) + rs3."""
    hart.f[rd] = fma_d(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(0), u64(0), rm)


@D.instruction("rs3 01 rs2 rs1 rm rd 1000111", "fmsub.d frd, frs1, frs2, frs3, rm")
def fmsub_d(hart, rd, rs1, rs2, rs3, rm):
    """(rs1 * rs2) - rs3."""
    hart.f[rd] = fma_d(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(0), u64(SIGN), rm)


@D.instruction("rs3 01 rs2 rs1 rm rd 1001011", "fnmsub.d frd, frs1, frs2, frs3, rm")
def fnmsub_d(hart, rd, rs1, rs2, rs3, rm):
    """-(rs1 * rs2) + rs3."""
    hart.f[rd] = fma_d(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(SIGN), u64(0), rm)


@D.instruction("rs3 01 rs2 rs1 rm rd 1001111", "fnmadd.d frd, frs1, frs2, frs3, rm")
def fnmadd_d(hart, rd, rs1, rs2, rs3, rm):
    """-(rs1 * rs2) - rs3."""
    hart.f[rd] = fma_d(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], u64(SIGN), u64(SIGN), rm)


# "Double-Precision Floating-Point Conversion and Move Instructions"


@D.instruction("1100001 00000 rs1 rm rd 1010011", "fcvt.w.d rd, frs1, rm")
def fcvt_w_d(hart, rd, rs1, rm):
    hart.x[rd] = ux(to_word_d(hart, hart.f[rs1], rm))


@D.instruction("1100001 00001 rs1 rm rd 1010011", "fcvt.wu.d rd, frs1, rm")
def fcvt_wu_d(hart, rd, rs1, rm):
    """Sign-extended though unsigned."""
    hart.x[rd] = ux(s32(to_unsigned_word_d(hart, hart.f[rs1], rm)))


@D.instruction("1100001 00010 rs1 rm rd 1010011", "fcvt.l.d rd, frs1, rm", xlen=64)
def fcvt_l_d(hart, rd, rs1, rm):
    hart.x[rd] = to_long_d(hart, hart.f[rs1], rm)


@D.instruction("1100001 00011 rs1 rm rd 1010011", "fcvt.lu.d rd, frs1, rm", xlen=64)
def fcvt_lu_d(hart, rd, rs1, rm):
    hart.x[rd] = to_unsigned_long_d(hart, hart.f[rs1], rm)


@D.instruction("1101001 00000 rs1 rm rd 1010011", "fcvt.d.w frd, rs1, rm=rne")
def fcvt_d_w(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_d(hart, s64(s32(hart.x[rs1])), rm)


@D.instruction("1101001 00001 rs1 rm rd 1010011", "fcvt.d.wu frd, rs1, rm=rne")
def fcvt_d_wu(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_d(hart, s64(u32(hart.x[rs1])), rm)


@D.instruction("1101001 00010 rs1 rm rd 1010011", "fcvt.d.l frd, rs1, rm", xlen=64)
def fcvt_d_l(hart, rd, rs1, rm):
    hart.f[rd] = from_integer_d(hart, s64(hart.x[rs1]), rm)


@D.instruction("1101001 00011 rs1 rm rd 1010011", "fcvt.d.lu frd, rs1, rm", xlen=64)
def fcvt_d_lu(hart, rd, rs1, rm):
    hart.f[rd] = from_unsigned_d(hart, hart.x[rs1], rm)


@D.instruction("0100000 00001 rs1 rm rd 1010011", "fcvt.s.d frd, frs1, rm")
def fcvt_s_d(hart, rd, rs1, rm):
    hart.f[rd] = double_to_single(hart, hart.f[rs1], rm)


@D.instruction("0100001 00000 rs1 rm rd 1010011", "fcvt.d.s frd, frs1, rm=rne")
def fcvt_d_s(hart, rd, rs1, rm):
    """Exact."""
    hart.f[rd] = single_to_double(hart, hart.f[rs1], rm)


@define
def put_d(hart, rd: u64, value: u64):
    """Write a number that no rounding made."""
    if not writes_f(hart):
        require_fp(hart)
        make_dirty(hart)
    hart.f[rd] = value


@D.instruction("0010001 rs2 rs1 000 rd 1010011", "fsgnj.d frd, frs1, frs2")
def fsgnj_d(hart, rd, rs1, rs2):
    """rs1 with the sign of rs2: fmv.d."""
    put_d(hart, rd, hart.f[rs1] & MAGNITUDE | hart.f[rs2] & SIGN)


@D.instruction("0010001 rs2 rs1 001 rd 1010011", "fsgnjn.d frd, frs1, frs2")
def fsgnjn_d(hart, rd, rs1, rs2):
    """rs1 with the opposite of rs2's sign: fneg.d."""
    put_d(hart, rd, hart.f[rs1] & MAGNITUDE | ~hart.f[rs2] & SIGN)


@D.instruction("0010001 rs2 rs1 010 rd 1010011", "fsgnjx.d frd, frs1, frs2")
def fsgnjx_d(hart, rd, rs1, rs2):
    """rs1 with the product of both signs: fabs.d."""
    put_d(hart, rd, hart.f[rs1] ^ hart.f[rs2] & SIGN)


@D.instruction("1110001 00000 rs1 000 rd 1010011", "fmv.x.d rd, frs1", xlen=64)
def fmv_x_d(hart, rd, rs1):
    """The register as it is."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = hart.f[rs1]


@D.instruction("1111001 00000 rs1 000 rd 1010011", "fmv.d.x frd, rs1", xlen=64)
def fmv_d_x(hart, rd, rs1):
    put_d(hart, rd, hart.x[rs1])


# "Double-Precision Floating-Point Compare Instructions"


@D.instruction("1010001 rs2 rs1 010 rd 1010011", "feq.d rd, frs1, frs2")
def feq_d(hart, rd, rs1, rs2):
    """Quiet: only a signaling NaN raises NV."""
    hart.x[rd] = ux(eq_d(hart, hart.f[rs1], hart.f[rs2]))


@D.instruction("1010001 rs2 rs1 001 rd 1010011", "flt.d rd, frs1, frs2")
def flt_d(hart, rd, rs1, rs2):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(lt_d(hart, hart.f[rs1], hart.f[rs2]))


@D.instruction("1010001 rs2 rs1 000 rd 1010011", "fle.d rd, frs1, frs2")
def fle_d(hart, rd, rs1, rs2):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(le_d(hart, hart.f[rs1], hart.f[rs2]))


# "Double-Precision Floating-Point Classify Instruction"


@D.instruction("1110001 00000 rs1 001 rd 1010011", "fclass.d rd, frs1")
def fclass_d(hart, rd, rs1):
    """One bit for the class."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(1) << classify(hart.f[rs1], 64)
