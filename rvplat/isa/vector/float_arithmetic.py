"""Vector floating-point arithmetic, comparisons and moves (Unprivileged, "Vector Floating-Point
Instructions"). `a` is the element of vs2, `b` that of vs1 or of f[rs1], `d` the old one of vd."""

from rvplat.isa.fp_arithmetic import add, div, eq, fma, fmax, fmin, le, lt, mul, sign, sqrt, sub
from rvplat.isa.fp_state import DYN, make_dirty, writes_f
from rvplat.isa.rv_v import Zve32f
from rvplat.isa.vector.elements import (
    Width,
    element,
    float_scalar,
    group,
    splat_float,
    write_back,
)
from rvplat.isa.vector.float_forms import (
    float_comparison,
    float_fused,
    float_single,
    float_wide,
    float_widening,
    float_widening_fused,
    floating,
    number,
    prepare_float,
    require_float,
    unary,
    widened,
)
from rvplat.isa.vector.forms import carry_in, second_float
from rvplat.isa.vector.groups import NO_REGISTER
from rvplat.isa.vector.permutations import prepare_apart, slide_1_down, slide_1_up
from rvplat.isa.vector.state import begin_change, require_start_at_zero
from rvplat.lang import Definition, FixedBool, copy_memory, define, u64
from rvplat.lang.floating_point.conversions import classify

# "Vector Single-Width Floating-Point Add/Subtract Instructions"


@floating("000000", "fvv fvf", float_single)
def vfadd(hart, a: u64, b: u64, sew: Width) -> u64:
    return add(hart, number(a, sew), number(b, sew), sew, DYN)


@floating("000010", "fvv fvf", float_single)
def vfsub(hart, a: u64, b: u64, sew: Width) -> u64:
    return sub(hart, number(a, sew), number(b, sew), sew, DYN)


@floating("100111", "fvf", float_single)
def vfrsub(hart, a: u64, b: u64, sew: Width) -> u64:
    return sub(hart, number(b, sew), number(a, sew), sew, DYN)


# "Vector Widening Floating-Point Add/Subtract Instructions"


@floating("110000", "fvv fvf", float_widening)
def vfwadd(hart, a: u64, b: u64, sew: Width) -> u64:
    return add(hart, widened(hart, a, sew), widened(hart, b, sew), sew * 2, DYN)


@floating("110010", "fvv fvf", float_widening)
def vfwsub(hart, a: u64, b: u64, sew: Width) -> u64:
    return sub(hart, widened(hart, a, sew), widened(hart, b, sew), sew * 2, DYN)


@floating("110100", "fwv fwf", float_wide, name="vfwadd")
def vfwadd_w(hart, a: u64, b: u64, sew: Width) -> u64:
    return add(hart, number(a, sew * 2), widened(hart, b, sew), sew * 2, DYN)


@floating("110110", "fwv fwf", float_wide, name="vfwsub")
def vfwsub_w(hart, a: u64, b: u64, sew: Width) -> u64:
    return sub(hart, number(a, sew * 2), widened(hart, b, sew), sew * 2, DYN)


# "... Multiply/Divide Instructions", "Vector Widening Floating-Point Multiply"


@floating("100100", "fvv fvf", float_single)
def vfmul(hart, a: u64, b: u64, sew: Width) -> u64:
    return mul(hart, number(a, sew), number(b, sew), sew, DYN)


@floating("100000", "fvv fvf", float_single)
def vfdiv(hart, a: u64, b: u64, sew: Width) -> u64:
    return div(hart, number(a, sew), number(b, sew), sew, DYN)


@floating("100001", "fvf", float_single)
def vfrdiv(hart, a: u64, b: u64, sew: Width) -> u64:
    return div(hart, number(b, sew), number(a, sew), sew, DYN)


@floating("111000", "fvv fvf", float_widening)
def vfwmul(hart, a: u64, b: u64, sew: Width) -> u64:
    return mul(hart, widened(hart, a, sew), widened(hart, b, sew), sew * 2, DYN)


# "Vector Single-Width Floating-Point Fused Multiply-Add Instructions"


@define
def fused(
    hart, a: u64, b: u64, c: u64, negate_a: FixedBool, negate_c: FixedBool, sew: Width
) -> u64:
    """a * b + c."""
    first = number(a, sew)
    last = number(c, sew)
    return fma(hart, first, number(b, sew), last, negate_a, negate_c, sew, DYN)


