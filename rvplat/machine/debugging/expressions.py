"""Conditions as users write them, compiled to agent bytecode (engine/agent_opcodes.py).

    $a0 == 3 && {u32} ($sp + 8) != counter

Operators, precedence and signs are C's: an operation is unsigned if one of its operands is. `$NAME`
is a register by the name that gdb shows: x and f registers are signed, the others are not.
`$mstatus.MPP` is a field of a CSR. `{u64} ADDRESS` is memory (u8 to u64, s8 to s64). A name without
`$` is the address of a symbol of the program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from rvplat.engine import agent_opcodes as op
from rvplat.engine.agent import STACK
from rvplat.engine.agent_opcodes import OPCODES
from rvplat.frozen import frozen
from rvplat.machine.debugging.errors import DebuggingError

DEEPEST = 40  # parentheses and prefixes within each other
LONGEST = 1000  # characters
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)(?!\w)|\$(?P<register>\w+(?:\.\w+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|\{\s*(?P<load>[us](?:8|16|32|64))\s*\}"
    r"|(?P<operator>\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()]))"
)
_LEVELS = ("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %")
_PRECEDENCE = {text: level for level, texts in enumerate(_LEVELS) for text in texts.split()}
_CONSTANTS = ((1, op.CONST8), (2, op.CONST16), (4, op.CONST32), (8, op.CONST64))
_LOADS = {8: op.REF8, 16: op.REF16, 32: op.REF32, 64: op.REF64}
_COMPARISONS = frozenset(["==", "!=", "<", ">", "<=", ">="])


@frozen
class _Binary:
    """How a binary operator is done."""

    signed: int  # the opcode
    unsigned: int
    swaps: bool = False  # the operands, first
    negates: bool = False  # the result


_BINARY = {
    "|": _Binary(op.BIT_OR, op.BIT_OR),
    "^": _Binary(op.BIT_XOR, op.BIT_XOR),
    "&": _Binary(op.BIT_AND, op.BIT_AND),
    "==": _Binary(op.EQUAL, op.EQUAL),
    "!=": _Binary(op.EQUAL, op.EQUAL, negates=True),
    "<": _Binary(op.LESS_SIGNED, op.LESS_UNSIGNED),
    ">": _Binary(op.LESS_SIGNED, op.LESS_UNSIGNED, swaps=True),
    "<=": _Binary(op.LESS_SIGNED, op.LESS_UNSIGNED, swaps=True, negates=True),
    ">=": _Binary(op.LESS_SIGNED, op.LESS_UNSIGNED, negates=True),
    "<<": _Binary(op.LSH, op.LSH),
    ">>": _Binary(op.RSH_SIGNED, op.RSH_UNSIGNED),
    "+": _Binary(op.ADD, op.ADD),
    "-": _Binary(op.SUB, op.SUB),
    "*": _Binary(op.MUL, op.MUL),
    "/": _Binary(op.DIV_SIGNED, op.DIV_UNSIGNED),
    "%": _Binary(op.REM_SIGNED, op.REM_UNSIGNED),
}


@frozen
class Register:
    """A register or a part of it: gdb's number, the highest and the lowest bit."""

    number: int
    high: int = 63
    low: int = 0
    signed: bool = False


def compile_expression(
    text: str, registers: Callable[[str], Register], symbols: Mapping[str, int]
) -> bytes:
    """The bytecode of an expression.

    Raises:
        DebuggingError: it says what is wrong, and where. `registers` raises it for unknown names.
    """
    if len(text) > LONGEST:
        raise DebuggingError(f"the expression has {len(text)} characters: {LONGEST} are allowed")
    return _Compiler(text, registers, symbols).whole()


