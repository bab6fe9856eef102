"""Zacas, atomic compare-and-swap (Unprivileged, "Zacas").

An instruction needs write permission even if it finds another value than rd's and writes nothing.
The two registers of amocas.q, and of amocas.d on RV32, begin with an even one, and x0 stands for
two zeros.
"""

from rvplat.isa.machinery.extension import rd_is_zero
from rvplat.isa.machinery.register_pairs import old_pair, put_pair, source_pair
from rvplat.isa.machinery.vocabulary import amo_address
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zacas
from rvplat.lang import (
    atomic_cas_u32,
    atomic_cas_u64,
    atomic_cas_u128,
    define,
    s32,
    u32,
    u64,
    u128,
)


@define
def expected(hart, rd: u64) -> ux:
    """The value to compare with: rd's."""
    return ux(0) if rd_is_zero(rd) else hart.x[rd]


@define
def both(low: u64, high: u64) -> u128:
    """A quadword."""
    return u128(low) | u128(high) << 64


@Zacas.instruction("00101 aq rl rs2 rs1 010 rd 0101111", "amocas.w{aqrl} rd, rs2, (rs1)")
def amocas_w(hart, rd, rs1, rs2):
    """The upper halves of rd and rs2 are ignored, and the word found is sign-extended."""
    address = amo_address(hart, hart.x[rs1], 4)
    found = atomic_cas_u32(address, u32(expected(hart, rd)), u32(hart.x[rs2]))
    hart.x[rd] = ux(s32(found))


@Zacas.instruction("00101 aq rl rs2 rs1 011 rd 0101111", "amocas.d{aqrl} rd, rs2, (rs1)", xlen=64)
def amocas_d(hart, rd, rs1, rs2):
    address = amo_address(hart, hart.x[rs1], 8)
    hart.x[rd] = atomic_cas_u64(address, expected(hart, rd), hart.x[rs2])


@Zacas.instruction(
    "00101 aq rl rs2[4:1] 0 rs1 011 rd[4:1] 0 0101111", "amocas.d{aqrl} rd, rs2, (rs1)",
    name="amocas.d", xlen=32,
)  # fmt: skip
def amocas_pair(hart, rd, rs1, rs2):
    """On the registers rd and rd + 1, and rs2 and rs2 + 1. Odd numbers are reserved."""
    address = amo_address(hart, hart.x[rs1], 8)
    put_pair(hart, rd, atomic_cas_u64(address, old_pair(hart, rd), source_pair(hart, rs2)))


@Zacas.instruction(
    "00101 aq rl rs2[4:1] 0 rs1 100 rd[4:1] 0 0101111", "amocas.q{aqrl} rd, rs2, (rs1)", xlen=64
)
def amocas_q(hart, rd, rs1, rs2):
    """On the registers rd and rd + 1, and rs2 and rs2 + 1. Odd numbers are reserved."""
    address = amo_address(hart, hart.x[rs1], 16)
    wanted = u128(0) if rd_is_zero(rd) else both(hart.x[rd], hart.x[rd + 1])
    new = u128(0) if rs2 == 0 else both(hart.x[rs2], hart.x[rs2 + 1])
    found = atomic_cas_u128(address, wanted, new)
    if not rd_is_zero(rd):
        hart.x[rd] = u64(found)
        hart.x[rd + 1] = u64(found >> 64)
