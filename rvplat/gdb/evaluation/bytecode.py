"""Agent expressions in Python: the check of what a client sends, and the evaluation of commands.

Conditions are evaluated by native code (engine/agent.py). Commands of breakpoints are evaluated
here, when the hart has stopped: they may print, for gdb's `dprintf` in the style `agent`. What an
opcode means is defined in engine/agent.py; this module calls those definitions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rvplat.engine import agent
from rvplat.engine import agent_opcodes as op
from rvplat.engine.agent_opcodes import OPCODES
from rvplat.gdb.evaluation.printf import format_text
from rvplat.gdb.protocol.errors import GdbError
from rvplat.lang import u64

STEPS = 4096
LONGEST_STRING = 4096
MASK = (1 << 64) - 1


def check(code: bytes, printing: bool = False) -> None:
    """Check an expression before it is used. `printing`: it may print.

    Raises:
        GdbError: an opcode is unknown, the code is cut off, or a jump leads into an opcode.
    """
    starts, jumps, at, found = set(), [], 0, set()
    while at < len(code):
        starts.add(at)
        one = code[at]
        found.add(one)
        if one not in OPCODES and not (printing and one == op.PRINTF):
            raise GdbError(f"agent expression: opcode {one:#x} at {at} is not supported")
        if one in (op.IF_GOTO, op.GOTO):
            jumps.append(int.from_bytes(code[at + 1 : at + 3], "big"))
        at += _length(code, at)
    if at != len(code) or op.END not in found:
        raise GdbError("agent expression: it is cut off")
    for target in jumps:
        if target not in starts:
            raise GdbError(f"agent expression: no opcode begins at {target}")


def _length(code: bytes, at: int) -> int:
    """The bytes of the opcode at a place, with its immediate."""
    if code[at] == op.PRINTF:
        return 4 + int.from_bytes(code[at + 2 : at + 4], "big")
    return 1 + OPCODES[code[at]].immediate


class Readable(Protocol):
    """What an expression reads: the registers and the memory of a thread."""

    def register(self, number: int) -> int: ...

    def memory(self, address: int, size: int) -> bytes: ...


class _Errors:
    """In place of a hart, for definitions that note an error in it."""

    agent_error = 0


class Evaluator:
    """Evaluates expressions, which may print. `say` gets what they print."""

    def __init__(self, state: Readable, say: Callable[[str], None]) -> None:
        self.state = state
        self.say = say
        self.stack: list[int] = []

    def run(self, code: bytes) -> int:
        """The result. GdbError if it can't be evaluated."""
        at = 0
        for _ in range(STEPS):
            if at >= len(code):
                raise GdbError("agent expression: it has no end")
            one, length = code[at], _length(code, at)
            immediate = code[at + 1 : at + length]
            at += length
            if one == op.END:
                return self.stack[-1] if self.stack else 0
            value = int.from_bytes(immediate, "big")
            if one == op.GOTO or (one == op.IF_GOTO and self._pop()):
                at = value
            elif one == op.PRINTF:
                self._print(immediate)
            elif one != op.IF_GOTO:
                self._do(one, value)
        raise GdbError("agent expression: it goes on for ever")

    def _pop(self) -> int:
        if not self.stack:
            raise GdbError("agent expression: nothing is on the stack")
        return self.stack.pop()

    def _push(self, value: int) -> None:
        self.stack.append(int(value) & MASK)

    def _do(self, one: int, value: int) -> None:
        """An opcode that neither jumps, prints nor ends."""
        if op.CONST8 <= one <= op.CONST64:
            self._push(value)
        elif one == op.REG:
            self._push(self.state.register(value))
        elif one == op.EXT:
            self._push(agent.extend(u64(self._pop()), u64(value)))
        elif one == op.ZERO_EXT:
            self._push(agent.zero_extend(u64(self._pop()), u64(value)))
        elif one == op.PICK:
            if value >= len(self.stack):
                raise GdbError("agent expression: nothing is on the stack")
            self._push(self.stack[-1 - value])
        elif op.REF8 <= one <= op.REF64:
            data = self.state.memory(self._pop(), 1 << (one - op.REF8))
            self._push(int.from_bytes(data, "little"))
        elif op.is_binary(OPCODES[one]):
            b = self._pop()
            self._push(self._binary(one, self._pop(), b))
        else:
            self._rearrange(one)

    def _binary(self, one: int, a: int, b: int) -> int:
        errors = _Errors()
        result = agent.binary(errors, u64(one), u64(a), u64(b))
        if errors.agent_error:
            raise GdbError("agent expression: division by zero")
        return int(result)

    def _rearrange(self, one: int) -> None:
        """The opcodes that change the top of the stack alone."""
        taken = [self._pop() for _ in range(OPCODES[one].pops)][::-1]
        for value in _RESULTS[one](*taken):
            self._push(value)

    def _print(self, immediate: bytes) -> None:
        """printf: the count of arguments, the length of the format, the format with its zero. A
        function and a channel, which other targets need, come below the arguments."""
        template = immediate[3:].rstrip(b"\0").decode("utf-8", "replace")
        self._pop()
        self._pop()
        arguments = [self._pop() for _ in range(immediate[0])]
        self.say(format_text(template, arguments, self._string))

    def _string(self, address: int) -> str:
        found = b""
        while b"\0" not in found and len(found) < LONGEST_STRING:
            found += self.state.memory(address + len(found), 1)
        return found.split(b"\0")[0].decode("utf-8", "replace")


_RESULTS: dict[int, Callable[..., tuple[int, ...]]] = {
    op.LOG_NOT: lambda a: (int(a == 0),),
    op.BIT_NOT: lambda a: (~a,),
    op.DUP: lambda a: (a, a),
    op.POP: lambda a: (),
    op.SWAP: lambda a, b: (b, a),
    op.ROT: lambda a, b, c: (c, a, b),
}
