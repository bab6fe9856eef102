"""Zknd and Zkne, AES (Unprivileged, "Zknd" and "Zkne"; FIPS 197).

rs1 holds the state's columns 0 and 1, rs2 the columns 2 and 3. With the registers exchanged the
instructions make the other half of the result.
"""

from rvplat.isa.cryptography.aes import decrypted, encrypted, mixed, mixed_back, schedule_word
from rvplat.isa.rv_scalar import Zknd, Zkne
from rvplat.lang import u32, u64


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
