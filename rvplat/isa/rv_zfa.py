"""Zfa, additional floating-point instructions (Unprivileged, "Zfa").

fmvh.x.d and fmvp.d.x are of RV32 only.
"""

from rvplat.isa.fp_double import LARGEST_S32, MAGNITUDE, max_d, min_d
from rvplat.isa.fp_single import max_s, min_s
from rvplat.isa.fp_soft import begin, soft_le, soft_lt
from rvplat.isa.fp_state import (
    accrue,
    box,
    is_boxed,
    make_dirty,
    require_fp,
    rounding_mode,
    unbox,
    writes_f,
)
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_d import put_d
from rvplat.isa.rv_f import put_s
from rvplat.lang import define, s32, u32, u64
from rvplat.lang.fp import (
    f32_le_quiet,
    f32_lt_quiet,
    f64_le_quiet,
    f64_lt_quiet,
    f64_to_s64_towards_zero,
)
from rvplat.lang.softfloat_convert import round_to_integral, to_integer
from rvplat.lang.softfloat_format import (
    NV,
    NX,
    RTZ,
    bias,
    default_nan,
    infinity,
    is_nan,
    precision,
    sign_bit,
    unpack,
)

Zfa = Extension(
    "Zfa",
    version="1.0",
    standing="ratified",
    title="Additional floating-point instructions",
    requires=("F",),
)


# "Load-Immediate Instructions"


def _packed(first: int) -> int:
    """Eight of the table's entries, a byte each: 4 * (exponent + 16) + significand's upper bits."""
    table = [(0, 0), (0, 0), (-16, 0), (-15, 0), (-8, 0), (-7, 0), (-4, 0), (-3, 0)]
    table += [(e, s) for e in (-2, -1, 0) for s in (0, 1, 2, 3)] + [(1, 0), (1, 1), (1, 2)]
    table += [(e, 0) for e in (2, 3, 4, 7, 8, 15, 16, 0, 0)]
    entries = table[first : first + 8]
    return sum((4 * (e + 16) + s) << (8 * i) for i, (e, s) in enumerate(entries))


FLI_0, FLI_8, FLI_16, FLI_24 = (_packed(first) for first in (0, 8, 16, 24))
FLI_MINUS_ONE, FLI_LEAST, FLI_INFINITY, FLI_NAN = 0, 1, 30, 31


@define
def immediate(index: u64, fmt: u64) -> u64:
    """The constant with that number in table "Immediate values loaded by the FLI.S instruction"."""
    fraction_bits = precision(fmt) - 1
    if index == FLI_LEAST:
        return u64(1) << fraction_bits
    if index == FLI_INFINITY:
        return infinity(fmt)
    if index == FLI_NAN:
        return default_nan(fmt)
    lower = u64(FLI_0) if index < 8 else u64(FLI_8)
    upper = u64(FLI_16) if index < 24 else u64(FLI_24)
    entry = (lower if index < 16 else upper) >> (8 * (index & 7)) & 0xFF
    result = (u64(bias(fmt)) - 16 << fraction_bits) + (entry << (fraction_bits - 2))
    return result | sign_bit(fmt) if index == FLI_MINUS_ONE else result


@Zfa.instruction("1111000 00001 rs1 000 rd 1010011", "fli.s frd, fli")
def fli_s(hart, rd, rs1):
    put_s(hart, rd, immediate(rs1, 32))


@Zfa.instruction("1111001 00001 rs1 000 rd 1010011", "fli.d frd, fli", requires=("D",))
def fli_d(hart, rd, rs1):
    put_d(hart, rd, immediate(rs1, 64))


# "Minimum and Maximum Instructions"


@define
def no_number_s(hart, a: u64, b: u64) -> bool:
    """Whether a or b is a NaN, or not a single at all."""
    return is_nan(unbox(a), 32) or is_nan(unbox(b), 32)


@Zfa.instruction("0010100 rs2 rs1 010 rd 1010011", "fminm.s frd, frs1, frs2")
def fminm_s(hart, rd, rs1, rs2):
    """IEEE 754-2019 minimum: of a number and a NaN, the NaN."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    result = min_s(hart, a, b)
    hart.f[rd] = box(u32(default_nan(32))) if no_number_s(hart, a, b) else result


@Zfa.instruction("0010100 rs2 rs1 011 rd 1010011", "fmaxm.s frd, frs1, frs2")
def fmaxm_s(hart, rd, rs1, rs2):
    """IEEE 754-2019 maximum."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    result = max_s(hart, a, b)
    hart.f[rd] = box(u32(default_nan(32))) if no_number_s(hart, a, b) else result


@Zfa.instruction("0010101 rs2 rs1 010 rd 1010011", "fminm.d frd, frs1, frs2", requires=("D",))
def fminm_d(hart, rd, rs1, rs2):
    """IEEE 754-2019 minimum: of a number and a NaN, the NaN."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    result = min_d(hart, a, b)
    hart.f[rd] = default_nan(64) if is_nan(a, 64) or is_nan(b, 64) else result


@Zfa.instruction("0010101 rs2 rs1 011 rd 1010011", "fmaxm.d frd, frs1, frs2", requires=("D",))
def fmaxm_d(hart, rd, rs1, rs2):
    """IEEE 754-2019 maximum."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    result = max_d(hart, a, b)
    hart.f[rd] = default_nan(64) if is_nan(a, 64) or is_nan(b, 64) else result


