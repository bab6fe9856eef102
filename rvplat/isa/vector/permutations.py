"""Moves, extensions and permutations of integers (Unprivileged, "Vector Integer Move Instructions",
"Vector Integer Extension", "Vector Integer Permutation Instructions").

A loop has the arguments of those in forms.py; `b` may be a number instead of a group's address.
"""

from typing import Any

from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import (
    Width,
    copy_bytes,
    element,
    fill,
    group,
    mask_bit,
    result,
    scalar,
    set_element,
    signed,
    splat,
    write_back,
)
from rvplat.isa.vector.forms import add_forms, arithmetic, carry_in, every_width, single_width
from rvplat.isa.vector.groups import (
    NO_REGISTER,
    are_apart,
    check_group,
    check_mask,
    check_mask_apart,
    check_source_apart,
    check_wider_destination,
    emul_of,
    prepare_same,
)
from rvplat.isa.vector.state import begin_change, require_start_at_zero, require_vtype
from rvplat.lang import Definition, FixedBool, copy_memory, define, s64, u64

# --- "Vector Integer Merge Instructions" and "Vector Integer Move Instructions" -----------------


@arithmetic("010111", "vv vx vi", carry_in, where="vm == 0", suffix="m")
def vmerge(a: u64, b: u64, mask: u64, sew: Width) -> u64:
    return b if mask != 0 else a


@define
def copied(a: u64, b: u64, sew: Width) -> u64:
    return b


copy = single_width(copied)


@Zve32x.instruction("010111 1 00000 vs1 000 vd 1010111", "vmv.v.v vd, vs1")
def vmv_v_v(hart, vd, vs1):
    copy(hart, vd, vs1, vs1, u64(0), 1)


@Zve32x.instruction("010111 1 00000 rs1 100 vd 1010111", "vmv.v.x vd, rs1")
def vmv_v_x(hart, vd, rs1):
    copy(hart, vd, vd, NO_REGISTER, scalar(hart.x[rs1]), 1)


@Zve32x.instruction("010111 1 00000 simm[4:0] 011 vd 1010111", "vmv.v.i vd, simm")
def vmv_v_i(hart, vd, simm):
    copy(hart, vd, vd, NO_REGISTER, simm, 1)


# --- "Whole Vector Register Move" ---------------------------------------------------------------


@define(apart=True)
def move_registers(hart, vd: u64, vs2: u64, count: u64):
    """Whatever vl is. The registers are aligned as a group is."""
    require_start_at_zero(hart)
    if (vd | vs2) & (count - 1) != 0:
        illegal(hart)
    begin_change(hart)
    copy_bytes(group(hart, vd), group(hart, vs2), count * hart.vlen_bytes)


@define
def vmvr(hart, vd, vs2, count: Width):
    move_registers(hart, vd, vs2, count)


for _count in (1, 2, 4, 8):
    _name = f"vmv{_count}r.v"
    Zve32x.instruction(
        f"100111 1 vs2 {_count - 1:05b} 011 vd 1010111", f"{_name} vd, vs2", name=_name
    )(vmvr.given(_name, count=_count))

# --- "Vector Integer Extension" -----------------------------------------------------------------


@define(cold=True)
def prepare_extension(hart, vd: u64, vs2: u64, vm: u64, shift: u64):
    """The source has EEW=SEW/2**shift, and EMUL as many times smaller than LMUL."""
    require_start_at_zero(hart)
    emul = hart.vlmul - s64(shift)
    if hart.vsew >> shift < 8:
        illegal(hart)
    check_group(hart, vd, hart.vlmul)
    check_group(hart, vs2, emul)
    check_mask(hart, vd, vm)
    check_mask_apart(hart, vs2, vs2, vm)
    check_wider_destination(hart, vd, hart.vlmul, vs2, emul)
    begin_change(hart)


@define
def extend(hart, a: u64, has_sign: FixedBool, shift: Width, sew: Width):
    """SEW = SEW / 2**shift."""
    to = result(hart)
    for i in range(hart.vl):
        value = element(a, i, sew >> shift)
        set_element(to, i, u64(signed(value, sew >> shift)) if has_sign else value, sew)


