"""What instructions on element groups do, in plain Python over lists, from the manual's text
(Unprivileged, "Vector Cryptography Extensions", "Instructions"). It shares nothing with the
definitions: the S-boxes come from inverses that are searched for.

Each function has the words of one group: of the old vd, of vs2, and of vs1 or the immediate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

Words = list[int]
Group = Callable[[Words, Words, "Words | int"], Words]


def rol(a: int, n: int, bits: int = 32) -> int:
    n %= bits
    a &= (1 << bits) - 1
    return (a << n | a >> bits - n) & (1 << bits) - 1


def ror(a: int, n: int, bits: int = 32) -> int:
    return rol(a, bits - n, bits)


def swapped(words: Words) -> Words:
    """Words with their bytes reversed."""
    return [int.from_bytes(w.to_bytes(4, "little"), "big") for w in words]


def split(words: Words) -> bytes:
    return b"".join(w.to_bytes(4, "little") for w in words)


def joined(data: bytes) -> Words:
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def times(a: int, b: int, polynomial: int) -> int:
    """The product of two bytes, modulo a polynomial of degree 8."""
    result = 0
    for i in range(8):
        result ^= a << i if b >> i & 1 else 0
    for i in range(14, 7, -1):
        result ^= polynomial << i - 8 if result >> i & 1 else 0
    return result


@cache
def inverse(a: int, polynomial: int) -> int:
    return next((b for b in range(256) if times(a, b, polynomial) == 1), 0)


# --- AES (FIPS 197) -----------------------------------------------------------------------------


@cache
def aes_sbox() -> list[int]:
    table = []
    for a in range(256):
        b = inverse(a, 0x11B)
        table.append(b ^ rol(b, 1, 8) ^ rol(b, 2, 8) ^ rol(b, 3, 8) ^ rol(b, 4, 8) ^ 0x63)
    return table


def sub_bytes(state: bytes) -> bytes:
    return bytes(aes_sbox()[b] for b in state)


def sub_bytes_back(state: bytes) -> bytes:
    return bytes(aes_sbox().index(b) for b in state)


def shift_rows(state: bytes, back: int = 1) -> bytes:
    return bytes(state[(i + 4 * back * (i % 4)) % 16] for i in range(16))


def mix_columns(state: bytes, row: tuple[int, ...] = (2, 3, 1, 1)) -> bytes:
    found = []
    for i in range(16):
        column, at = state[i // 4 * 4 : i // 4 * 4 + 4], i % 4
        found.append(0)
        for j in range(4):
            found[-1] ^= times(row[(j - at) % 4], column[j], 0x11B)
    return bytes(found)


def added(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def vaesef(d: Words, a: Words, b: Words | int) -> Words:
    return joined(added(shift_rows(sub_bytes(split(d))), split(a)))


def vaesem(d: Words, a: Words, b: Words | int) -> Words:
    return joined(added(mix_columns(shift_rows(sub_bytes(split(d)))), split(a)))


def vaesdf(d: Words, a: Words, b: Words | int) -> Words:
    return joined(added(sub_bytes_back(shift_rows(split(d), -1)), split(a)))


def vaesdm(d: Words, a: Words, b: Words | int) -> Words:
    return joined(mix_columns(split(vaesdf(d, a, b)), (14, 11, 13, 9)))


def vaesz(d: Words, a: Words, b: Words | int) -> Words:
    return [x ^ y for x, y in zip(d, a, strict=True)]


def chained(first: int, earlier: Words) -> Words:
    """Each word is the one before plus one of the earlier key."""
    words = []
    for w in earlier:
        first ^= w
        words.append(first)
    return words


def sub_word(word: int) -> int:
    return joined(sub_bytes(split([word])))[0]


RCON = [1, 2, 4, 8, 16, 32, 64, 128, 0x1B, 0x36]


def vaeskf1(d: Words, a: Words, b: Words | int) -> Words:
    assert isinstance(b, int)
    number = b & 15
    if not 1 <= number <= 10:
        number ^= 8
    return chained(sub_word(ror(a[3], 8)) ^ RCON[number - 1], a)


def vaeskf2(d: Words, a: Words, b: Words | int) -> Words:
    assert isinstance(b, int)
    number = b & 15
    if not 2 <= number <= 14:
        number ^= 8
    if number % 2:
        return chained(sub_word(a[3]), d)
    return chained(sub_word(ror(a[3], 8)) ^ RCON[number // 2 - 1], d)


# --- GHASH (SP 800-38D): blocks as strings of coefficients ---------------------------------------


def coefficients(words: Words) -> list[int]:
    return [byte >> 7 - i & 1 for byte in split(words) for i in range(8)]


def vgmul(d: Words, a: Words, b: Words | int) -> Words:
    x, y = coefficients(d), coefficients(a)
    product = [0] * 255
    for i, one in enumerate(x):
        for j, other in enumerate(y):
            product[i + j] ^= one & other
    for i in range(254, 127, -1):
        for j in (0, 1, 2, 7):
            product[i - 128 + j] ^= product[i]
    data = [sum(product[8 * i + j] << 7 - j for j in range(8)) for i in range(16)]
    return joined(bytes(data))


def vghsh(d: Words, a: Words, b: Words | int) -> Words:
    assert isinstance(b, list)
    return vgmul([x ^ y for x, y in zip(d, b, strict=True)], a, 0)


# --- SHA-2 (FIPS 180-4) --------------------------------------------------------------------------

SUMS = {32: ((2, 13, 22), (6, 11, 25)), 64: ((28, 34, 39), (14, 18, 41))}
SIGMAS = {32: ((7, 18, 3), (17, 19, 10)), 64: ((1, 8, 7), (19, 61, 6))}


def big_sigma(which: int, a: int, w: int) -> int:
    i, j, k = SUMS[w][which]
    return ror(a, i, w) ^ ror(a, j, w) ^ ror(a, k, w)


def small_sigma(which: int, a: int, w: int) -> int:
    i, j, k = SIGMAS[w][which]
    return ror(a, i, w) ^ ror(a, j, w) ^ a >> k


def two_rounds(d: Words, s: Words, words: Words, w: int) -> Words:
    full = (1 << w) - 1
    (f, e, b, a), (h, g, d_, c) = s, d
    for word in words:
        t1 = h + big_sigma(1, e, w) + (e & f ^ ~e & g) + word
        t2 = big_sigma(0, a, w) + (a & b ^ a & c ^ b & c)
        a, b, c, d_, e, f, g, h = t1 + t2 & full, a, b, c, d_ + t1 & full, e, f, g
    return [f, e, b, a]


def vsha2cl(d: Words, a: Words, b: Words | int, w: int = 32) -> Words:
    assert isinstance(b, list)
    return two_rounds(d, a, b[:2], w)


def vsha2ch(d: Words, a: Words, b: Words | int, w: int = 32) -> Words:
    assert isinstance(b, list)
    return two_rounds(d, a, b[2:], w)


def vsha2ms(d: Words, a: Words, b: Words | int, w: int = 32) -> Words:
    assert isinstance(b, list)
    words = dict(zip((0, 1, 2, 3, 4, 9, 10, 11, 12, 14, 15), (*d, *a, b[0], *b[2:]), strict=True))
    for i in range(16, 20):
        sum_ = small_sigma(1, words[i - 2], w) + words[i - 7] + small_sigma(0, words[i - 15], w)
        words[i] = sum_ + words[i - 16] & (1 << w) - 1
    return [words[i] for i in range(16, 20)]


# --- SM4 and SM3 (GB/T 32907, 32905) --------------------------------------------------------------


@cache
def sm4_sbox() -> list[int]:
    def affine(a: int) -> int:
        """Row i of the matrix is 0b10100111 turned left by i."""
        rows = [rol(0b10100111, i, 8) for i in range(8)]
        bits = [(a & row).bit_count() % 2 for row in rows]
        return sum(bit << i for i, bit in enumerate(bits)) ^ 0xD3

    return [affine(inverse(affine(a), 0x1F5)) for a in range(256)]


def sm4_tau(word: int) -> int:
    return joined(bytes(sm4_sbox()[b] for b in split([word])))[0]


def vsm4r(d: Words, a: Words, b: Words | int) -> Words:
    x = list(d)
    for i in range(4):
        t = sm4_tau(x[i + 1] ^ x[i + 2] ^ x[i + 3] ^ a[i])
        x.append(x[i] ^ t ^ rol(t, 2) ^ rol(t, 10) ^ rol(t, 18) ^ rol(t, 24))
    return x[4:]


def vsm4k(d: Words, a: Words, b: Words | int) -> Words:
    assert isinstance(b, int)
    k = list(a)
    for i in range(4):
        first = 4 * (4 * (b % 8) + i)
        ck = int.from_bytes(bytes((first + j) * 7 % 256 for j in range(4)), "big")
        t = sm4_tau(k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ ck)
        k.append(k[i] ^ t ^ rol(t, 13) ^ rol(t, 23))
    return k[4:]


def vsm3me(d: Words, a: Words, b: Words | int) -> Words:
    assert isinstance(b, list)
    w = swapped(b + a)
    for j in range(16, 24):
        x = w[j - 16] ^ w[j - 9] ^ rol(w[j - 3], 15)
        w.append(x ^ rol(x, 15) ^ rol(x, 23) ^ rol(w[j - 13], 7) ^ w[j - 6])
    return swapped(w[16:])


def vsm3c(d: Words, words: Words, number: Words | int) -> Words:
    assert isinstance(number, int)
    a, b, c, d_, e, f, g, h = swapped(d)
    w = swapped(words)
    full = (1 << 32) - 1
    for i in range(2):
        j = 2 * number + i
        t = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = rol(rol(a, 12) + e + rol(t, j), 7)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g
        tt1 = ff + d_ + (ss1 ^ rol(a, 12)) + (w[i] ^ w[i + 4]) & full
        tt2 = gg + h + ss1 + w[i] & full
        a, b, c, d_, e, f, g, h = (
            tt1, a, rol(b, 9), c, tt2 ^ rol(tt2, 9) ^ rol(tt2, 17), e, rol(f, 19), g
        )  # fmt: skip
    return swapped([a, b, c, d_, e, f, g, h])


SHA2: dict[str, Callable[[Words, Words, Words | int, int], Words]] = {
    "vsha2cl": vsha2cl, "vsha2ch": vsha2ch, "vsha2ms": vsha2ms,
}  # fmt: skip
GROUPS: dict[str, Group] = {
    function.__name__: function
    for function in (
        vaesef, vaesem, vaesdf, vaesdm, vaesz, vaeskf1, vaeskf2, vgmul, vghsh, vsm4r, vsm4k, vsm3me,
        vsm3c,
    )
}  # fmt: skip


def group_of(name: str, sew: int) -> Group:
    """The function of an instruction."""
    if name in SHA2:
        return lambda d, a, b: SHA2[name](d, a, b, sew)
    return GROUPS[name]


def size_of(name: str) -> int:
    """EGS."""
    return 8 if name.startswith("vsm3") else 4
