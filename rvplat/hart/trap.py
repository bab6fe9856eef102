"""Traps: raising them, entering the handler, and the change of privilege that comes with it.

Definitions write cause and values into the hart and raise `Trap`. The engine catches it, with
hart.pc at the instruction, and calls `take_trap`. A trap goes to M mode, to S mode (HS mode, with
the H extension), or to VS mode in a guest.
"""

from rvplat.hart.debugging.timeline_events import expect_trap
from rvplat.hart.debugging.world_switches import count_exit
from rvplat.hart.debugging.worlds import note_trap
from rvplat.hart.fetch import fetch_instruction
from rvplat.hart.host_calls import is_call_served
from rvplat.hart.modes import enter_handler
from rvplat.hart.rnmi import RESUMABLE, enter_unexpected, rnmi_vector, take_rnmi
from rvplat.hart.state import STOP_BREAK, HartState
from rvplat.hart.tinst import is_explicit, trap_instruction
from rvplat.hart.trap_loops import note_nested
from rvplat.hart.trap_values import reported, vector_of
from rvplat.hart.triggers import count_event, trap_enabled, trap_fires
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.vocabulary import instruction_bits, virtual_instruction
from rvplat.isa.privileged import (
    INTERRUPT,
    MACHINE,
    SUPERVISOR,
    USER,
    Cause,
    EnvCfg,
    HStatus,
    Irq,
    Status,
)
from rvplat.isa.sdtrig import push_enable
from rvplat.isa.trigger_values import Armed, Kind
from rvplat.lang import NoReturn, Unwind, define, implement, u8, u64

EBREAK_MET = 3  # of hart.switch_met
HartState.outside("ebreak_stops", u8)  # 1: an ebreak stops for a debugger instead of trapping
HartState.outside("ebreak_skip", u64)  # the next ebreak at this address traps; odd: none
HartState.saved("traps_taken", u64, 128)  # by cause, interrupts from 64 on: for statistics
# Exceptions whose xtval is a virtual address ("Hypervisor Status Register", GVA).
ADDRESS_CAUSES = (
    1 << Cause.FETCH_MISALIGNED | 1 << Cause.FETCH_ACCESS | 1 << Cause.BREAKPOINT
    | 1 << Cause.LOAD_MISALIGNED | 1 << Cause.LOAD_ACCESS
    | 1 << Cause.STORE_MISALIGNED | 1 << Cause.STORE_ACCESS
    | 1 << Cause.FETCH_PAGE | 1 << Cause.LOAD_PAGE | 1 << Cause.STORE_PAGE
    | 1 << Cause.FETCH_GUEST_PAGE | 1 << Cause.LOAD_GUEST_PAGE | 1 << Cause.STORE_GUEST_PAGE
)  # fmt: skip
TAKEN_BY_MACHINE = Status.MIE | Status.MPIE | Status.MPP | Status.MPV | Status.GVA | Status.MPELP
TO_GUEST = 2  # a trap into VS mode; MACHINE and SUPERVISOR name the others


class Trap(Unwind):
    """A synchronous exception: hart.trap_cause, hart.trap_tval and the rest say which."""


class Abandoned(Unwind):
    """The hart leaves native code in the middle of an instruction (engine/poll.py)."""


@implement(vocabulary.raise_trap, cold=True)
def raise_trap(hart, cause: u64, tval: u64) -> NoReturn:
    """Raise a synchronous exception with nothing for htval and htinst. GVA is set where xtval is an
    address of the guest that runs."""
    hart.trap_cause = cause
    hart.trap_tval = tval
    hart.trap_tval2 = 0
    hart.trap_tinst = 0
    hart.trap_gva = u8(hart.virt != 0 and u64(ADDRESS_CAUSES) >> cause & 1 != 0)
    raise Trap


@implement(vocabulary.raise_access_trap, cold=True)
def raise_access_trap(hart, cause: u64, tval: u64, tval2: u64, tinst: u64, guest: bool) -> NoReturn:
    """As `raise_trap`, for a memory access, which may be a guest's even with V=0 (HLV, MPRV)."""
    hart.trap_cause = cause
    hart.trap_tval = tval
    hart.trap_tval2 = tval2
    hart.trap_tinst = tinst
    hart.trap_gva = u8(guest)
    raise Trap


