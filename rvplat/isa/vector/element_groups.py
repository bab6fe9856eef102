"""Instructions on element groups (Unprivileged, V, "Vector Element Groups"; "Vector Cryptography
Extensions", "Instruction Constraints").

An instruction's text computes one element group:

    operation(to, a, b, d, sew)

The first four are host addresses: of the group to write, which is a copy, and of the groups in vs2,
vs1 and the old vd. `b` is a number if the instruction has an immediate in place of vs1.
"""

from collections.abc import Callable
from typing import Any

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.vector.elements import Width, group, result, write_back
from rvplat.isa.vector.forms import named
from rvplat.isa.vector.groups import NO_REGISTER, are_apart, check_group, prepare_same
from rvplat.isa.vector.state import require_start_at_zero
from rvplat.lang import Definition, define, u64

OP_VE = "010 vd 1110111"
Adding = Callable[[Any], Definition]
"""What adds a row, given an instruction's text. It returns the text, for a further row."""

# --- what is required ---------------------------------------------------------------------------


@define
def prepare_groups(hart, vd: u64, vs2: u64, vs1: u64, size: u64):
    """vl is a multiple of EGS (`size`), and LMUL * VLEN at least EGW, even if vl is 0. EEW is SEW,
    so the second rule is that VLMAX is at least EGS: it is 0 with vill. `prepare_same` checks that
    vstart is 0, which is a multiple of EGS."""
    if hart.vl & (size - 1) != 0 or hart.vlmax < size:
        illegal(hart)
    prepare_same(hart, vd, vs2, vs1, 1)


@define(cold=True)
def prepare_32(hart, vd: u64, vs2: u64, vs1: u64, size: u64):
    """SEW is 32, the others are reserved ("SEW constraints")."""
    if hart.vsew != 32:
        illegal(hart)
    prepare_groups(hart, vd, vs2, vs1, size)


@define(cold=True)
def prepare_scalar(hart, vd: u64, vs2: u64, vs1: u64, size: u64):
    """vs2 is one register with a scalar element group. vd can't overlap it ("Vector/Scalar
    constraints")."""
    require_start_at_zero(hart)
    if not are_apart(vd, hart.vlmul, vs2, 0):
        illegal(hart)
    check_group(hart, vd, hart.vlmul)
    prepare_32(hart, vd, NO_REGISTER, vs1, size)


@define(cold=True)
def prepare_apart(hart, vd: u64, vs2: u64, vs1: u64, size: u64):
    """vd can't overlap vs2 ("Vector/Scalar constraints", last table)."""
    if vd == vs2:
        illegal(hart)
    prepare_32(hart, vd, vs2, vs1, size)


@define
def is_one_group(hart, size: u64) -> bool:
    """Whether vl is one group of SEW 32 in single registers, and vector state may change. Then
    `prepare_groups` has nothing to refuse."""
    differs = hart.vl ^ size | hart.vsew ^ 32 | hart.vstart
    return differs == 0 and hart.vlmul <= 0 and hart.v_ready != 0


# --- loops --------------------------------------------------------------------------------------


def group_loop(
    operation: Definition, size: int, scalar: int = 0, number: int = 0, in_place: bool = False
) -> Definition:
    """All groups of `size` elements. `scalar`: vs2 has one group; `number`: b is a number;
    `in_place`: they are written to vd itself, and not to `result`."""

    @define
    def loop(hart, a: u64, b: u64, d: u64, sew: Width):
        to = d if in_place else result(hart)
        for i in range(hart.vl // size):
            at = i * (size * sew >> 3)
            first = a if scalar == 1 else a + at
            second = b if number == 1 else b + at
            operation(to + at, first, second, d + at, sew)

    return named(loop, operation, "loop")


def only_32(operation: Definition, size: int, scalar: int = 0, number: int = 0) -> Definition:
    """The loop for SEW 32."""
    loop = group_loop(operation, size, scalar, number)

    @define
    def compute(hart, a: u64, b: u64, d: u64):
        loop(hart, a, b, d, 32)

    return named(compute, operation, "widths")


# --- rows ---------------------------------------------------------------------------------------


def _row(extension: Extension, pattern: str, syntax: str, operation: Definition, made: Any) -> None:
    """Add one row, which shows the operation."""
    name = syntax.split()[0]
    definition = named(made, operation, name.rpartition(".")[2])
    extension.instruction(f"{pattern} {OP_VE}", syntax, name=name, text=operation)(definition)


def _operation(text: Any) -> Definition:
    return text if isinstance(text, Definition) else Definition(text)


def from_vs2(extension: Extension, digits: str, name: str, form: str = "vv") -> Adding:
    """Add an instruction with the operands vd and vs2; groups have 4 elements. `digits` are its
    field vs1. In the form vs, vs2 is a scalar element group."""
    funct6, prepare = {"vv": ("101000", prepare_32), "vs": ("101001", prepare_scalar)}[form]

    def add(text: Any) -> Definition:
        operation = _operation(text)
        compute = only_32(operation, 4, int(form == "vs"), 1)

        @define(apart=True)
        def instruction(hart, vd, vs2):
            prepare(hart, vd, vs2, NO_REGISTER, 4)
            compute(hart, group(hart, vs2), 0, group(hart, vd))
            write_back(hart, vd, 1, 32)

        pattern = f"{funct6} 1 vs2 {digits}"
        _row(extension, pattern, f"{name}.{form} vd, vs2", operation, instruction)
        return operation

    return add


def with_immediate(
    extension: Extension, funct6: str, name: str, size: int = 4, prepare: Definition = prepare_32
) -> Adding:
    """Add an instruction with the operands vd, vs2 and an immediate."""

    def add(text: Any) -> Definition:
        operation = _operation(text)
        compute = only_32(operation, size, number=1)

        @define(apart=True)
        def instruction(hart, vd, vs2, uimm):
            prepare(hart, vd, vs2, NO_REGISTER, size)
            compute(hart, group(hart, vs2), uimm, group(hart, vd))
            write_back(hart, vd, 1, 32)

        pattern = f"{funct6} 1 vs2 uimm[4:0]"
        _row(extension, pattern, f"{name} vd, vs2, uimm", operation, instruction)
        return operation

    return add


def from_both(
    extension: Extension, funct6: str, name: str, prepare: Definition = prepare_32, size: int = 4,
    widths: Callable[[Definition, int], Definition] = only_32, in_place: bool = False,
) -> Adding:  # fmt: skip
    """Add an instruction with the operands vd, vs2 and vs1. `in_place`: the loop writes vd, which
    overlaps no source. Fast handlers and regions then have the text of one group of SEW 32 in
    them, since a call takes as long as the text."""

    def add(text: Any) -> Definition:
        operation = _operation(text)
        compute = widths(operation, size)

        @define(apart=True)
        def groups(hart, vd: u64, vs2: u64, vs1: u64):
            prepare(hart, vd, vs2, vs1, size)
            compute(hart, group(hart, vs2), group(hart, vs1), group(hart, vd))
            if not in_place:
                write_back(hart, vd, 1, hart.vsew)

        @define
        def instruction(hart, vd, vs2, vs1):
            if in_place and is_one_group(hart, size) and vd != vs2 and vd != vs1:
                to = group(hart, vd)
                operation(to, group(hart, vs2), group(hart, vs1), to, 32)
            else:
                groups(hart, vd, vs2, vs1)

        named(groups, operation, "groups")
        pattern = f"{funct6} 1 vs2 vs1"
        _row(extension, pattern, f"{name} vd, vs2, vs1", operation, instruction)
        return operation

    return add
