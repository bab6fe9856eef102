"""AES (FIPS 197). A u64 holds two columns of the state; row r of column c is byte 4 * (c % 2) + r.

Of the two halves of a state, the definitions with parameters a and b return the half that a is.
"""

from rvplat.isa.cryptography.galois import doubled, inversion, turned
from rvplat.isa.machinery.xlen import EACH_BYTE
from rvplat.lang import define, rotr, u32, u64

REDUCTION = 0x1B  # x**8 = x**4 + x**3 + x + 1
ROW_0, COLUMNS = 0x0000_00FF_0000_00FF, 0x0000_0001_0000_0001
NO_CONSTANT = 10  # in place of a round's number
inverse = inversion(REDUCTION)


@define
def substituted(a: u64) -> u64:
    """SubBytes (FIPS 197, 5.1.1)."""
    b = inverse(a)
    return b ^ turned(b, 1) ^ turned(b, 2) ^ turned(b, 3) ^ turned(b, 4) ^ EACH_BYTE * 0x63


@define
def substituted_back(a: u64) -> u64:
    """InvSubBytes (5.3.2)."""
    b = turned(a, 1) ^ turned(a, 3) ^ turned(a, 6) ^ EACH_BYTE * 0x05
    return inverse(b)


@define
def row(n: u64, a: u64, b: u64) -> u64:
    """Row n of the next column: of a column in a's upper half, then of one in b's lower half."""
    return (a >> 32 | b << 32) & (u64(ROW_0) << (8 * n))


@define
def shifted(a: u64, b: u64) -> u64:
    """ShiftRows (5.1.2)."""
    rows = a & ROW_0 | b & (u64(ROW_0) << 16)
    return rows | row(u64(1), a, b) | row(u64(3), b, a)


@define
def shifted_back(a: u64, b: u64) -> u64:
    """InvShiftRows (5.3.1)."""
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


@define
def encrypted(a: u64, b: u64) -> u64:
    """ShiftRows and SubBytes: a round of encryption without MixColumns and the key."""
    return substituted(shifted(a, b))


@define
def decrypted(a: u64, b: u64) -> u64:
    """InvShiftRows and InvSubBytes."""
    return substituted_back(shifted_back(a, b))


@define
def schedule_word(word: u32, number: u64) -> u32:
    """The key schedule's SubWord(RotWord(word)) and round constant (5.2); rounds count from 0. For
    NO_CONSTANT it is SubWord(word)."""
    if number == NO_CONSTANT:
        return u32(substituted(u64(word)))
    constant = u64(1) << number if number < 8 else u64(REDUCTION) << (number - 8)
    return u32(substituted(u64(rotr(word, u32(8)))) ^ constant)
