"""Traps: raising them, entering the handler, and the change of privilege that comes with it.

Definitions raise `Trap` after they have put what happened into the hart; the engine catches it,
with hart.pc at the instruction concerned, and calls `take_trap`. The H extension adds its VS
delegation and its fields (mtval2, mtinst, hstatus) to the functions here.
"""

from rvplat.hart.fetch import fetch_instruction
from rvplat.hart.state import STOP_BREAK
from rvplat.isa import vocabulary
from rvplat.isa.privileged import INTERRUPT, MACHINE, SUPERVISOR, Cause, Status
from rvplat.isa.vocabulary import context_changed, instruction_bits
from rvplat.lang import NoReturn, Unwind, define, implement, u8, u64


class Trap(Unwind):
    """A synchronous exception: hart.trap_cause, hart.trap_tval and the rest say which."""


@implement(vocabulary.raise_trap, cold=True)
def raise_trap(hart, cause: u64, tval: u64) -> NoReturn:
    """Raise a synchronous exception with nothing for htval, htinst and GVA."""
    hart.trap_cause = cause
    hart.trap_tval = tval
    hart.trap_tval2 = 0
    hart.trap_tinst = 0
    hart.trap_gva = 0
    raise Trap


@implement(vocabulary.instruction_bits, cold=True)
def current_bits(hart) -> u64:
    """Read anew: what was decoded is what memory holds (`invalidate.py`)."""
    return u64(fetch_instruction(hart, hart.pc))


@implement(vocabulary.illegal, cold=True)
def illegal(hart) -> NoReturn:
    """xtval holds the instruction, right-justified ("Machine Trap Value Register"; Sstvala)."""
    raise_trap(hart, u64(Cause.ILLEGAL), instruction_bits(hart))


@implement(vocabulary.require_privilege)
def require_privilege(hart, lowest: u64):
    """Below the mode, an instruction is illegal."""
    if hart.priv < u8(lowest):
        illegal(hart)


@implement(vocabulary.enter_privilege, cold=True)
def enter_privilege(hart, priv: u64, virt: u64):
    """Change the mode; the translation context follows, and the run loop looks for interrupts."""
    hart.priv = u8(priv)
    hart.virt = u8(virt)
    context_changed(hart)
    hart.resync = 1


@define
def vector_of(base: u64, cause: u64) -> u64:
    """Where xtvec sends a trap: MODE 1 gives each interrupt four bytes ("... Trap-Vector ...")."""
    target = base & ~3
    if base & 1 != 0 and cause & INTERRUPT != 0:
        return target + (cause << 2)
    return target


@define
def is_delegated(hart, cause: u64) -> bool:
    """Whether S mode handles the trap: never one from M mode ("Machine Trap Delegation")."""
    if hart.priv == MACHINE:
        return False
    delegated = hart.mideleg if cause & INTERRUPT != 0 else hart.medeleg
    return delegated >> cause & 1 != 0  # the shift takes the code modulo 64


@define
def enter_machine(hart, cause: u64):
    """MPP and MPIE take the mode and MIE ("Privilege and Global Interrupt-Enable Stack")."""
    old = hart.mstatus
    new = old & ~(Status.MIE | Status.MPIE | Status.MPP) | u64(hart.priv) << Status.MPP_SHIFT
    if old & Status.MIE != 0:
        new |= Status.MPIE
    hart.mstatus = new
    hart.mepc = hart.pc
    hart.mcause = cause
    hart.mtval = hart.trap_tval
    hart.pc = vector_of(hart.mtvec, cause)
    enter_privilege(hart, u64(MACHINE), u64(0))


@define
def enter_supervisor(hart, cause: u64):
    """SPP and SPIE take the mode and SIE; nothing of M mode's is written."""
    old = hart.mstatus
    new = old & ~(Status.SIE | Status.SPIE | Status.SPP)
    if old & Status.SIE != 0:
        new |= Status.SPIE
    if hart.priv == SUPERVISOR:
        new |= Status.SPP
    hart.mstatus = new
    hart.sepc = hart.pc
    hart.scause = cause
    hart.stval = hart.trap_tval
    hart.pc = vector_of(hart.stvec, cause)
    enter_privilege(hart, u64(SUPERVISOR), u64(0))


@define(cold=True)
def take_trap(hart):
    """Enter the handler of the trap in hart.trap_cause; hart.pc is epc, then the handler.

    The trapping instruction isn't retired. An exception takes one from the budget all the same,
    and from instret_base with it, so that `retired` stands still and a hart whose handler traps
    for ever still comes back to the run loop.
    """
    if hart.stop == STOP_BREAK:  # no trap: a watchpoint has ended the instruction (watch.py)
        return
    cause = hart.trap_cause
    if cause & INTERRUPT == 0:
        hart.budget -= 1
        hart.instret_base -= 1
    if is_delegated(hart, cause):
        enter_supervisor(hart, cause)
    else:
        enter_machine(hart, cause)
