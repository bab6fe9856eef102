"""The operand forms of vector arithmetic (Unprivileged, "Vector Arithmetic Instruction Formats").

An instruction's own text computes one element. A *shape* makes of it a definition that checks the
operands, computes all elements and writes them back: it is the same for all instructions whose
operands have the same widths. The shape's definition has the parameters

    (hart, vd, vs2, vs1, scalar, vm)

where `vs1` is NO_REGISTER if the second operand is `scalar`, of which copies are made (`second`).
`operands` makes the .vv, .vx and .vi forms of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import (
    Width,
    element,
    group,
    is_active,
    mask_bit,
    result,
    scalar,
    set_element,
    splat,
    splat_float,
    write_back,
    write_back_mask,
)
from rvplat.isa.vector.groups import (
    NO_REGISTER,
    prepare_high_half,
    prepare_mask,
    prepare_narrowing,
    prepare_same,
    prepare_wide,
    prepare_widening,
)
from rvplat.lang import Definition, define, lanes, u64

# funct3 by form ("Vector Arithmetic Instruction encoding"); a first letter m: OPMVV and OPMVX, f:
# OPFVV and OPFVF. The immediate of vl is long: its bit 5 is in place of the last bit of funct6.
FUNCT3 = {
    "vv": "000", "vx": "100", "vi": "011", "vu": "011", "vl": "011", "mvv": "010", "mvx": "110",
    "fvv": "001", "fvf": "101",
}  # fmt: skip
_SECOND = {
    "v": "vs1", "x": "rs1", "i": "simm[4:0]", "u": "uimm[4:0]", "l": "uimm[4:0]", "f": "rs1",
}  # fmt: skip
WIDTHS = (8, 16, 32, 64)  # of elements

Shape = Callable[[Definition], Definition]


@define
def second(hart, vs1: u64, scalar: u64) -> u64:
    """The host address of the second operand's elements."""
    return splat(hart, scalar) if vs1 == NO_REGISTER else group(hart, vs1)


@define
def second_float(hart, vs1: u64, scalar: u64) -> u64:
    """As `second`, where the scalar is the value of an f register."""
    return splat_float(hart, scalar) if vs1 == NO_REGISTER else group(hart, vs1)


def operands(apply: Definition) -> dict[str, Definition]:
    """The definitions of the forms, by the letter of the second operand."""

    @define
    def vector(hart, vd, vs2, vs1, vm):
        apply(hart, vd, vs2, vs1, u64(0), vm)

    @define
    def register(hart, vd, vs2, rs1, vm):
        apply(hart, vd, vs2, NO_REGISTER, scalar(hart.x[rs1]), vm)

    @define
    def immediate(hart, vd, vs2, simm, vm):
        apply(hart, vd, vs2, NO_REGISTER, simm, vm)

    @define
    def unsigned_immediate(hart, vd, vs2, uimm, vm):
        apply(hart, vd, vs2, NO_REGISTER, uimm, vm)

    @define
    def floating(hart, vd, vs2, rs1, vm):
        apply(hart, vd, vs2, NO_REGISTER, hart.f[rs1], vm)

    found: Any = {
        "v": vector, "x": register, "i": immediate, "u": unsigned_immediate,
        "l": unsigned_immediate, "f": floating,
    }  # fmt: skip
    return dict(found)


