"""Zbc, carry-less multiplication (Unprivileged, "Zbc"): the product of polynomials over GF(2)."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import FixedU64, define, u64
from rvplat.lang.host_forms import CARRYLESS_HIGH, CARRYLESS_LOW, with_host_form

Zbc = Extension(
    "Zbc", version="1.0", standing="ratified", title="Carry-less multiplication", requires=("I",)
)


@with_host_form(CARRYLESS_LOW)
def product_low(a: u64, b: u64) -> u64:
    """The lower 64 bits of the product."""
    result = u64(0)
    for i in range(64):
        result = result ^ ((a << i) & -((b >> i) & 1))
    return result


@with_host_form(CARRYLESS_HIGH)
def product_above(a: u64, b: u64) -> u64:
    """The upper 64 bits of the product. Bit 0 of b contributes nothing."""
    result = u64(0)
    for i in range(1, 64):
        result = result ^ ((a >> (64 - i)) & -((b >> i) & 1))
    return result


@define
def product_high(a: u64, b: u64, width: FixedU64) -> u64:
    """The upper half of the product of numbers of `width` bits, 32 or 64."""
    return product_above(a, b) if width == 64 else product_low(a, b) >> width


@Zbc.instruction("0000101 rs2 rs1 001 rd 0110011", "clmul rd, rs1, rs2")
def clmul(hart, rd, rs1, rs2):
    hart.x[rd] = ux(product_low(u64(hart.x[rs1]), u64(hart.x[rs2])))


@Zbc.instruction("0000101 rs2 rs1 011 rd 0110011", "clmulh rd, rs1, rs2")
def clmulh(hart, rd, rs1, rs2):
    hart.x[rd] = ux(product_high(u64(hart.x[rs1]), u64(hart.x[rs2]), ux.bits))


@Zbc.instruction("0000101 rs2 rs1 010 rd 0110011", "clmulr rd, rs1, rs2")
def clmulr(hart, rd, rs1, rs2):
    """Bits 2*XLEN-2 to XLEN-1: the high half one bit lower, and the low half's top bit."""
    a = u64(hart.x[rs1])
    b = u64(hart.x[rs2])
    high = ux(product_high(a, b, ux.bits))
    hart.x[rd] = high << 1 | ux(product_low(a, b)) >> (ux.bits - 1)
