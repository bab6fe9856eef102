"""Zksed and Zksh, SM4 and SM3 (Unprivileged, "Zksed" and "Zksh"; GB/T 32907 and 32905)."""

from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zksed, Zksh
from rvplat.isa.scalar.galois import inverse, turned
from rvplat.lang import define, rotl, s32, u8, u32, u64

REDUCTION = 0xF5  # x**8 = x**7 + x**6 + x**5 + x**4 + x**2 + 1
OFFSET = 0xD3


@define
def affine(a: u64) -> u64:
    """The affine map before and after the inversion."""
    return a ^ turned(a, 1) ^ turned(a, 3) ^ turned(a, 6) ^ turned(a, 7) ^ OFFSET


@define
def substituted(word: u64, number: u64) -> u32:
    """SM4's S-box on one byte of a word."""
    result = affine(inverse(affine(u64(u8(word >> 8 * number))), u64(REDUCTION)))
    return u32(u8(result))


@Zksed.instruction("bs 11000 rs2 rs1 000 rd 0110011", "sm4ed rd, rs1, rs2, bs")
def sm4ed(hart, rd, rs1, rs2, bs):
    """A quarter of a round: byte bs of rs2 substituted, spread, added to rs1."""
    x = substituted(hart.x[rs2], bs)
    y = x ^ x << 8 ^ x << 2 ^ x << 18 ^ (x & 0x3F) << 26 ^ (x & 0xC0) << 10
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) ^ rotl(y, u32(8 * bs))))


@Zksed.instruction("bs 11010 rs2 rs1 000 rd 0110011", "sm4ks rd, rs1, rs2, bs")
def sm4ks(hart, rd, rs1, rs2, bs):
    """A quarter of a round of the key schedule."""
    x = substituted(hart.x[rs2], bs)
    y = x ^ (x & 0x07) << 29 ^ (x & 0xFE) << 7 ^ (x & 0x01) << 23 ^ (x & 0xF8) << 13
    hart.x[rd] = ux(s32(u32(hart.x[rs1]) ^ rotl(y, u32(8 * bs))))


@Zksh.instruction("000100001000 rs1 001 rd 0010011", "sm3p0 rd, rs1")
def sm3p0(hart, rd, rs1):
    """P0, for the compression function."""
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(a ^ rotl(a, u32(9)) ^ rotl(a, u32(17))))


@Zksh.instruction("000100001001 rs1 001 rd 0010011", "sm3p1 rd, rs1")
def sm3p1(hart, rd, rs1):
    """P1, for the message expansion."""
    a = u32(hart.x[rs1])
    hart.x[rd] = ux(s32(a ^ rotl(a, u32(15)) ^ rotl(a, u32(23))))
