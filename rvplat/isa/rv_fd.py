"""F and D, scalar floating-point (Unprivileged, "F" and "D"): one definition for both formats.

fcsr is in fp_state.py, the arithmetic in fp_arithmetic.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from rvplat.isa.fp_arithmetic import (
    add,
    div,
    double_to_single,
    eq,
    fma,
    from_integer,
    from_unsigned,
    le,
    lt,
    mul,
    number,
    register,
    sign,
    single_to_double,
    sqrt,
    sub,
    to_integer,
    unsigned,
)  # fmt: skip
from rvplat.isa.fp_arithmetic import (
    fmax as larger,
)
from rvplat.isa.fp_arithmetic import (
    fmin as smaller,
)
from rvplat.isa.fp_state import F, box, make_dirty, reads_f, require_fp, writes_f
from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.isa.machinery.vocabulary import load_u32, load_u64, store_u32, store_u64
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Definition, define, s32, s64, u32, u64
from rvplat.lang.floating_point.conversions import classify
from rvplat.lang.floating_point.formats import Format

D = Extension(
    "D",
    version="2.2",
    standing="ratified",
    title="Double-precision floating-point",
    requires=("F",),
)


class Scalar(NamedTuple):
    """An instruction of F, and the same instruction of D. `half(owner, requires)` adds it for
    halves to an extension."""

    s: Instruction
    d: Instruction
    half: Callable[..., Instruction]


#: The bits and the letter of a format in instructions ("Floating-Point Formats"), by its width.
FORMATS = {16: ("10", "h"), 32: ("00", "s"), 64: ("01", "d")}


def scalar(
    pattern: str, syntax: str, owners: tuple[Extension, Extension] = (F, D), **options: Any
) -> Callable[[Callable[..., None]], Scalar]:
    """Add an instruction to F and to D. What differs between them is the format: `ff` in the
    pattern and in the syntax, and the definition's last parameter."""

    def add_both(function: Callable[..., None]) -> Scalar:
        definition = Definition(function)

        def row(owner: Extension, requires: tuple[str, ...], fmt: int = 16) -> Instruction:
            bits, letter = FORMATS[fmt]
            shown = syntax.replace("ff", letter)
            add = owner.instruction(
                pattern.replace("ff", bits), shown, requires=requires, **options
            )  # fmt: skip
            return add(definition.given(shown.split()[0].replace(".", "_"), fmt=fmt))

        first, second = owners
        needed = () if second is D else ("D",)
        return Scalar(row(first, (), 32), row(second, needed, 64), row)

    return add_both


# "Single-Precision" and "Double-Precision Load and Store Instructions"


@F.instruction("imm[11:0] rs1 010 rd 0000111", "flw frd, imm(rs1)")
def flw(hart, rd, rs1, imm):
    """Load the bits unchanged, and box them."""
    if not writes_f(hart):
        require_fp(hart)
    value = load_u32(hart, hart.x[rs1] + imm)
    if not writes_f(hart):
        make_dirty(hart)
    hart.f[rd] = box(value)


@F.instruction("imm[11:5] rs2 rs1 010 imm[4:0] 0100111", "fsw frs2, imm(rs1)")
def fsw(hart, rs1, rs2, imm):
    """Store the low half of the register unchanged."""
    if not reads_f(hart):
        require_fp(hart)
    store_u32(hart, hart.x[rs1] + imm, u32(hart.f[rs2]))


@D.instruction("imm[11:0] rs1 011 rd 0000111", "fld frd, imm(rs1)")
def fld(hart, rd, rs1, imm):
    """Load the bits unchanged."""
    if not writes_f(hart):
        require_fp(hart)
    value = load_u64(hart, hart.x[rs1] + imm)
    if not writes_f(hart):
        make_dirty(hart)
    hart.f[rd] = value


@D.instruction("imm[11:5] rs2 rs1 011 imm[4:0] 0100111", "fsd frs2, imm(rs1)")
def fsd(hart, rs1, rs2, imm):
    """Store the register unchanged."""
    if not reads_f(hart):
        require_fp(hart)
    store_u64(hart, hart.x[rs1] + imm, hart.f[rs2])


# "... Floating-Point Computational Instructions"


@scalar("00000ff rs2 rs1 rm rd 1010011", "fadd.ff frd, frs1, frs2, rm")
def fadd(hart, rd, rs1, rs2, rm, fmt: Format):
    hart.f[rd] = add(hart, hart.f[rs1], hart.f[rs2], fmt, rm)


@scalar("00001ff rs2 rs1 rm rd 1010011", "fsub.ff frd, frs1, frs2, rm")
def fsub(hart, rd, rs1, rs2, rm, fmt: Format):
    hart.f[rd] = sub(hart, hart.f[rs1], hart.f[rs2], fmt, rm)


@scalar("00010ff rs2 rs1 rm rd 1010011", "fmul.ff frd, frs1, frs2, rm")
def fmul(hart, rd, rs1, rs2, rm, fmt: Format):
    hart.f[rd] = mul(hart, hart.f[rs1], hart.f[rs2], fmt, rm)


