"""Zbc, carry-less multiplication (Unprivileged, "Zbc"): the product of polynomials over GF(2)."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import XLEN, ux
from rvplat.lang import define

Zbc = Extension(
    "Zbc", version="1.0", standing="ratified", title="Carry-less multiplication", requires=("I",)
)


@define
def product_high(a: ux, b: ux) -> ux:
    """Bits 2*XLEN-1 to XLEN of the product, to which bit 0 of b contributes nothing."""
    result = ux(0)
    for i in range(1, XLEN):
        result = result ^ ((a >> (XLEN - i)) & -((b >> i) & 1))
    return result


@define
def product_low(a: ux, b: ux) -> ux:
    """Bits XLEN-1 to 0 of the product."""
    result = ux(0)
    for i in range(XLEN):
        result = result ^ ((a << i) & -((b >> i) & 1))
    return result


@Zbc.instruction("0000101 rs2 rs1 001 rd 0110011", "clmul rd, rs1, rs2")
def clmul(hart, rd, rs1, rs2):
    hart.x[rd] = product_low(hart.x[rs1], hart.x[rs2])


@Zbc.instruction("0000101 rs2 rs1 011 rd 0110011", "clmulh rd, rs1, rs2")
def clmulh(hart, rd, rs1, rs2):
    hart.x[rd] = product_high(hart.x[rs1], hart.x[rs2])


@Zbc.instruction("0000101 rs2 rs1 010 rd 0110011", "clmulr rd, rs1, rs2")
def clmulr(hart, rd, rs1, rs2):
    """Bits 2*XLEN-2 to XLEN-1: the high half one bit lower, and the low half's top bit."""
    a = hart.x[rs1]
    b = hart.x[rs2]
    hart.x[rd] = (product_high(a, b) << 1) | (product_low(a, b) >> (XLEN - 1))
