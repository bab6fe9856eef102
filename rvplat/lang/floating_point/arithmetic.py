"""IEEE 754 binary arithmetic, exact, in the definition language: any format of up to 64 bits.

formats.py describes operands, rounding modes and exceptions.
"""

from __future__ import annotations

from rvplat.lang.define import define
from rvplat.lang.floating_point.formats import (
    DZ,
    default_nan,
    exact_zero,
    infinity,
    invalid,
    is_infinite,
    is_nan,
    is_negative,
    is_zero,
    magnitude,
    nan_flags,
    nan_result,
    narrow,
    round_pack,
    shift_right_jam,
    sign_bit,
    signed,
    unpack,
)
from rvplat.lang.intrinsics import clz
from rvplat.lang.types import s64, u64, u128

# --- arithmetic ---------------------------------------------------------------------------------


@define
def add_finite(big: u64, small: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """big + small, both finite, |big| >= |small|, big not zero."""
    exponent, first = unpack(big, fmt)
    lower, second = unpack(small, fmt)
    aligned = shift_right_jam(second >> 1, u64(exponent - lower))
    total = (first >> 1) + aligned
    if is_negative(big ^ small, fmt):
        total = (first >> 1) - aligned
    if total == 0:
        return exact_zero(rm, fmt), u64(0)
    zeros = clz(total)
    negative = is_negative(big, fmt)
    return round_pack(negative, exponent + 1 - s64(zeros), total << zeros, fmt, rm)


@define
def add(a: u64, b: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a + b."""
    if is_nan(a, fmt) or is_nan(b, fmt):
        return nan_result(a, b, fmt)
    if is_infinite(a, fmt):
        if b == (a ^ sign_bit(fmt)):
            return invalid(fmt)
        return a, u64(0)
    if is_infinite(b, fmt):
        return b, u64(0)
    if is_zero(a, fmt) and is_zero(b, fmt):
        return a if a == b else exact_zero(rm, fmt), u64(0)
    if magnitude(a, fmt) < magnitude(b, fmt):
        return add_finite(b, a, fmt, rm)
    return add_finite(a, b, fmt, rm)


@define
def sub(a: u64, b: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a - b."""
    return add(a, b ^ sign_bit(fmt), fmt, rm)


@define
def mul(a: u64, b: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a * b."""
    if is_nan(a, fmt) or is_nan(b, fmt):
        return nan_result(a, b, fmt)
    negative = is_negative(a ^ b, fmt)
    if is_infinite(a, fmt) or is_infinite(b, fmt):
        if is_zero(a, fmt) or is_zero(b, fmt):
            return invalid(fmt)
        return signed(negative, infinity(fmt), fmt), u64(0)
    if is_zero(a, fmt) or is_zero(b, fmt):
        return signed(negative, u64(0), fmt), u64(0)
    ea, sa = unpack(a, fmt)
    eb, sb = unpack(b, fmt)
    product = u128(sa) * u128(sb)
    zeros = clz(u64(product >> 64))
    return round_pack(negative, ea + eb + 1 - s64(zeros), narrow(product << zeros), fmt, rm)


@define
def divide_significands(a: u64, b: u64) -> u64:
    """a / b as a significand, bit 63 set, for 53-bit a and b with b <= a < 2b."""
    quotient = u64(1)
    rest = a - b
    for _ in range(5):  # eleven bits in each step: rest < 2**53, so that rest << 11 fits
        rest = rest << 11
        quotient = (quotient << 11) | (rest // b)
        rest = rest % b
    return (quotient << 8) | u64(rest != 0)


@define
def div(a: u64, b: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a / b."""
    if is_nan(a, fmt) or is_nan(b, fmt):
        return nan_result(a, b, fmt)
    negative = is_negative(a ^ b, fmt)
    if is_infinite(a, fmt):
        if is_infinite(b, fmt):
            return invalid(fmt)
        return signed(negative, infinity(fmt), fmt), u64(0)
    if is_zero(b, fmt):
        if is_zero(a, fmt):
            return invalid(fmt)
        return signed(negative, infinity(fmt), fmt), u64(DZ)
    if is_zero(a, fmt) or is_infinite(b, fmt):
        return signed(negative, u64(0), fmt), u64(0)
    ea, sa = unpack(a, fmt)
    eb, sb = unpack(b, fmt)
    exponent = ea - eb if sa >= sb else ea - eb - 1
    dividend = sa >> 11 if sa >= sb else sa >> 10
    return round_pack(negative, exponent, divide_significands(dividend, sb >> 11), fmt, rm)


@define
def root_of_significand(a: u64) -> u64:
    """The square root of a as a significand, bit 63 set, for a of 53 or 54 bits."""
    root = u64(0)
    rest = u64(0)
    bits = a
    for _ in range(56):  # each step: one bit of the root, two of the radicand
        rest = (rest << 2) | ((bits >> 52) & 3)
        bits = bits << 2
        trial = (root << 2) | 1
        root = root << 1
        if rest >= trial:
            rest = rest - trial
            root = root | 1
    return (root << 8) | u64(rest != 0)


@define
def sqrt(a: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """The square root of a."""
    if is_nan(a, fmt):
        return nan_result(a, a, fmt)
    if is_zero(a, fmt):
        return a, u64(0)
    if is_negative(a, fmt):
        return invalid(fmt)
    if is_infinite(a, fmt):
        return a, u64(0)
    exponent, significand = unpack(a, fmt)
    radicand = significand >> 11 if (exponent & 1) == 0 else significand >> 10
    return round_pack(is_negative(a, fmt), exponent >> 1, root_of_significand(radicand), fmt, rm)


# --- fused multiply-add -------------------------------------------------------------------------


@define
def leading_zeros(value: u128) -> u64:
    """Zero bits above the highest one of a u128 that is not 0."""
    upper = u64(value >> 64)
    return clz(upper) if upper != 0 else 64 + clz(u64(value))


@define
def shift_right_jam_128(value: u128, count: u64) -> u128:
    """value >> count; bits shifted out are ORed into bit 0."""
    if count == 0:
        return value
    if count > 127:
        return u128(value != 0)
    return (value >> count) | u128((value << (128 - count)) != 0)


@define
def add_wide(
    negative: bool, exponent: s64, big: u128, minus: bool, aligned: u128, fmt: u64, rm: u64
) -> tuple[u64, u64]:
    """big + aligned or big - aligned, rounded; bit 127 of big is 2**exponent."""
    total = (big >> 1) - aligned if minus else (big >> 1) + aligned
    if total == 0:
        return exact_zero(rm, fmt), u64(0)
    zeros = leading_zeros(total)
    return round_pack(negative, exponent + 1 - s64(zeros), narrow(total << zeros), fmt, rm)


@define
def fma_finite(a: u64, b: u64, c: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a * b + c, all finite, none zero."""
    ea, sa = unpack(a, fmt)
    eb, sb = unpack(b, fmt)
    ec, sc = unpack(c, fmt)
    product = u128(sa) * u128(sb)
    zeros = leading_zeros(product)
    product = product << zeros
    ep = ea + eb + 1 - s64(zeros)
    addend = u128(sc) << 64
    negative = is_negative(a ^ b, fmt)
    minus = is_negative(a ^ b ^ c, fmt)
    if ep > ec or (ep == ec and product >= addend):
        aligned = shift_right_jam_128(addend >> 1, u64(ep - ec))
        return add_wide(negative, ep, product, minus, aligned, fmt, rm)
    aligned = shift_right_jam_128(product >> 1, u64(ec - ep))
    return add_wide(is_negative(c, fmt), ec, addend, minus, aligned, fmt, rm)


@define
def fma(a: u64, b: u64, c: u64, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """a * b + c, rounded once. Infinity times zero is invalid even if c is a quiet NaN."""
    infinite = is_infinite(a, fmt) or is_infinite(b, fmt)
    zero = is_zero(a, fmt) or is_zero(b, fmt)
    if is_nan(a, fmt) or is_nan(b, fmt):
        return default_nan(fmt), nan_flags(a, b, fmt) | nan_flags(c, c, fmt)
    if infinite and zero:
        return invalid(fmt)
    if is_nan(c, fmt):
        return nan_result(c, c, fmt)
    if infinite:
        product = signed(is_negative(a ^ b, fmt), infinity(fmt), fmt)
        return add(product, c, fmt, rm)
    if is_infinite(c, fmt):
        return c, u64(0)
    if zero:
        return add(signed(is_negative(a ^ b, fmt), u64(0), fmt), c, fmt, rm)
    if is_zero(c, fmt):
        return mul(a, b, fmt, rm)
    return fma_finite(a, b, c, fmt, rm)
