"""Zksed and Zksh, SM4 and SM3 (Unprivileged, "Zksed" and "Zksh"; GB/T 32907 and 32905).

Registers hold the words of SM4 with the bytes in the order of memory, which is big-endian.
"""

from rvplat.isa.cryptography.sm3 import p0, p1
from rvplat.isa.cryptography.sm4 import spread, spread_key, substituted
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zksed, Zksh
from rvplat.lang import bswap, define, s32, u8, u32, u64


@define
def substituted_byte(word: ux, number: u64) -> u32:
    """The S-box on one byte of a word; the result is in its place in a big-endian word."""
    result = u32(u8(substituted(u32(word) >> u32(8 * number))))
    return bswap(result << u32(8 * number))


@Zksed.instruction("bs 11000 rs2 rs1 000 rd 0110011", "sm4ed rd, rs1, rs2, bs")
def sm4ed(hart, rd, rs1, rs2, bs):
    """A quarter of a round: byte bs of rs2 substituted, spread, added to rs1."""
    part = bswap(spread(substituted_byte(hart.x[rs2], bs)))
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) ^ part))


@Zksed.instruction("bs 11010 rs2 rs1 000 rd 0110011", "sm4ks rd, rs1, rs2, bs")
def sm4ks(hart, rd, rs1, rs2, bs):
    """A quarter of a round of the key schedule."""
    part = bswap(spread_key(substituted_byte(hart.x[rs2], bs)))
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) ^ part))


@Zksh.instruction("000100001000 rs1 001 rd 0010011", "sm3p0 rd, rs1")
def sm3p0(hart, rd, rs1):
    """P0, for the compression function."""
    hart.x[rd] = ux(s32(p0(u32(hart.x[rs1]))))


@Zksh.instruction("000100001001 rs1 001 rd 0010011", "sm3p1 rd, rs1")
def sm3p1(hart, rd, rs1):
    """P1, for the message expansion."""
    hart.x[rd] = ux(s32(p1(u32(hart.x[rs1]))))
