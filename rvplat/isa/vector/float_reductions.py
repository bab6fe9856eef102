"""Vector floating-point reductions (Unprivileged, "Vector Single-Width Floating-Point Reduction
Instructions", "Vector Widening Floating-Point Reduction Instructions").

The unordered sums add in the order of elements too, which the manual allows. Without an active
element they add the additive identity, so that a NaN becomes canonical; it allows that as well.
"""

from collections.abc import Callable
from typing import Any

from rvplat.isa.fp_arithmetic import add, fmax, fmin, sign
from rvplat.isa.fp_state import DYN
from rvplat.isa.rv_v import Zve32f
from rvplat.isa.vector.elements import Width, element, group, is_active, set_element
from rvplat.isa.vector.float_forms import (
    FORMATS,
    NARROW,
    float_widths,
    number,
    require_float,
    widened,
)
from rvplat.isa.vector.forms import named
from rvplat.isa.vector.reductions import prepare_reduction, prepare_widening_reduction
from rvplat.lang import Definition, define, u64
from rvplat.lang.floating_point.formats import RDN


@define(cold=True)
def prepare_float_reduction(hart, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    prepare_reduction(hart, vs2, vs1, vm)


@define(cold=True)
def prepare_float_widening_reduction(hart, vs2: u64, vs1: u64, vm: u64):
    require_float(hart, hart.vsew)
    require_float(hart, hart.vsew * 2)
    prepare_widening_reduction(hart, vs2, vs1, vm)


@define
def identity(hart, sew: Width) -> u64:
    """What leaves every number as it is when it is added."""
    return u64(0) if hart.frm == RDN else sign(sew)


def reduction(
    funct6: str, name: str, prepare: Definition = prepare_float_reduction,
    widths: tuple[int, ...] = FORMATS, d_factor: int = 1, ordered: bool = True,
) -> Callable[[Callable[..., Any]], Any]:  # fmt: skip
    """Add an instruction: `operation(hart, total, element, sew)`. Without an active element,
    element 0 of vs1 is copied as it is, or added to if the sum isn't `ordered`."""

    def add_row(function: Any) -> Any:
        operation = function if isinstance(function, Definition) else Definition(function)

        @define
        def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
            total = element(b, u64(0), sew * d_factor)
            is_changed = ordered
            for i in range(hart.vl):
                if is_active(hart, vm, i):
                    total = operation(hart, total, element(a, i, sew), sew)
                    is_changed = True
            if hart.vl != 0:
                if not is_changed:
                    total = operation(hart, total, identity(hart, sew), sew)
                set_element(d, u64(0), total, sew * d_factor)

        compute = float_widths(named(loop, operation, "loop"), operation, widths)

        @define(apart=True)
        def instruction(hart, vd, vs2, vs1, vm):
            prepare(hart, vs2, vs1, vm)
            compute(hart, group(hart, vs2), group(hart, vs1), group(hart, vd), vm)

        pattern = f"{funct6} vm vs2 vs1 001 vd 1010111"
        syntax = f"{name} vd, vs2, vs1{{vm}}"
        row = Zve32f.instruction(pattern, syntax, name=name, text=operation)
        made: Any = instruction
        row(made)
        return operation

    return add_row


@reduction("000001", "vfredusum.vs", ordered=False)
@reduction("000011", "vfredosum.vs")
def float_sum(hart, total: u64, a: u64, sew: Width) -> u64:
    return add(hart, number(total, sew), number(a, sew), sew, DYN)


@reduction("000101", "vfredmin.vs")
def float_least(hart, total: u64, a: u64, sew: Width) -> u64:
    return fmin(hart, number(total, sew), number(a, sew), sew)


@reduction("000111", "vfredmax.vs")
def float_greatest(hart, total: u64, a: u64, sew: Width) -> u64:
    return fmax(hart, number(total, sew), number(a, sew), sew)


@reduction("110001", "vfwredusum.vs", prepare_float_widening_reduction, NARROW, 2, ordered=False)
@reduction("110011", "vfwredosum.vs", prepare_float_widening_reduction, NARROW, 2)
def wide_sum(hart, total: u64, a: u64, sew: Width) -> u64:
    return add(hart, number(total, sew * 2), widened(hart, a, sew), sew * 2, DYN)
