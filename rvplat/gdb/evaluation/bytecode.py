"""Agent expressions seen from Python: checked before they are used, and commands run.

Conditions run natively (engine/agent.py). Commands run here: they may print (`printf`, what gdb's
agent dprintf is made of), for which the hart has stopped anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from rvplat.gdb.protocol.errors import GdbError

_OPERANDS = {0x16: 1, 0x20: 2, 0x21: 2, 0x22: 1, 0x23: 2, 0x24: 4, 0x25: 8, 0x26: 2, 0x2A: 1,
             0x32: 1}  # fmt: skip
_PLAIN = {*range(0x02, 0x0C), *range(0x0E, 0x16), *range(0x17, 0x1B), 0x27, 0x28, 0x29, 0x2B, 0x33}
PRINTF, END, IF_GOTO, GOTO = 0x34, 0x27, 0x20, 0x21
STEPS = 4096
MASK = (1 << 64) - 1
_FORMAT = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|j|z|t|L)?([a-zA-Z]))")

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
}


def check(code: bytes, printing: bool = False) -> None:
    """GdbError for an expression with an unknown opcode, one that is cut off, or a jump to where
    no opcode begins."""
    starts, jumps, at, ops = set(), [], 0, set()
    while at < len(code):
        starts.add(at)
        op = code[at]
        ops.add(op)
        if op not in _PLAIN and op not in _OPERANDS and not (printing and op == PRINTF):
            raise GdbError(f"agent expression: opcode {op:#x} at {at} is not supported")
        if op in (IF_GOTO, GOTO):
            jumps.append(int.from_bytes(code[at + 1 : at + 3], "big"))
        at += _length(code, at)
    if at != len(code) or END not in ops:
        raise GdbError("agent expression: it is cut off")
    for target in jumps:
        if target not in starts:
            raise GdbError(f"agent expression: no opcode begins at {target}")


def _length(code: bytes, at: int) -> int:
    """Bytes of the opcode at a place."""
    if code[at] == PRINTF:
        return 4 + int.from_bytes(code[at + 2 : at + 4], "big")
    return 1 + _OPERANDS.get(code[at], 0)


class Eyes(Protocol):
    """What an expression sees of a thread."""

    def register(self, number: int) -> int: ...

    def memory(self, address: int, size: int) -> bytes: ...


class Runner:
    """Runs an expression that may print."""

    def __init__(self, eyes: Eyes, say: Callable[[str], None]) -> None:
        self.eyes = eyes
        self.say = say
        self.stack: list[int] = []

    def run(self, code: bytes) -> int:
        """The result; GdbError if it can't be evaluated."""
        at = 0
        for _ in range(STEPS):
            if at >= len(code):
                raise GdbError("agent expression: it has no end")
            op, length = code[at], _length(code, at)
            operand = code[at + 1 : at + length]
            at += length
            if op == END:
                return self.stack[-1] if self.stack else 0
            value = int.from_bytes(operand, "big")
            if op == GOTO or (op == IF_GOTO and self._pop()):
                at = value
            elif op == PRINTF:
                self._print(operand)
            elif op != IF_GOTO:
                self._do(op, value)
        raise GdbError("agent expression: it goes on for ever")

    def _pop(self) -> int:
        if not self.stack:
            raise GdbError("agent expression: nothing is on the stack")
        return self.stack.pop()

    def _push(self, value: int) -> None:
        self.stack.append(value & MASK)

    def _do(self, op: int, value: int) -> None:
        if 0x22 <= op <= 0x25:
            self._push(value)
        elif op == 0x26:
            self._push(self.eyes.register(value))
        elif op == 0x16:
            self._push(_signed(self._pop(), value))
        elif op == 0x2A:
            self._push(self._pop() & (1 << value) - 1)
        elif op == 0x32:
            if value >= len(self.stack):
                raise GdbError("agent expression: nothing is on the stack")
            self._push(self.stack[-1 - value])
        elif 0x17 <= op <= 0x1A:
            data = self.eyes.memory(self._pop(), 1 << (op - 0x17))
            self._push(int.from_bytes(data, "little"))
        else:
            self._arithmetic(op)

    def _arithmetic(self, op: int) -> None:
        b = self._pop()
        if op in _UNARY:
            for result in _UNARY[op](b):
                self._push(result)
            return
        a = self._pop()
        if op == 0x2B:
            self._push(b)
            self._push(a)
        elif op == 0x33:
            c, b, a = b, a, self._pop()
            for result in (c, a, b):
                self._push(result)
        elif 5 <= op <= 8 and b == 0:
            raise GdbError("agent expression: division by zero")
        else:
            self._push(_BINARY[op](a, b))

    def _print(self, operand: bytes) -> None:
        """printf: count of arguments, length of the format, the format with its zero."""
        template = operand[3:].rstrip(b"\0").decode("utf-8", "replace")
        self._pop_function()
        arguments = [self._pop() for _ in range(operand[0])]
        self.say(format_text(template, arguments, self._string))

    def _pop_function(self) -> None:
        """Function and channel, which other targets need, come below the arguments."""
        for _ in range(2):
            self._pop()

    def _string(self, address: int) -> str:
        found = b""
        while b"\0" not in found and len(found) < 4096:
            found += self.eyes.memory(address + len(found), 1)
        return found.split(b"\0")[0].decode("utf-8", "replace")


