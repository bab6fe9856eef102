"""SHA-256 and SHA-512 (FIPS 180-4). `bits` are those of a word, 32 or 64."""

from rvplat.lang import FixedU64, Struct, define, rotr, u32, u64


class State(Struct):
    """The working variables (6.2.2, 6.4.2)."""

    a: u64
    b: u64
    c: u64
    d: u64
    e: u64
    f: u64
    g: u64
    h: u64


@define
def turned(a: u64, i: u64, j: u64, bits: FixedU64) -> u64:
    """The sum of two rotations to the right."""
    if bits == 32:
        return u64(rotr(u32(a), u32(i)) ^ rotr(u32(a), u32(j)))
    return rotr(a, i) ^ rotr(a, j)


@define
def rotated(a: u64, i: u64, bits: FixedU64) -> u64:
    """A rotation to the right."""
    return u64(rotr(u32(a), u32(i))) if bits == 32 else rotr(a, i)


@define
def sum0(a: u64, bits: FixedU64) -> u64:
    """The function with a capital sigma and index 0 (4.1.2 and 4.1.3)."""
    if bits == 32:
        return turned(a, 2, 13, bits) ^ rotated(a, 22, bits)
    return turned(a, 28, 34, bits) ^ rotated(a, 39, bits)


@define
def sum1(a: u64, bits: FixedU64) -> u64:
    if bits == 32:
        return turned(a, 6, 11, bits) ^ rotated(a, 25, bits)
    return turned(a, 14, 18, bits) ^ rotated(a, 41, bits)


@define
def sig0(a: u64, bits: FixedU64) -> u64:
    """The function with a small sigma and index 0."""
    if bits == 32:
        return turned(a, 7, 18, bits) ^ u64(u32(a) >> 3)
    return turned(a, 1, 8, bits) ^ a >> 7


@define
def sig1(a: u64, bits: FixedU64) -> u64:
    if bits == 32:
        return turned(a, 17, 19, bits) ^ u64(u32(a) >> 10)
    return turned(a, 19, 61, bits) ^ a >> 6


@define
def compressed(s: State, word: u64, bits: FixedU64) -> State:
    """One round, with the sum of a message word and its constant. Bits above those of a word are
    not cleared."""
    one = s.h + sum1(s.e, bits) + (s.e & s.f ^ ~s.e & s.g) + word
    two = sum0(s.a, bits) + (s.a & s.b ^ s.a & s.c ^ s.b & s.c)
    return State(one + two, s.a, s.b, s.c, s.d + one, s.e, s.f, s.g)


@define
def scheduled(w0: u64, w1: u64, w9: u64, w14: u64, bits: FixedU64) -> u64:
    """Word 16 of the message schedule, of earlier ones."""
    return sig1(w14, bits) + w9 + sig0(w1, bits) + w0