@scalar("00011ff rs2 rs1 rm rd 1010011", "fdiv.ff frd, frs1, frs2, rm")
def fdiv(hart, rd, rs1, rs2, rm, fmt: Format):
    hart.f[rd] = div(hart, hart.f[rs1], hart.f[rs2], fmt, rm)


@scalar("01011ff 00000 rs1 rm rd 1010011", "fsqrt.ff frd, frs1, rm")
def fsqrt(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = sqrt(hart, hart.f[rs1], fmt, rm)


@scalar("00101ff rs2 rs1 000 rd 1010011", "fmin.ff frd, frs1, frs2")
def fmin(hart, rd, rs1, rs2, fmt: Format):
    """minimumNumber: -0 before +0, a number rather than a NaN."""
    hart.f[rd] = smaller(hart, hart.f[rs1], hart.f[rs2], fmt)


@scalar("00101ff rs2 rs1 001 rd 1010011", "fmax.ff frd, frs1, frs2")
def fmax(hart, rd, rs1, rs2, fmt: Format):
    """maximumNumber: +0 after -0, a number rather than a NaN."""
    hart.f[rd] = larger(hart, hart.f[rs1], hart.f[rs2], fmt)


@scalar("rs3 ff rs2 rs1 rm rd 1000011", "fmadd.ff frd, frs1, frs2, frs3, rm")
def fmadd(hart, rd, rs1, rs2, rs3, rm, fmt: Format):
    """(rs1 * rs2) + rs3."""
    hart.f[rd] = fma(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], False, False, fmt, rm)


@scalar("rs3 ff rs2 rs1 rm rd 1000111", "fmsub.ff frd, frs1, frs2, frs3, rm")
def fmsub(hart, rd, rs1, rs2, rs3, rm, fmt: Format):
    """(rs1 * rs2) - rs3."""
    hart.f[rd] = fma(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], False, True, fmt, rm)


@scalar("rs3 ff rs2 rs1 rm rd 1001011", "fnmsub.ff frd, frs1, frs2, frs3, rm")
def fnmsub(hart, rd, rs1, rs2, rs3, rm, fmt: Format):
    """-(rs1 * rs2) + rs3."""
    hart.f[rd] = fma(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], True, False, fmt, rm)


@scalar("rs3 ff rs2 rs1 rm rd 1001111", "fnmadd.ff frd, frs1, frs2, frs3, rm")
def fnmadd(hart, rd, rs1, rs2, rs3, rm, fmt: Format):
    """-(rs1 * rs2) - rs3."""
    hart.f[rd] = fma(hart, hart.f[rs1], hart.f[rs2], hart.f[rs3], True, True, fmt, rm)


# "... Floating-Point Conversion and Move Instructions"


@scalar("11000ff 00000 rs1 rm rd 1010011", "fcvt.w.ff rd, frs1, rm")
def fcvt_w(hart, rd, rs1, rm, fmt: Format):
    hart.x[rd] = ux(s32(to_integer(hart, hart.f[rs1], 32, True, fmt, rm)))


@scalar("11000ff 00001 rs1 rm rd 1010011", "fcvt.wu.ff rd, frs1, rm")
def fcvt_wu(hart, rd, rs1, rm, fmt: Format):
    """The unsigned 32-bit result is sign-extended."""
    hart.x[rd] = ux(s32(to_integer(hart, hart.f[rs1], 32, False, fmt, rm)))


@scalar("11000ff 00010 rs1 rm rd 1010011", "fcvt.l.ff rd, frs1, rm", xlen=64)
def fcvt_l(hart, rd, rs1, rm, fmt: Format):
    hart.x[rd] = to_integer(hart, hart.f[rs1], 64, True, fmt, rm)


@scalar("11000ff 00011 rs1 rm rd 1010011", "fcvt.lu.ff rd, frs1, rm", xlen=64)
def fcvt_lu(hart, rd, rs1, rm, fmt: Format):
    hart.x[rd] = to_integer(hart, hart.f[rs1], 64, False, fmt, rm)


def _word(digits: str, word: str) -> Callable[[Callable[..., None]], Scalar]:
    """From 32 bits. The conversion to a double is exact, so assemblers omit rm there."""

    def add_both(function: Callable[..., None]) -> Scalar:
        pattern, definition = f"{digits} rs1 rm rd 1010011", Definition(function)

        def half(owner: Extension, requires: tuple[str, ...]) -> Instruction:
            add = owner.instruction(
                f"1101010 {pattern}", f"fcvt.h.{word} frd, rs1, rm", requires=requires
            )  # fmt: skip
            return add(definition.given(f"fcvt_h_{word}", fmt=16))

        single = F.instruction(f"1101000 {pattern}", f"fcvt.s.{word} frd, rs1, rm")
        double = D.instruction(f"1101001 {pattern}", f"fcvt.d.{word} frd, rs1, rm=rne")
        return Scalar(
            single(definition.given(f"fcvt_s_{word}", fmt=32)),
            double(definition.given(f"fcvt_d_{word}", fmt=64)),
            half,
        )

    return add_both


