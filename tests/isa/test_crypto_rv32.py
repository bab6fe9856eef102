"""The RV32 forms of Zbkb and the Zk extensions: the published examples of the algorithms."""

from __future__ import annotations

import hashlib
import random
import struct
from types import SimpleNamespace

import pytest

from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.machinery.xlen import TYPES
from rvplat.isa.rv_scalar import Zbkb, Zbkx, Zknd, Zkne, Zknh
from rvplat.lang import standing_for, u32, u64
from tests.isa import test_crypto
from tests.isa.test_crypto import AES, PLAIN

ROWS: dict[str, Instruction] = {
    row.name: row
    for extension in (Zbkb, Zbkx, Zknd, Zkne, Zknh)
    for row in extension.of(32).instructions
}
WORD = (1 << 32) - 1


def cpu(name: str, a: int, b: int = 0, **operands: int) -> int:
    """Run an instruction with a in x1 and b in x2; return x3."""
    row = ROWS[name]
    hart = SimpleNamespace(x=[u32(0)] * 33)
    hart.x[1], hart.x[2] = u32(a), u32(b)
    given = {"rd": 3, "rs1": 1, "rs2": 2, **operands}
    with standing_for(TYPES[32]):
        row.definition(hart, *(u64(given[name]) for name in row.operands))
    return int(hart.x[3])


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("zip", 0x0000_FFFF, 0, 0x5555_5555),
        ("zip", 0xFFFF_0000, 0, 0xAAAA_AAAA),
        ("zip", 0x8000_0001, 0, 0x8000_0001),
        ("unzip", 0x5555_5555, 0, 0x0000_FFFF),
        ("unzip", 0x8000_0002, 0, 0x8001_0000),
        ("pack", 0x1111_2222, 0x3333_4444, 0x4444_2222),
        ("brev8", 0x0102_0408, 0, 0x8040_2010),
        ("rev8", 0x0102_0304, 0, 0x0403_0201),
        ("xperm8", 0x0302_0100, 0x0401_0203, 0x0001_0203),
        ("xperm4", 0x7654_3210, 0x0123_4598, 0x0123_4500),
        ("ror", 0x0000_0001, 33, 0x8000_0000),
    ],
)
def test_known_answers(name: str, a: int, b: int, expected: int) -> None:
    assert cpu(name, a, b) == expected


def test_only_rv64_has_the_forms_on_doublewords() -> None:
    assert not {"packw", "rolw", "aes64es", "sha512sum0", "aes64ks2"} & ROWS.keys()
    wide = {row.name for one in (Zbkb, Zkne, Zknd, Zknh) for row in one.instructions}
    assert not {"zip", "unzip", "aes32esi", "sha512sig0h"} & wide


# --- AES: FIPS 197 --------------------------------------------------------------------------------


def round_(name: str, columns: list[int], keys: list[int], step: int) -> list[int]:
    """A round: each column of the result has a byte of each of four columns ("Zkne")."""
    found = []
    for n in range(4):
        word = keys[n]
        for bs in range(4):
            word = cpu(name, word, columns[(n + step * bs) % 4], bs=bs)
        found.append(word)
    return found


def expanded(key: bytes) -> list[int]:
    """The round keys, a word each; SubWord is the last round's on each byte (FIPS 197, 5.2)."""
    keys = [*struct.unpack(f"<{len(key) // 4}I", key)]
    count, constant = len(keys), 1
    for at in range(count, 4 * (count + 7)):
        word = keys[-1]
        if at % count == 0:
            word = (word >> 8 | word << 24) & WORD
        if at % count == 0 or (count > 6 and at % count == 4):
            total = 0
            for bs in range(4):
                total = cpu("aes32esi", total, word, bs=bs)
            word = total
        if at % count == 0:
            word ^= constant
            constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
        keys.append(keys[-count] ^ word)
    return keys


def inverse_mixed(word: int) -> int:
    """InvMixColumns: SubBytes and then what undoes it in aes32dsmi."""
    total = 0
    for bs in range(4):
        byte = cpu("aes32esi", 0, word >> 8 * bs & 0xFF, bs=0)
        total ^= cpu("aes32dsmi", 0, byte << 8 * bs, bs=bs)
    return total


@pytest.mark.parametrize(("key", "cipher"), AES, ids=["AES-128", "AES-192", "AES-256"])
def test_aes(key: str, cipher: str) -> None:
    keys = expanded(bytes.fromhex(key))
    last = len(keys) - 4
    words = struct.unpack("<4I", bytes.fromhex(PLAIN))
    state = [a ^ k for a, k in zip(words, keys[:4], strict=True)]
    for at in range(4, len(keys), 4):
        name = "aes32esmi" if at < last else "aes32esi"
        state = round_(name, state, keys[at : at + 4], 1)
    assert struct.pack("<4I", *state).hex() == cipher
    state = [a ^ k for a, k in zip(state, keys[last:], strict=True)]
    for at in range(last - 4, -1, -4):
        middle = [inverse_mixed(k) if at else k for k in keys[at : at + 4]]
        state = round_("aes32dsmi" if at else "aes32dsi", state, middle, -1)
    assert struct.pack("<4I", *state).hex() == PLAIN


# --- SHA-2: FIPS 180-4 ----------------------------------------------------------------------------


class Halves:
    """SHA-512's functions of doublewords, each by two instructions; the rest as it is."""

    def __call__(self, name: str, a: int, b: int = 0) -> int:
        if name.startswith("sha256"):
            return cpu(name, a)
        low, high = a & WORD, a >> 32
        if "sum" in name:
            return cpu(name + "r", low, high) | cpu(name + "r", high, low) << 32
        return cpu(name + "l", low, high) | cpu(name + "h", high, low) << 32


def test_sha2() -> None:
    one: object = Halves()
    assert test_crypto.sha2(one, b"abc", 64) == hashlib.sha512(b"abc").digest()  # type: ignore[arg-type]
    assert test_crypto.sha2(one, b"abc", 32) == hashlib.sha256(b"abc").digest()  # type: ignore[arg-type]


def test_zip_and_unzip_are_inverse() -> None:
    for word in (random.Random(5).getrandbits(32) for _ in range(50)):
        assert cpu("unzip", cpu("zip", word)) == word