@frozen
class _Token:
    """A token of a condition: its kind, its text, and where it begins."""

    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    """The tokens of an expression. The last one is empty."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()[:20]
            problem = f"found {rest!r}, which is no part of an expression"
            raise DebuggingError(f"{text.strip()!r}: {problem}")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Compiler:
    """Emits code while it parses. The methods of the grammar return whether a value is signed."""

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
        """The code of the whole expression."""
        self._operation(0)
        if self._left[0].kind != "end":
            self._expected("an operator")
        self._emit(op.END)
        return bytes(self._code)

    def _expected(self, what: str) -> NoReturn:
        here = self._left[0]
        place = f"{here.text!r} at {here.at}" if here.text else "its end"
        raise DebuggingError(f"{self._text.strip()!r}: expected {what}, found {place}")

    def _take(self, *operators: str) -> str:
        """Consume the next token if it is one of these operators; its text, else ""."""
        if self._left[0].kind == "operator" and self._left[0].text in operators:
            return self._left.pop(0).text
        return ""

    # --- grammar ---

    def _operation(self, lowest: int) -> bool:
        """Operations of this precedence and of higher ones."""
        signed = self._prefixed()
        while _PRECEDENCE.get(self._left[0].text, -1) >= lowest:
            text = self._left.pop(0).text
            if text in ("&&", "||"):
                signed = self._short(text)
                continue
            right = self._operation(_PRECEDENCE[text] + 1)
            signed = self._binary(text, signed if text in ("<<", ">>") else signed and right)
        return signed

    def _short(self, text: str) -> bool:
        """&& and ||: the right side is evaluated only if the left one doesn't decide."""
        before = (op.LOG_NOT,) if text == "&&" else (op.LOG_NOT, op.LOG_NOT)
        self._emit_all(*before, op.DUP)
        self._emit(op.IF_GOTO, 0)
        place = len(self._code)
        self._emit(op.POP)
        self._operation(_PRECEDENCE[text] + 1)
        self._emit_all(*before)
        self._code[place - 2 : place] = len(self._code).to_bytes(2, "big")
        if text == "&&":
            self._emit(op.LOG_NOT)
        return True

    def _prefixed(self) -> bool:
        """- ! ~ {TYPE} and what they apply to."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise DebuggingError(f"{self._text.strip()[:40]!r}...: nested more than {DEEPEST} deep")
        if prefix := self._take("-", "!", "~"):
            signed = self._prefixed()
            self._prefix(prefix)
            signed = signed or prefix == "!"
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
            problem = f"{token.text!r} is no symbol of the program; registers begin with $"
            raise DebuggingError(problem)
        return self._constant(self._symbols[token.text])

    # --- code ---

    def _emit(self, code: int, immediate: int = 0) -> None:
        """One opcode."""
        described = OPCODES[code]
        self._height += described.pushes - described.pops
        if self._height > STACK:
            raise DebuggingError(f"{self._text.strip()[:40]!r}...: too many values at once")
        self._code.append(code)
        self._code += immediate.to_bytes(described.immediate, "big")

    def _emit_all(self, *codes: int) -> None:
        """Opcodes without immediates."""
        for code in codes:
            self._emit(code)

    def _constant(self, value: int) -> bool:
        if value >= 1 << 64:
            raise DebuggingError(f"{value:#x} has more than 64 bits")
        code = next(code for size, code in _CONSTANTS if value < 1 << 8 * size)
        self._emit(code, value)
        return value < 1 << 63

    def _register(self, register: Register) -> bool:
        self._emit(op.REG, register.number)
        if register.low:
            self._constant(register.low)
            self._emit(op.RSH_UNSIGNED)
        if register.high - register.low < 63:
            self._emit(op.ZERO_EXT, register.high - register.low + 1)
        return register.signed

    def _load(self, kind: str) -> bool:
        bits = int(kind[1:])
        self._emit(_LOADS[bits])
        if kind[0] == "s" and bits < 64:
            self._emit(op.EXT, bits)
        return kind != "u64"

    def _prefix(self, text: str) -> None:
        if text == "-":
            self._constant(0)
            self._emit_all(op.SWAP, op.SUB)
        else:
            self._emit(op.LOG_NOT if text == "!" else op.BIT_NOT)

    def _binary(self, text: str, signed: bool) -> bool:
        how = _BINARY[text]
        if how.swaps:
            self._emit(op.SWAP)
        self._emit(how.signed if signed else how.unsigned)
        if how.negates:
            self._emit(op.LOG_NOT)
        return signed or text in _COMPARISONS
