"""Arithmetic in fields of 2**8 elements, on the eight bytes of a u64 at once.

A byte is a polynomial over GF(2). `reduction` is what x**8 is equal to: it chooses the field.
"""

from rvplat.lang import define, u64

BYTES = 0x0101_0101_0101_0101
"""The lowest bit of each byte."""


@define
def turned(a: u64, n: u64) -> u64:
    """Each byte rotated left by n bits, 1 to 7."""
    high = (u64(0xFF) << n & 0xFF) * BYTES
    return (a << n) & high | (a >> (8 - n)) & ~high


@define
def doubled(a: u64, reduction: u64) -> u64:
    """Each byte times x."""
    return ((a & BYTES * 0x7F) << 1) ^ ((a >> 7) & BYTES) * reduction


@define
def product(a: u64, b: u64, reduction: u64) -> u64:
    """Each byte of a times that of b."""
    result = u64(0)
    power = a
    for i in range(8):
        result ^= power & (((b >> i) & BYTES) * 0xFF)
        power = doubled(power, reduction)
    return result


@define
def power_of_two(a: u64, squarings: u64, reduction: u64) -> u64:
    """Each byte to the power of 2**squarings."""
    result = a
    for _ in range(squarings):
        result = product(result, result, reduction)
    return result


@define
def inverse(a: u64, reduction: u64) -> u64:
    """1 / a for each byte, which is a**254; 0 for 0."""
    a2 = power_of_two(a, u64(1), reduction)
    a3 = product(a2, a, reduction)
    a12 = power_of_two(a3, u64(2), reduction)
    a240 = power_of_two(product(a12, a3, reduction), u64(4), reduction)
    return product(product(a240, a12, reduction), a2, reduction)


@define
def exchanged(a: u64, bits: u64, lower: u64) -> u64:
    """Exchange groups of `bits` bits with their neighbours. `lower`: the lower ones in a byte."""
    mask = lower * BYTES
    return (a & mask) << bits | a >> bits & mask


@define
def mirrored(a: u64) -> u64:
    """The bits of each byte reversed."""
    pairs = exchanged(a, 1, 0x55)
    return exchanged(exchanged(pairs, 2, 0x33), 4, 0x0F)
