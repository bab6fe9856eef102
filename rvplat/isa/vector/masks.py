"""Vector mask instructions (Unprivileged, "Vector Mask Instructions")."""

from collections.abc import Callable
from typing import Any

from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import (
    Width,
    active_bits,
    bytes_at,
    group,
    is_active,
    mask_bit,
    result,
    set_element,
    set_mask_bit,
    write_back,
)
from rvplat.isa.vector.forms import every_width
from rvplat.isa.vector.groups import are_apart, check_group, check_mask
from rvplat.isa.vector.state import begin_change, require_start_at_zero
from rvplat.lang import Definition, FixedBool, ctz, define, popcount, u8, u64

# "Vector Mask-Register Logical Instructions": eight elements at a time.


def logical(funct6: str) -> Callable[[Callable[..., Any]], Any]:
    """Add an instruction; the text combines bytes of vs2 and vs1."""

    def add(function: Callable[..., Any]) -> Any:
        operation = Definition(function)

        @define(apart=True)
        def instruction(hart, vd, vs2, vs1):
            require_start_at_zero(hart)
            begin_change(hart)
            a = bytes_at(group(hart, vs2))
            b = bytes_at(group(hart, vs1))
            to = bytes_at(group(hart, vd))
            whole = hart.vl >> 3
            for k in range(whole):
                to.at[k] = operation(a.at[k], b.at[k])
            if hart.vl & 7 != 0:
                tail = u8(0xFF) << u8(hart.vl & 7)
                body = operation(a.at[whole], b.at[whole]) & ~tail
                to.at[whole] = to.at[whole] & tail | body

        name = f"{operation.name}.mm"
        pattern = f"{funct6} 1 vs2 vs1 010 vd 1010111"
        return Zve32x.instruction(pattern, f"{name} vd, vs2, vs1", name=name, text=operation)(
            instruction
        )

    return add


@logical("011001")
def vmand(a: u8, b: u8) -> u8:
    return a & b


@logical("011101")
def vmnand(a: u8, b: u8) -> u8:
    return ~(a & b)


@logical("011000")
def vmandn(a: u8, b: u8) -> u8:
    return a & ~b


@logical("011011")
def vmxor(a: u8, b: u8) -> u8:
    return a ^ b


@logical("011010")
def vmor(a: u8, b: u8) -> u8:
    return a | b


@logical("011110")
def vmnor(a: u8, b: u8) -> u8:
    return ~(a | b)


@logical("011100")
def vmorn(a: u8, b: u8) -> u8:
    return a | ~b


@logical("011111")
def vmxnor(a: u8, b: u8) -> u8:
    return ~(a ^ b)


# "Vector Count Population in Mask vcpop.m" and "vfirst Find-First-Set Mask Bit"


@define
def mask_bytes(hart) -> u64:
    """The bytes that hold the mask of vl elements."""
    return hart.vl + 7 >> 3


@define(apart=True)
def count_bits(hart, vs2: u64, vm: u64) -> u64:
    require_start_at_zero(hart)
    begin_change(hart)
    count = u64(0)
    for k in range(mask_bytes(hart)):
        count += u64(popcount(active_bits(hart, bytes_at(group(hart, vs2)).at[k], vm, k)))
    return count


@define(apart=True)
def first_bit(hart, vs2: u64, vm: u64) -> u64:
    require_start_at_zero(hart)
    begin_change(hart)
    for k in range(mask_bytes(hart)):
        bits = active_bits(hart, bytes_at(group(hart, vs2)).at[k], vm, k)
        if bits != 0:
            return k * 8 + u64(ctz(bits))
    return ~u64(0)


@Zve32x.instruction("010000 vm vs2 10000 010 rd 1010111", "vcpop.m rd, vs2{vm}")
def vcpop_m(hart, rd, vs2, vm):
    """Also if vl is 0."""
    hart.x[rd] = ux(count_bits(hart, vs2, vm))


@Zve32x.instruction("010000 vm vs2 10001 010 rd 1010111", "vfirst.m rd, vs2{vm}")
def vfirst_m(hart, rd, vs2, vm):
    """-1 if no active bit is set, also if vl is 0."""
    hart.x[rd] = ux(first_bit(hart, vs2, vm))


# "vmsbf Set-Before-First Mask Bit" and the like


@define(apart=True)
def set_around_first(hart, vd: u64, vs2: u64, vm: u64, before: FixedBool, first: FixedBool):
    """Write to the active elements `before` and at the `first` that is set; 0 after it."""
    require_start_at_zero(hart)
    check_mask(hart, vd, vm)
    if vd == vs2:
        illegal(hart)
    begin_change(hart)
    found = u64(0)
    for i in range(hart.vl):
        if is_active(hart, vm, i):
            bit = mask_bit(group(hart, vs2), i)
            value = u64(0)
            if found == 0:
                value = u64(first) if bit != 0 else u64(before)
            found |= bit
            set_mask_bit(group(hart, vd), i, value)


@Zve32x.instruction("010100 vm vs2 00001 010 vd 1010111", "vmsbf.m vd, vs2{vm}")
def vmsbf_m(hart, vd, vs2, vm):
    set_around_first(hart, vd, vs2, vm, True, False)


@Zve32x.instruction("010100 vm vs2 00011 010 vd 1010111", "vmsif.m vd, vs2{vm}")
def vmsif_m(hart, vd, vs2, vm):
    set_around_first(hart, vd, vs2, vm, True, True)


@Zve32x.instruction("010100 vm vs2 00010 010 vd 1010111", "vmsof.m vd, vs2{vm}")
def vmsof_m(hart, vd, vs2, vm):
    set_around_first(hart, vd, vs2, vm, False, True)


# "Vector Iota Instruction" and "Vector Element Index Instruction"


@define
def iota_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    """The set bits of active elements before each element."""
    count = u64(0)
    for i in range(hart.vl):
        set_element(result(hart), i, count, sew)
        if is_active(hart, vm, i):
            count += mask_bit(a, i)


@define
def index_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    for i in range(hart.vl):
        set_element(result(hart), i, i, sew)


iota = every_width(iota_loop, iota_loop)
indices = every_width(index_loop, index_loop)


@Zve32x.instruction("010100 vm vs2 10000 010 vd 1010111", "viota.m vd, vs2{vm}")
@define(apart=True)
def viota_m(hart, vd, vs2, vm):
    require_start_at_zero(hart)
    check_group(hart, vd, hart.vlmul)
    check_mask(hart, vd, vm)
    if not are_apart(vd, hart.vlmul, vs2, 0):
        illegal(hart)
    begin_change(hart)
    iota(hart, group(hart, vs2), 0, 0, vm)
    write_back(hart, vd, vm, hart.vsew)


@Zve32x.instruction("010100 vm 00000 10001 010 vd 1010111", "vid.v vd{vm}")
@define(apart=True)
def vid_v(hart, vd, vm):
    require_start_at_zero(hart)
    check_group(hart, vd, hart.vlmul)
    check_mask(hart, vd, vm)
    begin_change(hart)
    indices(hart, 0, 0, 0, vm)
    write_back(hart, vd, vm, hart.vsew)
