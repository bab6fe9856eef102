"""Zbkb, Zbkc and Zbkx, bit manipulation for cryptography (Unprivileged, "Zbkb", "Zbkc", "Zbkx").

Zbkb and Zbkc share instructions with Zbb and Zbc.
"""

from rvplat.isa import rv_zbb, rv_zbc
from rvplat.isa.cryptography.galois import mirrored
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zbkb, Zbkc, Zbkx
from rvplat.lang import define, s32, u8, u16, u32, u64

Zbkb.share(
    rv_zbb.rol, rv_zbb.rolw, rv_zbb.ror, rv_zbb.rori, rv_zbb.roriw, rv_zbb.rorw, rv_zbb.andn,
    rv_zbb.orn, rv_zbb.xnor, rv_zbb.rev8,
)  # fmt: skip
Zbkc.share(rv_zbc.clmul, rv_zbc.clmulh)


@Zbkb.instruction("0000100 rs2 rs1 100 rd 0110011", "pack rd, rs1, rs2")
def pack(hart, rd, rs1, rs2):
    """The lower halves of both, that of rs2 above."""
    hart.x[rd] = hart.x[rs1] & ux(-1) >> ux.bits // 2 | hart.x[rs2] << ux.bits // 2


@Zbkb.instruction("0000100 rs2 rs1 111 rd 0110011", "packh rd, rs1, rs2")
def packh(hart, rd, rs1, rs2):
    """The lowest bytes of both, that of rs2 above."""
    hart.x[rd] = ux(u8(hart.x[rs1])) | ux(u8(hart.x[rs2])) << 8


@Zbkb.instruction("0000100 rs2 rs1 100 rd 0111011", "packw rd, rs1, rs2", xlen=64)
def packw(hart, rd, rs1, rs2):
    """The lowest halfwords of both, that of rs2 above, sign-extended."""
    hart.x[rd] = ux(s32(u32(u16(hart.x[rs1])) | u32(hart.x[rs2]) << 16))


@Zbkb.instruction("011010000111 rs1 101 rd 0010011", "brev8 rd, rs1")
def brev8(hart, rd, rs1):
    """Reverse the bits in each byte."""
    hart.x[rd] = ux(mirrored(u64(hart.x[rs1])))


@Zbkb.instruction("000010001111 rs1 001 rd 0010011", "zip rd, rs1", xlen=32)
def zip_(hart, rd, rs1):
    """The bits of the lower half become those at even places, the others those at odd places."""
    a = hart.x[rs1]
    result = ux(0)
    for i in range(16):
        result |= (a >> i & 1) << 2 * i | (a >> i + 16 & 1) << 2 * i + 1
    hart.x[rd] = result


@Zbkb.instruction("000010001111 rs1 101 rd 0010011", "unzip rd, rs1", xlen=32)
def unzip(hart, rd, rs1):
    """The inverse of zip."""
    a = hart.x[rs1]
    result = ux(0)
    for i in range(16):
        result |= (a >> 2 * i & 1) << i | (a >> 2 * i + 1 & 1) << i + 16
    hart.x[rd] = result


@define
def looked_up(table: ux, indexes: ux, bits: ux) -> ux:
    """For each index of `bits` bits, the element of the table; 0 for one beyond it."""
    result = ux(0)
    mask = (ux(1) << bits) - 1
    count = ux(ux.bits) // bits
    for i in range(count):
        place = ux(i) * bits
        index = indexes >> place & mask
        if index < count:
            result |= (table >> index * bits & mask) << place
    return result


@Zbkx.instruction("0010100 rs2 rs1 010 rd 0110011", "xperm4 rd, rs1, rs2")
def xperm4(hart, rd, rs1, rs2):
    """The nibbles of rs1 that rs2 names."""
    hart.x[rd] = looked_up(hart.x[rs1], hart.x[rs2], ux(4))


@Zbkx.instruction("0010100 rs2 rs1 100 rd 0110011", "xperm8 rd, rs1, rs2")
def xperm8(hart, rd, rs1, rs2):
    """The bytes of rs1 that rs2 names."""
    hart.x[rd] = looked_up(hart.x[rs1], hart.x[rs2], ux(8))
