"""Zvkned, AES (Unprivileged, "Zvkned"; FIPS 197). A group is a state or a round key: as two
elements of 64 bits it has columns 0 and 1, and columns 2 and 3."""

from rvplat.isa.cryptography.aes import (
    NO_CONSTANT,
    decrypted,
    encrypted,
    mixed,
    mixed_back,
    schedule_word,
)
from rvplat.isa.rv_zvk import Zvkned
from rvplat.isa.vector.element_groups import from_vs2, with_immediate
from rvplat.isa.vector.elements import Width, element, set_element
from rvplat.lang import FixedBool, define, u32, u64
from rvplat.lang.host_forms import AES_DECRYPT_LAST, AES_ENCRYPT, AES_ENCRYPT_LAST, with_host_form


@define
def encrypt(to: u64, key: u64, state: u64, middle: FixedBool):
    """A round of encryption; a `middle` one has MixColumns."""
    low = element(state, u64(0), 64)
    high = element(state, u64(1), 64)
    first = encrypted(low, high)
    second = encrypted(high, low)
    set_element(to, u64(0), (mixed(first) if middle else first) ^ element(key, u64(0), 64), 64)
    set_element(to, u64(1), (mixed(second) if middle else second) ^ element(key, u64(1), 64), 64)


@with_host_form(AES_ENCRYPT)
def encrypt_middle(to: u64, key: u64, state: u64):
    encrypt(to, key, state, True)


@with_host_form(AES_ENCRYPT_LAST)
def encrypt_last(to: u64, key: u64, state: u64):
    encrypt(to, key, state, False)


@with_host_form(AES_DECRYPT_LAST)
def decrypt_last(to: u64, key: u64, state: u64):
    """The last round of decryption."""
    low = element(state, u64(0), 64)
    high = element(state, u64(1), 64)
    set_element(to, u64(0), decrypted(low, high) ^ element(key, u64(0), 64), 64)
    set_element(to, u64(1), decrypted(high, low) ^ element(key, u64(1), 64), 64)


@from_vs2(Zvkned, "00001", "vaesdf", "vs")
@from_vs2(Zvkned, "00001", "vaesdf")
def vaesdf(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The last round of decryption."""
    decrypt_last(to, a, d)


@from_vs2(Zvkned, "00000", "vaesdm", "vs")
@from_vs2(Zvkned, "00000", "vaesdm")
def vaesdm(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """A middle round of decryption: the key comes before InvMixColumns."""
    decrypt_last(to, a, d)
    for i in range(2):
        set_element(to, i, mixed_back(element(to, i, 64)), 64)


@from_vs2(Zvkned, "00011", "vaesef", "vs")
@from_vs2(Zvkned, "00011", "vaesef")
def vaesef(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The last round of encryption."""
    encrypt_last(to, a, d)


@from_vs2(Zvkned, "00010", "vaesem", "vs")
@from_vs2(Zvkned, "00010", "vaesem")
def vaesem(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """A middle round of encryption."""
    encrypt_middle(to, a, d)


@from_vs2(Zvkned, "00111", "vaesz", "vs")
def vaesz(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """Round 0: the key is added."""
    for i in range(2):
        set_element(to, i, element(a, i, 64) ^ element(d, i, 64), 64)


@define
def next_key(to: u64, word: u32, earlier: u64):
    """A round key: the words of an earlier one, each added to the word before."""
    sum_ = u64(word)
    for i in range(4):
        sum_ ^= element(earlier, i, 32)
        set_element(to, i, sum_, 32)


@with_immediate(Zvkned, "100010", "vaeskf1.vi")
def vaeskf1(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The next round key of AES-128. Bits 3 to 0 of b are its number, 1 to 10; in the others bit 3
    is inverted."""
    number = b & 15
    if number > 10 or number == 0:
        number ^= 8
    next_key(to, schedule_word(u32(element(a, u64(3), 32)), number - 1), a)


@with_immediate(Zvkned, "101010", "vaeskf2.vi")
def vaeskf2(to: u64, a: u64, b: u64, d: u64, sew: Width):
    """The next round key of AES-256, of the present one in a and the one before. Bits 3 to 0 of b
    are its number, 2 to 14; in the others bit 3 is inverted."""
    number = b & 15
    if number > 14 or number < 2:
        number ^= 8
    step = u64(NO_CONSTANT) if number & 1 != 0 else (number >> 1) - 1
    next_key(to, schedule_word(u32(element(a, u64(3), 32)), step), d)