@implement(vocabulary.instruction_bits, cold=True)
def current_bits(hart) -> u64:
    """Read from memory again, which has what was decoded (`invalidate.py`)."""
    return u64(fetch_instruction(hart, hart.pc))


@implement(vocabulary.illegal, cold=True)
def illegal(hart) -> NoReturn:
    """xtval holds the instruction, right-justified ("Machine Trap Value Register"; Sstvala)."""
    raise_trap(hart, u64(Cause.ILLEGAL), instruction_bits(hart))


@implement(vocabulary.virtual_instruction, cold=True)
def raise_virtual(hart) -> NoReturn:
    """xtval is written as for an illegal instruction."""
    raise_trap(hart, u64(Cause.VIRTUAL), instruction_bits(hart))


@implement(vocabulary.require_privilege)
def require_privilege(hart, lowest: u64):
    """Raise illegal instruction below the mode; in VU mode, virtual instruction for one of S mode
    ("Trap Cause Codes")."""
    if hart.priv < u8(lowest):
        if hart.virt != 0 and lowest == SUPERVISOR:
            virtual_instruction(hart)
        illegal(hart)


@implement(vocabulary.require_hypervisor)
def require_hypervisor(hart):
    """Raise unless in M or HS mode; with V=1, virtual instruction ("... Memory-Management Fence
    Instructions")."""
    if hart.virt != 0:
        virtual_instruction(hart)
    if hart.priv == USER:
        illegal(hart)


@define
def handler_of(hart, cause: u64) -> u64:
    """Who handles the trap: MACHINE, SUPERVISOR, TO_GUEST. None from M mode is delegated ("Machine
    Trap Delegation"), to VS mode only a guest's ("Hypervisor Trap Delegation Registers")."""
    if hart.priv == MACHINE:
        return u64(MACHINE)
    interrupt = cause & INTERRUPT != 0
    delegated = hart.mideleg if interrupt else hart.medeleg
    if delegated >> cause & 1 == 0:  # the shift takes the code modulo 64
        return u64(MACHINE)
    if hart.virt == 0:
        return u64(SUPERVISOR)
    further = hart.hideleg if interrupt else hart.hedeleg
    return u64(TO_GUEST) if further >> cause & 1 != 0 else u64(SUPERVISOR)


@define
def enter_machine(hart, cause: u64):
    """MPP and MPIE take the mode and MIE ("Privilege and Global Interrupt-Enable Stack"), MPV takes
    V ("Trap Entry"), MPELP takes ELP. An exception in M mode while mnstatus.NMIE is clear has a
    handler of its own ("RNMI Operation")."""
    if hart.priv == MACHINE and cause & INTERRUPT == 0:
        note_nested(hart, cause, u64(MACHINE), hart.mepc, hart.mcause, hart.mtval)
    old = hart.mstatus
    unready = hart.priv == MACHINE and hart.rnmi_masked != 0
    if old & Status.MDT != 0 or (unready and hart.has_smdbltrp != 0):
        enter_unexpected(hart, cause)
        return
    if hart.trigger_control != 0:
        push_enable(hart)
    new = old & ~u64(TAKEN_BY_MACHINE)
    if hart.has_smdbltrp != 0:
        new |= Status.MDT
    if hart.elp != 0:
        new |= Status.MPELP
        hart.elp = 0
    new |= u64(hart.priv) << Status.MPP_SHIFT
    if old & Status.MIE != 0:
        new |= Status.MPIE
    if hart.virt != 0:
        new |= Status.MPV
    if hart.trap_gva != 0:
        new |= Status.GVA
    hart.mstatus = new
    hart.mtval2 = hart.trap_tval2
    hart.mtinst = hart.trap_tinst
    hart.mepc = hart.pc
    hart.mcause = reported(cause)
    hart.mtval = hart.trap_tval
    hart.pc = vector_of(hart.mtvec, cause)
    if unready:
        hart.pc = rnmi_vector(hart, hart.rnmi_exceptions)
    enter_handler(hart, u64(MACHINE), u64(0))


