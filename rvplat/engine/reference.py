"""The reference stepper: the same definitions, run by CPython, one instruction at a time.

It works on the same records as native code, so that both can be given the same state and compared
byte for byte. It is slow (some ten thousand instructions a second), and that is all its fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rvplat.engine import architecture, core
from rvplat.engine.decode import Entry
from rvplat.hart.fetch import fetch_instruction
from rvplat.hart.interrupts import take_interrupt
from rvplat.hart.trap import Trap, take_trap
from rvplat.isa.extension import SINK, Extension
from rvplat.lang import u64


class Decoder:
    """The encoding table of a hart with these extensions, searched by CPython."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        entries = architecture.entries(extensions)
        self.entries = sorted(entries, key=lambda e: e.pattern.rank, reverse=True)
        self._found: dict[int, Entry | None] = {}

    def find(self, bits: int) -> Entry | None:
        """The entry of an instruction; None if the hart has none."""
        if bits not in self._found:
            length = 4 if bits & 3 == 3 else 2
            matching = (
                e for e in self.entries if e.pattern.length == length and e.pattern.matches(bits)
            )
            self._found[bits] = next(matching, None)
        return self._found[bits]


def operands(entry: Entry, bits: int) -> list[u64]:
    """The operands as the instruction's definition takes them."""
    values = []
    for name in entry.instruction.operands:
        source = entry.source[name]
        value = source if isinstance(source, int) else entry.pattern.operands[source].extract(bits)
        if name == "rd" and entry.instruction.redirects_rd and value == 0:
            value = SINK
        values.append(u64(value))
    return values


def execute(hart: Any, decoder: Decoder) -> None:
    """The instruction at hart.pc, or the trap that it takes; interrupts are not looked at."""
    try:
        bits = int(fetch_instruction(hart, hart.pc))
        entry = decoder.find(bits)
        hart.next_pc = hart.pc + (4 if bits & 3 == 3 else 2)
        if entry is None:
            core.undecodable(hart)
        else:
            entry.instruction.definition(hart, *operands(entry, bits))
    except Trap:
        take_trap(hart)
    else:
        hart.budget -= 1
        hart.pc = hart.next_pc


def step(hart: Any, decoder: Decoder) -> None:
    """See to an interrupt that is due, then execute one instruction."""
    hart.resync = 0
    while take_interrupt(hart):
        hart.resync = 0
    execute(hart, decoder)
