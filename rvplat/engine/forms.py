"""The forms for which native code is made: every instruction in each of its lengths.

This file is separate from the compiler (`fast.py`, `handlers.py`), because a start with code from
the cache needs these names and not the compiler.
"""

from __future__ import annotations

from functools import cached_property

from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Instruction

SPECIAL = ("decode", "page_end", "straddle", "illegal", "breakpoint")
"""The handlers that belong to no instruction."""

SLOW = "slow."
"""Begins the symbols of slow handlers."""

HOST_FUNCTIONS = ("clock", "wall", "yield", "wait", "wake", "fence")
"""Host functions that native code calls, as lang/host/system_calls.py names them. The machine's
record has their addresses: `clock_fn` and so on."""


@frozen
class Form:
    """An instruction in one of its lengths (bytes). Each form has its own handlers."""

    instruction: Instruction
    length: int

    @cached_property
    def key(self) -> str:
        return f"{self.instruction.name}.{self.length}"

    @property
    def slow(self) -> str:
        """The symbol of the slow handler."""
        return f'@"{SLOW}{self.key}"'


Pair = tuple[Form, Form]
