"""IEEE 754 binary formats in the definition language: taking numbers apart, rounding, packing.

A number is its bit pattern in a `u64`; `fmt` is the format's width (16, 32 or 64), or BFLOAT16.
Every operation takes the rounding mode and returns the result with the exceptions it raised. A NaN
result is the default NaN. Underflow is detected after rounding (IEEE 754-2019, 7.5 b).

Internally a finite number that isn't zero is `significand * 2**(exponent - 63)` with bit 63 of the
significand set. Bits lost at its lower end are ORed into bit 0.
"""

from __future__ import annotations

from rvplat.lang.define import define
from rvplat.lang.fixed import FixedU64
from rvplat.lang.intrinsics import clz
from rvplat.lang.types import s64, u64, u128

Format = FixedU64
"""The width of a format, as a parameter on which native code is specialised."""

BFLOAT16 = 116  # the format of 16 bits with the exponents of a single; 16 is binary16

# Rounding: to nearest even, towards zero, down, up, to nearest with ties away from zero.
RNE, RTZ, RDN, RUP, RMM = 0, 1, 2, 3, 4
# Exceptions: inexact, underflow, overflow, division by zero, invalid.
NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16


# --- formats ------------------------------------------------------------------------------------


@define
def precision(fmt: u64) -> u64:
    """Bits of a significand, the implicit one included (IEEE 754-2019, table 3.5)."""
    if fmt == BFLOAT16:
        return u64(8)
    return u64(53) if fmt == 64 else (u64(24) if fmt == 32 else u64(11))


@define
def bias(fmt: u64) -> s64:
    """The bias of stored exponents, which is also the largest exponent."""
    if fmt == 64:
        return s64(1023)
    return s64(127) if fmt == 32 or fmt == BFLOAT16 else s64(15)


@define
def sign_bit(fmt: u64) -> u64:
    """The pattern of -0."""
    return u64(0x8000) if fmt == BFLOAT16 else u64(1) << (fmt - 1)


@define
def infinity(fmt: u64) -> u64:
    """The pattern of +infinity."""
    return sign_bit(fmt) - (u64(1) << (precision(fmt) - 1))


@define
def quiet_bit(fmt: u64) -> u64:
    """The bit that is set in quiet NaNs and clear in signaling NaNs."""
    return u64(1) << (precision(fmt) - 2)


@define
def default_nan(fmt: u64) -> u64:
    """The NaN that operations produce: positive and quiet, all other bits zero."""
    return infinity(fmt) | quiet_bit(fmt)


@define
def magnitude(a: u64, fmt: u64) -> u64:
    """The pattern of |a|."""
    return a & (sign_bit(fmt) - 1)


@define
def is_negative(a: u64, fmt: u64) -> bool:
    """Whether the sign is set."""
    return (a & sign_bit(fmt)) != 0


@define
def is_nan(a: u64, fmt: u64) -> bool:
    """Whether a is a NaN of either kind."""
    return magnitude(a, fmt) > infinity(fmt)


@define
def is_signaling(a: u64, fmt: u64) -> bool:
    """Whether a is a signaling NaN."""
    return is_nan(a, fmt) and (a & quiet_bit(fmt)) == 0


@define
def is_infinite(a: u64, fmt: u64) -> bool:
    """Whether a is an infinity."""
    return magnitude(a, fmt) == infinity(fmt)


@define
def is_zero(a: u64, fmt: u64) -> bool:
    """Whether a is a zero."""
    return magnitude(a, fmt) == 0


# --- results ------------------------------------------------------------------------------------


@define
def invalid(fmt: u64) -> tuple[u64, u64]:
    """The result of an invalid operation."""
    return default_nan(fmt), u64(NV)


@define
def nan_flags(a: u64, b: u64, fmt: u64) -> u64:
    """The flags of quiet operations: NV for a signaling NaN among the operands (6.2)."""
    return u64(NV) if is_signaling(a, fmt) or is_signaling(b, fmt) else u64(0)


@define
def nan_result(a: u64, b: u64, fmt: u64) -> tuple[u64, u64]:
    """The result of an operation with a NaN among its operands."""
    return default_nan(fmt), nan_flags(a, b, fmt)


@define
def signed(negative: bool, pattern: u64, fmt: u64) -> u64:
    """The pattern of a magnitude with a sign."""
    return pattern | sign_bit(fmt) if negative else pattern