def add_forms(
    extension: Extension, funct6: str, name: str, forms: str, made: Mapping[str, Definition],
    where: str = "", suffix: str = "", swapped: bool = False, text: Definition | None = None,
) -> list[Instruction]:  # fmt: skip
    """Add rows, which show `text`. `forms` are such as "vv vx vi", "mvv mvx" or "fvv fvf" (FUNCT3),
    with "w" for the first letter of an operand of 2*SEW. `where`: "vm == 0" or "vm != 0" if only
    that is legal. `suffix` ends the mnemonic ("m"). `swapped`: the syntax names vs2 last, as
    multiply-add does."""
    rows = []
    for form in forms.split():
        letters = form[-2:]
        second = _SECOND[letters[1]]
        funct3 = FUNCT3[form.replace("w", "v")]
        shown = letters.replace("u", "i").replace("l", "i") + suffix
        source = "frs1" if letters[1] == "f" else second.split("[")[0]
        sources = f"{source}, vs2" if swapped else f"vs2, {source}"
        mask = {"": "{vm}", "vm == 0": ", v0", "vm != 0": ""}[where]
        syntax = f"{name}.{shown} vd, {sources}{mask}"
        digits = f"{funct6[:5]} uimm[5]" if letters[1] == "l" else funct6
        pattern = f"{digits} vm vs2 {second} {funct3} vd 1010111"
        add = extension.instruction(
            pattern, syntax, name=f"{name}.{shown}", where=where, text=text
        )  # fmt: skip
        rows.append(add(made[letters[1]]))
    return rows


def arithmetic(
    funct6: str, forms: str, shape: Shape, extension: Extension = Zve32x, name: str = "",
    carries: bool = False, **how: Any,
) -> Callable[[Callable[..., Any]], list[Instruction]]:  # fmt: skip
    """Add an instruction in its forms; the decorated text computes one element. Its name is the
    mnemonic, unless `name` gives that. `carries`: the mask is a carry, which may be left out."""

    def add(function: Callable[..., Any]) -> list[Instruction]:
        operation = Definition(function)
        made = operands(shape(operation))
        shown = name or operation.name
        how["text"] = operation
        if not carries:
            return add_forms(extension, funct6, shown, forms, made, **how)
        masked = add_forms(extension, funct6, shown, forms, made, "vm == 0", "m", **how)
        return masked + add_forms(extension, funct6, shown, forms, made, "vm != 0", **how)

    return add


def named(definition: Definition, operation: Definition, what: str) -> Definition:
    """Name what a shape made after the operation, for texts that show native code."""
    definition.name = f"{operation.name}.{what}"
    return definition


# --- loops over all elements --------------------------------------------------------------------


LANES = 128  # bits of the elements that a loop computes at once


@define
def are_whole(hart, vm: u64, sew: u64) -> bool:
    """Whether all that a loop over lanes computes is written back. If the operands have one width,
    their groups are the same or apart, and the loop then writes to vd itself."""
    return vm != 0 and hart.vl * sew & (LANES - 1) == 0


@define
def write_back_lanes(hart, vd: u64, vm: u64, eew: u64):
    """As write_back, after such a loop."""
    if not are_whole(hart, vm, eew):
        write_back(hart, vd, vm, eew)