def format_text(template: str, arguments: list[int], string: Callable[[int], str]) -> str:
    """What C's printf makes of integers, characters, pointers and strings."""
    left = list(arguments)

    def one(found: re.Match[str]) -> str:
        kind = found[1]
        if kind is None:
            return "%"
        value = left.pop(0) if left else 0
        style = re.sub(r"hh|h|ll|l|j|z|t|L", "", found[0][:-1])
        if kind == "s":
            return (style + "s") % string(value)
        if kind == "c":
            return (style + "c") % chr(value & 0xFF)
        if kind == "p":
            return f"{value:#x}"
        wide = "l" in found[0] or any(c in found[0] for c in "jzt")
        bits = 64 if wide else 32
        value &= (1 << bits) - 1
        if kind in "di":
            return (style + "d") % _signed(value, bits)
        return (style + (kind if kind in "xXo" else "d")) % value

    return _FORMAT.sub(one, _ESCAPE.sub(_unescaped, template))


def _unescaped(found: re.Match[str]) -> str:
    """A backslash's sequence: gdb sends formats as they were typed."""
    text = found[1]
    if text[0] in "01234567":
        return chr(int(text, 8) & 0xFF)
    return _LETTERS.get(text, text)


def _signed(value: int, bits: int) -> int:
    if not 0 < bits < 64:
        return value - (1 << 64) if value >> 63 else value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _divided(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return -quotient if (a < 0) != (b < 0) else quotient


def _s(value: int) -> int:
    return _signed(value, 64)


_UNARY: dict[int, Callable[[int], tuple[int, ...]]] = {
    0x0E: lambda a: (int(a == 0),),
    0x12: lambda a: (~a,),
    0x28: lambda a: (a, a),
    0x29: lambda a: (),
}
_BINARY: dict[int, Callable[[int, int], int]] = {
    0x02: lambda a, b: a + b,
    0x03: lambda a, b: a - b,
    0x04: lambda a, b: a * b,
    0x05: lambda a, b: _divided(_s(a), _s(b)),
    0x06: lambda a, b: a // b,
    0x07: lambda a, b: _s(a) - _divided(_s(a), _s(b)) * _s(b),
    0x08: lambda a, b: a % b,
    0x09: lambda a, b: a << b if b < 64 else 0,
    0x0A: lambda a, b: _s(a) >> min(b, 63),
    0x0B: lambda a, b: a >> b if b < 64 else 0,
    0x0F: lambda a, b: a & b,
    0x10: lambda a, b: a | b,
    0x11: lambda a, b: a ^ b,
    0x13: lambda a, b: int(a == b),
    0x14: lambda a, b: int(_s(a) < _s(b)),
    0x15: lambda a, b: int(a < b),
}
