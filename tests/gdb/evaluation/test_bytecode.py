"""Commands of breakpoints, evaluated in Python as conditions are in native code."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator

import pytest

from rvplat import Machine
from rvplat.engine import agent_opcodes as op
from rvplat.gdb.evaluation.bytecode import Evaluator, check
from rvplat.gdb.protocol.errors import GdbError
from rvplat.machine.debugging.breakpoint_table import encode

MASK64 = (1 << 64) - 1
BINARY = [one.code for one in op.OPCODES.values() if op.is_binary(one)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine.open("virt", program="demo") as found:
        yield found


class State:
    """Registers and memory of a machine's first hart, in M mode."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def register(self, number: int) -> int:
        hart = self._machine.harts[0]
        return hart.pc if number == 32 else int(hart.x[number])

    def memory(self, address: int, size: int) -> bytes:
        return self._machine.memory.read(address, size)


def constant(value: int) -> bytes:
    return bytes([op.CONST64]) + value.to_bytes(8, "big")


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
    source = random.Random(4)
    hart = machine.harts[0]
    for n in range(1, 32):
        hart.x[n] = source.getrandbits(64)
    holds = machine.export("condition_holds")
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
            whole = encode((code + wanted + bytes([op.EQUAL, op.END]),))
            buffer = ctypes.create_string_buffer(whole)
            assert holds(hart.address, ctypes.addressof(buffer)) == expected, code.hex()
    assert errors < 100


def test_memory_of_every_size(machine: Machine) -> None:
    machine.memory.write(0x8010_0000, bytes(range(0x81, 0x89)))
    for code, size in ((op.REF8, 1), (op.REF16, 2), (op.REF32, 4), (op.REF64, 8)):
        found = Evaluator(State(machine), print).run(constant(0x8010_0000) + bytes([code, op.END]))
        assert found == int.from_bytes(bytes(range(0x81, 0x81 + size)), "little")


def test_what_is_printed(machine: Machine) -> None:
    said: list[str] = []
    text = b"%d of %s%%\\n\0"
    machine.memory.write(0x8010_0000, b"all\0")
    code = constant(0x8010_0000) + constant((1 << 64) - 3) + constant(0) + constant(0)
    code += bytes([op.PRINTF, 2]) + len(text).to_bytes(2, "big") + text + bytes([op.END])
    check(code, printing=True)
    with pytest.raises(GdbError, match="opcode 0x34 at 36 is not supported"):
        check(code)
    Evaluator(State(machine), said.append).run(code)
    assert said == ["-3 of all%\n"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("27", None),
        ("29", "nothing is on the stack"),
        ("3200", "nothing is on the stack"),
        ("210000", "it goes on for ever"),
        ("2201", "it has no end"),
    ],
)
def test_what_cant_be_evaluated(machine: Machine, code: str, text: str | None) -> None:
    evaluator = Evaluator(State(machine), print)
    if text is None:
        assert evaluator.run(bytes.fromhex(code)) == 0
        return
    with pytest.raises(GdbError) as error:
        evaluator.run(bytes.fromhex(code))
    assert str(error.value) == f"agent expression: {text}"
