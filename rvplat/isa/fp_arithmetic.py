"""Operations on values of f registers, on the host's unit if possible and otherwise in software.

The host's unit is used if it rounds as rm says, FS is Dirty, the operands have the format (a single
is boxed), and the result isn't a NaN. `fmt` is 16 for halves, 32 for singles and 64 for doubles;
native code is made for each. Halves are computed in software, which isn't cold if FS is Dirty.
Conversions have BFLOAT16 too.
"""

from rvplat.isa.fp_soft import (
    greater,
    lesser,
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
from rvplat.isa.fp_state import (
    BOX,
    BOX_H,
    host_rounds,
    is_boxed,
    make_dirty,
    require_fp,
    rounding_mode,
    unbox,
    writes_f,
)
from rvplat.lang import FixedBool, define, s64, u16, u32, u64
from rvplat.lang.floating_point import arithmetic as soft
from rvplat.lang.floating_point import conversions as conversion
from rvplat.lang.floating_point.conversions import maximum, minimum
from rvplat.lang.floating_point.formats import BFLOAT16, RNE, RTZ, Format, default_nan
from rvplat.lang.floating_point.host_unit import (
    fp_add,
    fp_div,
    fp_eq,
    fp_fma,
    fp_from_s64,
    fp_le,
    fp_le_quiet,
    fp_lt,
    fp_lt_quiet,
    fp_mul,
    fp_narrowed,
    fp_sqrt,
    fp_sub,
    fp_to_s64,
    fp_to_s64_towards_zero,
    fp_unordered,
    fp_widened,
    host_has_fma,
    host_underflows_late,
)

SIGN_H, SIGN_S, SIGN_D = 1 << 15, 1 << 31, 1 << 63
LARGEST_S32 = 0x41DF_FFFF_FFC0_0000  # the double 2.0**31 - 1: a greater one may round to too much
LARGEST_U32 = 0x41EF_FFFF_FFE0_0000  # 2.0**32 - 1

# --- registers ----------------------------------------------------------------------------------


@define
def holds(a: u64, fmt: Format) -> bool:
    """Whether a register holds a number of the format; `holds(a & b)` asks for both at once."""
    if fmt == 16 or fmt == BFLOAT16:
        return a >= BOX_H
    return is_boxed(a) if fmt == 32 else True


@define
def pattern(a: u64, fmt: Format) -> u64:
    """The bits of the number that a register holds."""
    if fmt == 16 or fmt == BFLOAT16:
        return u64(u16(a))
    return u64(u32(a)) if fmt == 32 else a


@define
def number(a: u64, fmt: Format) -> u64:
    """The number in a register: the canonical NaN if it holds none of the format."""
    if fmt == 16 or fmt == BFLOAT16:
        return pattern(a, fmt) if holds(a, fmt) else default_nan(fmt)
    return unbox(a) if fmt == 32 else a


@define
def register(result: u64, fmt: Format) -> u64:
    """The register value for a number."""
    if fmt == 16 or fmt == BFLOAT16:
        return result | BOX_H
    return result | BOX if fmt == 32 else result


@define
def sign(fmt: Format) -> u64:
    """The sign bit."""
    if fmt == 16:
        return u64(SIGN_H)
    return u64(SIGN_S) if fmt == 32 else u64(SIGN_D)


@define
def unsigned(a: u64, fmt: Format) -> u64:
    """A number without its sign bit."""
    return a & (sign(fmt) - 1)


# --- in software, where it stands ---------------------------------------------------------------


@define
def start(hart, rm: u64) -> u64:
    """Check an instruction that rounds and writes an f register; return its rounding mode."""
    if not writes_f(hart):
        require_fp(hart)
        rounding_mode(hart, rm)
        make_dirty(hart)
    return rounding_mode(hart, rm)


@define
def raised(hart, result: u64, flags: u64, fmt: Format) -> u64:
    """The register value for a result that raises flags."""
    hart.fflags |= flags
    return register(result, fmt)


# --- arithmetic ---------------------------------------------------------------------------------


@define
def host_is_right(result: u64, fmt: Format) -> bool:
    """Whether the host's result and its flags are right: no NaN, no doubt about underflow."""
    if fp_unordered(result, result, fmt):
        return False
    least_normal = u64(0x0080_0000) if fmt == 32 else u64(0x0010_0000_0000_0000)
    return host_underflows_late() or unsigned(result, fmt) > least_normal


@define
def add(hart, a: u64, b: u64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = soft.add(number(a, fmt), number(b, fmt), fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm) and holds(a & b, fmt):
        result = fp_add(pattern(a, fmt), pattern(b, fmt), fmt)
        if not fp_unordered(result, result, fmt):
            return register(result, fmt)
    return register(soft_add(hart, number(a, fmt), number(b, fmt), fmt, rm), fmt)


@define
def sub(hart, a: u64, b: u64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = soft.sub(number(a, fmt), number(b, fmt), fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm) and holds(a & b, fmt):
        result = fp_sub(pattern(a, fmt), pattern(b, fmt), fmt)
        if not fp_unordered(result, result, fmt):
            return register(result, fmt)
    return register(soft_sub(hart, number(a, fmt), number(b, fmt), fmt, rm), fmt)


@define
def mul(hart, a: u64, b: u64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = soft.mul(number(a, fmt), number(b, fmt), fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm) and holds(a & b, fmt):
        result = fp_mul(pattern(a, fmt), pattern(b, fmt), fmt)
        if host_is_right(result, fmt):
            return register(result, fmt)
    return register(soft_mul(hart, number(a, fmt), number(b, fmt), fmt, rm), fmt)


@define
def div(hart, a: u64, b: u64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = soft.div(number(a, fmt), number(b, fmt), fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm) and holds(a & b, fmt):
        result = fp_div(pattern(a, fmt), pattern(b, fmt), fmt)
        if host_is_right(result, fmt):
            return register(result, fmt)
    return register(soft_div(hart, number(a, fmt), number(b, fmt), fmt, rm), fmt)


@define
def sqrt(hart, a: u64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = soft.sqrt(number(a, fmt), fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm) and holds(a, fmt):
        result = fp_sqrt(pattern(a, fmt), fmt)
        if not fp_unordered(result, result, fmt):
            return register(result, fmt)
    return register(soft_sqrt(hart, number(a, fmt), fmt, rm), fmt)


@define
def fma(
    hart, a: u64, b: u64, c: u64, negate_a: FixedBool, negate_c: FixedBool, fmt: Format, rm: u64
) -> u64:
    """a * b + c. A caller that negates a or c must keep a canonical NaN canonical."""
    flip_a = sign(fmt) if negate_a else u64(0)
    flip_c = sign(fmt) if negate_c else u64(0)
    if fmt == 16:
        first = number(a, fmt) ^ flip_a
        last = number(c, fmt) ^ flip_c
        result, flags = soft.fma(first, number(b, fmt), last, fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_has_fma() and host_rounds(hart, rm) and holds(a & b & c, fmt):
        result = fp_fma(
            pattern(a, fmt) ^ flip_a, pattern(b, fmt), pattern(c, fmt) ^ flip_c, fmt
        )  # fmt: skip
        if host_is_right(result, fmt):
            return register(result, fmt)
    first = number(a, fmt) ^ flip_a
    last = number(c, fmt) ^ flip_c
    return register(soft_fma(hart, first, number(b, fmt), last, fmt, rm), fmt)


@define
def fmin(hart, a: u64, b: u64, fmt: Format) -> u64:
    if fmt == 16:
        start(hart, u64(RNE))
        result, flags = lesser(number(a, fmt), number(b, fmt), fmt)
        return raised(hart, result, flags, fmt)
    first = pattern(a, fmt)
    second = pattern(b, fmt)
    if writes_f(hart) and holds(a & b, fmt) and not fp_unordered(first, second, fmt):
        return register(minimum(first, second, fmt), fmt)
    return register(soft_min(hart, number(a, fmt), number(b, fmt), fmt), fmt)


@define
def fmax(hart, a: u64, b: u64, fmt: Format) -> u64:
    if fmt == 16:
        start(hart, u64(RNE))
        result, flags = greater(number(a, fmt), number(b, fmt), fmt)
        return raised(hart, result, flags, fmt)
    first = pattern(a, fmt)
    second = pattern(b, fmt)
    if writes_f(hart) and holds(a & b, fmt) and not fp_unordered(first, second, fmt):
        return register(maximum(first, second, fmt), fmt)
    return register(soft_max(hart, number(a, fmt), number(b, fmt), fmt), fmt)


# --- conversions --------------------------------------------------------------------------------


@define
def first_too_large(width: Format, has_sign: FixedBool, fmt: Format) -> u64:
    """The least number that the host doesn't convert correctly. The host converts to 64 bits, so
    the rounded number has to fit in `width` bits."""
    if width == 64:  # 2.0**63
        return u64(0x5F00_0000) if fmt == 32 else u64(0x43E0_0000_0000_0000)
    if has_sign:  # 2.0**31
        return u64(0x4F00_0000) if fmt == 32 else u64(LARGEST_S32 + 1)
    return u64(0x4F80_0000) if fmt == 32 else u64(LARGEST_U32 + 1)


@define
def is_below(a: u64, limit: u64, fmt: Format) -> bool:
    """a < limit, as patterns of the format's width."""
    return u32(a) < u32(limit) if fmt == 32 else a < limit


@define
def to_integer(hart, a: u64, width: Format, has_sign: FixedBool, fmt: Format, rm: u64) -> u64:
    """Convert to an integer of `width` bits. The bits above are unspecified."""
    if fmt == 16:
        if not writes_f(hart):
            return soft_to_integer(hart, number(a, fmt), fmt, width, has_sign, rm)
        result, flags = conversion.to_integer(
            number(a, fmt), fmt, width, has_sign, rounding_mode(hart, rm)
        )  # fmt: skip
        hart.fflags |= flags
        return result
    value = pattern(a, fmt)
    size = unsigned(value, fmt) if has_sign else value
    limit = first_too_large(width, has_sign, fmt)
    if holds(a, fmt) and is_below(size, limit, fmt) and writes_f(hart):
        if rm == RTZ:
            return u64(fp_to_s64_towards_zero(value, fmt))
        if host_rounds(hart, rm):
            return u64(fp_to_s64(value, fmt))
    return soft_to_integer(hart, number(a, fmt), fmt, width, has_sign, rm)


@define
def from_integer(hart, a: s64, fmt: Format, rm: u64) -> u64:
    if fmt == 16:
        result, flags = conversion.from_integer(u64(a), True, fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm):
        return register(fp_from_s64(a, fmt), fmt)
    return register(soft_from_integer(hart, u64(a), True, fmt, rm), fmt)


@define
def from_unsigned(hart, a: u64, fmt: Format, rm: u64) -> u64:
    """For 2**63 and above: convert the half, with the lost bit as a sticky bit, and double it."""
    if fmt == 16:
        result, flags = conversion.from_integer(a, False, fmt, start(hart, rm))
        return raised(hart, result, flags, fmt)
    if host_rounds(hart, rm):
        if s64(a) >= 0:
            return register(fp_from_s64(s64(a), fmt), fmt)
        half = fp_from_s64(s64(a >> 1 | a & 1), fmt)
        return register(fp_add(half, half, fmt), fmt)
    return register(soft_from_integer(hart, a, False, fmt, rm), fmt)


@define
def single_to_double(hart, a: u64, rm: u64) -> u64:
    """The conversion is exact, but rm has to be legal."""
    if host_rounds(hart, rm) and is_boxed(a):
        result = fp_widened(pattern(a, 32))
        if not fp_unordered(result, result, 64):
            return result
    return soft_convert(hart, unbox(a), 32, 64, rm)


@define
def double_to_single(hart, a: u64, rm: u64) -> u64:
    if host_rounds(hart, rm):
        result = fp_narrowed(a)
        if host_is_right(result, 32):
            return register(result, 32)
    return register(soft_convert(hart, a, 64, 32, rm), 32)


@define
def converted(hart, a: u64, fmt: Format, to: Format, rm: u64) -> u64:
    """A number of one format in another, in software."""
    result, flags = conversion.convert_format(number(a, fmt), fmt, to, start(hart, rm))
    return raised(hart, result, flags, to)


# --- comparisons --------------------------------------------------------------------------------


@define
def eq(hart, a: u64, b: u64, fmt: Format) -> bool:
    """a == b; quiet."""
    if fmt == 16:
        if not writes_f(hart):
            return soft_eq(hart, number(a, fmt), number(b, fmt), fmt)
        hart.fflags |= conversion.compare_flags(number(a, fmt), number(b, fmt), fmt, False)
        return conversion.is_equal(number(a, fmt), number(b, fmt), fmt)
    if writes_f(hart) and holds(a & b, fmt):
        return fp_eq(pattern(a, fmt), pattern(b, fmt), fmt)
    return soft_eq(hart, number(a, fmt), number(b, fmt), fmt)


@define
def lt(hart, a: u64, b: u64, signals: FixedBool, fmt: Format) -> bool:
    """a < b; any NaN raises NV if it `signals`."""
    if fmt == 16:
        if not writes_f(hart):
            return soft_lt(hart, number(a, fmt), number(b, fmt), fmt, signals)
        hart.fflags |= conversion.compare_flags(number(a, fmt), number(b, fmt), fmt, signals)
        return conversion.is_less(number(a, fmt), number(b, fmt), fmt)
    if writes_f(hart) and holds(a & b, fmt):
        if signals:
            return fp_lt(pattern(a, fmt), pattern(b, fmt), fmt)
        return fp_lt_quiet(pattern(a, fmt), pattern(b, fmt), fmt)
    return soft_lt(hart, number(a, fmt), number(b, fmt), fmt, signals)


@define
def le(hart, a: u64, b: u64, signals: FixedBool, fmt: Format) -> bool:
    """a <= b; any NaN raises NV if it `signals`."""
    if fmt == 16:
        if not writes_f(hart):
            return soft_le(hart, number(a, fmt), number(b, fmt), fmt, signals)
        hart.fflags |= conversion.compare_flags(number(a, fmt), number(b, fmt), fmt, signals)
        less = conversion.is_less(number(a, fmt), number(b, fmt), fmt)
        return less or conversion.is_equal(number(a, fmt), number(b, fmt), fmt)
    if writes_f(hart) and holds(a & b, fmt):
        if signals:
            return fp_le(pattern(a, fmt), pattern(b, fmt), fmt)
        return fp_le_quiet(pattern(a, fmt), pattern(b, fmt), fmt)
    return soft_le(hart, number(a, fmt), number(b, fmt), fmt, signals)
