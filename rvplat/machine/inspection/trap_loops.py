"""Find and describe harts whose trap handler only raises the next trap.

A bare program that sets no trap handler, and a handler with a bad stack pointer, do nothing else
from their first trap on. The hart counts such traps (hart/trap_loops.py).
"""

from __future__ import annotations

import logging

from rvplat.frozen import frozen
from rvplat.hart.trap import TO_GUEST
from rvplat.isa.privileged import MACHINE, SUPERVISOR, Cause
from rvplat.machine.inspection.instruction_word import Illegal
from rvplat.machine.inspection.trap_names import cause_name
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.system import System

log = logging.getLogger("rvplat.machine")

PREFIXES = {MACHINE: "m", SUPERVISOR: "s", TO_GUEST: "vs"}
#: So many times the same trap is a loop, even if the handler executes instructions before it.
MANY = 100_000
#: The same, for reports on where the harts are, which may show what is only probable.
MANY_IN_REPORTS = 1000
#: With more instructions since the last such trap, the hart has left the loop.
RECENT = 100_000


@frozen
class TrapLoop:
    """A loop of traps. `first_*` describe the trap that led into it (`first_tval`: xtval); all are
    0 if there was none. Then the handler of mode `prefix` ("m", "s", "vs"), at `handler`, raises
    `cause` at `pc`."""

    hart: int
    first_pc: int
    first_cause: int
    first_tval: int
    prefix: str
    handler: int
    cause: int
    pc: int

    def __str__(self) -> str:
        where = "" if self.pc == self.handler else f" at {self.pc:#x}"
        is_first = self.first_pc == self.first_cause == 0  # the CSRs are as after a reset
        after = "" if is_first else f"after {cause_name(self.first_cause)} at {self.first_pc:#x} "
        return (
            f"{after}its handler at {self.handler:#x} ({self.prefix}tvec) raises "
            f"{cause_name(self.cause)} itself{where}"
        )


def trap_loop(hart: Hart, many: int = MANY_IN_REPORTS) -> TrapLoop | None:
    """The loop that a hart is in; None if it is in none. The hart may run.

    A handler that traps at its first instruction is in a loop for certain. Another one is if it has
    raised the same trap `many` times in a row.
    """
    plain = hart.plain
    count = int(plain.nested_traps)
    if not count or abs(hart.retired - int(plain.nested_at)) > RECENT:
        return None
    prefix = PREFIXES[int(plain.nested_mode)]
    handler, pc, cause = (int(getattr(plain, prefix + csr)) for csr in ("tvec", "epc", "cause"))
    handler &= ~3
    if pc != handler and count < many:
        return None
    first = (int(plain.nested_pc), int(plain.nested_cause), int(plain.nested_tval))
    return TrapLoop(hart.number, *first, prefix, handler, cause, pc)


def tell_of_trap_loops(machine: System) -> None:
    """Log a warning for each loop, once for all harts. The machine may run."""
    for hart in machine.harts:
        loop = trap_loop(hart, MANY)
        if loop is None:
            continue
        kind = (loop.first_pc, loop.first_cause, loop.pc)
        if kind not in machine.told_loops:
            machine.told_loops.add(kind)
            more = hint(machine, loop)
            text = f"hart {loop.hart} loops in traps: {loop}"
            log.warning("%s", f"{text}\n  {more}" if more else text)


def hint(machine: System, loop: TrapLoop) -> str:
    """What probably led into the loop, and a remedy."""
    if loop.first_cause == Cause.ILLEGAL:
        status = int(machine.harts[loop.hart].plain.mstatus)
        known = machine.core.architecture.extensions
        own = machine.board.each[loop.hart]
        have = machine.harts[loop.hart].extensions
        return Illegal(loop.first_tval, have, known, own.harts.isa, status).hint()
    if loop.handler == 0:
        return f"{loop.prefix}tvec is 0: the software has set no trap handler"
    return ""
