"""Zfa, additional floating-point instructions (Unprivileged, "Zfa").

fmvh.x.d and fmvp.d.x exist on RV32 only.
"""

from rvplat.isa.fp_arithmetic import (
    LARGEST_S32,
    fmax,
    fmin,
    le,
    lt,
    number,
    register,
    unsigned,
)
from rvplat.isa.fp_soft import begin
from rvplat.isa.fp_state import (
    accrue,
    make_dirty,
    reads_f,
    require_fp,
    rounding_mode,
    writes_f,
)
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.register_pairs import joined
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_fd import put, scalar
from rvplat.lang import define, s32, u64
from rvplat.lang.floating_point.conversions import round_to_integral, to_integer
from rvplat.lang.floating_point.formats import (
    NV,
    NX,
    RTZ,
    Format,
    bias,
    default_nan,
    infinity,
    is_nan,
    precision,
    sign_bit,
    unpack,
)
from rvplat.lang.floating_point.host_unit import fp_to_s64_towards_zero

Zfa = Extension(
    "Zfa",
    version="1.0",
    standing="ratified",
    title="Additional floating-point instructions",
    requires=("F",),
)
BOTH = (Zfa, Zfa)


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
    if fmt == 16 and (index == 2 or index == 3):  # 2**-16 and 2**-15 are subnormal
        return u64(0x40) << index
    lower = u64(FLI_0) if index < 8 else u64(FLI_8)
    upper = u64(FLI_16) if index < 24 else u64(FLI_24)
    entry = (lower if index < 16 else upper) >> (8 * (index & 7)) & 0xFF
    result = (u64(bias(fmt)) - 16 << fraction_bits) + (entry << (fraction_bits - 2))
    return result | sign_bit(fmt) if index == FLI_MINUS_ONE else result


@scalar("11110ff 00001 rs1 000 rd 1010011", "fli.ff frd, fli", BOTH)
def fli(hart, rd, rs1, fmt: Format):
    put(hart, rd, immediate(rs1, fmt), fmt)


# "Minimum and Maximum Instructions"


@define
def nan_or(hart, a: u64, b: u64, result: u64, fmt: Format) -> u64:
    """The result, or a NaN if a or b is a NaN or isn't boxed."""
    if is_nan(number(a, fmt), fmt) or is_nan(number(b, fmt), fmt):
        return register(default_nan(fmt), fmt)
    return result


@scalar("00101ff rs2 rs1 010 rd 1010011", "fminm.ff frd, frs1, frs2", BOTH)
def fminm(hart, rd, rs1, rs2, fmt: Format):
    """IEEE 754-2019 minimum: of a number and a NaN, the NaN."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    hart.f[rd] = nan_or(hart, a, b, fmin(hart, a, b, fmt), fmt)


@scalar("00101ff rs2 rs1 011 rd 1010011", "fmaxm.ff frd, frs1, frs2", BOTH)
def fmaxm(hart, rd, rs1, rs2, fmt: Format):
    """IEEE 754-2019 maximum."""
    a = hart.f[rs1]
    b = hart.f[rs2]
    hart.f[rd] = nan_or(hart, a, b, fmax(hart, a, b, fmt), fmt)


# "Round-to-Integer Instructions"


@define
def round_fp(hart, a: u64, fmt: u64, rm: u64, kept: u64) -> u64:
    """Round a to an integral number. `kept` are the flags that the instruction may raise."""
    if not writes_f(hart):
        require_fp(hart)
        rounding_mode(hart, rm)
        make_dirty(hart)
    result, flags = round_to_integral(a, fmt, rounding_mode(hart, rm))
    hart.fflags |= flags & kept
    return result


@scalar("01000ff 00100 rs1 rm rd 1010011", "fround.ff frd, frs1, rm", BOTH)
def fround(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = register(round_fp(hart, number(hart.f[rs1], fmt), fmt, rm, u64(NV)), fmt)


@scalar("01000ff 00101 rs1 rm rd 1010011", "froundnx.ff frd, frs1, rm", BOTH)
def froundnx(hart, rd, rs1, rm, fmt: Format):
    """Raises NX when the result differs."""
    hart.f[rd] = register(round_fp(hart, number(hart.f[rs1], fmt), fmt, rm, u64(NV | NX)), fmt)


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
    """The same, with the flags of fcvt.w.d."""
    begin(hart, u64(RTZ))
    _, flags = to_integer(a, 64, 32, True, RTZ)
    accrue(hart, flags)
    return modular(a)


@Zfa.instruction(
    "1100001 01000 rs1 001 rd 1010011", "fcvtmod.w.d rd, frs1, rtz", requires=("D",)
)  # fmt: skip
def fcvtmod_w_d(hart, rd, rs1):
    """Round towards zero, then take the low 32 bits."""
    a = hart.f[rs1]
    if writes_f(hart) and unsigned(a, 64) <= LARGEST_S32:
        hart.x[rd] = ux(s32(fp_to_s64_towards_zero(a, 64)))
    else:
        hart.x[rd] = ux(s32(soft_modular(hart, a)))


# "Move Instructions"


@Zfa.instruction(
    "1110001 00001 rs1 000 rd 1010011", "fmvh.x.d rd, frs1", name="fmvh.x.d", requires=("D",),
    xlen=32,
)  # fmt: skip
def fmvh_x_d(hart, rd, rs1):
    """The high half of a double, unchanged."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(hart.f[rs1] >> 32)


@Zfa.instruction(
    "1011001 rs2 rs1 000 rd 1010011", "fmvp.d.x frd, rs1, rs2", name="fmvp.d.x", requires=("D",),
    xlen=32,
)  # fmt: skip
def fmvp_d_x(hart, rd, rs1, rs2):
    """A double from its halves, the low one in rs1."""
    put(hart, rd, joined(hart.x[rs1], hart.x[rs2]), 64)


# "Comparison Instructions"


@scalar("10100ff rs2 rs1 101 rd 1010011", "fltq.ff rd, frs1, frs2", BOTH)
def fltq(hart, rd, rs1, rs2, fmt: Format):
    hart.x[rd] = ux(lt(hart, hart.f[rs1], hart.f[rs2], False, fmt))


@scalar("10100ff rs2 rs1 100 rd 1010011", "fleq.ff rd, frs1, frs2", BOTH)
def fleq(hart, rd, rs1, rs2, fmt: Format):
    hart.x[rd] = ux(le(hart, hart.f[rs1], hart.f[rs2], False, fmt))