@floating("101100", "fvv fvf", float_fused, swapped=True)
def vfmacc(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, a, d, False, False, sew)


@floating("101101", "fvv fvf", float_fused, swapped=True)
def vfnmacc(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, a, d, True, True, sew)


@floating("101110", "fvv fvf", float_fused, swapped=True)
def vfmsac(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, a, d, False, True, sew)


@floating("101111", "fvv fvf", float_fused, swapped=True)
def vfnmsac(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, a, d, True, False, sew)


@floating("101000", "fvv fvf", float_fused, swapped=True)
def vfmadd(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, d, a, False, False, sew)


@floating("101001", "fvv fvf", float_fused, swapped=True)
def vfnmadd(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, d, a, True, True, sew)


@floating("101010", "fvv fvf", float_fused, swapped=True)
def vfmsub(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, d, a, False, True, sew)


@floating("101011", "fvv fvf", float_fused, swapped=True)
def vfnmsub(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused(hart, b, d, a, True, False, sew)


# "Vector Widening Floating-Point Fused Multiply-Add Instructions"


@define
def fused_wide(
    hart, a: u64, b: u64, c: u64, negate_a: FixedBool, negate_c: FixedBool, sew: Width
) -> u64:
    """a * b + c, where c has 2*SEW bits."""
    first = widened(hart, a, sew)
    second = widened(hart, b, sew)
    return fma(hart, first, second, number(c, sew * 2), negate_a, negate_c, sew * 2, DYN)


@floating("111100", "fvv fvf", float_widening_fused, swapped=True)
def vfwmacc(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused_wide(hart, b, a, d, False, False, sew)


@floating("111101", "fvv fvf", float_widening_fused, swapped=True)
def vfwnmacc(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused_wide(hart, b, a, d, True, True, sew)


@floating("111110", "fvv fvf", float_widening_fused, swapped=True)
def vfwmsac(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused_wide(hart, b, a, d, False, True, sew)


@floating("111111", "fvv fvf", float_widening_fused, swapped=True)
def vfwnmsac(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fused_wide(hart, b, a, d, True, False, sew)


# "Vector Floating-Point Square-Root Instruction", "MIN/MAX", "Sign-Injection", "Classify"


@unary("010011 00000", "vfsqrt.v")
def vfsqrt(hart, a: u64, sew: Width) -> u64:
    return sqrt(hart, number(a, sew), sew, DYN)


@unary("010011 10000", "vfclass.v")
def vfclass(hart, a: u64, sew: Width) -> u64:
    """One bit for the class."""
    return u64(1) << classify(a, sew)


@floating("000100", "fvv fvf", float_single)
def vfmin(hart, a: u64, b: u64, sew: Width) -> u64:
    return fmin(hart, number(a, sew), number(b, sew), sew)


@floating("000110", "fvv fvf", float_single)
def vfmax(hart, a: u64, b: u64, sew: Width) -> u64:
    return fmax(hart, number(a, sew), number(b, sew), sew)


@floating("001000", "fvv fvf", float_single)
def vfsgnj(hart, a: u64, b: u64, sew: Width) -> u64:
    return a & ~sign(sew) | b & sign(sew)


@floating("001001", "fvv fvf", float_single)
def vfsgnjn(hart, a: u64, b: u64, sew: Width) -> u64:
    return a & ~sign(sew) | ~b & sign(sew)


@floating("001010", "fvv fvf", float_single)
def vfsgnjx(hart, a: u64, b: u64, sew: Width) -> u64:
    return a ^ b & sign(sew)


# "Vector Floating-Point Compare Instructions": feq is quiet, the others signal for any NaN.


@floating("011000", "fvv fvf", float_comparison)
def vmfeq(hart, a: u64, b: u64, sew: Width) -> bool:
    return eq(hart, number(a, sew), number(b, sew), sew)


@floating("011100", "fvv fvf", float_comparison)
def vmfne(hart, a: u64, b: u64, sew: Width) -> bool:
    return not eq(hart, number(a, sew), number(b, sew), sew)


@floating("011011", "fvv fvf", float_comparison)
def vmflt(hart, a: u64, b: u64, sew: Width) -> bool:
    return lt(hart, number(a, sew), number(b, sew), True, sew)


@floating("011001", "fvv fvf", float_comparison)
def vmfle(hart, a: u64, b: u64, sew: Width) -> bool:
    return le(hart, number(a, sew), number(b, sew), True, sew)


@floating("011101", "fvf", float_comparison)
def vmfgt(hart, a: u64, b: u64, sew: Width) -> bool:
    return lt(hart, number(b, sew), number(a, sew), True, sew)


@floating("011111", "fvf", float_comparison)
def vmfge(hart, a: u64, b: u64, sew: Width) -> bool:
    return le(hart, number(b, sew), number(a, sew), True, sew)


# "Vector Floating-Point Merge Instruction", "Vector Floating-Point Move Instruction"


@define
def merged(a: u64, b: u64, mask: u64, sew: Width) -> u64:
    return b if mask != 0 else a


merge = carry_in(merged, prepare_float, second_float)


@Zve32f.instruction("010111 0 vs2 rs1 101 vd 1010111", "vfmerge.vfm vd, vs2, frs1, v0")
def vfmerge_vfm(hart, vd, vs2, rs1):
    merge(hart, vd, vs2, NO_REGISTER, hart.f[rs1], 0)


@define(apart=True)
def copy_scalar(hart, vd: u64, value: u64):
    prepare_float(hart, vd, NO_REGISTER, NO_REGISTER, 1)
    copy_memory(group(hart, vd), splat_float(hart, value), hart.vl * hart.vsew >> 3)


@Zve32f.instruction("010111 1 00000 rs1 101 vd 1010111", "vfmv.v.f vd, frs1")
def vfmv_v_f(hart, vd, rs1):
    copy_scalar(hart, vd, hart.f[rs1])


# --- "Vector Floating-Point Permutation Instructions" -------------------------------------------


@define(apart=True)
def first_number(hart, vs2: u64) -> u64:
    """Element 0, as an f register holds it."""
    require_start_at_zero(hart)
    require_float(hart, hart.vsew)
    begin_change(hart)
    if not writes_f(hart):
        make_dirty(hart)
    at = group(hart, vs2)
    if hart.vsew == 16:
        return number(element(at, u64(0), 16), 16)
    if hart.vsew == 32:
        return number(element(at, u64(0), 32), 32)
    return element(at, u64(0), 64)


@Zve32f.instruction("010000 1 vs2 00000 001 rd 1010111", "vfmv.f.s frd, vs2")
def vfmv_f_s(hart, rd, vs2):
    """Also if vl is 0."""
    hart.f[rd] = first_number(hart, vs2)


@define(apart=True)
def set_first_number(hart, vd: u64, value: u64):
    """Nothing if vl is 0."""
    require_start_at_zero(hart)
    require_float(hart, hart.vsew)
    begin_change(hart)
    if hart.vl != 0:
        copy_memory(group(hart, vd), splat_float(hart, value), hart.vsew >> 3)


@Zve32f.instruction("010000 1 00000 rs1 101 vd 1010111", "vfmv.s.f vd, frs1")
def vfmv_s_f(hart, vd, rs1):
    set_first_number(hart, vd, hart.f[rs1])


@define(cold=True)
def prepare_slide_up(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    prepare_apart(hart, vd, vs2, vs1, vm)


def slide_1(prepare: Definition, compute: Definition) -> Definition:
    """A slide by one element, with a number as the new one."""

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, value: u64, vm: u64):
        prepare(hart, vd, vs2, NO_REGISTER, vm)
        compute(hart, group(hart, vs2), float_scalar(hart, value), group(hart, vd), vm)
        write_back(hart, vd, vm, hart.vsew)

    return apply


up, down = slide_1(prepare_slide_up, slide_1_up), slide_1(prepare_float, slide_1_down)


@Zve32f.instruction("001110 vm vs2 rs1 101 vd 1010111", "vfslide1up.vf vd, vs2, frs1{vm}")
def vfslide1up_vf(hart, vd, vs2, rs1, vm):
    up(hart, vd, vs2, hart.f[rs1], vm)


@Zve32f.instruction("001111 vm vs2 rs1 101 vd 1010111", "vfslide1down.vf vd, vs2, frs1{vm}")
def vfslide1down_vf(hart, vd, vs2, rs1, vm):
    down(hart, vd, vs2, hart.f[rs1], vm)
