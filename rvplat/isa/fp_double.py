"""Operations of D on what f registers hold: on the host's unit when it can, in software when not.

It can if it rounds as rm says, FS is Dirty, and the result isn't a NaN.
"""

from rvplat.isa.fp_single import stands as stands_s
from rvplat.isa.fp_soft import (
    soft_add,
    soft_convert,
    soft_div,
    soft_eq,
    soft_fma,
    soft_from_integer,
    soft_le,
    soft_lt,
    soft_max,
    soft_min,
    soft_mul,
    soft_sqrt,
    soft_sub,
    soft_to_integer,
)
from rvplat.isa.fp_state import box, host_rounds, is_boxed, unbox, writes_f
from rvplat.lang import define, s32, s64, u32, u64
from rvplat.lang.fp import (
    f32_to_f64,
    f64_add,
    f64_div,
    f64_eq,
    f64_fma,
    f64_from_s64,
    f64_le,
    f64_lt,
    f64_mul,
    f64_sqrt,
    f64_sub,
    f64_to_f32,
    f64_to_s64,
    f64_to_s64_towards_zero,
    f64_unordered,
    host_has_fma,
    host_underflows_late,
)
from rvplat.lang.softfloat_convert import maximum, minimum
from rvplat.lang.softfloat_format import RTZ

SIGN = 1 << 63
MAGNITUDE = SIGN - 1
LEAST_NORMAL = 0x0010_0000_0000_0000
LARGEST_S32 = 0x41DF_FFFF_FFC0_0000  # 2.0**31 - 1: beyond it, rounding may not fit
LARGEST_U32 = 0x41EF_FFFF_FFE0_0000  # 2.0**32 - 1
TWO_63 = 0x43E0_0000_0000_0000  # 2.0**63


@define
def stands(result: u64) -> bool:
    """Whether the host's result and its flags are right: no NaN, no doubt about underflow."""
    if f64_unordered(result, result):
        return False
    return host_underflows_late() or (result & MAGNITUDE) > LEAST_NORMAL


@define
def add_d(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_add(a, b)
        if not f64_unordered(result, result):
            return result
    return soft_add(hart, a, b, 64, rm)


@define
def sub_d(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_sub(a, b)
        if not f64_unordered(result, result):
            return result
    return soft_sub(hart, a, b, 64, rm)


@define
def mul_d(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_mul(a, b)
        if stands(result):
            return result
    return soft_mul(hart, a, b, 64, rm)


@define
def div_d(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_div(a, b)
        if stands(result):
            return result
    return soft_div(hart, a, b, 64, rm)


@define
def sqrt_d(hart, a: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_sqrt(a)
        if not f64_unordered(result, result):
            return result
    return soft_sqrt(hart, a, 64, rm)


@define
def fma_d(hart, a: u64, b: u64, c: u64, flip_a: u64, flip_c: u64, rm: u64) -> u64:
    """a * b + c; the flips are SIGN to negate a or c (which leaves the canonical NaN one), or 0."""
    if host_has_fma() and host_rounds(hart, rm):
        result = f64_fma(a ^ flip_a, b, c ^ flip_c)
        if stands(result):
            return result
    first = a ^ flip_a
    last = c ^ flip_c
    return soft_fma(hart, first, b, last, 64, rm)


@define
def min_d(hart, a: u64, b: u64) -> u64:
    if writes_f(hart) and not f64_unordered(a, b):
        return minimum(a, b, 64)
    return soft_min(hart, a, b, 64)


@define
def max_d(hart, a: u64, b: u64) -> u64:
    if writes_f(hart) and not f64_unordered(a, b):
        return maximum(a, b, 64)
    return soft_max(hart, a, b, 64)


@define
def to_word_d(hart, a: u64, rm: u64) -> s32:
    """The host converts to 64 bits, so what it gets must fit 32 when it is rounded."""
    if (a & MAGNITUDE) <= LARGEST_S32 and writes_f(hart):
        if rm == RTZ:
            return s32(f64_to_s64_towards_zero(a))
        if host_rounds(hart, rm):
            return s32(f64_to_s64(a))
    return s32(soft_to_integer(hart, a, 64, 32, True, rm))


@define
def to_unsigned_word_d(hart, a: u64, rm: u64) -> u32:
    if a <= LARGEST_U32 and writes_f(hart):
        if rm == RTZ:
            return u32(f64_to_s64_towards_zero(a))
        if host_rounds(hart, rm):
            return u32(f64_to_s64(a))
    return u32(soft_to_integer(hart, a, 64, 32, False, rm))


@define
def to_long_d(hart, a: u64, rm: u64) -> u64:
    if (a & MAGNITUDE) < TWO_63 and writes_f(hart):
        if rm == RTZ:
            return u64(f64_to_s64_towards_zero(a))
        if host_rounds(hart, rm):
            return u64(f64_to_s64(a))
    return soft_to_integer(hart, a, 64, 64, True, rm)


@define
def to_unsigned_long_d(hart, a: u64, rm: u64) -> u64:
    if a < TWO_63 and writes_f(hart):
        if rm == RTZ:
            return u64(f64_to_s64_towards_zero(a))
        if host_rounds(hart, rm):
            return u64(f64_to_s64(a))
    return soft_to_integer(hart, a, 64, 64, False, rm)


@define
def from_integer_d(hart, a: s64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        return f64_from_s64(a)
    return soft_from_integer(hart, u64(a), True, 64, rm)


@define
def from_unsigned_d(hart, a: u64, rm: u64) -> u64:
    """From 2**63 up: half of it, with the bit that falls off kept as a sticky one, doubled."""
    if host_rounds(hart, rm):
        if s64(a) >= 0:
            return f64_from_s64(s64(a))
        half = f64_from_s64(s64(a >> 1 | a & 1))
        return f64_add(half, half)
    return soft_from_integer(hart, a, False, 64, rm)


@define
def eq_d(hart, a: u64, b: u64) -> bool:
    """a == b; quiet."""
    if writes_f(hart):
        return f64_eq(a, b)
    return soft_eq(hart, a, b, 64)


@define
def lt_d(hart, a: u64, b: u64) -> bool:
    """a < b; any NaN raises NV."""
    if writes_f(hart):
        return f64_lt(a, b)
    return soft_lt(hart, a, b, 64, True)


@define
def le_d(hart, a: u64, b: u64) -> bool:
    """a <= b; any NaN raises NV."""
    if writes_f(hart):
        return f64_le(a, b)
    return soft_le(hart, a, b, 64, True)


@define
def single_to_double(hart, a: u64, rm: u64) -> u64:
    """Exact, but rm has to be legal."""
    if host_rounds(hart, rm) and is_boxed(a):
        result = f32_to_f64(u32(a))
        if not f64_unordered(result, result):
            return result
    return soft_convert(hart, unbox(a), 32, 64, rm)


@define
def double_to_single(hart, a: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = f64_to_f32(a)
        if stands_s(result):
            return box(result)
    return box(u32(soft_convert(hart, a, 64, 32, rm)))
