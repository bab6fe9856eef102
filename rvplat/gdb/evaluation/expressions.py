"""Expressions as users write them, compiled to the bytecode that conditions are (bytecode.py).

    $a0 == 3 && {u32} ($sp + 8) != counter

C's operators, precedence and rule of signs: an operation is unsigned where one side is. A register
is `$` and the name that gdb shows it by; x and f are signed, others not. A CSR's field is
`$mstatus.MPP`, memory `{u64} ADDRESS` (u8 to u64, s8 to s64), a name without `$` the address of the
program's symbol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from rvplat.engine.agent import STACK
from rvplat.gdb.protocol.errors import GdbError

DEEPEST = 40  # parentheses and prefixes within each other
LONGEST = 1000  # characters
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)(?!\w)|\$(?P<register>\w+(?:\.\w+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|\{\s*(?P<load>[us](?:8|16|32|64))\s*\}"
    r"|(?P<operator>\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()]))"
)
_LEVELS = ("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %")
_PRECEDENCE = {op: level for level, ops in enumerate(_LEVELS) for op in ops.split()}
_CONST = ((1, 0x22), (2, 0x23), (4, 0x24), (8, 0x25))
REG, EXT, ZERO_EXT, DUP, POP, SWAP, NOT = 0x26, 0x16, 0x2A, 0x28, 0x29, 0x2B, 0x0E
IF_GOTO, END = 0x20, 0x27
_PREFIXES = {"-": (0x22, 0, SWAP, 0x03), "!": (NOT,), "~": (0x12,)}
_LOADS = {8: 0x17, 16: 0x18, 32: 0x19, 64: 0x1A}
# operator -> (opcode, the one for unsigned operands, swap first, negate the result)
_BINARY = {
    "|": (0x10, 0x10, False, False), "^": (0x11, 0x11, False, False),
    "&": (0x0F, 0x0F, False, False), "==": (0x13, 0x13, False, False),
    "!=": (0x13, 0x13, False, True), "<": (0x14, 0x15, False, False),
    ">": (0x14, 0x15, True, False), "<=": (0x14, 0x15, True, True),
    ">=": (0x14, 0x15, False, True), "<<": (0x09, 0x09, False, False),
    ">>": (0x0A, 0x0B, False, False), "+": (0x02, 0x02, False, False),
    "-": (0x03, 0x03, False, False), "*": (0x04, 0x04, False, False),
    "/": (0x05, 0x06, False, False), "%": (0x07, 0x08, False, False),
}  # fmt: skip
_COMPARISONS = frozenset(["==", "!=", "<", ">", "<=", ">="])


@dataclass(frozen=True)
class Register:
    """A register or a part of it: gdb's number, bits high to low."""

    number: int
    high: int = 63
    low: int = 0
    signed: bool = False


