"""Zvksed and Zvksh, SM4 and SM3 (Unprivileged, "Zvksed" and "Zvksh"; GB/T 32907 and 32905)."""

from rvplat.isa.cryptography.sm3 import State, compressed, expanded
from rvplat.isa.cryptography.sm4 import key_constant, spread, spread_key, substituted
from rvplat.isa.rv_zvk import Zvksed, Zvksh
from rvplat.isa.vector.element_groups import from_both, from_vs2, prepare_apart, with_immediate
from rvplat.isa.vector.elements import Width, element, set_element
from rvplat.lang import bswap, define, u32, u64

# --- SM4 ----------------------------------------------------------------------------------------


@define
def word(at: u64, i: u64) -> u32:
    """Word i of a group."""
    return u32(element(at, i, 32))


@define
def copy_words(to: u64, source: u64):
    """Copy a group of four words, which are replaced one by one."""
    for i in range(4):
        set_element(to, i, element(source, i, 32), 32)


@define
def others(at: u64, i: u64) -> u32:
    """The sum of the words of a group except word i."""
    return word(at, i + 1 & 3) ^ word(at, i + 2 & 3) ^ word(at, i + 3 & 3)


@with_immediate(Zvksed, "100001", "vsm4k.vi")
def vsm4k(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The next four round keys. Bits 2 to 0 of b are the number of the four."""
    copy_words(to, a)
    for i in range(4):
        sum_ = others(to, i) ^ key_constant(4 * (b & 7) + i)
        set_element(to, i, u64(word(to, i) ^ spread_key(substituted(sum_))), 32)


@from_vs2(Zvksed, "10000", "vsm4r", "vs")
@from_vs2(Zvksed, "10000", "vsm4r")
def vsm4r(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Four rounds, with the keys in a."""
    copy_words(to, d)
    for i in range(4):
        sum_ = others(to, i) ^ word(a, i)
        set_element(to, i, u64(word(to, i) ^ spread(substituted(sum_))), 32)


# --- SM3: words are big-endian ------------------------------------------------------------------


@define
def big(at: u64, i: u64) -> u32:
    """Word i of a group."""
    return bswap(word(at, i))


@define
def set_big(to: u64, i: u64, value: u32):
    """Write word i of a group."""
    set_element(to, i, u64(bswap(value)), 32)


@define
def message_word(a: u64, b: u64, to: u64, i: u64) -> u32:
    """Word i of the message: 0 to 7 are in b, 8 to 15 in a, 16 to 23 in `to`."""
    at = b if i < 8 else a if i < 16 else to
    return big(at, i & 7)


@from_both(Zvksh, "100000", "vsm3me.vv", prepare_apart, 8)
def vsm3me(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Words 16 to 23 of the expanded message. b has words 0 to 7, a has 8 to 15."""
    for i in range(8):
        value = expanded(
            message_word(a, b, to, i), message_word(a, b, to, i + 3),
            message_word(a, b, to, i + 7), message_word(a, b, to, i + 10),
            message_word(a, b, to, i + 13),
        )  # fmt: skip
        set_big(to, i, value)


@with_immediate(Zvksh, "101011", "vsm3c.vi", 8, prepare_apart)
def vsm3c(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Rounds 2 * b and 2 * b + 1. a has the words 0, 1, 4 and 5 from the first round on, each at
    the place of its number."""
    state = State(
        big(d, u64(0)), big(d, u64(1)), big(d, u64(2)), big(d, u64(3)),
        big(d, u64(4)), big(d, u64(5)), big(d, u64(6)), big(d, u64(7)),
    )  # fmt: skip
    w0 = big(a, u64(0))
    w1 = big(a, u64(1))
    once = compressed(state, w0, w0 ^ big(a, u64(4)), 2 * b)
    twice = compressed(once, w1, w1 ^ big(a, u64(5)), 2 * b + 1)
    set_big(to, u64(0), twice.a)
    set_big(to, u64(1), twice.b)
    set_big(to, u64(2), twice.c)
    set_big(to, u64(3), twice.d)
    set_big(to, u64(4), twice.e)
    set_big(to, u64(5), twice.f)
    set_big(to, u64(6), twice.g)
    set_big(to, u64(7), twice.h)
