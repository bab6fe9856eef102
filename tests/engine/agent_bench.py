"""What Python's evaluation of an agent expression reads, and a part of expressions."""

from __future__ import annotations

from rvplat import Machine
from rvplat.engine.agent_opcodes import CONST64


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
    return bytes([CONST64]) + value.to_bytes(8, "big")