@define(apart=True)
def vext(hart, vd, vs2, vm, has_sign: FixedBool, shift: Width):
    prepare_extension(hart, vd, vs2, vm, shift)
    if hart.vsew == 16 and shift == 1:
        extend(hart, group(hart, vs2), has_sign, shift, 16)
    elif hart.vsew == 32 and shift <= 2:
        extend(hart, group(hart, vs2), has_sign, shift, 32)
    else:
        extend(hart, group(hart, vs2), has_sign, shift, 64)
    write_back(hart, vd, vm, hart.vsew)


for _shift, _digits in ((3, "0001"), (2, "0010"), (1, "0011")):
    for _sign, _letter in enumerate("zs"):
        _name = f"v{_letter}ext.vf{1 << _shift}"
        Zve32x.instruction(
            f"010010 vm vs2 {_digits}{_sign} 010 vd 1010111", f"{_name} vd, vs2{{vm}}", name=_name
        )(vext.given(_name, has_sign=_sign, shift=_shift))

# --- "Integer Scalar Move Instructions": whatever LMUL is ---------------------------------------


@define(apart=True)
def first_element(hart, vs2: u64) -> u64:
    """Element 0, sign-extended."""
    require_start_at_zero(hart)
    begin_change(hart)
    at = group(hart, vs2)
    if hart.vsew == 8:
        return u64(signed(element(at, u64(0), 8), 8))
    if hart.vsew == 16:
        return u64(signed(element(at, u64(0), 16), 16))
    if hart.vsew == 32:
        return u64(signed(element(at, u64(0), 32), 32))
    return element(at, u64(0), 64)


@Zve32x.instruction("010000 1 vs2 00000 010 rd 1010111", "vmv.x.s rd, vs2")
def vmv_x_s(hart, rd, vs2):
    """Also if vl is 0."""
    hart.x[rd] = ux(first_element(hart, vs2))


@define(apart=True)
def set_first_element(hart, vd: u64, value: u64):
    """Nothing if vl is 0."""
    require_start_at_zero(hart)
    begin_change(hart)
    if hart.vl != 0:
        copy_memory(group(hart, vd), splat(hart, value), hart.vsew >> 3)


@Zve32x.instruction("010000 1 00000 rs1 110 vd 1010111", "vmv.s.x vd, rs1")
def vmv_s_x(hart, vd, rs1):
    set_first_element(hart, vd, scalar(hart.x[rs1]))


# --- "Vector Slide Instructions" ----------------------------------------------------------------


@define
def slide_up_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    """Elements below the offset b stay as they were."""
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, element(d, i, sew) if i < b else element(a, i - b, sew), sew)


@define
def slide_down_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    """Elements from VLMAX on are 0. The offset b may be any number."""
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, element(a, i + b, sew) if b < hart.vlmax - i else u64(0), sew)


@define
def slide_1_up_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, b if i == 0 else element(a, i - 1, sew), sew)


@define
def slide_1_down_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, b if i == hart.vl - 1 else element(a, i + 1, sew), sew)


slide_up, slide_down, slide_1_up, slide_1_down = (
    every_width(loop, loop)
    for loop in (slide_up_loop, slide_down_loop, slide_1_up_loop, slide_1_down_loop)
)


@define(cold=True)
def prepare_apart(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """As prepare_same. The destination can't overlap a source."""
    if vd == vs2:
        illegal(hart)
    if vd == vs1:
        illegal(hart)
    prepare_same(hart, vd, vs2, vs1, vm)


@define
def unsigned(value: ux) -> u64:
    """The value of an x register as an offset or index."""
    return u64(value)


def by_scalar(
    funct6: str, name: str, forms: str, compute: Definition, prepare: Definition,
    number: Definition = unsigned,
) -> None:  # fmt: skip
    """Add rows whose second operand is a number, which is not truncated to SEW bits. `number` makes
    it of the value of an x register."""

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, b: u64, vm: u64):
        prepare(hart, vd, vs2, NO_REGISTER, vm)
        compute(hart, group(hart, vs2), b, group(hart, vd), vm)
        write_back(hart, vd, vm, hart.vsew)

    @define
    def register(hart, vd, vs2, rs1, vm):
        apply(hart, vd, vs2, number(hart.x[rs1]), vm)

    @define
    def immediate(hart, vd, vs2, uimm, vm):
        apply(hart, vd, vs2, uimm, vm)

    made: Any = {"x": register, "u": immediate}
    add_forms(Zve32x, funct6, name, forms, made)


