"""Zbkb, Zbkx and the Zk extensions: known answers, and the published examples of the algorithms."""

from __future__ import annotations

import hashlib
import struct

import pytest

from rvplat.isa.cryptography import aes
from rvplat.isa.cryptography.sm4 import substituted
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.rv_scalar import Zbkb, Zbkx, Zknd, Zkne, Zknh, Zksed, Zksh
from rvplat.lang import u32, u64
from tests.isa.conftest import ScratchHart
from tests.isa.vector.ciphers import aes_sbox, sm4_sbox

ONES, WORD = (1 << 64) - 1, (1 << 32) - 1
ROWS: dict[str, Instruction] = {
    row.name: row
    for extension in (Zbkb, Zbkx, Zknd, Zkne, Zknh, Zksed, Zksh)
    for row in extension.instructions
}


class Cpu:
    """Runs instructions by name on values."""

    def __init__(self, hart: ScratchHart) -> None:
        self.hart = hart

    def __call__(self, name: str, a: int, b: int = 0, **operands: int) -> int:
        return self.hart.result(ROWS[name], a & ONES, b & ONES, **operands)


@pytest.fixture
def cpu(hart: ScratchHart) -> Cpu:
    return Cpu(hart)


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("pack", 0x1111_1111_2222_2222, 0x3333_3333_4444_4444, 0x4444_4444_2222_2222),
        ("packh", 0x1234, 0x5678, 0x7834),
        ("packw", 0x1234_5678, 0xFFFF_8765, 0xFFFF_FFFF_8765_5678),
        ("brev8", 0x0102_0408_1020_4080, 0, 0x8040_2010_0804_0201),
        ("brev8", 0xC5, 0, 0xA3),
        ("xperm8", 0x0706_0504_0302_0100, 0x0001_0203_0405_0607, 0x0001_0203_0405_0607),
        ("xperm8", 0x1716_1514_1312_1110, 0x0807_FF00_0803_0100, 0x0017_0010_0013_1110),
        ("xperm4", 0xFEDC_BA98_7654_3210, 0x0123_4567_89AB_CDEF, 0x0123_4567_89AB_CDEF),
        ("xperm4", 0x0123_4567_89AB_CDEF, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210),
    ],
)
def test_known_answers(cpu: Cpu, name: str, a: int, b: int, expected: int) -> None:
    assert cpu(name, a, b) == expected


def test_zbkb_and_zbb_share_instructions() -> None:
    assert {row.name for row in Zbkb.instructions} == {
        "rol", "rolw", "ror", "rori", "roriw", "rorw", "andn", "orn", "xnor", "rev8", "pack",
        "packh", "packw", "brev8",
    }  # fmt: skip
    assert {row.name for row in Zkne.instructions} == {
        "aes64es", "aes64esm", "aes64ks1i", "aes64ks2",
    }  # fmt: skip


# --- S-boxes, whose tables are made of inverses that are searched for -----------------------------


def test_the_s_boxes_of_every_byte() -> None:
    forward, sm4 = aes_sbox(), sm4_sbox()
    for first in range(0, 256, 4):
        four = bytes(range(first, first + 4))
        word = u64(int.from_bytes(four, "little"))
        found = int(aes.substituted(word)) & WORD
        assert found.to_bytes(4, "little") == bytes(forward[b] for b in four)
        assert int(aes.substituted_back(u64(found))) & WORD == word
        assert int(substituted(u32(word))).to_bytes(4, "little") == bytes(sm4[b] for b in four)


# --- AES: FIPS 197, appendix C, and A for the keys ------------------------------------------------

PLAIN = "00112233445566778899aabbccddeeff"
AES = [
    ("000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a"),
    ("000102030405060708090a0b0c0d0e0f1011121314151617", "dda97ca4864cdfe06eaf70a0ec0d7191"),
    ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "8ea2b7ca516745bfeafc49904b496089"),
]  # fmt: skip


def expanded(cpu: Cpu, key: bytes) -> list[int]:
    """The round keys, two doublewords each."""
    keys = [*struct.unpack(f"<{len(key) // 8}Q", key)]
    count, rounds = len(keys), len(key) // 4 + 6
    for number in range(10):
        last = cpu("aes64ks1i", keys[-1], rnum=number)
        for at in range(count):
            if at == 2 and count == 4:
                last = cpu("aes64ks1i", keys[-1], rnum=10)
            last = cpu("aes64ks2", last, keys[-count])
            keys.append(last)
    return keys[: 2 * (rounds + 1)]


def encrypted(cpu: Cpu, keys: list[int], block: bytes) -> bytes:
    a, b = (x ^ k for x, k in zip(struct.unpack("<2Q", block), keys[:2], strict=True))
    for at in range(2, len(keys), 2):
        name = "aes64esm" if at < len(keys) - 2 else "aes64es"
        a, b = cpu(name, a, b) ^ keys[at], cpu(name, b, a) ^ keys[at + 1]
    return struct.pack("<2Q", a, b)


def decrypted(cpu: Cpu, keys: list[int], block: bytes) -> bytes:
    """The equivalent inverse cipher (5.3.5)."""
    a, b = (x ^ k for x, k in zip(struct.unpack("<2Q", block), keys[-2:], strict=True))
    for at in range(len(keys) - 4, -1, -2):
        ka, kb = keys[at : at + 2]
        if at:
            ka, kb = cpu("aes64im", ka), cpu("aes64im", kb)
        name = "aes64dsm" if at else "aes64ds"
        a, b = cpu(name, a, b) ^ ka, cpu(name, b, a) ^ kb
    return struct.pack("<2Q", a, b)