@_word("00000", "w")
def fcvt_from_w(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = from_integer(hart, s64(s32(hart.x[rs1])), fmt, rm)


@_word("00001", "wu")
def fcvt_from_wu(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = from_integer(hart, s64(u32(hart.x[rs1])), fmt, rm)


@scalar("11010ff 00010 rs1 rm rd 1010011", "fcvt.ff.l frd, rs1, rm", xlen=64)
def fcvt_from_l(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = from_integer(hart, s64(hart.x[rs1]), fmt, rm)


@scalar("11010ff 00011 rs1 rm rd 1010011", "fcvt.ff.lu frd, rs1, rm", xlen=64)
def fcvt_from_lu(hart, rd, rs1, rm, fmt: Format):
    hart.f[rd] = from_unsigned(hart, hart.x[rs1], fmt, rm)


@D.instruction("0100000 00001 rs1 rm rd 1010011", "fcvt.s.d frd, frs1, rm")
def fcvt_s_d(hart, rd, rs1, rm):
    hart.f[rd] = double_to_single(hart, hart.f[rs1], rm)


@D.instruction("0100001 00000 rs1 rm rd 1010011", "fcvt.d.s frd, frs1, rm=rne")
def fcvt_d_s(hart, rd, rs1, rm):
    """Exact."""
    hart.f[rd] = single_to_double(hart, hart.f[rs1], rm)


@define
def put(hart, rd: u64, value: u64, fmt: Format):
    """Write a number without rounding."""
    if not writes_f(hart):
        require_fp(hart)
        make_dirty(hart)
    hart.f[rd] = register(value, fmt)


@scalar("00100ff rs2 rs1 000 rd 1010011", "fsgnj.ff frd, frs1, frs2")
def fsgnj(hart, rd, rs1, rs2, fmt: Format):
    """rs1 with the sign of rs2: fmv.s, fmv.d."""
    size = unsigned(number(hart.f[rs1], fmt), fmt)
    put(hart, rd, size | number(hart.f[rs2], fmt) & sign(fmt), fmt)


@scalar("00100ff rs2 rs1 001 rd 1010011", "fsgnjn.ff frd, frs1, frs2")
def fsgnjn(hart, rd, rs1, rs2, fmt: Format):
    """rs1 with the opposite of rs2's sign: fneg.s, fneg.d."""
    size = unsigned(number(hart.f[rs1], fmt), fmt)
    put(hart, rd, size | ~number(hart.f[rs2], fmt) & sign(fmt), fmt)


@scalar("00100ff rs2 rs1 010 rd 1010011", "fsgnjx.ff frd, frs1, frs2")
def fsgnjx(hart, rd, rs1, rs2, fmt: Format):
    """rs1 with the product of both signs: fabs.s, fabs.d."""
    put(hart, rd, number(hart.f[rs1], fmt) ^ number(hart.f[rs2], fmt) & sign(fmt), fmt)


@F.instruction("1110000 00000 rs1 000 rd 1010011", "fmv.x.w rd, frs1")
def fmv_x_w(hart, rd, rs1):
    """Move the low half unchanged, sign-extended."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(s32(hart.f[rs1]))


@F.instruction("1111000 00000 rs1 000 rd 1010011", "fmv.w.x frd, rs1")
def fmv_w_x(hart, rd, rs1):
    put(hart, rd, u64(hart.x[rs1]), 32)


@D.instruction("1110001 00000 rs1 000 rd 1010011", "fmv.x.d rd, frs1", xlen=64)
def fmv_x_d(hart, rd, rs1):
    """Move the register unchanged."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = hart.f[rs1]


@D.instruction("1111001 00000 rs1 000 rd 1010011", "fmv.d.x frd, rs1", xlen=64)
def fmv_d_x(hart, rd, rs1):
    put(hart, rd, hart.x[rs1], 64)


# "... Floating-Point Compare Instructions"


@scalar("10100ff rs2 rs1 010 rd 1010011", "feq.ff rd, frs1, frs2")
def feq(hart, rd, rs1, rs2, fmt: Format):
    """Quiet: only a signaling NaN raises NV."""
    hart.x[rd] = ux(eq(hart, hart.f[rs1], hart.f[rs2], fmt))


@scalar("10100ff rs2 rs1 001 rd 1010011", "flt.ff rd, frs1, frs2")
def flt(hart, rd, rs1, rs2, fmt: Format):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(lt(hart, hart.f[rs1], hart.f[rs2], True, fmt))


@scalar("10100ff rs2 rs1 000 rd 1010011", "fle.ff rd, frs1, frs2")
def fle(hart, rd, rs1, rs2, fmt: Format):
    """Signaling: any NaN raises NV."""
    hart.x[rd] = ux(le(hart, hart.f[rs1], hart.f[rs2], True, fmt))


# "... Floating-Point Classify Instruction"


@scalar("11100ff 00000 rs1 001 rd 1010011", "fclass.ff rd, frs1")
def fclass(hart, rd, rs1, fmt: Format):
    """One bit for the class."""
    if not reads_f(hart):
        require_fp(hart)
    hart.x[rd] = ux(1) << classify(number(hart.f[rs1], fmt), fmt)