@define
def exact_zero(rm: u64, fmt: u64) -> u64:
    """The zero that is the sum of opposite numbers (IEEE 754-2019, 6.3)."""
    return signed(rm == RDN, u64(0), fmt)


# --- taking apart, rounding, putting together ---------------------------------------------------


@define
def shift_right_jam(value: u64, count: u64) -> u64:
    """value >> count; bits shifted out are ORed into bit 0."""
    if count == 0:
        return value
    if count > 63:
        return u64(value != 0)
    return (value >> count) | u64((value << (64 - count)) != 0)


@define
def narrow(value: u128) -> u64:
    """The upper half of a u128. If the lower half is not 0, bit 0 is set."""
    return u64(value >> 64) | u64(u64(value) != 0)


@define
def unpack(a: u64, fmt: u64) -> tuple[s64, u64]:
    """Exponent and significand of a finite number; a zero has significand 0."""
    fraction_bits = precision(fmt) - 1
    field = magnitude(a, fmt) >> fraction_bits
    fraction = a & ((u64(1) << fraction_bits) - 1)
    if field != 0:
        whole = fraction | (u64(1) << fraction_bits)
        return s64(field) - bias(fmt), whole << (63 - fraction_bits)
    if fraction == 0:
        return s64(0), u64(0)
    zeros = clz(fraction)
    return 64 - bias(fmt) - s64(fraction_bits) - s64(zeros), fraction << zeros


@define
def rounds_away(negative: bool, odd: bool, rest: u64, half: u64, rm: u64) -> bool:
    """Whether to round to the next magnitude: `rest` is cut off, `half` is half a unit (4.3)."""
    if rm == RNE:
        return rest > half or (rest == half and odd)
    if rm == RMM:
        return rest >= half
    return rest != 0 and ((rm == RUP and not negative) or (rm == RDN and negative))


@define
def overflowed(negative: bool, fmt: u64, rm: u64) -> tuple[u64, u64]:
    """The result for a number beyond the largest: infinity, or the largest (7.4)."""
    towards = rm == RTZ or (rm == RDN and not negative) or (rm == RUP and negative)
    largest = infinity(fmt) - 1
    return signed(negative, largest if towards else infinity(fmt), fmt), u64(OF | NX)


@define
def round_units(negative: bool, significand: u64, cut: u64, rm: u64) -> u64:
    """significand / 2**cut, rounded to an integer."""
    rest = significand & ((u64(1) << cut) - 1)
    units = significand >> cut
    if rounds_away(negative, (units & 1) != 0, rest, u64(1) << (cut - 1), rm):
        return units + 1
    return units


@define
def pack_tiny(
    negative: bool, exponent: s64, significand: u64, fmt: u64, rm: u64
) -> tuple[u64, u64]:
    """round_pack for a number less than the least normal one."""
    cut = 64 - precision(fmt)
    below = 1 - bias(fmt) - exponent
    kept = shift_right_jam(significand, u64(below))
    result = signed(negative, round_units(negative, kept, cut, rm), fmt)
    if (kept & ((u64(1) << cut) - 1)) == 0:
        return result, u64(0)
    # Not tiny if, were the exponent unbounded, rounding would have reached the least normal one.
    reaches = round_units(negative, significand, cut, rm) == (u64(1) << precision(fmt))
    if below == 1 and reaches:
        return result, u64(NX)
    return result, u64(UF | NX)


@define
def round_pack(
    negative: bool, exponent: s64, significand: u64, fmt: u64, rm: u64
) -> tuple[u64, u64]:
    """The pattern of a number rounded in the rounding mode, and the exceptions."""
    if exponent < 1 - bias(fmt):
        return pack_tiny(negative, exponent, significand, fmt, rm)
    if exponent > bias(fmt):
        return overflowed(negative, fmt, rm)
    cut = 64 - precision(fmt)
    units = round_units(negative, significand, cut, rm)
    # The implicit bit in `units` adds one to the field; a carry out of it one more.
    result = (u64(exponent + bias(fmt) - 1) << (precision(fmt) - 1)) + units
    if result >= infinity(fmt):
        return overflowed(negative, fmt, rm)
    inexact = (significand & ((u64(1) << cut) - 1)) != 0
    return signed(negative, result, fmt), u64(NX) if inexact else u64(0)
