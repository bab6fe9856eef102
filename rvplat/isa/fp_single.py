"""Operations of F on what f registers hold: on the host's unit when it can, in software when not.

It can if it rounds as rm says and FS is Dirty, the operands are boxed, and the result isn't a NaN.
"""

from rvplat.isa.fp_soft import (
    soft_add,
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
    f32_add,
    f32_div,
    f32_eq,
    f32_fma,
    f32_from_s64,
    f32_le,
    f32_lt,
    f32_mul,
    f32_sqrt,
    f32_sub,
    f32_to_s64,
    f32_to_s64_towards_zero,
    f32_unordered,
    host_has_fma,
    host_underflows_late,
)
from rvplat.lang.softfloat_convert import maximum, minimum
from rvplat.lang.softfloat_format import RTZ

SIGN = 1 << 31
MAGNITUDE = SIGN - 1
LEAST_NORMAL = 0x0080_0000
TWO_31 = 0x4F00_0000  # 2.0**31
TWO_32 = 0x4F80_0000
TWO_63 = 0x5F00_0000


@define
def stands(result: u32) -> bool:
    """Whether the host's result and its flags are right: no NaN, no doubt about underflow."""
    if f32_unordered(result, result):
        return False
    return host_underflows_late() or (result & MAGNITUDE) > LEAST_NORMAL


@define
def add_s(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm) and is_boxed(a & b):
        result = f32_add(u32(a), u32(b))
        if not f32_unordered(result, result):
            return box(result)
    return box(u32(soft_add(hart, unbox(a), unbox(b), 32, rm)))


@define
def sub_s(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm) and is_boxed(a & b):
        result = f32_sub(u32(a), u32(b))
        if not f32_unordered(result, result):
            return box(result)
    return box(u32(soft_sub(hart, unbox(a), unbox(b), 32, rm)))


@define
def mul_s(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm) and is_boxed(a & b):
        result = f32_mul(u32(a), u32(b))
        if stands(result):
            return box(result)
    return box(u32(soft_mul(hart, unbox(a), unbox(b), 32, rm)))


@define
def div_s(hart, a: u64, b: u64, rm: u64) -> u64:
    if host_rounds(hart, rm) and is_boxed(a & b):
        result = f32_div(u32(a), u32(b))
        if stands(result):
            return box(result)
    return box(u32(soft_div(hart, unbox(a), unbox(b), 32, rm)))


@define
def sqrt_s(hart, a: u64, rm: u64) -> u64:
    if host_rounds(hart, rm) and is_boxed(a):
        result = f32_sqrt(u32(a))
        if not f32_unordered(result, result):
            return box(result)
    return box(u32(soft_sqrt(hart, unbox(a), 32, rm)))


@define
def fma_s(hart, a: u64, b: u64, c: u64, flip_a: u64, flip_c: u64, rm: u64) -> u64:
    """a * b + c; the flips are SIGN to negate a or c (which leaves the canonical NaN one), or 0."""
    if host_has_fma() and host_rounds(hart, rm) and is_boxed(a & b & c):
        result = f32_fma(u32(a ^ flip_a), u32(b), u32(c ^ flip_c))
        if stands(result):
            return box(result)
    first = unbox(a) ^ flip_a
    last = unbox(c) ^ flip_c
    return box(u32(soft_fma(hart, first, unbox(b), last, 32, rm)))


@define
def min_s(hart, a: u64, b: u64) -> u64:
    if writes_f(hart) and is_boxed(a & b) and not f32_unordered(u32(a), u32(b)):
        return box(u32(minimum(u64(u32(a)), u64(u32(b)), 32)))
    return box(u32(soft_min(hart, unbox(a), unbox(b), 32)))


@define
def max_s(hart, a: u64, b: u64) -> u64:
    if writes_f(hart) and is_boxed(a & b) and not f32_unordered(u32(a), u32(b)):
        return box(u32(maximum(u64(u32(a)), u64(u32(b)), 32)))
    return box(u32(soft_max(hart, unbox(a), unbox(b), 32)))


@define
def to_word_s(hart, a: u64, rm: u64) -> s32:
    """The host converts to 64 bits, so what it gets must fit 32; all such singles do, rounded."""
    single = u32(a)
    if is_boxed(a) and (single & MAGNITUDE) < TWO_31 and writes_f(hart):
        if rm == RTZ:
            return s32(f32_to_s64_towards_zero(single))
        if host_rounds(hart, rm):
            return s32(f32_to_s64(single))
    return s32(soft_to_integer(hart, unbox(a), 32, 32, True, rm))


@define
def to_unsigned_word_s(hart, a: u64, rm: u64) -> u32:
    single = u32(a)
    if is_boxed(a) and single < TWO_32 and writes_f(hart):
        if rm == RTZ:
            return u32(f32_to_s64_towards_zero(single))
        if host_rounds(hart, rm):
            return u32(f32_to_s64(single))
    return u32(soft_to_integer(hart, unbox(a), 32, 32, False, rm))


@define
def to_long_s(hart, a: u64, rm: u64) -> u64:
    single = u32(a)
    if is_boxed(a) and (single & MAGNITUDE) < TWO_63 and writes_f(hart):
        if rm == RTZ:
            return u64(f32_to_s64_towards_zero(single))
        if host_rounds(hart, rm):
            return u64(f32_to_s64(single))
    return soft_to_integer(hart, unbox(a), 32, 64, True, rm)


@define
def to_unsigned_long_s(hart, a: u64, rm: u64) -> u64:
    single = u32(a)
    if is_boxed(a) and single < TWO_63 and writes_f(hart):
        if rm == RTZ:
            return u64(f32_to_s64_towards_zero(single))
        if host_rounds(hart, rm):
            return u64(f32_to_s64(single))
    return soft_to_integer(hart, unbox(a), 32, 64, False, rm)


@define
def from_integer_s(hart, a: s64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        return box(f32_from_s64(a))
    return box(u32(soft_from_integer(hart, u64(a), True, 32, rm)))


@define
def from_unsigned_s(hart, a: u64, rm: u64) -> u64:
    """From 2**63 up: half of it, with the bit that falls off kept as a sticky one, doubled."""
    if host_rounds(hart, rm):
        if s64(a) >= 0:
            return box(f32_from_s64(s64(a)))
        half = f32_from_s64(s64(a >> 1 | a & 1))
        return box(f32_add(half, half))
    return box(u32(soft_from_integer(hart, a, False, 32, rm)))


@define
def eq_s(hart, a: u64, b: u64) -> bool:
    """a == b; quiet."""
    if writes_f(hart) and is_boxed(a & b):
        return f32_eq(u32(a), u32(b))
    return soft_eq(hart, unbox(a), unbox(b), 32)


@define
def lt_s(hart, a: u64, b: u64) -> bool:
    """a < b; any NaN raises NV."""
    if writes_f(hart) and is_boxed(a & b):
        return f32_lt(u32(a), u32(b))
    return soft_lt(hart, unbox(a), unbox(b), 32, True)


@define
def le_s(hart, a: u64, b: u64) -> bool:
    """a <= b; any NaN raises NV."""
    if writes_f(hart) and is_boxed(a & b):
        return f32_le(u32(a), u32(b))
    return soft_le(hart, unbox(a), unbox(b), 32, True)
