"""The reference: a hart whose instructions CPython runs, one at a time.

It runs the definitions from which native code is made, on the same record and the same memory. It
shares nothing else with native code: it has no slots and no handlers, and decodes by the patterns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rvplat.engine.core import met_in_scratch
from rvplat.engine.implied import operand_type
from rvplat.hart.atomics import finish_amo
from rvplat.hart.counters import timer_check
from rvplat.hart.fetch import fetch_instruction
from rvplat.hart.interrupts import answer_call, take_interrupt
from rvplat.hart.state import STOP_BREAK, STOP_LIMIT, STOP_NONE
from rvplat.hart.trap import Trap, take_due_trigger, take_trap
from rvplat.hart.triggers import fetch_triggers, instruction_triggers
from rvplat.isa.fp_state import enter_unit, leave_unit
from rvplat.isa.hpm import find_overflows
from rvplat.isa.landing_pads import check_landing
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.machinery.extension import SINK, Extension, Instruction, Row
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import TYPES, ux
from rvplat.isa.trigger_values import Armed
from rvplat.lang import standing_for, u64


def decode(row: Row, bits: int) -> tuple[Instruction, dict[str, int]]:
    """The instruction that the row's bits stand for, with the operands of its definition."""
    given = {name: operand.extract(bits) for name, operand in row.pattern.operands.items()}
    if isinstance(row, Instruction):
        return row, _redirected(row, given)
    mapped = {n: given[s] if isinstance(s, str) else s for n, s in row.mapping.items()}
    return row.expands, _redirected(row.expands, mapped)


def _redirected(instruction: Instruction, given: dict[str, int]) -> dict[str, int]:
    """The operands, with rd = 0 replaced by the sink, which nothing reads."""
    if given.get("rd") == 0 and instruction.redirects_rd:
        given["rd"] = SINK
    return given


class Reference:
    """Runs harts that have these extensions."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        extensions = list(extensions)
        xlen = max((one.xlen for one in extensions), default=64)
        self.find = Disassembler(extensions).find
        self.types = TYPES[xlen]

    def run(self, hart: Any, limit: int) -> int:
        """Go on at hart.pc until hart.stop is set, or `limit` instructions have run (one that traps
        counts). Returns how many have run."""
        with standing_for(self.types):
            return self._run(hart, limit)

    def _run(self, hart: Any, limit: int) -> int:
        hart.stop = STOP_NONE
        enter_unit(hart)
        count = 0
        while self._settle(hart):
            if count == limit:
                hart.stop = STOP_LIMIT
                break
            self._step(hart)
            count += int(hart.stop != STOP_BREAK)
        leave_unit(hart)
        return count

    def _settle(self, hart: Any) -> bool:
        """Take pending interrupts. Returns whether the hart goes on."""
        answer_call(hart)
        timer_check(hart)
        if hart.hpm_watched != 0:
            find_overflows(hart, u64(0))
        while hart.resync != 0:
            hart.resync = 0
            finish_amo(hart)
            if hart.trigger_due != 0:
                take_due_trigger(hart)
                hart.resync = 1
            else:
                take_interrupt(hart)
        return bool(hart.stop == STOP_NONE)

    def _step(self, hart: Any) -> None:
        """Run one instruction, or take the trap that it raises. Stop at a breakpoint."""
        try:
            if hart.machine.break_count != 0 and met_in_scratch(hart):
                hart.stop = STOP_BREAK
                return
            if hart.trigger_kinds & (Armed.EXECUTE | Armed.COUNT) != 0:
                instruction_triggers(hart)
            self._execute(hart)
        except Trap:
            take_trap(hart)
            return
        hart.pc = u64(ux(hart.next_pc))
        hart.budget -= 1

    def _execute(self, hart: Any) -> None:
        bits = int(fetch_instruction(hart, hart.pc))
        if hart.trigger_kinds & Armed.OPCODE != 0:
            fetch_triggers(hart, u64(bits), True)
        if hart.elp != 0:
            check_landing(hart, u64(bits))
        row = self.find(bits)
        if row is None:
            illegal(hart)
        instruction, operands = decode(row, bits)
        hart.next_pc = hart.pc + row.pattern.length
        given = (operand_type(name)(operands[name]) for name in instruction.operands)
        instruction.definition(hart, *given)