@define
def rounded_up(hart, sew: Width) -> u64:
    """vl, as a multiple of the elements that a loop computes at once. Those beyond vl are not
    written back."""
    return hart.vl + (LANES // sew - 1) & ~u64(LANES // sew - 1)


def up_to(widest: int) -> tuple[int, ...]:
    """The widths of elements up to the widest."""
    return tuple(width for width in WIDTHS if width <= widest)


def every_width(
    loop: Definition, operation: Definition, widths: tuple[int, ...] = WIDTHS
) -> Definition:
    """The loop for SEW as vtype has it; `widths` are those that can be. Its arguments are the host
    addresses of the groups vs2, vs1 and vd, and vm."""
    has_8, has_16, has_32, has_64 = (width in widths for width in WIDTHS)

    @define
    def compute(hart, a: u64, b: u64, d: u64, vm: u64):
        if has_8 and hart.vsew == 8:
            loop(hart, a, b, d, vm, 8)
        elif has_16 and hart.vsew == 16:
            loop(hart, a, b, d, vm, 16)
        elif has_32 and hart.vsew == 32:
            loop(hart, a, b, d, vm, 32)
        elif has_64:
            loop(hart, a, b, d, vm, 64)

    return named(compute, operation, "widths")


def two_operand_loop(
    operation: Definition, a_factor: int = 1, d_factor: int = 1, widths: tuple[int, ...] = (),
    at_once: int = LANES,
) -> Definition:  # fmt: skip
    """`operation(a, b, sew)`; a has a_factor * SEW bits, the result d_factor * SEW. `at_once`: the
    bits of the elements that the host computes at once."""
    one_width = a_factor == d_factor == 1

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = d if one_width and are_whole(hart, vm, sew) else result(hart)
        for i in lanes(rounded_up(hart, sew), at_once // sew):
            first = element(a, i, sew * a_factor)
            set_element(to, i, operation(first, element(b, i, sew), sew), sew * d_factor)

    possible = widths or up_to(64 // max(a_factor, d_factor))
    return every_width(named(loop, operation, "loop"), operation, possible)


def three_operand_loop(operation: Definition, d_factor: int = 1) -> Definition:
    """`operation(a, b, c, sew)`, where c is the destination's element of d_factor * SEW bits."""
    one_width = d_factor == 1

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = d if one_width and are_whole(hart, vm, sew) else result(hart)
        for i in lanes(rounded_up(hart, sew), LANES // sew):
            old = element(d, i, sew * d_factor)
            found = operation(element(a, i, sew), element(b, i, sew), old, sew)
            set_element(to, i, found, sew * d_factor)

    return every_width(named(loop, operation, "loop"), operation, up_to(64 // d_factor))


def flagging_loop(operation: Definition, a_factor: int = 1) -> Definition:
    """`operation(hart, a, b, sew)`, which may set flags: only active elements are computed."""

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = result(hart)
        for i in range(hart.vl):
            if is_active(hart, vm, i):
                first = element(a, i, sew * a_factor)
                set_element(to, i, operation(hart, first, element(b, i, sew), sew), sew)

    return every_width(named(loop, operation, "loop"), operation, up_to(64 // a_factor))


def carry_loop(operation: Definition, d_bits: int = 0) -> Definition:
    """`operation(a, b, carry, sew)`; the carry is v0.mask[i], or 0 without a mask. The result has
    d_bits, or SEW for 0."""

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = d if d_bits == 0 and are_whole(hart, u64(1), sew) else result(hart)
        mask = group(hart, u64(0))
        for i in lanes(rounded_up(hart, sew), LANES // sew):
            carry = mask_bit(mask, i) if vm == 0 else u64(0)
            found = operation(element(a, i, sew), element(b, i, sew), carry, sew)
            if d_bits == 8:
                set_element(to, i, found, 8)
            else:
                set_element(to, i, found, sew)

    return every_width(named(loop, operation, "loop"), operation)


# --- shapes -------------------------------------------------------------------------------------


def shape(
    operation: Definition, prepare: Definition, compute: Definition, d_factor: int = 1,
    elements: Definition = second, finish: Definition = write_back,
) -> Definition:  # fmt: skip
    """Check and prepare, compute all elements, and write the active ones back (`finish`).
    `elements` gives those of the second operand."""

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, vs1: u64, scalar: u64, vm: u64):
        prepare(hart, vd, vs2, vs1, vm)
        compute(hart, group(hart, vs2), elements(hart, vs1, scalar), group(hart, vd), vm)
        finish(hart, vd, vm, hart.vsew * d_factor)

    return named(apply, operation, "apply")


def single_width(operation: Definition) -> Definition:
    """vd[i] = operation(vs2[i], b[i], sew)."""
    return lanes_shape(operation, prepare_same, two_operand_loop(operation))


def lanes_shape(operation: Definition, prepare: Definition, compute: Definition) -> Definition:
    """As `shape`, for a loop over lanes and operands of one width."""
    return shape(operation, prepare, compute, finish=write_back_lanes)


def one_by_one(operation: Definition) -> Definition:
    """As single_width, where the host has no vector instruction."""
    return lanes_shape(operation, prepare_same, two_operand_loop(operation, at_once=8))


def single_width_high(operation: Definition) -> Definition:
    """As single_width, for the high half of a product."""
    return lanes_shape(operation, prepare_high_half, two_operand_loop(operation))


def multiply_add(operation: Definition) -> Definition:
    """vd[i] = operation(vs2[i], b[i], vd[i], sew)."""
    return lanes_shape(operation, prepare_same, three_operand_loop(operation))


def flagging(operation: Definition) -> Definition:
    """vd[i] = operation(hart, vs2[i], b[i], sew), which may set flags."""
    return shape(operation, prepare_same, flagging_loop(operation))


def flagging_high(operation: Definition) -> Definition:
    """As flagging, for the high half of a product."""
    return shape(operation, prepare_high_half, flagging_loop(operation))


def widening(operation: Definition) -> Definition:
    """2*SEW = operation(SEW, SEW, sew)."""
    return shape(operation, prepare_widening, two_operand_loop(operation, d_factor=2), 2)


def widening_multiply_add(operation: Definition) -> Definition:
    """2*SEW = operation(SEW, SEW, 2*SEW of vd, sew)."""
    return shape(operation, prepare_widening, three_operand_loop(operation, d_factor=2), 2)


def widening_wide(operation: Definition) -> Definition:
    """2*SEW = operation(2*SEW, SEW, sew)."""
    return shape(operation, prepare_wide, two_operand_loop(operation, 2, 2), 2)


def narrowing(operation: Definition) -> Definition:
    """SEW = operation(2*SEW, SEW, sew)."""
    return shape(operation, prepare_narrowing, two_operand_loop(operation, a_factor=2))


def narrowing_flagging(operation: Definition) -> Definition:
    """SEW = operation(hart, 2*SEW, SEW, sew), which may set flags."""
    return shape(operation, prepare_narrowing, flagging_loop(operation, a_factor=2))


def carry_in(
    operation: Definition, prepare: Definition = prepare_same, elements: Definition = second
) -> Definition:
    """vd[i] = operation(vs2[i], b[i], v0.mask[i], sew), for every body element."""
    compute = carry_loop(operation)

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, vs1: u64, scalar: u64, vm: u64):
        prepare(hart, vd, vs2, vs1, 0)
        compute(hart, group(hart, vs2), elements(hart, vs1, scalar), group(hart, vd), 0)
        write_back_lanes(hart, vd, 1, hart.vsew)

    return named(apply, operation, "apply")


def _to_mask(operation: Definition, compute: Definition, all_active: bool) -> Definition:
    """The result has EEW=1. `all_active`: every body element is written, whatever the mask."""

    @define(apart=True)
    def apply(hart, vd: u64, vs2: u64, vs1: u64, scalar: u64, vm: u64):
        prepare_mask(hart, vd, vs2, vs1, vm)
        compute(hart, group(hart, vs2), second(hart, vs1, scalar), group(hart, vd), vm)
        write_back_mask(hart, vd, u64(1) if all_active else vm)

    return named(apply, operation, "apply")


def comparison(operation: Definition) -> Definition:
    """vd.mask[i] = operation(vs2[i], b[i], sew)."""

    @define
    def loop(hart, a: u64, b: u64, d: u64, vm: u64, sew: Width):
        to = result(hart)
        for i in lanes(rounded_up(hart, sew), LANES // sew):
            found = operation(element(a, i, sew), element(b, i, sew), sew)
            set_element(to, i, u64(found), 8)

    compute = every_width(named(loop, operation, "loop"), operation)
    return _to_mask(operation, compute, False)


def carry_out(operation: Definition) -> Definition:
    """vd.mask[i] = operation(vs2[i], b[i], v0.mask[i] or 0, sew), for every body element."""
    return _to_mask(operation, carry_loop(operation, 8), True)
