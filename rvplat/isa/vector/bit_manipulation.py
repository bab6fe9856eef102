"""Zvkb, Zvbb and Zvbc (Unprivileged, "Zvbb", "Zvbc", "Zvkb"). As in integer.py, a text computes one
element."""

from collections.abc import Callable
from typing import Any

from rvplat.isa.cryptography.galois import mirrored
from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.rv_zbc import product_high, product_low
from rvplat.isa.rv_zvk import Zvbb, Zvbc, Zvkb
from rvplat.isa.vector.elements import Width, element, group, result, set_element
from rvplat.isa.vector.forms import (
    LANES,
    are_whole,
    arithmetic,
    every_width,
    lanes_shape,
    named,
    rounded_up,
    single_width,
    two_operand_loop,
    widening,
)
from rvplat.isa.vector.groups import NO_REGISTER, prepare_same
from rvplat.isa.vector.state import require_vtype
from rvplat.lang import Definition, bswap, clz, ctz, define, lanes, popcount, u64


def unary(
    extension: Extension, digits: str, name: str
) -> Callable[[Callable[..., Any]], Instruction]:
    """Add an instruction with the source vs2 alone: `operation(a, sew)`. `digits` are its field
    vs1."""

    def add(function: Callable[..., Any]) -> Instruction:
        operation = Definition(function)

        @define
        def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
            to = d if are_whole(hart, vm, sew) else result(hart)
            for i in lanes(rounded_up(hart, sew), LANES // sew):
                set_element(to, i, operation(element(a, i, sew), sew), sew)

        compute = every_width(named(loop, operation, "loop"), operation)
        apply = lanes_shape(operation, prepare_same, compute)

        @define
        def instruction(hart, vd, vs2, vm):
            apply(hart, vd, vs2, NO_REGISTER, group(hart, vs2), vm)

        pattern = f"010010 vm vs2 {digits} 010 vd 1010111"
        row = extension.instruction(pattern, f"{name} vd, vs2{{vm}}", name=name, text=operation)
        made: Any = instruction
        return row(named(made, operation, "v"))

    return add


# --- Zvkb ---------------------------------------------------------------------------------------


@arithmetic("000001", "vv vx", single_width, Zvkb)
def vandn(a: u64, b: u64, sew: Width) -> u64:
    return a & ~b


@arithmetic("010101", "vv vx", single_width, Zvkb)
def vrol(a: u64, b: u64, sew: Width) -> u64:
    """The low log2(SEW) bits of b are the amount."""
    return a << (b & (sew - 1)) | a >> ((sew - b) & (sew - 1))


@arithmetic("010100", "vv vx vl", single_width, Zvkb)
def vror(a: u64, b: u64, sew: Width) -> u64:
    """The low log2(SEW) bits of b are the amount."""
    return a >> (b & (sew - 1)) | a << ((sew - b) & (sew - 1))


@unary(Zvkb, "01000", "vbrev8.v")
def vbrev8(a: u64, sew: Width) -> u64:
    """Reverse the bits in each byte."""
    return mirrored(a)


@unary(Zvkb, "01001", "vrev8.v")
def vrev8(a: u64, sew: Width) -> u64:
    """Reverse the bytes."""
    return bswap(a) >> (64 - sew)


# --- Zvbb ---------------------------------------------------------------------------------------


@unary(Zvbb, "01010", "vbrev.v")
def vbrev(a: u64, sew: Width) -> u64:
    """Reverse the bits."""
    return bswap(mirrored(a)) >> (64 - sew)


@unary(Zvbb, "01100", "vclz.v")
def vclz(a: u64, sew: Width) -> u64:
    """Count leading zeros: SEW for 0."""
    return clz(a) - (64 - sew)


@unary(Zvbb, "01101", "vctz.v")
def vctz(a: u64, sew: Width) -> u64:
    """Count trailing zeros: SEW for 0."""
    return ctz(a) if sew == 64 else ctz(a | u64(1) << sew)


@unary(Zvbb, "01110", "vcpop.v")
def vcpop(a: u64, sew: Width) -> u64:
    """Count the bits that are set."""
    return popcount(a)


@arithmetic("110101", "vv vx vu", widening, Zvbb)
def vwsll(a: u64, b: u64, sew: Width) -> u64:
    """The low log2(2*SEW) bits of b are the amount."""
    return a << (b & (2 * sew - 1))


# --- Zvbc: reserved for other SEW than 64 -------------------------------------------------------


@define(cold=True)
def prepare_64(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    require_vtype(hart)
    if hart.vsew != 64:
        illegal(hart)
    prepare_same(hart, vd, vs2, vs1, vm)


def of_64_bits(operation: Definition) -> Definition:
    """vd[i] = operation(vs2[i], b[i], 64). The host multiplies one pair at a time."""
    return lanes_shape(operation, prepare_64, two_operand_loop(operation, widths=(64,), at_once=64))


@arithmetic("001100", "mvv mvx", of_64_bits, Zvbc)
def vclmul(a: u64, b: u64, sew: Width) -> u64:
    """The lower half of the carry-less product."""
    return product_low(a, b)


@arithmetic("001101", "mvv mvx", of_64_bits, Zvbc)
def vclmulh(a: u64, b: u64, sew: Width) -> u64:
    """The upper half of the carry-less product."""
    return product_high(a, b, sew)
