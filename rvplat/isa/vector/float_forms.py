"""Shapes of vector floating-point instructions (see forms.py), and what these require.

A text computes one element with the operations of F and D. These take numbers as f registers hold
them, so a single is boxed first (`number`). Only active elements are computed, since they may set
flags.
"""

from collections.abc import Callable
from typing import Any

from rvplat.isa.fp_arithmetic import converted, register, single_to_double
from rvplat.isa.fp_state import DYN, reads_f, require_fp
from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.rv_v import Zve32f
from rvplat.isa.vector.elements import (
    Width,
    element,
    group,
    is_active,
    result,
    set_element,
    write_back,
    write_back_mask,
)
from rvplat.isa.vector.forms import Shape, arithmetic, named, second_float, shape
from rvplat.isa.vector.groups import (
    NO_REGISTER,
    prepare_mask,
    prepare_narrowing,
    prepare_same,
    prepare_wide,
    prepare_widening,
)
from rvplat.lang import Definition, define, u64
from rvplat.lang.floating_point.formats import RMM

Adding = Callable[[Callable[..., Any]], Instruction]
"""What adds a row, given an instruction's text."""

# --- what is required ---------------------------------------------------------------------------


@define
def require_float(hart, eew: u64):
    """FS isn't Off, and frm is legal, whatever the instruction ("Vector Arithmetic Instruction
    encoding"). Floating-point operands have 32 bits, 64 with Zve64d, or 16 with Zvfh."""
    require_conversion(hart, eew)
    if eew == 16 and hart.has_zvfh == 0:
        illegal(hart)


@define
def require_conversion(hart, eew: u64):
    """As require_float, for conversions between formats, which Zvfhmin has for 16 bits."""
    if not reads_f(hart):
        require_fp(hart)
    if hart.frm > RMM:
        illegal(hart)
    if eew == 64 and hart.has_zve64d == 0:
        illegal(hart)
    if eew == 16 and hart.has_zvfhmin == 0:
        illegal(hart)
    if eew < 16 or eew > 64:
        illegal(hart)


