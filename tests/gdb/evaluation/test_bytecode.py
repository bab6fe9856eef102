"""Commands of breakpoints: agent expressions that Python evaluates. (tests/engine/test_agent.py
compares them with the native evaluation.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rvplat import Machine
from rvplat.engine import agent_opcodes as op
from rvplat.gdb.evaluation.bytecode import Evaluator, check
from rvplat.gdb.protocol.errors import GdbError
from tests.engine.agent_bench import State, constant


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine.open("virt", program="demo") as found:
        yield found


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