# "Round-to-Integer Instructions"


@define
def round_fp(hart, a: u64, fmt: u64, rm: u64, kept: u64) -> u64:
    """a as an integral number; `kept` are the flags that the instruction raises."""
    if not writes_f(hart):
        require_fp(hart)
        rounding_mode(hart, rm)
        make_dirty(hart)
    result, flags = round_to_integral(a, fmt, rounding_mode(hart, rm))
    hart.fflags |= flags & kept
    return result


@Zfa.instruction("0100000 00100 rs1 rm rd 1010011", "fround.s frd, frs1, rm")
def fround_s(hart, rd, rs1, rm):
    hart.f[rd] = box(u32(round_fp(hart, unbox(hart.f[rs1]), 32, rm, u64(NV))))


@Zfa.instruction("0100000 00101 rs1 rm rd 1010011", "froundnx.s frd, frs1, rm")
def froundnx_s(hart, rd, rs1, rm):
    """Raises NX when the result differs."""
    hart.f[rd] = box(u32(round_fp(hart, unbox(hart.f[rs1]), 32, rm, u64(NV | NX))))


@Zfa.instruction("0100001 00100 rs1 rm rd 1010011", "fround.d frd, frs1, rm", requires=("D",))
def fround_d(hart, rd, rs1, rm):
    hart.f[rd] = round_fp(hart, hart.f[rs1], 64, rm, u64(NV))


@Zfa.instruction("0100001 00101 rs1 rm rd 1010011", "froundnx.d frd, frs1, rm", requires=("D",))
def froundnx_d(hart, rd, rs1, rm):
    """Raises NX when the result differs."""
    hart.f[rd] = round_fp(hart, hart.f[rs1], 64, rm, u64(NV | NX))


# "Modular Convert-to-Integer Instruction"


@define
def modular(a: u64) -> u64:
    """The integer part of a double, modulo 2**64; 0 for infinities and NaNs."""
    exponent, significand = unpack(a, 64)
    result = u64(0)
    if exponent >= 0 and exponent <= 63:
        result = significand >> (63 - exponent)
    elif exponent > 63 and exponent < 127:
        result = significand << (exponent - 63)
    return -result if a & sign_bit(64) != 0 else result


@define(cold=True)
def soft_modular(hart, a: u64) -> u64:
    """Raises what fcvt.w.d raises."""
    begin(hart, u64(RTZ))
    _, flags = to_integer(a, 64, 32, True, RTZ)
    accrue(hart, flags)
    return modular(a)


@Zfa.instruction(
    "1100001 01000 rs1 001 rd 1010011", "fcvtmod.w.d rd, frs1, rtz", requires=("D",)
)  # fmt: skip
def fcvtmod_w_d(hart, rd, rs1):
    """Towards zero, then the low 32 bits."""
    a = hart.f[rs1]
    if writes_f(hart) and (a & MAGNITUDE) <= LARGEST_S32:
        hart.x[rd] = ux(s32(f64_to_s64_towards_zero(a)))
    else:
        hart.x[rd] = ux(s32(soft_modular(hart, a)))


# "Comparison Instructions"


@define
def lt_quiet_s(hart, a: u64, b: u64) -> bool:
    if writes_f(hart) and is_boxed(a & b):
        return f32_lt_quiet(u32(a), u32(b))
    return soft_lt(hart, unbox(a), unbox(b), 32, False)


@define
def le_quiet_s(hart, a: u64, b: u64) -> bool:
    if writes_f(hart) and is_boxed(a & b):
        return f32_le_quiet(u32(a), u32(b))
    return soft_le(hart, unbox(a), unbox(b), 32, False)


@define
def lt_quiet_d(hart, a: u64, b: u64) -> bool:
    return f64_lt_quiet(a, b) if writes_f(hart) else soft_lt(hart, a, b, 64, False)


@define
def le_quiet_d(hart, a: u64, b: u64) -> bool:
    return f64_le_quiet(a, b) if writes_f(hart) else soft_le(hart, a, b, 64, False)


@Zfa.instruction("1010000 rs2 rs1 101 rd 1010011", "fltq.s rd, frs1, frs2")
def fltq_s(hart, rd, rs1, rs2):
    hart.x[rd] = ux(lt_quiet_s(hart, hart.f[rs1], hart.f[rs2]))


@Zfa.instruction("1010000 rs2 rs1 100 rd 1010011", "fleq.s rd, frs1, frs2")
def fleq_s(hart, rd, rs1, rs2):
    hart.x[rd] = ux(le_quiet_s(hart, hart.f[rs1], hart.f[rs2]))


@Zfa.instruction("1010001 rs2 rs1 101 rd 1010011", "fltq.d rd, frs1, frs2", requires=("D",))
def fltq_d(hart, rd, rs1, rs2):
    hart.x[rd] = ux(lt_quiet_d(hart, hart.f[rs1], hart.f[rs2]))


@Zfa.instruction("1010001 rs2 rs1 100 rd 1010011", "fleq.d rd, frs1, frs2", requires=("D",))
def fleq_d(hart, rd, rs1, rs2):
    hart.x[rd] = ux(le_quiet_d(hart, hart.f[rs1], hart.f[rs2]))
