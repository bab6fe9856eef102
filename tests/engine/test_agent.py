"""The native evaluation of agent expressions against the evaluation in Python."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator

import pytest

from rvplat import Machine
from rvplat.engine import agent_opcodes as op
from rvplat.engine.agent import STACK
from rvplat.errors import BusError
from rvplat.gdb.evaluation.bytecode import Evaluator, check
from rvplat.gdb.protocol.errors import GdbError
from rvplat.machine.debugging.breakpoint_table import encode
from tests.engine.agent_bench import State, constant

MASK64 = (1 << 64) - 1
DATA = 0x8010_0000
BINARY = [one.code for one in op.OPCODES.values() if op.is_binary(one)]
PLAIN = [one.code for one in op.OPCODES.values() if one.immediate == 0 and one.code != op.END]
END = bytes([op.END])


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine in M mode with random registers and data."""
    source = random.Random(4)
    with Machine.open("virt", program="demo") as found:
        for n in range(1, 32):
            found.harts[0].x[n] = source.getrandbits(64)
        found.memory.write(DATA, source.randbytes(0x200))
        yield found


def holds(machine: Machine, code: bytes) -> int:
    """Whether a condition holds natively. One that can't be evaluated holds."""
    buffer = ctypes.create_string_buffer(encode((code,)))
    hart = machine.harts[0]
    return int(machine.export("condition_holds")(hart.address, ctypes.addressof(buffer)))


def random_code(source: random.Random) -> bytes:
    """Code that leaves one value on the stack, or divides by zero."""
    code = constant(source.getrandbits(64))
    for _ in range(source.randrange(1, 12)):
        kind = source.randrange(5)
        if kind == 0:
            code += bytes([source.choice([op.LOG_NOT, op.BIT_NOT])])
        elif kind == 1:
            code += bytes([source.choice([op.EXT, op.ZERO_EXT]), source.randrange(65)])
        elif kind == 2:
            code += bytes([op.REG, 0, source.randrange(33)]) + bytes([source.choice(BINARY)])
        elif kind == 3:
            value = source.choice([0, 1, 63, 64, source.getrandbits(64), (1 << 64) - 1])
            code += constant(value) + bytes([source.choice(BINARY)])
        else:
            code += bytes([op.DUP, op.PICK, 1, op.ROT, op.SWAP, op.POP, op.ADD])
    return code


def test_python_and_native_code_agree(machine: Machine) -> None:
    """The native condition "the expression is this value" holds for the value that Python gives."""
    source = random.Random(5)
    errors = 0
    for _ in range(300):
        code = random_code(source)
        check(code + bytes([op.END]))
        try:
            value = Evaluator(State(machine), print).run(code + bytes([op.END]))
        except GdbError as error:
            assert str(error) == "agent expression: division by zero"
            errors += 1
            continue
        for offset, expected in ((0, 1), (1, 0)):
            wanted = constant((value + offset) & MASK64)
            assert holds(machine, code + wanted + bytes([op.EQUAL, op.END])) == expected, code.hex()
    assert errors < 100


def random_opcodes(source: random.Random) -> bytes:
    """Opcodes in any order, with jumps forward: often the stack has too few values."""
    parts = [constant(source.getrandbits(64)), constant(DATA + source.randrange(64))]
    for _ in range(source.randrange(1, 10)):
        load = constant(DATA + source.randrange(64)) + bytes([source.randrange(op.REF8, op.REF64)])
        skipped = bytes([source.choice(PLAIN)])
        parts.append(source.choice([
            bytes([source.choice(PLAIN)]), bytes([op.PICK, source.randrange(4)]), load,
            bytes([op.REG, 0, source.randrange(33)]), bytes([op.CONST8, source.randrange(70)]),
            bytes([op.IF_GOTO]) + (4 + sum(map(len, parts))).to_bytes(2, "big") + skipped,
        ]))  # fmt: skip
    return b"".join(parts) + END


def test_errors_are_errors_in_both(machine: Machine) -> None:
    source = random.Random(9)
    errors = 0
    for _ in range(1500):
        code = random_opcodes(source)
        check(code)
        evaluator = Evaluator(State(machine), print)
        try:
            value = evaluator.run(code)
        except (GdbError, BusError):
            value = 1
            errors += 1
        if not evaluator.stack:
            value = 1  # natively, an end without a value is an error
        assert holds(machine, code) == (value != 0), code.hex()
    assert 100 < errors < 1400


def test_a_stack_that_overflows_is_an_error(machine: Machine) -> None:
    def of(values: int) -> bytes:
        return bytes([op.CONST8, 0]) * values + END

    assert not holds(machine, of(STACK))
    assert holds(machine, of(STACK + 1))
