"""Floating-point instructions in software, for when the host's unit can't execute them.

Each function checks that FS and rm allow the instruction, computes with softfloat and accrues the
flags. A result for an f register makes FS Dirty; a result for an integer register does so only if a
flag was raised. `fmt` is the format's width in bits; a single is in the low half of a u64.
"""

from rvplat.isa.fp_state import (
    accrue,
    make_dirty,
    require_fp,
    rounding_mode,
)
from rvplat.lang import define, u64
from rvplat.lang.floating_point.arithmetic import add, div, fma, mul, sqrt, sub
from rvplat.lang.floating_point.conversions import (
    compare_flags,
    convert_format,
    from_integer,
    is_equal,
    is_less,
    maximum,
    minimum,
    to_integer,
)
from rvplat.lang.floating_point.formats import default_nan, is_nan


@define
def begin(hart, rm: u64) -> u64:
    """Check an instruction that rounds, and return its rounding mode."""
    require_fp(hart)
    return rounding_mode(hart, rm)


@define
def end(hart, result: u64, flags: u64) -> u64:
    """Accrue the flags of an instruction that writes an f register, and return its result."""
    hart.fflags |= flags
    make_dirty(hart)
    return result


@define(cold=True)
def soft_add(hart, a: u64, b: u64, fmt: u64, rm: u64) -> u64:
    result, flags = add(a, b, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_sub(hart, a: u64, b: u64, fmt: u64, rm: u64) -> u64:
    result, flags = sub(a, b, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_mul(hart, a: u64, b: u64, fmt: u64, rm: u64) -> u64:
    result, flags = mul(a, b, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_div(hart, a: u64, b: u64, fmt: u64, rm: u64) -> u64:
    result, flags = div(a, b, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_sqrt(hart, a: u64, fmt: u64, rm: u64) -> u64:
    result, flags = sqrt(a, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_fma(hart, a: u64, b: u64, c: u64, fmt: u64, rm: u64) -> u64:
    result, flags = fma(a, b, c, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_convert(hart, a: u64, fmt: u64, to: u64, rm: u64) -> u64:
    """A number in another format."""
    result, flags = convert_format(a, fmt, to, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_from_integer(hart, a: u64, has_sign: bool, fmt: u64, rm: u64) -> u64:
    """A 64-bit integer as a number."""
    result, flags = from_integer(a, has_sign, fmt, begin(hart, rm))
    return end(hart, result, flags)


@define(cold=True)
def soft_to_integer(hart, a: u64, fmt: u64, bits: u64, has_sign: bool, rm: u64) -> u64:
    """A number as an integer of `bits` bits."""
    result, flags = to_integer(a, fmt, bits, has_sign, begin(hart, rm))
    accrue(hart, flags)
    return result


@define
def lesser(a: u64, b: u64, fmt: u64) -> tuple[u64, u64]:
    """IEEE 754-2019 minimumNumber, with flags: of a number and a NaN, the number."""
    flags = compare_flags(a, b, fmt, False)
    if is_nan(a, fmt):
        return default_nan(fmt) if is_nan(b, fmt) else b, flags
    return a if is_nan(b, fmt) else minimum(a, b, fmt), flags


@define
def greater(a: u64, b: u64, fmt: u64) -> tuple[u64, u64]:
    """IEEE 754-2019 maximumNumber, with flags."""
    flags = compare_flags(a, b, fmt, False)
    if is_nan(a, fmt):
        return default_nan(fmt) if is_nan(b, fmt) else b, flags
    return a if is_nan(b, fmt) else maximum(a, b, fmt), flags


@define(cold=True)
def soft_min(hart, a: u64, b: u64, fmt: u64) -> u64:
    require_fp(hart)
    result, flags = lesser(a, b, fmt)
    return end(hart, result, flags)


@define(cold=True)
def soft_max(hart, a: u64, b: u64, fmt: u64) -> u64:
    require_fp(hart)
    result, flags = greater(a, b, fmt)
    return end(hart, result, flags)


@define(cold=True)
def soft_eq(hart, a: u64, b: u64, fmt: u64) -> bool:
    require_fp(hart)
    accrue(hart, compare_flags(a, b, fmt, False))
    return is_equal(a, b, fmt)


@define(cold=True)
def soft_lt(hart, a: u64, b: u64, fmt: u64, signals: bool) -> bool:
    require_fp(hart)
    accrue(hart, compare_flags(a, b, fmt, signals))
    return is_less(a, b, fmt)


@define(cold=True)
def soft_le(hart, a: u64, b: u64, fmt: u64, signals: bool) -> bool:
    require_fp(hart)
    accrue(hart, compare_flags(a, b, fmt, signals))
    return is_less(a, b, fmt) or is_equal(a, b, fmt)