@define
def pushed(hart, status: u64, dte: u64) -> u64:
    """sstatus or vsstatus after a trap: SPP and SPIE take the mode and SIE, SPELP takes ELP. SDT is
    set if a register's DTE is."""
    new = status & ~(Status.SIE | Status.SPIE | Status.SPP | Status.SPELP)
    if hart.elp != 0:
        new |= Status.SPELP
        hart.elp = 0
    if status & Status.SIE != 0:
        new |= Status.SPIE
    if dte & EnvCfg.DTE != 0:
        new |= Status.SDT
    return new | Status.SPP if hart.priv == SUPERVISOR else new


@define
def push_world(hart):
    """hstatus after a trap into HS mode: SPV takes V, SPVP the guest's mode ("Trap Entry")."""
    new = hart.hstatus & ~(HStatus.SPV | HStatus.GVA)
    if hart.virt != 0:
        new = new & ~HStatus.SPVP | HStatus.SPV | u64(hart.priv) << HStatus.SPVP_SHIFT
    if hart.trap_gva != 0:
        new |= HStatus.GVA
    hart.hstatus = new


@define
def enter_supervisor(hart, cause: u64):
    """Enter HS mode. No CSR of M mode is written."""
    if hart.priv == SUPERVISOR and hart.virt == 0 and cause & INTERRUPT == 0:
        note_nested(hart, cause, u64(SUPERVISOR), hart.sepc, hart.scause, hart.stval)
    hart.mstatus = pushed(hart, hart.mstatus, hart.menvcfg)
    push_world(hart)
    hart.sepc = hart.pc
    hart.scause = reported(cause)
    hart.stval = hart.trap_tval
    hart.htval = hart.trap_tval2
    hart.htinst = hart.trap_tinst
    hart.pc = vector_of(hart.stvec, cause)
    enter_handler(hart, u64(SUPERVISOR), u64(0))


@define
def known_to_guest(cause: u64) -> u64:
    """A cause as VS mode knows it."""
    if cause & INTERRUPT != 0 and u64(Irq.LCOFI) >> (cause & 63) & 1 == 0:
        return cause - 1
    return cause


@define
def enter_guest(hart, cause: u64):
    """Enter VS mode. No CSR of HS mode is written. An interrupt gets the number that it has in S
    mode ("Hypervisor Trap Delegation Registers"); that of LCOFI is the same."""
    known = known_to_guest(cause)
    if hart.priv == SUPERVISOR and cause & INTERRUPT == 0:
        note_nested(hart, cause, u64(TO_GUEST), hart.vsepc, hart.vscause, hart.vstval)
    hart.vsstatus = pushed(hart, hart.vsstatus, hart.menvcfg & hart.henvcfg)
    hart.vsepc = hart.pc
    hart.vscause = reported(known)
    hart.vstval = hart.trap_tval
    hart.pc = vector_of(hart.vstvec, known)
    enter_handler(hart, u64(SUPERVISOR), u64(1))


@define(cold=True)
def enter_double(hart, cause: u64):
    """A trap that S or VS mode can't take now is a double-trap exception for M mode; mtval2 holds
    its cause ("Double Trap Control in sstatus Register")."""
    hart.trap_tval2 = reported(cause)
    enter_machine(hart, u64(Cause.DOUBLE_TRAP))


@define
def enter_host(hart, cause: u64, handler: u64):
    """Enter M mode or HS mode."""
    if handler == SUPERVISOR:
        if hart.mstatus & Status.SDT != 0:
            enter_double(hart, cause)
        else:
            enter_supervisor(hart, cause)
    else:
        enter_machine(hart, cause)


@define(cold=True)
def stops_at_ebreak(hart) -> bool:
    """Whether an ebreak stops for a debugger instead of trapping, as with dcsr.ebreakm and the like
    in the Debug Specification."""
    if hart.ebreak_stops == 0 or hart.machine.points_off != 0:
        return False
    if hart.ebreak_skip == hart.pc:
        hart.ebreak_skip = 1
        return False
    hart.switch_met = EBREAK_MET
    hart.stop = STOP_BREAK
    return True


