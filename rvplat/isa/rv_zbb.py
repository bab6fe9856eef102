"""Zbb, basic bit manipulation (Unprivileged, "Zbb")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.xlen import EACH_BYTE, sx, ux
from rvplat.lang import bswap, clz, ctz, popcount, rotl, rotr, s8, s16, s32, u16, u32

Zbb = Extension(
    "Zbb", version="1.0", standing="ratified", title="Basic bit manipulation", requires=("I",)
)

LOW_SEVEN = EACH_BYTE * 0x7F
"""The low seven bits of each byte."""


# "Logical with negate"


@Zbb.instruction("0100000 rs2 rs1 111 rd 0110011", "andn rd, rs1, rs2")
def andn(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] & ~hart.x[rs2]


@Zbb.instruction("0100000 rs2 rs1 110 rd 0110011", "orn rd, rs1, rs2")
def orn(hart, rd, rs1, rs2):
    hart.x[rd] = hart.x[rs1] | ~hart.x[rs2]


@Zbb.instruction("0100000 rs2 rs1 100 rd 0110011", "xnor rd, rs1, rs2")
def xnor(hart, rd, rs1, rs2):
    hart.x[rd] = ~(hart.x[rs1] ^ hart.x[rs2])


# "Count leading/trailing zero bits": for zero, the result is the width


@Zbb.instruction("0110000 00000 rs1 001 rd 0010011", "clz rd, rs1")
def clz_(hart, rd, rs1):
    hart.x[rd] = clz(hart.x[rs1])


@Zbb.instruction("0110000 00000 rs1 001 rd 0011011", "clzw rd, rs1", xlen=64)
def clzw(hart, rd, rs1):
    hart.x[rd] = ux(clz(u32(hart.x[rs1])))


@Zbb.instruction("0110000 00001 rs1 001 rd 0010011", "ctz rd, rs1")
def ctz_(hart, rd, rs1):
    hart.x[rd] = ctz(hart.x[rs1])


@Zbb.instruction("0110000 00001 rs1 001 rd 0011011", "ctzw rd, rs1", xlen=64)
def ctzw(hart, rd, rs1):
    hart.x[rd] = ux(ctz(u32(hart.x[rs1])))


# "Count population"


@Zbb.instruction("0110000 00010 rs1 001 rd 0010011", "cpop rd, rs1")
def cpop(hart, rd, rs1):
    hart.x[rd] = popcount(hart.x[rs1])


@Zbb.instruction("0110000 00010 rs1 001 rd 0011011", "cpopw rd, rs1", xlen=64)
def cpopw(hart, rd, rs1):
    hart.x[rd] = ux(popcount(u32(hart.x[rs1])))


# "Integer minimum/maximum"


@Zbb.instruction("0000101 rs2 rs1 110 rd 0110011", "max rd, rs1, rs2")
def max_(hart, rd, rs1, rs2):
    a = hart.x[rs1]
    b = hart.x[rs2]
    hart.x[rd] = b if sx(a) < sx(b) else a


@Zbb.instruction("0000101 rs2 rs1 111 rd 0110011", "maxu rd, rs1, rs2")
def maxu(hart, rd, rs1, rs2):
    a = hart.x[rs1]
    b = hart.x[rs2]
    hart.x[rd] = b if a < b else a


@Zbb.instruction("0000101 rs2 rs1 100 rd 0110011", "min rd, rs1, rs2")
def min_(hart, rd, rs1, rs2):
    a = hart.x[rs1]
    b = hart.x[rs2]
    hart.x[rd] = a if sx(a) < sx(b) else b


@Zbb.instruction("0000101 rs2 rs1 101 rd 0110011", "minu rd, rs1, rs2")
def minu(hart, rd, rs1, rs2):
    a = hart.x[rs1]
    b = hart.x[rs2]
    hart.x[rd] = a if a < b else b


# "Sign extension and zero extension"


@Zbb.instruction("0110000 00100 rs1 001 rd 0010011", "sext.b rd, rs1")
def sext_b(hart, rd, rs1):
    hart.x[rd] = ux(s8(hart.x[rs1]))


@Zbb.instruction("0110000 00101 rs1 001 rd 0010011", "sext.h rd, rs1")
def sext_h(hart, rd, rs1):
    hart.x[rd] = ux(s16(hart.x[rs1]))


@Zbb.instruction("0000100 00000 rs1 100 rd 0111011", "zext.h rd, rs1",
                 rv32="0000100 00000 rs1 100 rd 0110011")  # fmt: skip
def zext_h(hart, rd, rs1):
    hart.x[rd] = ux(u16(hart.x[rs1]))


# "Bitwise rotation"


@Zbb.instruction("0110000 rs2 rs1 001 rd 0110011", "rol rd, rs1, rs2")
def rol(hart, rd, rs1, rs2):
    hart.x[rd] = rotl(hart.x[rs1], hart.x[rs2])


@Zbb.instruction("0110000 rs2 rs1 001 rd 0111011", "rolw rd, rs1, rs2", xlen=64)
def rolw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(rotl(u32(hart.x[rs1]), u32(hart.x[rs2]))))


@Zbb.instruction("0110000 rs2 rs1 101 rd 0110011", "ror rd, rs1, rs2")
def ror(hart, rd, rs1, rs2):
    hart.x[rd] = rotr(hart.x[rs1], hart.x[rs2])


@Zbb.instruction("011000 shamt[5:0] rs1 101 rd 0010011", "rori rd, rs1, shamt",
                 rv32="0110000 shamt[4:0] rs1 101 rd 0010011")  # fmt: skip
def rori(hart, rd, rs1, shamt):
    hart.x[rd] = rotr(hart.x[rs1], shamt)


@Zbb.instruction("0110000 shamt[4:0] rs1 101 rd 0011011", "roriw rd, rs1, shamt", xlen=64)
def roriw(hart, rd, rs1, shamt):
    hart.x[rd] = ux(s32(rotr(u32(hart.x[rs1]), u32(shamt))))


@Zbb.instruction("0110000 rs2 rs1 101 rd 0111011", "rorw rd, rs1, rs2", xlen=64)
def rorw(hart, rd, rs1, rs2):
    hart.x[rd] = ux(s32(rotr(u32(hart.x[rs1]), u32(hart.x[rs2]))))


# "OR Combine"


@Zbb.instruction("001010000111 rs1 101 rd 0010011", "orc.b rd, rs1")
def orc_b(hart, rd, rs1):
    """Each byte becomes 0xFF unless it is 0: its low seven bits + 0x7F carry into the eighth."""
    a = hart.x[rs1]
    nonzero = (((a & ux(LOW_SEVEN)) + ux(LOW_SEVEN)) | a) >> 7
    hart.x[rd] = (nonzero & ux(EACH_BYTE)) * 0xFF


# "Byte-reverse"


@Zbb.instruction("011010111000 rs1 101 rd 0010011", "rev8 rd, rs1",
                 rv32="011010011000 rs1 101 rd 0010011")  # fmt: skip
def rev8(hart, rd, rs1):
    hart.x[rd] = bswap(hart.x[rs1])
