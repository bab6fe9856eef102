"""Arithmetic in fields of 2**8 elements, on the eight bytes of a u64 at once.

A byte is a polynomial over GF(2). `reduction` is what x**8 is equal to: it chooses the field.
"""

from rvplat.isa.machinery.xlen import EACH_BYTE
from rvplat.lang import Definition, define, u64


@define
def turned(a: u64, n: u64) -> u64:
    """Each byte rotated left by n bits, 1 to 7."""
    high = (u64(0xFF) << n & 0xFF) * EACH_BYTE
    return (a << n) & high | (a >> (8 - n)) & ~high


@define
def doubled(a: u64, reduction: u64) -> u64:
    """Each byte times x."""
    return ((a & EACH_BYTE * 0x7F) << 1) ^ ((a >> 7) & EACH_BYTE) * reduction


@define
def product(a: u64, b: u64, reduction: u64) -> u64:
    """Each byte of a times that of b."""
    result = u64(0)
    power = a
    for i in range(8):
        result ^= power & (((b >> i) & EACH_BYTE) * 0xFF)
        power = doubled(power, reduction)
    return result


@define
def mapped(a: u64, images: u64) -> u64:
    """A linear map of each byte. Byte i of `images` is what x**i becomes."""
    result = u64(0)
    for i in range(8):
        result ^= (a >> i & EACH_BYTE) * (images >> 8 * i & 0xFF)
    return result


def power_images(reduction: int, squarings: int) -> int:
    """The images of the power of 2**squarings, which is a linear map."""
    images = 0
    for i in range(8):
        power = u64(1 << i)
        for _ in range(squarings):
            power = product(power, power, u64(reduction))
        images |= int(power) << 8 * i
    return images


def inversion(reduction: int) -> Definition:
    """The definition of 1 / a for each byte, which is a**254; it is 0 for 0."""
    square, fourth, sixteenth = (power_images(reduction, n) for n in (1, 2, 4))

    @define
    def inverse(a: u64) -> u64:
        a2 = mapped(a, square)
        a3 = product(a2, a, reduction)
        a12 = mapped(a3, fourth)
        a240 = mapped(product(a12, a3, reduction), sixteenth)
        return product(product(a240, a12, reduction), a2, reduction)

    return inverse


@define
def exchanged(a: u64, bits: u64, lower: u64) -> u64:
    """Exchange groups of `bits` bits with their neighbours. `lower`: the lower ones in a byte."""
    mask = lower * EACH_BYTE
    return (a & mask) << bits | a >> bits & mask


@define
def mirrored(a: u64) -> u64:
    """The bits of each byte reversed."""
    pairs = exchanged(a, 1, 0x55)
    return exchanged(exchanged(pairs, 2, 0x33), 4, 0x0F)
