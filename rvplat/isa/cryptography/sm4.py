"""SM4 (GB/T 32907)."""

from rvplat.isa.cryptography.galois import inversion, turned
from rvplat.isa.machinery.xlen import EACH_BYTE
from rvplat.lang import define, rotl, u32, u64

REDUCTION = 0xF5  # x**8 = x**7 + x**6 + x**5 + x**4 + x**2 + 1
OFFSET = 0xD3
inverse = inversion(REDUCTION)


@define
def affine(a: u64) -> u64:
    """The affine map before and after the inversion, of each byte."""
    return a ^ turned(a, 1) ^ turned(a, 3) ^ turned(a, 6) ^ turned(a, 7) ^ EACH_BYTE * OFFSET


@define
def substituted(word: u32) -> u32:
    """The S-box, of each byte (6.2)."""
    return u32(affine(inverse(affine(u64(word)))))


@define
def spread(a: u32) -> u32:
    """L, for the rounds (6.2)."""
    return a ^ rotl(a, u32(2)) ^ rotl(a, u32(10)) ^ rotl(a, u32(18)) ^ rotl(a, u32(24))


@define
def spread_key(a: u32) -> u32:
    """L', for the key schedule (7.3)."""
    return a ^ rotl(a, u32(13)) ^ rotl(a, u32(23))


@define
def key_constant(number: u64) -> u32:
    """CK: byte j of constant i is 7 * (4 * i + j), and byte 0 is the highest (7.3)."""
    result = u32(0)
    for j in range(4):
        result = result << 8 | u32((4 * number + j) * 7 & 0xFF)
    return result
