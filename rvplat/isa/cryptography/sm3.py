"""SM3 (GB/T 32905)."""

from rvplat.lang import Struct, define, rotl, u32, u64

EARLY = 16  # rounds
T_EARLY, T_LATE = 0x79CC_4519, 0x7A87_9D8A


class State(Struct):
    """The working variables (5.3.3)."""

    a: u32
    b: u32
    c: u32
    d: u32
    e: u32
    f: u32
    g: u32
    h: u32


@define
def p0(a: u32) -> u32:
    """P0, for the compression function (4.4)."""
    return a ^ rotl(a, u32(9)) ^ rotl(a, u32(17))


@define
def p1(a: u32) -> u32:
    """P1, for the message expansion."""
    return a ^ rotl(a, u32(15)) ^ rotl(a, u32(23))


@define
def expanded(w0: u32, w3: u32, w7: u32, w10: u32, w13: u32) -> u32:
    """Word 16 of the expanded message, of earlier ones (5.3.2)."""
    return p1(w0 ^ w7 ^ rotl(w13, u32(15))) ^ rotl(w3, u32(7)) ^ w10


@define
def compressed(s: State, word: u32, other: u32, j: u64) -> State:
    """Round j, with the words W and W' (5.3.3)."""
    constant = u32(T_EARLY) if j < EARLY else u32(T_LATE)
    turned = rotl(s.a, u32(12))
    ss1 = rotl(turned + s.e + rotl(constant, u32(j & 31)), u32(7))
    if j < EARLY:
        ff = s.a ^ s.b ^ s.c
        gg = s.e ^ s.f ^ s.g
    else:
        ff = s.a & s.b | s.a & s.c | s.b & s.c
        gg = s.e & s.f | ~s.e & s.g
    one = ff + s.d + (ss1 ^ turned) + other
    two = gg + s.h + ss1 + word
    return State(one, s.a, rotl(s.b, u32(9)), s.c, p0(two), s.e, rotl(s.f, u32(19)), s.g)
