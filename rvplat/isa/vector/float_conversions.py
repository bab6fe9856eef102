"""Vector conversions between numbers and integers (Unprivileged, "Single-Width
Floating-Point/Integer Type-Convert Instructions", and the widening and the narrowing ones).

All but the `rtz` ones round as frm says. `a` is the element of vs2.
"""

from rvplat.isa.fp_arithmetic import (
    converted,
    double_to_single,
    from_integer,
    from_unsigned,
    to_integer,
)
from rvplat.isa.fp_soft import soft_to_integer
from rvplat.isa.fp_state import DYN, accrue
from rvplat.isa.vector.elements import Width, signed
from rvplat.isa.vector.float_forms import (
    NARROW,
    Adding,
    number,
    prepare_float_narrowing,
    prepare_narrowed,
    prepare_narrowed_integer,
    prepare_narrower_format,
    prepare_widened,
    prepare_widened_integer,
    prepare_wider_format,
    unary,
    widened,
)
from rvplat.lang import FixedBool, define, s64, u64
from rvplat.lang.floating_point.conversions import convert_format
from rvplat.lang.floating_point.formats import NX, RTZ

# --- single-width -------------------------------------------------------------------------------


@define
def integer_of(hart, a: u64, has_sign: FixedBool, rm: u64, sew: Width) -> u64:
    """A number of SEW bits as an integer of as many."""
    return to_integer(hart, number(a, sew), sew, has_sign, sew, rm)


@define
def number_of(hart, a: s64, has_sign: FixedBool, fmt: Width) -> u64:
    """An integer as a number."""
    if has_sign:
        return from_integer(hart, a, fmt, DYN)
    return from_unsigned(hart, u64(a), fmt, DYN)


@unary("010010 00000", "vfcvt.xu.f.v")
def vfcvt_xu_f(hart, a: u64, sew: Width) -> u64:
    return integer_of(hart, a, False, DYN, sew)


@unary("010010 00001", "vfcvt.x.f.v")
def vfcvt_x_f(hart, a: u64, sew: Width) -> u64:
    return integer_of(hart, a, True, DYN, sew)


@unary("010010 00110", "vfcvt.rtz.xu.f.v")
def vfcvt_rtz_xu_f(hart, a: u64, sew: Width) -> u64:
    return integer_of(hart, a, False, RTZ, sew)


@unary("010010 00111", "vfcvt.rtz.x.f.v")
def vfcvt_rtz_x_f(hart, a: u64, sew: Width) -> u64:
    return integer_of(hart, a, True, RTZ, sew)


@unary("010010 00010", "vfcvt.f.xu.v")
def vfcvt_f_xu(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, s64(a), False, sew)


@unary("010010 00011", "vfcvt.f.x.v")
def vfcvt_f_x(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, signed(a, sew), True, sew)


# --- widening -----------------------------------------------------------------------------------


def _to_wide_integer(vs1: str, name: str) -> Adding:
    return unary(f"010010 {vs1}", name, prepare_widened_integer, NARROW, d_factor=2)


def _to_wide_number(vs1: str, name: str) -> Adding:
    return unary(f"010010 {vs1}", name, prepare_widened, (8, 16, 32), d_factor=2)


@_to_wide_integer("01000", "vfwcvt.xu.f.v")
def vfwcvt_xu_f(hart, a: u64, sew: Width) -> u64:
    return to_integer(hart, number(a, sew), sew * 2, False, sew, DYN)


@_to_wide_integer("01001", "vfwcvt.x.f.v")
def vfwcvt_x_f(hart, a: u64, sew: Width) -> u64:
    return to_integer(hart, number(a, sew), sew * 2, True, sew, DYN)


@_to_wide_integer("01110", "vfwcvt.rtz.xu.f.v")
def vfwcvt_rtz_xu_f(hart, a: u64, sew: Width) -> u64:
    return to_integer(hart, number(a, sew), sew * 2, False, sew, RTZ)


@_to_wide_integer("01111", "vfwcvt.rtz.x.f.v")
def vfwcvt_rtz_x_f(hart, a: u64, sew: Width) -> u64:
    return to_integer(hart, number(a, sew), sew * 2, True, sew, RTZ)


@_to_wide_number("01010", "vfwcvt.f.xu.v")
def vfwcvt_f_xu(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, s64(a), False, sew * 2)


@_to_wide_number("01011", "vfwcvt.f.x.v")
def vfwcvt_f_x(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, signed(a, sew), True, sew * 2)


@unary("010010 01100", "vfwcvt.f.f.v", prepare_wider_format, NARROW, d_factor=2, minimal=True)
def vfwcvt_f_f(hart, a: u64, sew: Width) -> u64:
    return widened(hart, a, sew)


# --- narrowing ----------------------------------------------------------------------------------


@define
def narrow_integer_of(hart, a: u64, has_sign: FixedBool, rm: u64, sew: Width) -> u64:
    """A number of 2*SEW bits as an integer of SEW bits. F has no integers of less than 32 bits."""
    if sew < 32:
        return soft_to_integer(hart, a, sew * 2, sew, has_sign, rm)
    return to_integer(hart, number(a, sew * 2), sew, has_sign, sew * 2, rm)


def _to_narrow_integer(vs1: str, name: str) -> Adding:
    return unary(f"010010 {vs1}", name, prepare_narrowed_integer, (8, 16, 32), a_factor=2)


def _to_narrow_number(vs1: str, name: str) -> Adding:
    return unary(f"010010 {vs1}", name, prepare_narrowed, NARROW, a_factor=2)


@_to_narrow_integer("10000", "vfncvt.xu.f.w")
def vfncvt_xu_f(hart, a: u64, sew: Width) -> u64:
    return narrow_integer_of(hart, a, False, DYN, sew)


@_to_narrow_integer("10001", "vfncvt.x.f.w")
def vfncvt_x_f(hart, a: u64, sew: Width) -> u64:
    return narrow_integer_of(hart, a, True, DYN, sew)


@_to_narrow_integer("10110", "vfncvt.rtz.xu.f.w")
def vfncvt_rtz_xu_f(hart, a: u64, sew: Width) -> u64:
    return narrow_integer_of(hart, a, False, RTZ, sew)


@_to_narrow_integer("10111", "vfncvt.rtz.x.f.w")
def vfncvt_rtz_x_f(hart, a: u64, sew: Width) -> u64:
    return narrow_integer_of(hart, a, True, RTZ, sew)


@_to_narrow_number("10010", "vfncvt.f.xu.w")
def vfncvt_f_xu(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, s64(a), False, sew)


@_to_narrow_number("10011", "vfncvt.f.x.w")
def vfncvt_f_x(hart, a: u64, sew: Width) -> u64:
    return number_of(hart, signed(a, sew * 2), True, sew)


@unary("010010 10100", "vfncvt.f.f.w", prepare_narrower_format, NARROW, a_factor=2, minimal=True)
def vfncvt_f_f(hart, a: u64, sew: Width) -> u64:
    if sew == 16:
        return converted(hart, number(a, 32), 32, 16, DYN)
    return double_to_single(hart, a, DYN)


@unary("010010 10101", "vfncvt.rod.f.f.w", prepare_float_narrowing, NARROW, a_factor=2)
def vfncvt_rod_f_f(hart, a: u64, sew: Width) -> u64:
    """Rounded towards odd: towards zero, with the lowest bit set if that is inexact."""
    result, flags = convert_format(a, sew * 2, sew, RTZ)
    accrue(hart, flags)
    return result | 1 if flags & NX != 0 else result
