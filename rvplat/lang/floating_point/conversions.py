"""IEEE 754 conversions and comparisons in the definition language (see formats.py)."""

from __future__ import annotations

from rvplat.lang.define import define
from rvplat.lang.floating_point.formats import (
    NV,
    NX,
    bias,
    default_nan,
    infinity,
    is_infinite,
    is_nan,
    is_negative,
    is_signaling,
    is_zero,
    magnitude,
    nan_flags,
    nan_result,
    precision,
    round_pack,
    rounds_away,
    shift_right_jam,
    signed,
    unpack,
)
from rvplat.lang.intrinsics import clz
from rvplat.lang.types import s64, u64

HALF = 1 << 63  # half of what `split` cuts off

# --- integers -----------------------------------------------------------------------------------


@define
def split(exponent: s64, significand: u64) -> tuple[u64, u64]:
    """Integer part and fraction (in units of 2**-64, jammed) of a number less than 2**64."""
    if exponent >= 0:
        rest = u64(0) if exponent == 63 else significand << (exponent + 1)
        return significand >> (63 - exponent), rest
    return u64(0), shift_right_jam(significand, u64(-1 - exponent))


@define
def largest_integer(bits: u64, has_sign: bool) -> u64:
    """The largest integer of a type."""
    ones = ~u64(0)
    return ones >> (65 - bits) if has_sign else ones >> (64 - bits)


@define
def negate_if(negative: bool, value: u64) -> u64:
    """value or -value."""
    return -value if negative else value


@define
def to_integer(a: u64, fmt: u64, bits: u64, has_sign: bool, rm: u64) -> tuple[u64, u64]:
    """a as a 32- or 64-bit integer. If it doesn't fit, NV and the nearest integer that fits.

    A NaN is converted as +infinity. Negative results are sign-extended to 64 bits.
    """
    largest = largest_integer(bits, has_sign)
    if is_nan(a, fmt):
        return largest, u64(NV)
    negative = is_negative(a, fmt)
    limit = largest
    if negative:
        limit = largest + 1 if has_sign else u64(0)
    exponent, significand = unpack(a, fmt)
    if is_infinite(a, fmt) or exponent > 63:
        return negate_if(negative, limit), u64(NV)
    whole, rest = split(exponent, significand)
    if rounds_away(negative, (whole & 1) != 0, rest, u64(HALF), rm):
        whole = whole + 1
    if whole > limit:
        return negate_if(negative, limit), u64(NV)
    return negate_if(negative, whole), u64(NX) if rest != 0 else u64(0)


@define
def from_integer(value: u64, has_sign: bool, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """A 64-bit integer as a floating-point number."""
    if value == 0:
        return u64(0), u64(0)
    negative = has_sign and s64(value) < 0
    positive = negate_if(negative, value)
    zeros = clz(positive)
    return round_pack(negative, 63 - s64(zeros), positive << zeros, fmt, rm)


@define
def round_to_integral(a: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a rounded to an integer in the rounding mode, in a's format. Raises NX."""
    if is_nan(a, fmt):
        return nan_result(a, a, fmt)
    fraction_bits = s64(precision(fmt)) - 1
    exponent, significand = unpack(a, fmt)
    if is_infinite(a, fmt) or is_zero(a, fmt) or exponent >= fraction_bits:
        return a, u64(0)
    negative = is_negative(a, fmt)
    whole, rest = split(exponent, significand)
    away = rounds_away(negative, (whole & 1) != 0, rest, u64(HALF), rm)
    flags = u64(NX) if rest != 0 else u64(0)
    if exponent < 0:
        one = u64(bias(fmt)) << u64(fraction_bits)
        return signed(negative, one if away else u64(0), fmt), flags
    unit = u64(1) << (fraction_bits - exponent)
    result = a & ~(unit - 1)
    return result + unit if away else result, flags


# --- other formats ------------------------------------------------------------------------------


@define
def convert_format(a: u64, fmt: u64, to: u64, rm: u64) -> tuple[u64, u64]:
    """a in another format."""
    if is_nan(a, fmt):
        return default_nan(to), nan_flags(a, a, fmt)
    negative = is_negative(a, fmt)
    if is_infinite(a, fmt):
        return signed(negative, infinity(to), to), u64(0)
    if is_zero(a, fmt):
        return signed(negative, u64(0), to), u64(0)
    exponent, significand = unpack(a, fmt)
    return round_pack(negative, exponent, significand, to, rm)


# --- comparisons --------------------------------------------------------------------------------


@define
def compare_flags(a: u64, b: u64, fmt: u64, signals: bool) -> u64:
    """The flags of a comparison: NV for any NaN if it signals, else only for signaling NaNs."""
    if signals and (is_nan(a, fmt) or is_nan(b, fmt)):
        return u64(NV)
    return nan_flags(a, b, fmt)


@define
def is_equal(a: u64, b: u64, fmt: u64) -> bool:
    """a == b: false for NaNs, true for zeros of either sign."""
    if is_nan(a, fmt) or is_nan(b, fmt):
        return False
    return a == b or magnitude(a | b, fmt) == 0


@define
def order(a: u64, fmt: u64) -> s64:
    """A key with the order of the numbers, -0 before +0. Not for NaNs."""
    upper = s64(a << (64 - fmt))
    return upper ^ s64(u64(upper >> 63) >> 1)  # reverses the order of negative numbers


@define
def is_less(a: u64, b: u64, fmt: u64) -> bool:
    """a < b: false for NaNs and for zeros of either sign."""
    if is_nan(a, fmt) or is_nan(b, fmt) or magnitude(a | b, fmt) == 0:
        return False
    return order(a, fmt) < order(b, fmt)


@define
def minimum(a: u64, b: u64, fmt: u64) -> u64:
    """The smaller of two numbers, -0 before +0. Not for NaNs."""
    return a if order(a, fmt) < order(b, fmt) else b


@define
def maximum(a: u64, b: u64, fmt: u64) -> u64:
    """The larger of two numbers, +0 after -0. Not for NaNs."""
    return b if order(a, fmt) < order(b, fmt) else a


@define
def classify(a: u64, fmt: u64) -> u64:
    """The class: 0 -infinity, 1 -normal, 2 -subnormal, 3 -0, 4 +0, 5 +subnormal, 6 +normal,
    7 +infinity, 8 signaling NaN, 9 quiet NaN."""
    if is_nan(a, fmt):
        return u64(8) if is_signaling(a, fmt) else u64(9)
    size = u64(3)
    if is_zero(a, fmt):
        size = u64(0)
    elif magnitude(a, fmt) < (u64(1) << (precision(fmt) - 1)):
        size = u64(1)
    elif not is_infinite(a, fmt):
        size = u64(2)
    return 3 - size if is_negative(a, fmt) else 4 + size
