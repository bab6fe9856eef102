"""Zknd and Zkne, AES (Unprivileged, "Zknd" and "Zkne"; FIPS 197).

rs1 holds the state's columns 0 and 1, rs2 the columns 2 and 3. Row r of column c is byte
4 * (c % 2) + r. With the registers exchanged the instructions make the other half of the result.
"""

from rvplat.isa.rv_scalar import Zknd, Zkne
from rvplat.isa.scalar.galois import BYTES, doubled, inverse, turned
from rvplat.lang import define, rotr, u32, u64

REDUCTION = 0x1B  # x**8 = x**4 + x**3 + x + 1
ROW_0, COLUMNS = 0x0000_00FF_0000_00FF, 0x0000_0001_0000_0001


@define
def substituted(a: u64) -> u64:
    """SubBytes (FIPS 197, 5.1.1)."""
    b = inverse(a, u64(REDUCTION))
    return b ^ turned(b, 1) ^ turned(b, 2) ^ turned(b, 3) ^ turned(b, 4) ^ BYTES * 0x63


@define
def substituted_back(a: u64) -> u64:
    """InvSubBytes (5.3.2)."""
    b = turned(a, 1) ^ turned(a, 3) ^ turned(a, 6) ^ BYTES * 0x05
    return inverse(b, u64(REDUCTION))


@define
def row(n: u64, a: u64, b: u64) -> u64:
    """Row n of the next column: of a column in a's upper half, then of one in b's lower half."""
    return (a >> 32 | b << 32) & (u64(ROW_0) << (8 * n))


@define
def shifted(a: u64, b: u64) -> u64:
    """The columns in a after ShiftRows of a and b (5.1.2)."""
    rows = a & ROW_0 | b & (u64(ROW_0) << 16)
    return rows | row(u64(1), a, b) | row(u64(3), b, a)


@define
def shifted_back(a: u64, b: u64) -> u64:
    """The columns in a after InvShiftRows (5.3.1)."""
    rows = a & ROW_0 | b & (u64(ROW_0) << 16)
    return rows | row(u64(1), b, a) | row(u64(3), a, b)


@define
def rows_on(a: u64, n: u64) -> u64:
    """In each column, the row that is n rows further on."""
    kept = (u64(0xFFFF_FFFF) >> (8 * n)) * u64(COLUMNS)
    return a >> (8 * n) & kept | a << (32 - 8 * n) & ~kept


@define
def mixed(a: u64) -> u64:
    """MixColumns (5.1.3)."""
    next_row = rows_on(a, u64(1))
    rest = next_row ^ rows_on(a, u64(2)) ^ rows_on(a, u64(3))
    return doubled(a ^ next_row, u64(REDUCTION)) ^ rest


@define
def mixed_back(a: u64) -> u64:
    """InvMixColumns (5.3.3): MixColumns of 5 times a row plus 4 times the row after next."""
    both = doubled(a ^ rows_on(a, u64(2)), u64(REDUCTION))
    return mixed(a ^ doubled(both, u64(REDUCTION)))


@Zkne.instruction("0011001 rs2 rs1 000 rd 0110011", "aes64es rd, rs1, rs2", xlen=64)
def aes64es(hart, rd, rs1, rs2):
    """The last round of encryption: ShiftRows and SubBytes."""
    hart.x[rd] = substituted(shifted(hart.x[rs1], hart.x[rs2]))


@Zkne.instruction("0011011 rs2 rs1 000 rd 0110011", "aes64esm rd, rs1, rs2", xlen=64)
def aes64esm(hart, rd, rs1, rs2):
    """A middle round of encryption: ShiftRows, SubBytes and MixColumns."""
    hart.x[rd] = mixed(substituted(shifted(hart.x[rs1], hart.x[rs2])))


@Zknd.instruction("0011101 rs2 rs1 000 rd 0110011", "aes64ds rd, rs1, rs2", xlen=64)
def aes64ds(hart, rd, rs1, rs2):
    """The last round of decryption: InvShiftRows and InvSubBytes."""
    hart.x[rd] = substituted_back(shifted_back(hart.x[rs1], hart.x[rs2]))


@Zknd.instruction("0011111 rs2 rs1 000 rd 0110011", "aes64dsm rd, rs1, rs2", xlen=64)
def aes64dsm(hart, rd, rs1, rs2):
    """A middle round of decryption: InvShiftRows, InvSubBytes and InvMixColumns."""
    hart.x[rd] = mixed_back(substituted_back(shifted_back(hart.x[rs1], hart.x[rs2])))


@Zknd.instruction("0011000 00000 rs1 001 rd 0010011", "aes64im rd, rs1", xlen=64)
def aes64im(hart, rd, rs1):
    """InvMixColumns, for the decryption's key schedule."""
    hart.x[rd] = mixed_back(hart.x[rs1])


@Zknd.instruction(
    "0011000 1 rnum rs1 001 rd 0010011", "aes64ks1i rd, rs1, rnum", xlen=64,
    where="rnum != 11, rnum != 12, rnum != 13, rnum != 14, rnum != 15",
)  # fmt: skip
def aes64ks1i(hart, rd, rs1, rnum):
    """The key schedule's RotWord, SubWord and round constant (5.2). rnum 10 is SubWord alone, and
    larger numbers are reserved."""
    word = u32(hart.x[rs1] >> 32)
    if rnum == 10:
        constant = u64(0)
    else:
        word = rotr(word, u32(8))
        constant = u64(1) << rnum if rnum < 8 else u64(REDUCTION) << (rnum - 8)
    half = u64(u32(substituted(u64(word)) ^ constant))
    hart.x[rd] = half << 32 | half


@Zknd.instruction("0111111 rs2 rs1 000 rd 0110011", "aes64ks2 rd, rs1, rs2", xlen=64)
def aes64ks2(hart, rd, rs1, rs2):
    """The key schedule's sums of words."""
    low = u64(u32(hart.x[rs1] >> 32 ^ hart.x[rs2]))
    hart.x[rd] = (low ^ hart.x[rs2] >> 32) << 32 | low


Zkne.share(aes64ks1i, aes64ks2)