@implement(vocabulary.drop_trap, cold=True)
def drop_trap(hart):
    """A debugger's stop is no exception, so it is passed on."""
    if hart.stop >= STOP_BREAK:
        raise Trap
    hart.access_offset = 0
    hart.trigger_fired = 0


@define(cold=True)
def take_trap(hart):
    """Enter the handler of the trap in hart.trap_cause; hart.pc is epc, then the handler.

    The trapping instruction isn't retired. An exception still takes one from the budget and from
    instret_base: `retired` doesn't change, and a hart whose handler traps for ever comes back to
    the run loop.
    """
    if hart.stop >= STOP_BREAK:  # no trap: a watchpoint ended the instruction, or a plugin is stuck
        hart.access_offset = 0
        return
    cause = hart.trap_cause
    hart.trigger_due = 0  # of a load before, in an instruction that doesn't retire
    if cause == Cause.BREAKPOINT:
        by_trigger = hart.trigger_fired != 0
        hart.trigger_fired = 0
        if not by_trigger and (is_call_served(hart) or stops_at_ebreak(hart)):
            return
    if cause & RESUMABLE != 0:
        take_rnmi(hart, cause)
        return
    if hart.hook_traps != 0:
        note_trap(hart, cause)
    if hart.timeline_ring != 0:
        expect_trap(hart, cause)
    hart.traps_taken[cause & 63 | cause >> 57 & 64] += 1
    if cause & INTERRUPT == 0:
        hart.budget -= 1
        hart.instret_base -= 1
    if hart.trigger_kinds & (Armed.TRAP | Armed.COUNT) != 0:
        take_watched_trap(hart, cause)
    else:
        enter_any(hart, cause)


@define(cold=True)
def take_due_trigger(hart):
    """The breakpoint exception of a trigger that a load has fired, after the load. It counts for
    icount, as an interrupt."""
    hart.trigger_due = 0
    if hart.trigger_kinds & Armed.COUNT != 0:
        count_event(hart)
    hart.trigger_fired = 1
    hart.trap_cause = Cause.BREAKPOINT
    hart.trap_tval = hart.trigger_address
    hart.trap_tval2 = 0
    hart.trap_tinst = 0
    hart.trap_gva = u8(hart.virt != 0)
    take_trap(hart)


@define
def enter_any(hart, cause: u64):
    """Enter the handler of a trap."""
    if hart.virt != 0 or is_explicit(cause):
        take_other_trap(hart, cause)
    else:
        enter_host(hart, cause, handler_of(hart, cause))


@define(cold=True)
def take_watched_trap(hart, cause: u64):
    """Enter the handler of a trap that triggers may be for: then the breakpoint exception comes
    before the handler's first instruction (Debug, "Exception Trigger", "Interrupt Trigger"). An
    interrupt counts for icount; the instruction of an exception has counted."""
    enabled = trap_enabled(hart)
    code = cause & 63
    wanted = u64(Kind.ETRIGGER)
    if cause & INTERRUPT != 0:
        wanted = u64(Kind.ITRIGGER)
        count_event(hart)
        if handler_of(hart, cause) == TO_GUEST:
            code = known_to_guest(cause) & 63
    enter_any(hart, cause)
    if trap_fires(hart, enabled, wanted, code):
        hart.trap_cause = Cause.BREAKPOINT
        hart.trap_tval = 0
        hart.trap_tval2 = 0
        hart.trap_tinst = 0
        hart.trap_gva = 0
        hart.traps_taken[Cause.BREAKPOINT] += 1
        if hart.timeline_ring != 0:
            expect_trap(hart, u64(Cause.BREAKPOINT))
        enter_any(hart, u64(Cause.BREAKPOINT))


@define(cold=True)
def take_other_trap(hart, cause: u64):
    """A trap of a guest, or one that fills htinst. A function of its own, so that the other traps
    need no stack frame."""
    handler = handler_of(hart, cause)
    if handler == TO_GUEST and hart.vsstatus & Status.SDT == 0:
        enter_guest(hart, cause)
    else:
        if hart.virt != 0:
            count_exit(hart, cause)
        hart.trap_tinst = trap_instruction(hart, cause)
        if handler == TO_GUEST:
            enter_double(hart, cause)
        else:
            enter_host(hart, cause, handler)
    hart.access_offset = 0
