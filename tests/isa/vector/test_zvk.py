"""Zvbb, Zvbc and the Zvk extensions: the published examples of the algorithms; and what is
reserved, each rule with its section (Unprivileged, "Vector Cryptography Extensions")."""

from __future__ import annotations

import hashlib
import random
import struct

import pytest

from rvplat.engine.architecture import flag_field
from rvplat.isa.rv_zvk import Zvknhb
from tests.isa.test_crypto import AES, FK, IV, PLAIN, constants
from tests.lockstep.program import extensions

from .bench import VLEN, begin, twin
from .ciphers import RCON, ror, sub_word
from .test_rules import NAMED, arrange, traps, vtype_of

BYTES = VLEN // 8
VD, VS2, VS1 = 8, 16, 24


def run(
    name: str, vtype: str, d: bytes, a: bytes, b: bytes = b"", uimm: int | None = None
) -> bytes:
    """Run an instruction with these bytes in vd, vs2 and vs1, natively and by the reference. Return
    what is in vd then."""
    operands = {"vd": VD, "vs2": VS2, **({"vs1": VS1} if b else {})}
    operands |= {} if uimm is None else {"uimm": uimm}
    bench = twin()
    sew = 8 << (vtype_of(vtype) >> 3)
    bits = NAMED[name].pattern.encode(**operands)
    begin(bench, random.Random(name), bits, vtype_of(vtype), len(d) * 8 // sew)
    for register, data in ((VD, d), (VS2, a), (VS1, b)):
        bench.vectors[register * BYTES : register * BYTES + len(data)] = list(data)
    assert bench.differences() == []
    assert bench.hart.mcause != 2
    return bytes(bench.vectors[VD * BYTES : VD * BYTES + len(d)])


# --- AES: FIPS 197, appendices A and C -----------------------------------------------------------


def keys_of(key: bytes) -> list[bytes]:
    """The round keys. There is no instruction for AES-192."""
    if len(key) == 16:
        keys = [key]
        for number in range(1, 11):
            keys.append(run("vaeskf1.vi", "e32,m1", bytes(16), keys[-1], uimm=number))
        return keys
    if len(key) == 32:
        keys = [key[:16], key[16:]]
        for number in range(2, 15):
            keys.append(run("vaeskf2.vi", "e32,m1", keys[-2], keys[-1], uimm=number))
        return keys
    words = [*struct.unpack("<6I", key)]
    for i in range(6, 52):
        word = sub_word(ror(words[-1], 8)) ^ RCON[i // 6 - 1] if i % 6 == 0 else words[-1]
        words.append(words[-6] ^ word)
    return [struct.pack("<4I", *words[i : i + 4]) for i in range(0, 52, 4)]


@pytest.mark.parametrize(("key", "cipher"), AES, ids=["AES-128", "AES-192", "AES-256"])
@pytest.mark.parametrize("form", ["vv", "vs"])
def test_aes(form: str, key: str, cipher: str) -> None:
    """Two blocks at once: the second is checked against the first."""
    keys = keys_of(bytes.fromhex(key))
    count = 2 if form == "vs" else 1
    state = run("vaesz.vs", "e32,m2", bytes.fromhex(PLAIN) * count, keys[0])
    for one in keys[1:-1]:
        state = run(f"vaesem.{form}", "e32,m2", state, one)
    state = run(f"vaesef.{form}", "e32,m2", state, keys[-1])
    assert state.hex() == cipher * count
    state = run("vaesz.vs", "e32,m2", state, keys[-1])
    for one in keys[-2:0:-1]:
        state = run(f"vaesdm.{form}", "e32,m2", state, one)
    assert run(f"vaesdf.{form}", "e32,m2", state, keys[0]).hex() == PLAIN * count


@pytest.mark.parametrize(
    ("name", "outside", "inside"),
    [("vaeskf1.vi", (0, 11, 12, 13, 14, 15), (8, 3, 4, 5, 6, 7)),
     ("vaeskf2.vi", (0, 1, 15), (8, 9, 7))],
)  # fmt: skip
def test_round_numbers_outside_the_range_are_mapped(
    name: str, outside: tuple[int, ...], inside: tuple[int, ...]
) -> None:
    """ "vaeskf1.vi", "vaeskf2.vi": uimm[3] is inverted, and uimm[4] ignored."""
    d, a = bytes(range(16)), bytes(range(100, 116))
    for one, other in zip(outside, inside, strict=True):
        expected = run(name, "e32,m1", d, a, uimm=other)
        assert run(name, "e32,m1", d, a, uimm=one) == expected
        assert run(name, "e32,m1", d, a, uimm=one | 16) == expected


# --- GHASH: NIST's revised specification of GCM, appendix B, test case 2 --------------------------


def test_ghash() -> None:
    key = bytes.fromhex("66e94bd4ef8a2c3b884cfa59ca342b2e")
    state = bytes(16)
    for block in ("0388dace60b6a392f328c2b971b2fe78", "00000000000000000000000000000080"):
        added = bytes(x ^ y for x, y in zip(state, bytes.fromhex(block), strict=True))
        state = run("vghsh.vv", "e32,m1", state, key, bytes.fromhex(block))
        assert run("vgmul.vv", "e32,m1", added, key) == state
    assert state.hex() == "f38cbb1ad69223dcc3457ae5b6b0f885"


# --- SHA-2: FIPS 180-4 ----------------------------------------------------------------------------


def sha2(message: bytes, bits: int) -> bytes:
    """SHA-256 (bits of a word: 32) or SHA-512 (64) of a message."""
    size, rounds, letter = bits // 8, {32: 64, 64: 80}[bits], {32: "I", 64: "Q"}[bits]
    vtype = f"e{bits},m2"
    length = len(message) + 1 + 2 * size
    padded = message + b"\x80" + bytes(-length % (16 * size))
    padded += (8 * len(message)).to_bytes(2 * size, "big")
    a, b, c, d, e, f, g, h = state = constants(8, bits, 2)
    for at in range(0, len(padded), 16 * size):
        w = list(struct.unpack(f">16{letter}", padded[at : at + 16 * size]))
        while len(w) < rounds:
            groups = (w[-16:-12], [w[-12], *w[-7:-4]], [w[-4], 0, *w[-2:]])
            old, middle, new = (struct.pack(f"<4{letter}", *group) for group in groups)
            w += struct.unpack(f"<4{letter}", run("vsha2ms.vv", vtype, old, middle, new))
        a, b, c, d, e, f, g, h = state
        ks = constants(rounds, bits, 3)
        upper, lower = (struct.pack(f"<4{letter}", *four) for four in ((f, e, b, a), (h, g, d, c)))
        for i in range(0, rounds, 4):
            words = (ks[j] + w[j] & (1 << bits) - 1 for j in range(i, i + 4))
            four = struct.pack(f"<4{letter}", *words)
            upper, lower = run("vsha2cl.vv", vtype, lower, upper, four), upper
            upper, lower = run("vsha2ch.vv", vtype, lower, upper, four), upper
        f, e, b, a = struct.unpack(f"<4{letter}", upper)
        h, g, d, c = struct.unpack(f"<4{letter}", lower)
        sums = zip(state, (a, b, c, d, e, f, g, h), strict=True)
        state = [x + y & (1 << bits) - 1 for x, y in sums]
    return struct.pack(f">8{letter}", *state)


def test_sha2() -> None:
    """The examples of one block and of two blocks."""
    assert sha2(b"abc", 32).hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    assert sha2(long, 32).hex() == (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    )
    assert sha2(b"abc", 64) == hashlib.sha512(b"abc").digest()
    assert sha2(long * 2, 64) == hashlib.sha512(long * 2).digest()


# --- SM4 and SM3: GB/T 32907 and 32905, appendix A -----------------------------------------------


def swapped(data: bytes) -> bytes:
    """Words with their bytes reversed."""
    return struct.pack(f"<{len(data) // 4}I", *struct.unpack(f">{len(data) // 4}I", data))


@pytest.mark.parametrize("form", ["vv", "vs"])
def test_sm4(form: str) -> None:
    plain = bytes.fromhex("0123456789abcdeffedcba9876543210")
    key = struct.pack("<4I", *(a ^ b for a, b in zip(struct.unpack(">4I", plain), FK, strict=True)))
    keys = []
    for number in range(8):
        key = run("vsm4k.vi", "e32,m1", bytes(16), key, uimm=number)
        assert run("vsm4k.vi", "e32,m1", bytes(16), key, uimm=number | 24) == run(
            "vsm4k.vi", "e32,m1", bytes(16), key, uimm=number
        )
        keys.append(key)
    state = swapped(plain)
    for one in keys:
        state = run(f"vsm4r.{form}", "e32,m1", state, one)
    words = struct.unpack("<4I", state)
    assert struct.pack(">4I", *words[::-1]).hex() == "681edf34d206965e86b3e94f536e4246"
    state = struct.pack("<4I", *words[::-1])
    for one in keys[::-1]:
        back = struct.pack("<4I", *struct.unpack("<4I", one)[::-1])
        state = run(f"vsm4r.{form}", "e32,m1", state, back)
    assert struct.pack(">4I", *struct.unpack("<4I", state)[::-1]) == plain


def test_sm3() -> None:
    """The example "abc"."""
    words = b"abc\x80" + bytes(52) + struct.pack(">Q", 24)
    while len(words) < 4 * 72:
        words += run("vsm3me.vv", "e32,m2", bytes(32), words[-32:], words[-64:-32])
    start = state = struct.pack(">8I", *IV)
    for i in range(32):
        eight = words[8 * i : 8 * i + 24] + bytes(8)
        state = run("vsm3c.vi", "e32,m2", state, eight, uimm=i)
    assert bytes(x ^ y for x, y in zip(start, state, strict=True)).hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )


# --- what is reserved -----------------------------------------------------------------------------

EGS = "Instruction Constraints, vl and vstart constraints"
EGW = "Instruction Constraints, LMUL constraints"
SEW = "Instruction Constraints, SEW constraints"
SCALAR = "Instruction Constraints, Vector/Scalar constraints"
GROUPING = "Vector Register Grouping (vlmul)"
RESERVED = [
    (EGS, "e32,m2", 3, "vaesef.vv vd=8 vs2=16"),
    (EGS, "e32,m2", 6, "vaesz.vs vd=8 vs2=16"),
    (EGS, "e32,m2", 5, "vaeskf1.vi vd=8 vs2=16 uimm=1"),
    (EGS, "e32,m2", 2, "vghsh.vv vd=8 vs2=16 vs1=24"),
    (EGS, "e32,m2", 7, "vgmul.vv vd=8 vs2=16"),
    (EGS, "e32,m2", 1, "vsha2ms.vv vd=8 vs2=16 vs1=24"),
    (EGS, "e64,m2", 3, "vsha2cl.vv vd=8 vs2=16 vs1=24"),
    (EGS, "e32,m2", 2, "vsm4k.vi vd=8 vs2=16 uimm=1"),
    (EGS, "e32,m2", 6, "vsm4r.vv vd=8 vs2=16"),
    (EGS, "e32,m2", 4, "vsm3me.vv vd=8 vs2=16 vs1=24"),
    (EGS, "e32,m4", 12, "vsm3c.vi vd=8 vs2=16 uimm=1"),
    (EGW, "e32,mf2", 0, "vaesef.vv vd=8 vs2=16"),
    (EGW, "e32,mf2", 0, "vaesem.vs vd=8 vs2=16"),
    (EGW, "e32,mf2", 0, "vaeskf2.vi vd=8 vs2=16 uimm=2"),
    (EGW, "e32,mf2", 0, "vghsh.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e32,mf2", 0, "vsha2ch.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e64,m1", 0, "vsha2ch.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e32,mf2", 0, "vsm4r.vs vd=8 vs2=16"),
    (EGW, "e32,m1", 0, "vsm3me.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e32,m1", 0, "vsm3c.vi vd=8 vs2=16 uimm=1"),
    (SEW, "e16,m1", 4, "vaesdf.vv vd=8 vs2=16"),
    (SEW, "e64,m2", 4, "vaesz.vs vd=8 vs2=16"),
    (SEW, "e8,m1", 4, "vaeskf1.vi vd=8 vs2=16 uimm=1"),
    (SEW, "e64,m2", 4, "vgmul.vv vd=8 vs2=16"),
    (SEW, "e16,m1", 4, "vsha2ms.vv vd=8 vs2=16 vs1=24"),
    (SEW, "e64,m2", 4, "vsm4k.vi vd=8 vs2=16 uimm=1"),
    (SEW, "e64,m4", 8, "vsm3me.vv vd=8 vs2=16 vs1=24"),
    (SCALAR, "e32,m2", 8, "vaesef.vs vd=8 vs2=8"),
    (SCALAR, "e32,m2", 8, "vaesdm.vs vd=8 vs2=9"),
    (SCALAR, "e32,m1", 4, "vaesz.vs vd=8 vs2=8"),
    (SCALAR, "e32,m4", 4, "vsm4r.vs vd=8 vs2=11"),
    (SCALAR, "e32,m1", 4, "vsha2cl.vv vd=8 vs2=8 vs1=24"),
    (SCALAR, "e32,m1", 4, "vsha2ch.vv vd=8 vs2=16 vs1=8"),
    (SCALAR, "e32,m1", 4, "vsha2ms.vv vd=8 vs2=16 vs1=8"),
    (SCALAR, "e32,m2", 8, "vsm3me.vv vd=8 vs2=8 vs1=24"),
    (SCALAR, "e32,m2", 8, "vsm3c.vi vd=8 vs2=8 uimm=1"),
    (GROUPING, "e32,m2", 4, "vaesem.vv vd=9 vs2=16"),
    (GROUPING, "e32,m2", 4, "vaesem.vv vd=8 vs2=17"),
    (GROUPING, "e32,m2", 4, "vaesem.vs vd=9 vs2=16"),
    (GROUPING, "e32,m2", 4, "vghsh.vv vd=8 vs2=16 vs1=25"),
    (GROUPING, "e32,m2", 4, "vsm4k.vi vd=8 vs2=17 uimm=1"),
    ("Zvbc", "e32,m1", 4, "vclmul.vv vd=8 vs2=16 vs1=24 vm=1"),
    ("Zvbc", "e8,m1", 4, "vclmulh.vx vd=8 vs2=16 rs1=1 vm=1"),
    ("Vector Operands", "e64,m1", 2, "vwsll.vv vd=8 vs2=16 vs1=24 vm=1"),  # EEW 128
    ("Vector Operands", "e8,m1", 4, "vwsll.vi vd=8 vs2=8 uimm=1 vm=1"),
    ("Vector Masking", "e8,m1", 4, "vandn.vv vd=0 vs2=16 vs1=24 vm=0"),
    ("Vector Masking", "e8,m1", 4, "vclz.v vd=0 vs2=16 vm=0"),
    ("Vector Type Illegal (vill)", "vill", 0, "vaesef.vv vd=8 vs2=16"),
    ("Vector Type Illegal (vill)", "vill", 0, "vaesz.vs vd=8 vs2=16"),
    ("Vector Type Illegal (vill)", "vill", 0, "vsha2ms.vv vd=8 vs2=16 vs1=24"),
    ("Vector Type Illegal (vill)", "vill", 0, "vclmul.vv vd=8 vs2=16 vs1=24 vm=1"),
]
LEGAL = [
    (EGS, "e32,m2", 8, "vaesef.vv vd=8 vs2=16"),
    (EGS, "e32,m1", 0, "vsm4k.vi vd=8 vs2=16 uimm=1"),
    (EGW, "e32,m1", 4, "vghsh.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e64,m2", 4, "vsha2ch.vv vd=8 vs2=16 vs1=24"),
    (EGW, "e32,m2", 8, "vsm3c.vi vd=8 vs2=16 uimm=31"),
    (SCALAR, "e32,m2", 8, "vaesef.vs vd=8 vs2=7"),
    (SCALAR, "e32,m2", 8, "vaesef.vs vd=8 vs2=11"),  # not aligned
    (SCALAR, "e32,m1", 4, "vaesef.vv vd=8 vs2=8"),
    (SCALAR, "e32,m1", 4, "vaeskf1.vi vd=8 vs2=8 uimm=1"),
    (SCALAR, "e32,m1", 4, "vghsh.vv vd=8 vs2=8 vs1=8"),
    (SCALAR, "e32,m1", 4, "vsha2ms.vv vd=8 vs2=16 vs1=16"),
    (SCALAR, "e32,m2", 8, "vsm3me.vv vd=8 vs2=16 vs1=8"),
    ("Zvbc", "e64,m1", 2, "vclmul.vv vd=8 vs2=16 vs1=24 vm=1"),
    ("Zvbb", "e64,m1", 2, "vror.vi vd=8 vs2=16 uimm=63 vm=1"),
]


@pytest.mark.parametrize(("section", "vtype", "vl", "text"), RESERVED)
def test_what_is_reserved_is_illegal(section: str, vtype: str, vl: int, text: str) -> None:
    bench = arrange(text, vtype, vl)
    before = bytes(bench.vectors)
    assert traps(bench), section
    assert bytes(bench.vectors) == before


@pytest.mark.parametrize(("section", "vtype", "vl", "text"), LEGAL)
def test_what_the_rules_allow_is_legal(section: str, vtype: str, vl: int, text: str) -> None:
    assert not traps(arrange(text, vtype, vl)), section


@pytest.mark.parametrize("text", ["vaesef.vv vd=8 vs2=16", "vaesz.vs vd=8 vs2=16",
                                  "vsha2ms.vv vd=8 vs2=16 vs1=24"])  # fmt: skip
@pytest.mark.parametrize("start", [1, 4])
def test_a_vstart_is_illegal(text: str, start: int) -> None:
    """A vstart that isn't a multiple of EGS is reserved; none but 0 is ever produced here."""
    bench = arrange(text, "e32,m2", 8)
    bench.hart.vstart = start
    assert traps(bench)
    assert bench.hart.vstart == start


def test_sha512_needs_zvknhb() -> None:
    """ "Zvknha and Zvknhb"."""
    for vtype, illegal in (("e64,m2", True), ("e32,m2", False)):
        bench = arrange("vsha2ch.vv vd=8 vs2=16 vs1=24", vtype, 4)
        setattr(bench.hart, flag_field(Zvknhb), 0)
        assert traps(bench) is illegal


@pytest.mark.parametrize(
    ("isa", "more"),
    [
        ("rv64i_zvbb", "zvkb zve32x"), ("rv64i_zvbc", "zve64x"), ("rv64i_zvknha", "zve32x"),
        ("rv64i_zvknhb", "zvknha zve64x"), ("rv64i_zvkn", "zvkned zvknhb zvkb zvkt"),
        ("rv64i_zvknc", "zvkn zvbc"), ("rv64i_zvkng", "zvkn zvkg"),
        ("rv64i_zvks", "zvksed zvksh zvkb zvkt"), ("rv64i_zvksc", "zvks zvbc"),
        ("rv64i_zvksg", "zvks zvkg"), ("rv64i_zvkt", "zve32x"),
        ("rv64i_zvfh", "zvfhmin zfhmin zve32f f"), ("rv64i_zvfhmin", "zve32f f"),
        ("rv64i_zvfbfmin", "zve32f f"), ("rv64i_zvfbfwma", "zvfbfmin zfbfmin zve32f f"),
    ],
)  # fmt: skip
def test_what_a_name_includes(isa: str, more: str) -> None:
    """ "Extensions Overview", "Zvfh"; an ISA string implies what an extension depends on ("ISA
    Extension Naming Conventions")."""
    names = {extension.name.lower() for extension in extensions(isa)}
    assert names >= set(more.split())
    assert ("zve64x" in names) is ("zvbc" in names or "zvknhb" in names)