by_scalar("001110", "vslideup", "vx vu", slide_up, prepare_apart)
by_scalar("001111", "vslidedown", "vx vu", slide_down, prepare_same)
by_scalar("001110", "vslide1up", "mvx", slide_1_up, prepare_apart, scalar)
by_scalar("001111", "vslide1down", "mvx", slide_1_down, prepare_same, scalar)

# --- "Vector Register Gather Instructions" ------------------------------------------------------


@define
def taken(hart, a: u64, index: u64, sew: Width) -> u64:
    """An element by its index, whatever vl is; 0 from VLMAX on."""
    return element(a, index, sew) if index < hart.vlmax else u64(0)


@define
def gather_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, taken(hart, a, element(b, i, sew), sew), sew)


@define
def gather_16_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    to = result(hart)
    for i in range(hart.vl):
        set_element(to, i, taken(hart, a, element(b, i, 16), sew), sew)


@define
def gather_one_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    fill(result(hart), hart.vl, taken(hart, a, b, sew), sew)


gather, gather_16, gather_one = (
    every_width(loop, loop) for loop in (gather_loop, gather_16_loop, gather_one_loop)
)


@Zve32x.instruction("001100 vm vs2 vs1 000 vd 1010111", "vrgather.vv vd, vs2, vs1{vm}")
@define(apart=True)
def vrgather_vv(hart, vd, vs2, vs1, vm):
    prepare_apart(hart, vd, vs2, vs1, vm)
    gather(hart, group(hart, vs2), group(hart, vs1), 0, vm)
    write_back(hart, vd, vm, hart.vsew)


by_scalar("001100", "vrgather", "vx vu", gather_one, prepare_apart)


@define(cold=True)
def prepare_gather_16(hart, vd: u64, vs2: u64, vs1: u64, vm: u64):
    """The indices have EEW=16 and EMUL=(16/SEW)*LMUL."""
    require_vtype(hart)
    emul = emul_of(hart, 16)
    check_group(hart, vs1, emul)
    if not are_apart(vd, hart.vlmul, vs1, emul):
        illegal(hart)
    if hart.vsew != 16:
        check_source_apart(hart, vs2, hart.vlmul, vs1, emul)
    check_mask_apart(hart, vs2, vs1, vm)
    prepare_apart(hart, vd, vs2, NO_REGISTER, vm)


@Zve32x.instruction("001110 vm vs2 vs1 000 vd 1010111", "vrgatherei16.vv vd, vs2, vs1{vm}")
@define(apart=True)
def vrgatherei16_vv(hart, vd, vs2, vs1, vm):
    prepare_gather_16(hart, vd, vs2, vs1, vm)
    gather_16(hart, group(hart, vs2), group(hart, vs1), 0, vm)
    write_back(hart, vd, vm, hart.vsew)


# --- "Vector Compress Instruction" --------------------------------------------------------------


@define
def compress_loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
    """Write the elements that are enabled to vd itself: the rest of it is the tail."""
    to = u64(0)
    for i in range(hart.vl):
        if mask_bit(b, i) != 0:
            set_element(d, to, element(a, i, sew), sew)
            to += 1


compress = every_width(compress_loop, compress_loop)


@define(cold=True)
def prepare_compress(hart, vd: u64, vs2: u64, vs1: u64):
    """vs1 is a mask: neither the destination nor vs2, with another EEW, can overlap it."""
    require_vtype(hart)
    lmul = hart.vlmul
    if not are_apart(vd, lmul, vs1, 0):
        illegal(hart)
    check_source_apart(hart, vs2, lmul, vs1, 0)
    prepare_apart(hart, vd, vs2, NO_REGISTER, 1)


@Zve32x.instruction("010111 1 vs2 vs1 010 vd 1010111", "vcompress.vm vd, vs2, vs1")
@define(apart=True)
def vcompress_vm(hart, vd, vs2, vs1):
    prepare_compress(hart, vd, vs2, vs1)
    compress(hart, group(hart, vs2), group(hart, vs1), group(hart, vd), 1)
