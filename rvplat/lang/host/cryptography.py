"""LLVM text for the instructions that hosts have for ciphers, hashes and carry-less products.

Each value is (text, declarations), the arguments of `intrinsic`, or None where the host has no such
instruction. Operands of 128 bits are host addresses. On x86-64 the instructions are those of SHA,
AES-NI and PCLMULQDQ (Intel SDM, volume 2). AArch64's SHA-256 instructions do four rounds, and its
AES instructions add the key first, so they fit none of the definitions.
"""

from __future__ import annotations

from rvplat.lang.host.processor import MACHINE, IrText, has_aes, has_carryless, has_sha256

_WORDS, _HALVES = "<4 x i32>", "<2 x i64>"


def _loaded(operand: int, kind: str) -> str:
    """The 16 bytes at an operand's address, as the vector `%v{operand}`."""
    return (
        f"%a{operand}{{t}} = inttoptr i64 {{{operand}}} to ptr\n"
        f"%v{operand}{{t}} = load {kind}, ptr %a{operand}{{t}}, align 4\n"
    )


def _low_half(operand: int) -> str:
    """The 8 bytes at an operand's address, as the low half of a vector of words."""
    return (
        f"%a{operand}{{t}} = inttoptr i64 {{{operand}}} to ptr\n"
        f"%l{operand}{{t}} = load i64, ptr %a{operand}{{t}}, align 4\n"
        f"%h{operand}{{t}} = insertelement {_HALVES} zeroinitializer, i64 %l{operand}{{t}}, i32 0\n"
        f"%v{operand}{{t}} = bitcast {_HALVES} %h{operand}{{t}} to {_WORDS}\n"
    )


def _stored(kind: str) -> str:
    """Write the vector %r to the first operand's address."""
    return f"%to{{t}} = inttoptr i64 {{0}} to ptr\nstore {kind} %r{{t}}, ptr %to{{t}}, align 4"


def _on_x86(has: bool, text: str, *declarations: str) -> IrText | None:
    return (text, declarations) if MACHINE == "x86_64" and has else None


# --- SHA-256: (to, ABEF, words, CDGH), and (to, words 4 and 9 to 11, words 12 to 15, words 0 to 3)

_ROUNDS = f"{_WORDS} @llvm.x86.sha256rnds2"
_MESSAGE_1 = f"{_WORDS} @llvm.x86.sha256msg1"
_MESSAGE_2 = f"{_WORDS} @llvm.x86.sha256msg2"

SHA256_ROUNDS = _on_x86(
    has_sha256(),
    _loaded(1, _WORDS) + _low_half(2) + _loaded(3, _WORDS)
    + f"%r{{t}} = call {_ROUNDS}({_WORDS} %v3{{t}}, {_WORDS} %v1{{t}}, {_WORDS} %v2{{t}})\n"
    + _stored(_WORDS),
    f"declare {_ROUNDS}({_WORDS}, {_WORDS}, {_WORDS})",
)  # fmt: skip
SHA256_MESSAGE = _on_x86(
    has_sha256(),
    _loaded(1, _WORDS) + _loaded(2, _WORDS) + _loaded(3, _WORDS)
    + f"%m{{t}} = call {_MESSAGE_1}({_WORDS} %v3{{t}}, {_WORDS} %v1{{t}})\n"
    + f"%w{{t}} = shufflevector {_WORDS} %v1{{t}}, {_WORDS} %v2{{t}}, "
    + "<4 x i32> <i32 1, i32 2, i32 3, i32 4>\n"
    + f"%s{{t}} = add {_WORDS} %m{{t}}, %w{{t}}\n"
    + f"%r{{t}} = call {_MESSAGE_2}({_WORDS} %s{{t}}, {_WORDS} %v2{{t}})\n"
    + _stored(_WORDS),
    f"declare {_MESSAGE_1}({_WORDS}, {_WORDS})",
    f"declare {_MESSAGE_2}({_WORDS}, {_WORDS})",
)  # fmt: skip

# --- AES: (to, key, state) ----------------------------------------------------------------------


def _aes_round(name: str) -> IrText | None:
    function = f"{_HALVES} @llvm.x86.aesni.{name}"
    text = _loaded(1, _HALVES) + _loaded(2, _HALVES)
    text += f"%r{{t}} = call {function}({_HALVES} %v2{{t}}, {_HALVES} %v1{{t}})\n"
    return _on_x86(has_aes(), text + _stored(_HALVES), f"declare {function}({_HALVES}, {_HALVES})")


AES_ENCRYPT = _aes_round("aesenc")
AES_ENCRYPT_LAST = _aes_round("aesenclast")
AES_DECRYPT_LAST = _aes_round("aesdeclast")

# --- carry-less products: (a, b) ----------------------------------------------------------------

_PRODUCT = f"{_HALVES} @llvm.x86.pclmulqdq"


def _half_of_product(half: int) -> IrText | None:
    """The low or high 64 bits of the product of two numbers of 64 bits."""
    text = "".join(
        f"%{name}{{t}} = insertelement {_HALVES} zeroinitializer, i64 {{{i}}}, i32 0\n"
        for i, name in enumerate("ab")
    )
    text += f"%p{{t}} = call {_PRODUCT}({_HALVES} %a{{t}}, {_HALVES} %b{{t}}, i8 0)\n"
    text += f"{{result}} = extractelement {_HALVES} %p{{t}}, i32 {half}"
    return _on_x86(has_carryless(), text, f"declare {_PRODUCT}({_HALVES}, {_HALVES}, i8 immarg)")


CARRYLESS_LOW = _half_of_product(0)
CARRYLESS_HIGH = _half_of_product(1)
