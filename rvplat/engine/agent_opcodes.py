"""The opcodes of gdb's agent expressions (GDB manual, "Bytecode Descriptions").

This is the one description of them. The native evaluation (agent.py), the compiler of conditions
(machine/debugging/expressions.py) and gdb's checker (gdb/evaluation/bytecode.py) use it.
"""

from __future__ import annotations

from collections.abc import Callable

from rvplat.frozen import frozen


@frozen
class Opcode:
    """One opcode: the bytes of its immediate operand, the values that it pops and pushes."""

    code: int
    name: str
    pops: int
    pushes: int
    immediate: int


OPCODES: dict[int, Opcode] = {}


def _opcode(code: int, name: str, pops: int, pushes: int, immediate: int = 0) -> int:
    """Add an opcode to the table; returns its code."""
    OPCODES[code] = Opcode(code, name, pops, pushes, immediate)
    return code


ADD = _opcode(0x02, "add", 2, 1)
SUB = _opcode(0x03, "sub", 2, 1)
MUL = _opcode(0x04, "mul", 2, 1)
DIV_SIGNED = _opcode(0x05, "div_signed", 2, 1)
DIV_UNSIGNED = _opcode(0x06, "div_unsigned", 2, 1)
REM_SIGNED = _opcode(0x07, "rem_signed", 2, 1)
REM_UNSIGNED = _opcode(0x08, "rem_unsigned", 2, 1)
LSH = _opcode(0x09, "lsh", 2, 1)
RSH_SIGNED = _opcode(0x0A, "rsh_signed", 2, 1)
RSH_UNSIGNED = _opcode(0x0B, "rsh_unsigned", 2, 1)
LOG_NOT = _opcode(0x0E, "log_not", 1, 1)
BIT_AND = _opcode(0x0F, "bit_and", 2, 1)
BIT_OR = _opcode(0x10, "bit_or", 2, 1)
BIT_XOR = _opcode(0x11, "bit_xor", 2, 1)
BIT_NOT = _opcode(0x12, "bit_not", 1, 1)
EQUAL = _opcode(0x13, "equal", 2, 1)
LESS_SIGNED = _opcode(0x14, "less_signed", 2, 1)
LESS_UNSIGNED = _opcode(0x15, "less_unsigned", 2, 1)
EXT = _opcode(0x16, "ext", 1, 1, immediate=1)
REF8 = _opcode(0x17, "ref8", 1, 1)
REF16 = _opcode(0x18, "ref16", 1, 1)
REF32 = _opcode(0x19, "ref32", 1, 1)
REF64 = _opcode(0x1A, "ref64", 1, 1)
IF_GOTO = _opcode(0x20, "if_goto", 1, 0, immediate=2)
GOTO = _opcode(0x21, "goto", 0, 0, immediate=2)
CONST8 = _opcode(0x22, "const8", 0, 1, immediate=1)
CONST16 = _opcode(0x23, "const16", 0, 1, immediate=2)
CONST32 = _opcode(0x24, "const32", 0, 1, immediate=4)
CONST64 = _opcode(0x25, "const64", 0, 1, immediate=8)
REG = _opcode(0x26, "reg", 0, 1, immediate=2)
END = _opcode(0x27, "end", 0, 0)
DUP = _opcode(0x28, "dup", 1, 2)
POP = _opcode(0x29, "pop", 1, 0)
ZERO_EXT = _opcode(0x2A, "zero_ext", 1, 1, immediate=1)
SWAP = _opcode(0x2B, "swap", 2, 2)
PICK = _opcode(0x32, "pick", 0, 1, immediate=1)
ROT = _opcode(0x33, "rot", 3, 3)

#: Only a breakpoint's commands may print, and only Python runs them. The immediate is the count of
#: arguments, the length of the format (2 bytes) and the format. The opcode pops a function and a
#: channel, which are not used here, and the arguments. The size of the immediate and the number of
#: values vary, so it is not in the table.
PRINTF = 0x34


def codes_where(test: Callable[[Opcode], bool]) -> int:
    """The opcodes for which a test is true, as a mask: bit n for opcode n. They are below 64."""
    return sum(1 << one.code for one in OPCODES.values() if test(one))


def is_binary(one: Opcode) -> bool:
    """Whether an opcode pops two values and pushes one."""
    return (one.pops, one.pushes) == (2, 1)


def immediates(row: int) -> int:
    """The bytes of the immediates of the sixteen opcodes from 16 * row: four bits for each."""
    found = (one for one in OPCODES.values() if one.code >> 4 == row)
    return sum(one.immediate << 4 * (one.code & 15) for one in found)
