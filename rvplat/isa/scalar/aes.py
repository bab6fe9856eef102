"""Zknd and Zkne, AES (Unprivileged, "Zknd" and "Zkne"; FIPS 197).

On RV64 rs1 holds the state's columns 0 and 1, rs2 the columns 2 and 3. With the registers exchanged
the instructions make the other half of the result. On RV32 a register holds a column, and an
instruction adds to rs1 what one byte of rs2 contributes to it.
"""

from rvplat.isa.cryptography.aes import (
    decrypted,
    encrypted,
    mixed,
    mixed_back,
    schedule_word,
    substituted,
    substituted_back,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.rv_scalar import Zknd, Zkne
from rvplat.lang import define, rotl, u8, u32, u64


@Zkne.instruction("0011001 rs2 rs1 000 rd 0110011", "aes64es rd, rs1, rs2", xlen=64)
def aes64es(hart, rd, rs1, rs2):
    """The last round of encryption: ShiftRows and SubBytes."""
    hart.x[rd] = encrypted(hart.x[rs1], hart.x[rs2])


@Zkne.instruction("0011011 rs2 rs1 000 rd 0110011", "aes64esm rd, rs1, rs2", xlen=64)
def aes64esm(hart, rd, rs1, rs2):
    """A middle round of encryption: ShiftRows, SubBytes and MixColumns."""
    hart.x[rd] = mixed(encrypted(hart.x[rs1], hart.x[rs2]))


@Zknd.instruction("0011101 rs2 rs1 000 rd 0110011", "aes64ds rd, rs1, rs2", xlen=64)
def aes64ds(hart, rd, rs1, rs2):
    """The last round of decryption: InvShiftRows and InvSubBytes."""
    hart.x[rd] = decrypted(hart.x[rs1], hart.x[rs2])


@Zknd.instruction("0011111 rs2 rs1 000 rd 0110011", "aes64dsm rd, rs1, rs2", xlen=64)
def aes64dsm(hart, rd, rs1, rs2):
    """A middle round of decryption: InvShiftRows, InvSubBytes and InvMixColumns."""
    hart.x[rd] = mixed_back(decrypted(hart.x[rs1], hart.x[rs2]))


@Zknd.instruction("0011000 00000 rs1 001 rd 0010011", "aes64im rd, rs1", xlen=64)
def aes64im(hart, rd, rs1):
    """InvMixColumns, for the decryption's key schedule."""
    hart.x[rd] = mixed_back(hart.x[rs1])


@Zknd.instruction(
    "0011000 1 rnum rs1 001 rd 0010011", "aes64ks1i rd, rs1, rnum", xlen=64,
    where="rnum != 11, rnum != 12, rnum != 13, rnum != 14, rnum != 15",
)  # fmt: skip
def aes64ks1i(hart, rd, rs1, rnum):
    """The key schedule's RotWord, SubWord and round constant. rnum 10 is SubWord alone, and larger
    numbers are reserved."""
    half = u64(schedule_word(u32(hart.x[rs1] >> 32), rnum))
    hart.x[rd] = half << 32 | half


@Zknd.instruction("0111111 rs2 rs1 000 rd 0110011", "aes64ks2 rd, rs1, rs2", xlen=64)
def aes64ks2(hart, rd, rs1, rs2):
    """The key schedule's sums of words."""
    low = u64(u32(hart.x[rs1] >> 32 ^ hart.x[rs2]))
    hart.x[rd] = (low ^ hart.x[rs2] >> 32) << 32 | low


Zkne.share(aes64ks1i, aes64ks2)

# RV32


@define
def chosen(column: ux, bs: u64) -> u64:
    """Byte bs of a column."""
    return u64(u8(column >> 8 * bs))


@define
def placed(column: u64, bs: u64) -> ux:
    """What a byte in row bs contributes, from what it would contribute in row 0."""
    return ux(rotl(u32(column), u32(8 * bs)))


@Zkne.instruction("bs 10001 rs2 rs1 000 rd 0110011", "aes32esi rd, rs1, rs2, bs", xlen=32)
def aes32esi(hart, rd, rs1, rs2, bs):
    """The last round of encryption: SubBytes."""
    byte = u64(u8(substituted(chosen(hart.x[rs2], bs))))
    hart.x[rd] = hart.x[rs1] ^ placed(byte, bs)


@Zkne.instruction("bs 10011 rs2 rs1 000 rd 0110011", "aes32esmi rd, rs1, rs2, bs", xlen=32)
def aes32esmi(hart, rd, rs1, rs2, bs):
    """A middle round of encryption: SubBytes and MixColumns."""
    byte = u64(u8(substituted(chosen(hart.x[rs2], bs))))
    hart.x[rd] = hart.x[rs1] ^ placed(mixed(byte), bs)


@Zknd.instruction("bs 10101 rs2 rs1 000 rd 0110011", "aes32dsi rd, rs1, rs2, bs", xlen=32)
def aes32dsi(hart, rd, rs1, rs2, bs):
    """The last round of decryption: InvSubBytes."""
    byte = u64(u8(substituted_back(chosen(hart.x[rs2], bs))))
    hart.x[rd] = hart.x[rs1] ^ placed(byte, bs)


@Zknd.instruction("bs 10111 rs2 rs1 000 rd 0110011", "aes32dsmi rd, rs1, rs2, bs", xlen=32)
def aes32dsmi(hart, rd, rs1, rs2, bs):
    """A middle round of decryption: InvSubBytes and InvMixColumns."""
    byte = u64(u8(substituted_back(chosen(hart.x[rs2], bs))))
    hart.x[rd] = hart.x[rs1] ^ placed(mixed_back(byte), bs)
