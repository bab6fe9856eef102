"""Zvfbfmin and Zvfbfwma, vectors of bfloat16 (Unprivileged, "Zvfbfmin", "Zvfbfwma"): SEW 16."""

from rvplat.isa.fp_arithmetic import converted, fma
from rvplat.isa.fp_arithmetic import number as boxed_number
from rvplat.isa.fp_state import DYN, reads_f, require_fp
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.rv_v import Zvfbfmin, Zvfbfwma
from rvplat.isa.vector.elements import Width, group, splat
from rvplat.isa.vector.float_forms import Adding, fused_loop, number, unary
from rvplat.isa.vector.forms import arithmetic, shape
from rvplat.isa.vector.groups import NO_REGISTER, prepare_narrowing, prepare_widening
from rvplat.lang import Definition, define, u64
from rvplat.lang.floating_point.formats import BFLOAT16, RMM


@define
def require_bfloats(hart):
    """FS isn't Off, frm is legal, and SEW is 16."""
    if not reads_f(hart):
        require_fp(hart)
    if hart.frm > RMM or hart.vsew != 16:
        illegal(hart)


@define(cold=True)
def prepare_wider(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_bfloats(hart)
    prepare_widening(hart, vd, vs2, vs1, vm)


@define(cold=True)
def prepare_narrower(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_bfloats(hart)
    prepare_narrowing(hart, vd, vs2, vs1, vm)


@define
def single(hart, a: u64) -> u64:
    """An element, a bfloat16, as an f register holds a single."""
    return converted(hart, number(a, 16), BFLOAT16, 32, DYN)


@define
def second_bfloat(hart, vs1: u64, scalar: u64) -> u64:
    """The elements of the second operand, which may be an f register."""
    if vs1 == NO_REGISTER:
        return splat(hart, boxed_number(scalar, BFLOAT16))
    return group(hart, vs1)


def widening_fused(operation: Definition) -> Definition:
    """32 bits = operation(hart, 16 bits, 16 bits, 32 bits of vd, 16)."""
    return shape(operation, prepare_wider, fused_loop(operation, (16,), 2), 2, second_bfloat)


def _unary(digits: str, name: str, prepare: Definition, **factor: int) -> Adding:
    return unary(digits, name, prepare, (16,), extension=Zvfbfmin, **factor)


@_unary("010010 11101", "vfncvtbf16.f.f.w", prepare_narrower, a_factor=2)
def vfncvtbf16_f_f(hart, a: u64, sew: Width) -> u64:
    return converted(hart, number(a, 32), 32, BFLOAT16, DYN)


@_unary("010010 01101", "vfwcvtbf16.f.f.v", prepare_wider, d_factor=2)
def vfwcvtbf16_f_f(hart, a: u64, sew: Width) -> u64:
    return single(hart, a)


@arithmetic("111011", "fvv fvf", widening_fused, Zvfbfwma, swapped=True)
def vfwmaccbf16(hart, a: u64, b: u64, d: u64, sew: Width) -> u64:
    return fma(hart, single(hart, b), single(hart, a), number(d, 32), False, False, 32, DYN)