def compile_expression(
    text: str, registers: Callable[[str], Register], symbols: Mapping[str, int]
) -> bytes:
    """The bytecode of an expression. GdbError says what is wrong, and where."""
    if len(text) > LONGEST:
        raise GdbError(f"an expression of {len(text)} characters: {LONGEST} are enough")
    return _Compiler(text, registers, symbols).whole()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    """The words of an expression; the last one is empty."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GdbError(f"what is {text[at:].strip()[:20]!r} in {text.strip()!r}?")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Compiler:
    """Emits code as it reads; methods return whether the value is signed."""

    def __init__(
        self, text: str, registers: Callable[[str], Register], symbols: Mapping[str, int]
    ) -> None:
        self._text = text
        self._registers = registers
        self._symbols = symbols
        self._left = _tokens(text)
        self._code = bytearray()
        self._depth = 0
        self._height = 0  # values on the stack

    def whole(self) -> bytes:
        """All of it."""
        self._operation(0)
        if self._left[0].kind != "end":
            self._expected("an operator")
        return bytes(self._code) + bytes([END])

    def _expected(self, what: str) -> NoReturn:
        here = self._left[0]
        place = f"{here.text!r} at {here.at}" if here.text else "its end"
        raise GdbError(f"{self._text.strip()!r}: expected {what}, found {place}")

    def _take(self, *operators: str) -> str:
        """The next word, if it is one of these operators; else ""."""
        if self._left[0].kind == "operator" and self._left[0].text in operators:
            return self._left.pop(0).text
        return ""

    # --- grammar ---

    def _operation(self, lowest: int) -> bool:
        """Operations of a precedence and higher ones."""
        signed = self._prefixed()
        while _PRECEDENCE.get(self._left[0].text, -1) >= lowest:
            op = self._left.pop(0).text
            if op in ("&&", "||"):
                signed = self._short(op)
                continue
            right = self._operation(_PRECEDENCE[op] + 1)
            signed = self._binary(op, signed if op in ("<<", ">>") else signed and right)
        return signed

    def _short(self, op: str) -> bool:
        """The right side counts only if the left one doesn't decide."""
        before = (NOT,) if op == "&&" else (NOT, NOT)
        self._emit(*before, DUP, IF_GOTO, 0, 0)
        place = len(self._code)
        self._emit(POP)
        self._height -= 1
        self._operation(_PRECEDENCE[op] + 1)
        self._emit(*before)
        self._code[place - 2 : place] = len(self._code).to_bytes(2, "big")
        if op == "&&":
            self._emit(NOT)
        return True

    def _prefixed(self) -> bool:
        """- ! ~ {TYPE} and what they are for."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise GdbError(f"{self._text.strip()[:40]!r}...: nested more than {DEEPEST} deep")
        if op := self._take("-", "!", "~"):
            signed = self._prefixed()
            self._emit(*_PREFIXES[op])
            signed = signed or op == "!"
        elif self._left[0].kind == "load":
            kind = self._left.pop(0).text
            self._prefixed()
            signed = self._load(kind)
        else:
            signed = self._value()
        self._depth -= 1
        return signed

    def _value(self) -> bool:
        if self._take("("):
            signed = self._operation(0)
            if not self._take(")"):
                self._expected(")")
            return signed
        token = self._left[0]
        if token.kind not in ("number", "register", "name"):
            self._expected("a value")
        self._left.pop(0)
        if token.kind == "number":
            return self._constant(int(token.text, 16 if token.text[:2] in ("0x", "0X") else 10))
        if token.kind == "register":
            return self._register(self._registers(token.text))
        if token.text not in self._symbols:
            raise GdbError(f"{token.text!r} is no symbol of the program; registers begin with $")
        return self._constant(self._symbols[token.text])

    # --- code ---

    def _emit(self, *code: int) -> None:
        self._code += bytes(code)

    def _push(self) -> None:
        """One more value."""
        self._height += 1
        if self._height > STACK - 4:
            raise GdbError(f"{self._text.strip()[:40]!r}...: too many values at once")

    def _constant(self, value: int) -> bool:
        self._push()
        self._emit_constant(value)
        return value < 1 << 63

    def _emit_constant(self, value: int) -> None:
        if value >= 1 << 64:
            raise GdbError(f"{value:#x} has more than 64 bits")
        size, op = next((size, op) for size, op in _CONST if value < 1 << 8 * size)
        self._emit(op, *value.to_bytes(size, "big"))

    def _register(self, register: Register) -> bool:
        self._push()
        self._emit(REG, *register.number.to_bytes(2, "big"))
        if register.low:
            self._emit_constant(register.low)
            self._emit(0x0B)
        if register.high - register.low < 63:
            self._emit(ZERO_EXT, register.high - register.low + 1)
        return register.signed

    def _load(self, kind: str) -> bool:
        bits = int(kind[1:])
        self._emit(_LOADS[bits])
        if kind[0] == "s" and bits < 64:
            self._emit(EXT, bits)
        return kind != "u64"

    def _binary(self, op: str, signed: bool) -> bool:
        self._height -= 1
        with_sign, without, swapped, negated = _BINARY[op]
        if swapped:
            self._emit(SWAP)
        self._emit(with_sign if signed else without)
        if negated:
            self._emit(NOT)
        return signed or op in _COMPARISONS
