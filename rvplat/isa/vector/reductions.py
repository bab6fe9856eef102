"""Vector integer reductions (Unprivileged, "Vector Reduction Operations").

A text combines the result so far with one element of vs2. The first result is element 0 of vs1.
"""

from collections.abc import Callable
from typing import Any

from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import Width, element, group, is_active, set_element, signed
from rvplat.isa.vector.forms import every_width, named, up_to
from rvplat.isa.vector.groups import (
    check_element,
    check_group,
    check_mask_apart,
    check_source_apart,
)
from rvplat.isa.vector.state import begin_change, require_start_at_zero
from rvplat.lang import Definition, define, u64


@define(cold=True)
def prepare_reduction(hart, vs2: u64, vs1: u64, vm: u64):
    """vd and vs1 hold scalars, whatever LMUL is, and vd may overlap all else."""
    require_start_at_zero(hart)
    check_group(hart, vs2, hart.vlmul)
    check_mask_apart(hart, vs2, vs1, vm)
    begin_change(hart)


@define(cold=True)
def prepare_widening_reduction(hart, vs2: u64, vs1: u64, vm: u64):
    """vs1 is read with EEW=2*SEW."""
    require_start_at_zero(hart)
    check_element(hart, hart.vsew * 2)
    check_source_apart(hart, vs2, hart.vlmul, vs1, 0)
    prepare_reduction(hart, vs2, vs1, vm)


def reduction(
    funct6: str, funct3: str = "010", prepare: Definition = prepare_reduction, d_factor: int = 1
) -> Callable[[Callable[..., Any]], Any]:
    """Add an instruction: `operation(total, element, sew)`; the total has d_factor * SEW bits. If
    vl is 0 nothing is written."""

    def add(function: Callable[..., Any]) -> Any:
        operation = Definition(function)

        @define
        def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
            total = element(b, u64(0), sew * d_factor)
            for i in range(hart.vl):
                if is_active(hart, vm, i):
                    total = operation(total, element(a, i, sew), sew)
            if hart.vl != 0:
                set_element(d, u64(0), total, sew * d_factor)

        compute = every_width(named(loop, operation, "loop"), operation, up_to(64 // d_factor))

        @define(apart=True)
        def instruction(hart, vd, vs2, vs1, vm):
            prepare(hart, vs2, vs1, vm)
            compute(hart, group(hart, vs2), group(hart, vs1), group(hart, vd), vm)

        name = f"{operation.name}.vs"
        pattern = f"{funct6} vm vs2 vs1 {funct3} vd 1010111"
        return Zve32x.instruction(pattern, f"{name} vd, vs2, vs1{{vm}}", name=name, text=operation)(
            instruction
        )

    return add


# "Vector Single-Width Integer Reduction Instructions"


@reduction("000000")
def vredsum(total: u64, a: u64, sew: Width) -> u64:
    return total + a


@reduction("000001")
def vredand(total: u64, a: u64, sew: Width) -> u64:
    return total & a


@reduction("000010")
def vredor(total: u64, a: u64, sew: Width) -> u64:
    return total | a


@reduction("000011")
def vredxor(total: u64, a: u64, sew: Width) -> u64:
    return total ^ a


@reduction("000100")
def vredminu(total: u64, a: u64, sew: Width) -> u64:
    return a if a < total else total


@reduction("000101")
def vredmin(total: u64, a: u64, sew: Width) -> u64:
    return a if signed(a, sew) < signed(total, sew) else total


@reduction("000110")
def vredmaxu(total: u64, a: u64, sew: Width) -> u64:
    return a if a > total else total


@reduction("000111")
def vredmax(total: u64, a: u64, sew: Width) -> u64:
    return a if signed(a, sew) > signed(total, sew) else total


# "Vector Widening Integer Reduction Instructions"


@reduction("110000", "000", prepare_widening_reduction, 2)
def vwredsumu(total: u64, a: u64, sew: Width) -> u64:
    return total + a


@reduction("110001", "000", prepare_widening_reduction, 2)
def vwredsum(total: u64, a: u64, sew: Width) -> u64:
    return total + u64(signed(a, sew))
