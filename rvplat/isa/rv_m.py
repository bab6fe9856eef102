"""M, integer multiplication and division (Unprivileged, "M" and "Zmmul")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import sx, ux
from rvplat.lang import define, s32, s128, sdiv, srem, u32, u128

Zmmul = Extension(
    "Zmmul", version="1.0", standing="ratified", title="Integer multiplication", requires=("I",)
)
M = Extension(
    "M",
    version="2.0",
    standing="ratified",
    title="Integer multiplication and division",
    requires=("Zmmul",),
)


# "Multiplication Operations"


@Zmmul.instruction("0000001 rs2 rs1 000 rd 0110011", "mul rd, rs1, rs2")
def mul(hart, rd, rs1, rs2):
    """The low XLEN bits of the product."""
    hart.x[rd] = hart.x[rs1] * hart.x[rs2]


@Zmmul.instruction("0000001 rs2 rs1 001 rd 0110011", "mulh rd, rs1, rs2")
def mulh(hart, rd, rs1, rs2):
    """The high XLEN bits of the product, both signed."""
    hart.x[rd] = ux((s128(sx(hart.x[rs1])) * s128(sx(hart.x[rs2]))) >> ux.bits)


@Zmmul.instruction("0000001 rs2 rs1 010 rd 0110011", "mulhsu rd, rs1, rs2")
def mulhsu(hart, rd, rs1, rs2):
    """The high XLEN bits of the product of a signed rs1 and an unsigned rs2."""
    hart.x[rd] = ux((s128(sx(hart.x[rs1])) * s128(hart.x[rs2])) >> ux.bits)


@Zmmul.instruction("0000001 rs2 rs1 011 rd 0110011", "mulhu rd, rs1, rs2")
def mulhu(hart, rd, rs1, rs2):
    """The high XLEN bits of the product, both unsigned."""
    hart.x[rd] = ux((u128(hart.x[rs1]) * u128(hart.x[rs2])) >> ux.bits)


@Zmmul.instruction("0000001 rs2 rs1 000 rd 0111011", "mulw rd, rs1, rs2", xlen=64)
def mulw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(hart.x[rs1] * hart.x[rs2]))


# "Division Operations": no division traps. The table of that section gives the results of division
# by zero and of the signed overflow. The 32-bit forms divide in XLEN bits and truncate: -2**31 / -1
# is then exact, and its low half is -2**31, as in the table.


@define
def quotient(a: sx, b: sx) -> sx:
    """a / b towards zero; -1 if b is 0. If b is -1, a is negated, which wraps on overflow."""
    if b == 0:
        return sx(-1)
    if b == -1:
        return -a
    return sdiv(a, b)


@define
def remainder(a: sx, b: sx) -> sx:
    """The remainder of that division, with the sign of a; a if b is 0."""
    if b == 0:
        return a
    if b == -1:
        return sx(0)
    return srem(a, b)


@define
def quotient_unsigned(a: ux, b: ux) -> ux:
    """a / b; all ones if b is 0."""
    if b == 0:
        return ux(-1)
    return a // b


@define
def remainder_unsigned(a: ux, b: ux) -> ux:
    """The remainder of that division; a if b is 0."""
    if b == 0:
        return a
    return a % b


@M.instruction("0000001 rs2 rs1 100 rd 0110011", "div rd, rs1, rs2")
def div(hart, rd, rs1, rs2):
    hart.x[rd] = ux(quotient(sx(hart.x[rs1]), sx(hart.x[rs2])))


@M.instruction("0000001 rs2 rs1 101 rd 0110011", "divu rd, rs1, rs2")
def divu(hart, rd, rs1, rs2):
    hart.x[rd] = quotient_unsigned(hart.x[rs1], hart.x[rs2])


@M.instruction("0000001 rs2 rs1 110 rd 0110011", "rem rd, rs1, rs2")
def rem(hart, rd, rs1, rs2):
    hart.x[rd] = ux(remainder(sx(hart.x[rs1]), sx(hart.x[rs2])))


@M.instruction("0000001 rs2 rs1 111 rd 0110011", "remu rd, rs1, rs2")
def remu(hart, rd, rs1, rs2):
    hart.x[rd] = remainder_unsigned(hart.x[rs1], hart.x[rs2])


@M.instruction("0000001 rs2 rs1 100 rd 0111011", "divw rd, rs1, rs2", xlen=64)
def divw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(quotient(sx(s32(hart.x[rs1])), sx(s32(hart.x[rs2])))))


@M.instruction("0000001 rs2 rs1 101 rd 0111011", "divuw rd, rs1, rs2", xlen=64)
def divuw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(quotient_unsigned(ux(u32(hart.x[rs1])), ux(u32(hart.x[rs2])))))


@M.instruction("0000001 rs2 rs1 110 rd 0111011", "remw rd, rs1, rs2", xlen=64)
def remw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(remainder(sx(s32(hart.x[rs1])), sx(s32(hart.x[rs2])))))


@M.instruction("0000001 rs2 rs1 111 rd 0111011", "remuw rd, rs1, rs2", xlen=64)
def remuw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(remainder_unsigned(ux(u32(hart.x[rs1])), ux(u32(hart.x[rs2])))))