@define(cold=True)
def prepare_float(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    prepare_same(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_float_mask(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    prepare_mask(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_widened(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The result is a number of 2*SEW bits. The source is one of SEW bits, or an integer."""
    require_float(hart, hart.vsew * 2)
    prepare_widening(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_widened_integer(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The source is a number of SEW bits, the result an integer."""
    require_float(hart, hart.vsew)
    prepare_widening(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_float_widening(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """Sources and result are numbers."""
    require_float(hart, hart.vsew)
    prepare_widened(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_float_wide(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    require_float(hart, hart.vsew * 2)
    prepare_wide(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_narrowed(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The result is a number of SEW bits."""
    require_float(hart, hart.vsew)
    prepare_narrowing(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_narrowed_integer(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The source is a number of 2*SEW bits, the result an integer."""
    require_float(hart, hart.vsew * 2)
    prepare_narrowing(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_float_narrowing(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """Source and result are numbers."""
    require_float(hart, hart.vsew * 2)
    prepare_narrowed(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_wider_format(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """As prepare_float_widening, for a conversion."""
    require_conversion(hart, hart.vsew)
    require_conversion(hart, hart.vsew * 2)
    prepare_widening(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_narrower_format(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """As prepare_float_narrowing, for a conversion."""
    require_conversion(hart, hart.vsew)
    require_conversion(hart, hart.vsew * 2)
    prepare_narrowing(hart, vd, vs2, vs1, vm)


# --- numbers ------------------------------------------------------------------------------------


@define
def number(a: u64, sew: Width) -> u64:
    """An element as an f register holds it."""
    return register(a, sew)


@define
def widened(hart, a: u64, sew: Width) -> u64:
    """A number of SEW bits converted to 2*SEW."""
    if sew == 16:
        return converted(hart, number(a, 16), 16, 32, DYN)
    return single_to_double(hart, number(a, 32), DYN)


# --- loops and shapes ---------------------------------------------------------------------------

FORMATS = (16, 32, 64)
NARROW = (16, 32)


def float_widths(
    loop: Definition, operation: Definition, widths: tuple[int, ...], minimal: bool = False
) -> Definition:
    """As every_width. The least of the widths is the one with halves among the operands: it needs
    Zvfh, or Zvfhmin if it is `minimal`. Where there is only one width, `prepare` has checked it."""
    least = widths[0]
    if len(widths) == 1:

        @define
        def compute_one(hart, a: u64, b: u64, d: u64, vm: u64):
            loop(hart, a, b, d, vm, least)

        return named(compute_one, operation, "widths")

    has_16, has_32, has_64 = (width in widths[1:] for width in (16, 32, 64))

    @define
    def compute(hart, a: u64, b: u64, d: u64, vm: u64):
        if (hart.has_zvfhmin if minimal else hart.has_zvfh) != 0 and hart.vsew == least:
            loop(hart, a, b, d, vm, least)
        elif has_16 and hart.vsew == 16:
            loop(hart, a, b, d, vm, 16)
        elif has_32 and hart.vsew == 32:
            loop(hart, a, b, d, vm, 32)
        elif has_64:
            loop(hart, a, b, d, vm, 64)

    return named(compute, operation, "widths")


def float_loop(
    operation: Definition, widths: tuple[int, ...] = FORMATS, a_factor: int = 1, d_factor: int = 1
) -> Definition:
    """`operation(hart, a, b, sew)`."""
    in_place = a_factor == d_factor == 1

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = d if in_place else result(hart)
        for i in range(hart.vl):
            if is_active(hart, vm, i):
                first = element(a, i, sew * a_factor)
                found = operation(hart, first, element(b, i, sew), sew)
                set_element(to, i, found, sew * d_factor)

    return float_widths(named(loop, operation, "loop"), operation, widths)


def fused_loop(operation: Definition, widths: tuple[int, ...], d_factor: int) -> Definition:
    """`operation(hart, a, b, d, sew)`, where d is the destination's element."""
    in_place = d_factor == 1

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = d if in_place else result(hart)
        for i in range(hart.vl):
            if is_active(hart, vm, i):
                old = element(d, i, sew * d_factor)
                found = operation(hart, element(a, i, sew), element(b, i, sew), old, sew)
                set_element(to, i, found, sew * d_factor)

    return float_widths(named(loop, operation, "loop"), operation, widths)


def float_shape(
    operation: Definition, prepare: Definition, compute: Definition, d_factor: int = 1
) -> Definition:
    """As `shape`; the scalar operand is a number."""
    return shape(operation, prepare, compute, d_factor, second_float)


@define
def nothing_left(hart, vd: u64, vm: u64, eew: u64):
    """All elements are written."""


def float_in_place(operation: Definition, compute: Definition) -> Definition:
    """All widths are SEW: so groups are the same or apart, and a loop that computes only active
    elements, in their order, may write them to vd itself."""
    return shape(operation, prepare_float, compute, 1, second_float, nothing_left)


def float_single(operation: Definition) -> Definition:
    """vd[i] = operation(hart, vs2[i], b[i], sew)."""
    return float_in_place(operation, float_loop(operation))


def float_fused(operation: Definition) -> Definition:
    """vd[i] = operation(hart, vs2[i], b[i], vd[i], sew)."""
    return float_in_place(operation, fused_loop(operation, FORMATS, 1))


def float_widening(operation: Definition) -> Definition:
    """2*SEW = operation(hart, SEW, SEW, sew)."""
    compute = float_loop(operation, NARROW, d_factor=2)
    return float_shape(operation, prepare_float_widening, compute, 2)


def float_wide(operation: Definition) -> Definition:
    """2*SEW = operation(hart, 2*SEW, SEW, sew)."""
    return float_shape(operation, prepare_float_wide, float_loop(operation, NARROW, 2, 2), 2)


def float_widening_fused(operation: Definition) -> Definition:
    """2*SEW = operation(hart, SEW, SEW, 2*SEW of vd, sew)."""
    return float_shape(operation, prepare_float_widening, fused_loop(operation, NARROW, 2), 2)


def float_comparison(operation: Definition) -> Definition:
    """vd.mask[i] = operation(hart, vs2[i], b[i], sew)."""

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = result(hart)
        for i in range(hart.vl):
            if is_active(hart, vm, i):
                found = operation(hart, element(a, i, sew), element(b, i, sew), sew)
                set_element(to, i, u64(found), 8)

    compute = float_widths(named(loop, operation, "loop"), operation, FORMATS)

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, vs1: u64, scalar: u64, vm: u64):
        prepare_float_mask(hart, vd, vs2, vs1, vm)
        compute(hart, group(hart, vs2), second_float(hart, vs1, scalar), group(hart, vd), vm)
        write_back_mask(hart, vd, vm)

    return named(apply, operation, "apply")


def floating(
    funct6: str, forms: str, shape_of: Shape, **how: Any
) -> Callable[[Callable[..., Any]], list[Instruction]]:
    """As `arithmetic`, for Zve32f."""
    return arithmetic(funct6, forms, shape_of, Zve32f, **how)


def unary(
    digits: str, name: str, prepare: Definition = prepare_float,
    widths: tuple[int, ...] = FORMATS, a_factor: int = 1, d_factor: int = 1, minimal: bool = False,
    extension: Extension = Zve32f,
) -> Adding:  # fmt: skip
    """Add an instruction with the source vs2 alone: `operation(hart, a, sew)`. `digits` are funct6
    and the field vs1. `minimal`: Zvfhmin has it for halves."""
    funct6, vs1 = digits.split()

    def add(function: Callable[..., Any]) -> Instruction:
        operation = Definition(function)

        @define
        def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
            to = result(hart)
            for i in range(hart.vl):
                if is_active(hart, vm, i):
                    found = operation(hart, element(a, i, sew * a_factor), sew)
                    set_element(to, i, found, sew * d_factor)

        compute = float_widths(named(loop, operation, "loop"), operation, widths, minimal)

        @define(apart=True)
        def instruction(hart, vd, vs2, vm):
            prepare(hart, vd, vs2, NO_REGISTER, vm)
            compute(hart, group(hart, vs2), 0, 0, vm)
            write_back(hart, vd, vm, hart.vsew * d_factor)

        pattern = f"{funct6} vm vs2 {vs1} 001 vd 1010111"
        row = extension.instruction(pattern, f"{name} vd, vs2{{vm}}", name=name, text=operation)
        made: Any = instruction
        return row(named(made, operation, "v"))

    return add
