"""Zvkg, GHASH (Unprivileged, "Zvkg"; NIST SP 800-38D). A group is a polynomial of degree 127 over
GF(2); in memory the lowest coefficient is the highest bit of the first byte."""

from rvplat.isa.cryptography.galois import mirrored
from rvplat.isa.rv_zvk import Zvkg
from rvplat.isa.vector.element_groups import from_both, from_vs2
from rvplat.isa.vector.elements import Width, element, set_element
from rvplat.lang import define, u64, u128

REDUCTION = 0x87  # x**128 = x**7 + x**2 + x + 1


@define
def polynomial(low: u64, high: u64) -> u128:
    """The coefficients of a group, that of x**i in bit i."""
    return u128(mirrored(high)) << 64 | u128(mirrored(low))


@define
def multiply(to: u64, a: u128, b: u128):
    """Write the product modulo the field's polynomial."""
    power = a
    sum_ = u128(0)
    for i in range(128):
        sum_ ^= power & -(b >> u128(i) & 1)
        power = power << 1 ^ -(power >> 127) & REDUCTION
    set_element(to, u64(0), mirrored(u64(sum_)), 64)
    set_element(to, u64(1), mirrored(u64(sum_ >> 64)), 64)


@from_both(Zvkg, "101100", "vghsh.vv")
def vghsh(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The hash d and a block b are added, and multiplied by the key a."""
    low = element(d, u64(0), 64) ^ element(b, u64(0), 64)
    high = element(d, u64(1), 64) ^ element(b, u64(1), 64)
    key = polynomial(element(a, u64(0), 64), element(a, u64(1), 64))
    multiply(to, key, polynomial(low, high))


@from_vs2(Zvkg, "10001", "vgmul")
def vgmul(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The product of a and d."""
    key = polynomial(element(a, u64(0), 64), element(a, u64(1), 64))
    multiply(to, key, polynomial(element(d, u64(0), 64), element(d, u64(1), 64)))
