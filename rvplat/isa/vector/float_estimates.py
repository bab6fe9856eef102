"""vfrec7 and vfrsqrt7 (Unprivileged, "Vector Floating-Point Reciprocal Estimate Instruction" and
"... Reciprocal Square-Root Estimate Instruction").

The manual has tables. An entry is what the middle of its interval gives, rounded to 7 bits.
"""

from rvplat.isa.fp_state import accrue
from rvplat.isa.vector.elements import Width
from rvplat.isa.vector.float_forms import unary
from rvplat.lang import clz, define, s64, u64
from rvplat.lang.floating_point.formats import (
    DZ,
    NV,
    NX,
    OF,
    RDN,
    RTZ,
    RUP,
    bias,
    default_nan,
    infinity,
    is_infinite,
    is_nan,
    is_negative,
    is_signaling,
    is_zero,
    magnitude,
    precision,
    signed,
)

ENTRY = 7  # bits


@define
def reciprocal_entry(index: u64) -> u64:
    """128 * (2 / x - 1), rounded, for x = 1 + (index + 1/2) / 128."""
    divisor = 257 + 2 * index
    return (131072 + divisor) // (2 * divisor) - 128


@define
def root_entry(odd: u64, index: u64) -> u64:
    """128 * (2 / sqrt(x) - 1), rounded, for x = 1 + (index + 1/2) / 64, doubled if the exponent is
    even: then its unbiased value is odd. The result is found bit by bit."""
    x = 129 + 2 * index << 1 - odd  # in units of 1 / 128
    found = u64(128)
    step = u64(64)
    while step != 0:
        middle = 2 * (found + step) - 1
        if middle * middle * x <= 1 << 25:
            found += step
        step >>= 1
    return found - 128


@define
def exponent_of(a: u64, fmt: u64) -> s64:
    """The normalized input exponent: that of a subnormal number is 0 - its leading zeros."""
    size = magnitude(a, fmt)
    stored = size >> (precision(fmt) - 1)
    return s64(stored) if stored != 0 else s64(65 - precision(fmt)) - s64(clz(size))


@define
def significand_of(a: u64, fmt: u64) -> u64:
    """The normalized input significand, without the leading one."""
    bits = precision(fmt) - 1
    size = magnitude(a, fmt)
    exponent = exponent_of(a, fmt)
    if exponent <= 0:
        size <<= u64(1 - exponent)
    return size & ((u64(1) << bits) - 1)


@define
def root_estimate(a: u64, fmt: u64) -> u64:
    """Of a positive number."""
    bits = precision(fmt) - 1
    exponent = exponent_of(a, fmt)
    entry = root_entry(u64(exponent & 1), significand_of(a, fmt) >> (bits - 6))
    return u64(3 * bias(fmt) - 1 - exponent >> 1) << bits | entry << (bits - ENTRY)


@define
def nan_estimate(hart, a: u64, fmt: u64) -> u64:
    if is_signaling(a, fmt):
        accrue(hart, u64(NV))
    return default_nan(fmt)


@define(cold=True)
def inverse_root(hart, a: u64, fmt: u64) -> u64:
    """The table of inputs and outputs."""
    if is_nan(a, fmt):
        return nan_estimate(hart, a, fmt)
    if is_zero(a, fmt):
        accrue(hart, u64(DZ))
        return signed(is_negative(a, fmt), infinity(fmt), fmt)
    if is_negative(a, fmt):
        accrue(hart, u64(NV))
        return default_nan(fmt)
    return u64(0) if is_infinite(a, fmt) else root_estimate(a, fmt)


@define
def overflowed(hart, negative: bool, fmt: u64) -> u64:
    """1/x is too large: infinity, or the largest number if frm rounds towards zero."""
    accrue(hart, u64(NX | OF))
    towards_zero = hart.frm == RTZ or hart.frm == (u64(RUP) if negative else u64(RDN))
    return signed(negative, infinity(fmt) - 1 if towards_zero else infinity(fmt), fmt)


@define(cold=True)
def inverse(hart, a: u64, fmt: u64) -> u64:
    """The table of inputs and outputs."""
    negative = is_negative(a, fmt)
    if is_nan(a, fmt):
        return nan_estimate(hart, a, fmt)
    if is_infinite(a, fmt):
        return signed(negative, u64(0), fmt)
    if is_zero(a, fmt):
        accrue(hart, u64(DZ))
        return signed(negative, infinity(fmt), fmt)
    bits = precision(fmt) - 1
    if exponent_of(a, fmt) < -1:
        return overflowed(hart, negative, fmt)
    exponent = 2 * bias(fmt) - 1 - exponent_of(a, fmt)
    entry = reciprocal_entry(significand_of(a, fmt) >> (bits - ENTRY)) << (bits - ENTRY)
    if exponent <= 0:  # the result is subnormal
        return signed(negative, (u64(1) << bits | entry) >> u64(1 - exponent), fmt)
    return signed(negative, u64(exponent) << bits | entry, fmt)


@unary("010011 00100", "vfrsqrt7.v")
def vfrsqrt7(hart, a: u64, sew: Width) -> u64:
    return inverse_root(hart, a, sew)


@unary("010011 00101", "vfrec7.v")
def vfrec7(hart, a: u64, sew: Width) -> u64:
    return inverse(hart, a, sew)