@pytest.mark.parametrize(("key", "cipher"), AES, ids=["AES-128", "AES-192", "AES-256"])
def test_aes(cpu: Cpu, key: str, cipher: str) -> None:
    keys = expanded(cpu, bytes.fromhex(key))
    assert encrypted(cpu, keys, bytes.fromhex(PLAIN)).hex() == cipher
    assert decrypted(cpu, keys, bytes.fromhex(cipher)).hex() == PLAIN


@pytest.mark.parametrize("rnum", range(16))
def test_greater_round_numbers_are_reserved(rnum: int) -> None:
    pattern = ROWS["aes64ks1i"].pattern
    assert pattern.matches(pattern.encode(rd=1, rs1=2, rnum=rnum)) == (rnum <= 10)


# --- SHA-2: FIPS 180-4 ----------------------------------------------------------------------------


def constants(count: int, bits: int, root: int) -> list[int]:
    """The fractional parts of the square or cube roots of the first primes (4.2)."""
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    found = []
    for prime in primes:
        scaled = prime << root * bits
        low, high = 0, 1 << bits + 16
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**root <= scaled else (low, middle)
        found.append(low & (1 << bits) - 1)
    return found


def sha2(cpu: Cpu, message: bytes, bits: int) -> bytes:
    """SHA-256 (bits of a word: 32) or SHA-512 (64) of a message of one block."""
    name, mask, size = {32: "sha256", 64: "sha512"}[bits], (1 << bits) - 1, bits // 8
    rounds = 64 if bits == 32 else 80
    padded = message + b"\x80" + bytes(14 * size - 1 - len(message))
    padded += (8 * len(message)).to_bytes(2 * size, "big")
    w = [int.from_bytes(padded[size * i : size * (i + 1)], "big") for i in range(16)]
    for i in range(16, rounds):
        s0, s1 = cpu(f"{name}sig0", w[i - 15]), cpu(f"{name}sig1", w[i - 2])
        w.append(s1 + w[i - 7] + s0 + w[i - 16] & mask)
    start = constants(8, bits, 2)
    a, b, c, d, e, f, g, h = start
    for k, word in zip(constants(rounds, bits, 3), w, strict=True):
        one = h + cpu(f"{name}sum1", e) + (e & f ^ ~e & g) + k + word
        two = cpu(f"{name}sum0", a) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = one + two & mask, a, b, c, d + one & mask, e, f, g
    end = zip(start, (a, b, c, d, e, f, g, h), strict=True)
    return b"".join((x + y & mask).to_bytes(size, "big") for x, y in end)


def test_sha2(cpu: Cpu) -> None:
    """The example "abc" of FIPS 180-4."""
    assert sha2(cpu, b"abc", 32).hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert sha2(cpu, b"abc", 64) == hashlib.sha512(b"abc").digest()


# --- SM4: GB/T 32907, appendix A ------------------------------------------------------------------

FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
CK = [sum((4 * i + j) * 7 % 256 << 24 - 8 * j for j in range(4)) for i in range(32)]


def swapped(word: int) -> int:
    """The bytes of a word reversed: the instructions see big-endian words so."""
    return int.from_bytes((word & WORD).to_bytes(4, "little"), "big")


def quarters(cpu: Cpu, name: str, sum_: int, word: int) -> int:
    for bs in range(4):
        sum_ = cpu(name, sum_, word, bs=bs)
    return sum_ & WORD


def sm4(cpu: Cpu, key: bytes, block: bytes, back: bool = False) -> bytes:
    k = [swapped(a ^ b) for a, b in zip(struct.unpack(">4I", key), FK, strict=True)]
    for i in range(32):
        k.append(quarters(cpu, "sm4ks", k[i], k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ swapped(CK[i])))
    keys = k[:3:-1] if back else k[4:]
    x = [*struct.unpack("<4I", block)]
    for i, one in enumerate(keys):
        x.append(quarters(cpu, "sm4ed", x[i], x[i + 1] ^ x[i + 2] ^ x[i + 3] ^ one))
    return struct.pack("<4I", *x[:-5:-1])


def test_sm4(cpu: Cpu) -> None:
    plain = bytes.fromhex("0123456789abcdeffedcba9876543210")
    cipher = sm4(cpu, plain, plain)
    assert cipher.hex() == "681edf34d206965e86b3e94f536e4246"
    assert sm4(cpu, plain, cipher, back=True) == plain


# --- SM3: GB/T 32905, appendix A ------------------------------------------------------------------

IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D,
      0xB0FB0E4E)  # fmt: skip


def left(a: int, n: int) -> int:
    n %= 32
    return (a << n | a >> 32 - n) & WORD


def sm3(cpu: Cpu, message: bytes) -> bytes:
    """SM3 of a message of one block."""
    padded = message + b"\x80" + bytes(55 - len(message)) + struct.pack(">Q", 8 * len(message))
    w = [*struct.unpack(">16I", padded)]
    for j in range(16, 68):
        mixed = cpu("sm3p1", w[j - 16] ^ w[j - 9] ^ left(w[j - 3], 15)) & WORD
        w.append(mixed ^ left(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = IV
    for j in range(64):
        t = left(0x79CC4519 if j < 16 else 0x7A879D8A, j)
        ss1 = left(left(a, 12) + e + t & WORD, 7)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g & WORD
        tt1 = ff + d + (ss1 ^ left(a, 12)) + (w[j] ^ w[j + 4]) & WORD
        tt2 = gg + h + ss1 + w[j] & WORD
        a, b, c, d = tt1, a, left(b, 9), c
        e, f, g, h = cpu("sm3p0", tt2) & WORD, e, left(f, 19), g
    return struct.pack(">8I", *(x ^ y for x, y in zip(IV, (a, b, c, d, e, f, g, h), strict=True)))


def test_sm3(cpu: Cpu) -> None:
    assert sm3(cpu, b"abc").hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
