"""What native code is made for: every instruction in each length, and the handlers that are none's.

This file stands apart from the compiler (`fast.py`, `handlers.py`): a start with code from the
cache needs these names and not the compiler.
"""

from __future__ import annotations

from dataclasses import dataclass

from rvplat.isa.machinery.extension import Instruction

SPECIAL = ("decode", "page_end", "straddle", "illegal", "breakpoint")
"""The handlers that belong to no instruction."""

HOST_FUNCTIONS = ("clock", "yield", "wait", "wake", "fence")
"""What native code asks of the host, by the names in lang/host.py; Machine has `clock_fn` ..."""


@dataclass(frozen=True)
class Form:
    """An instruction in one length (bytes), which has handlers of its own."""

    instruction: Instruction
    length: int

    @property
    def key(self) -> str:
        return f"{self.instruction.name}.{self.length}"

    @property
    def slow(self) -> str:
        """The symbol of its slow handler."""
        return f'@"slow.{self.key}"'


Pair = tuple[Form, Form]
