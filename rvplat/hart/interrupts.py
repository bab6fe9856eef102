"""Interrupts: which are pending, which is taken, and waiting for one.

mip has three sources: the bits that software writes (hart.mip), the lines of devices
(hart.irq_lines, which other threads change) and the timers (hart.timer_lines, see counters.py).
"""

from rvplat.hart.counters import read_time, refresh_timers, update_deadline
from rvplat.hart.debugging.stack_walks import note_host
from rvplat.hart.debugging.timeline_events import note_pending
from rvplat.hart.rnmi import pending_rnmi
from rvplat.hart.state import STOP_WFI, HartState
from rvplat.hart.trap import Trap, take_trap
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import INTERRUPT, MACHINE, SUPERVISOR, USER, HStatus, Irq, Status
from rvplat.lang import ctz, define, fence, implement, u8, u64

HartState.outside("hook_held", u8)  # 1: take none before the instruction whose hook has run
HartState.saved("interrupts_held", u8)  # 1: take no interrupts: a debugger or a trace steps

PLATFORM = 16
"""Interrupts from this number on are the platform's. They go first, the lowest number ahead."""

# MEI MSI MTI, SEI SSI STI, SGEI, VSEI VSSI VSTI, LCOFI as hexadecimal digits, first one lowest
# ("Machine Interrupt Registers"; hypervisor's "Hypervisor Interrupt Registers").
PRIORITY = 0xD_62A_C_519_73B


@implement(vocabulary.interrupt_lines)
def interrupt_lines(hart) -> u64:
    """The lines that devices and timers drive, after an update of the timers."""
    refresh_timers(hart)
    interrupts_changed(hart)
    return hart.irq_lines | hart.timer_lines | guest_externals(hart)


@define
def guest_externals(hart) -> u64:
    """SGEIP, from the bits of hgeip that hgeie enables; VSEIP, from the bit of hgeip that
    hstatus.VGEIN selects ("Hypervisor Interrupt Registers")."""
    lines = u64(0)
    if hart.guest_lines & hart.hgeie != 0:
        lines = u64(Irq.SGEI)
    if hart.guest_lines >> ((hart.hstatus & HStatus.VGEIN) >> HStatus.VGEIN_SHIFT) & 1 != 0:
        lines |= Irq.VSEI
    return lines


@define
def enabled_interrupts(hart) -> u64:
    """The interrupts that are pending and enabled in mie, whatever mstatus and mnstatus say. Bit 0,
    which no interrupt has, stands for RNMIs. A critical error disables all."""
    if hart.critical != 0:
        return u64(0)
    pending = hart.irq_lines | hart.mip | hart.timer_lines
    if hart.guest_lines != 0:
        pending |= guest_externals(hart)
    pending &= hart.mie
    return pending | 1 if hart.rnmi_lines | hart.rnmi_once != 0 else pending


@define
def first_interrupt(pending: u64) -> u64:
    """The number of the pending interrupt with the highest priority; at least one is pending."""
    if pending >> PLATFORM != 0:
        return PLATFORM + ctz(pending >> PLATFORM)
    order = u64(PRIORITY)
    while pending >> (order & 15) & 1 == 0 and order != 0:
        order >>= 4
    return order & 15


@define
def pending_interrupt(hart) -> u64:
    """The cause (bit 63 set) of the interrupt to take before the next instruction, or 0.

    While mnstatus.NMIE is clear, no interrupt is taken. RNMIs go first, in any mode ("RNMI CSRs",
    "RNMI Interrupt Signals").

    Interrupts for M mode are enabled below M mode, and in M mode by MIE. Delegated ones are
    enabled below S mode, in S mode by SIE, and never in M mode. M mode's go first ("Machine
    Interrupt Registers"); those that hideleg delegates to VS mode go last (hypervisor's
    "Interrupt Registers").
    """
    pending = enabled_interrupts(hart)
    if pending & hart.timer_lines != 0:
        update_deadline(hart)  # mtimecmp may have changed: no timer interrupt is spurious
        pending = enabled_interrupts(hart)
    if hart.timeline_ring != 0:
        note_pending(hart, pending)
    if pending == 0 or hart.rnmi_masked != 0:
        return u64(0)
    if pending & 1 != 0:
        return pending_rnmi(hart)
    machine = pending & ~hart.mideleg
    if machine != 0 and (hart.priv != MACHINE or hart.mstatus & Status.MIE != 0):
        return INTERRUPT | first_interrupt(machine)
    delegated = pending & hart.mideleg & ~hart.hideleg
    if delegated != 0 and supervisor_enabled(hart):
        return INTERRUPT | first_interrupt(delegated)
    guest = pending & hart.mideleg & hart.hideleg
    if guest != 0 and guest_enabled(hart):
        return INTERRUPT | first_interrupt(guest)
    return u64(0)


@define
def guest_enabled(hart) -> bool:
    """Whether VS mode's interrupts can be taken: with V=1, in VU mode or by vsstatus.SIE."""
    return hart.virt != 0 and (hart.priv == USER or hart.vsstatus & Status.SIE != 0)


@define
def supervisor_enabled(hart) -> bool:
    """Whether delegated interrupts can be taken in this mode."""
    if hart.priv == MACHINE:
        return False
    return hart.priv != SUPERVISOR or hart.virt != 0 or hart.mstatus & Status.SIE != 0


@define
def choose_interrupt(hart) -> bool:
    """Set trap_cause to the interrupt that is taken at hart.pc. False if there is none."""
    cause = pending_interrupt(hart)
    if cause == 0 or hart.interrupts_held != 0 or hart.hook_held != 0:
        return False
    hart.trap_cause = cause
    hart.trap_tval = 0
    hart.trap_tval2 = 0
    hart.trap_tinst = 0
    hart.trap_gva = 0
    return True


@define(cold=True)
def take_interrupt(hart) -> bool:
    """Enter the handler of a pending interrupt, if any; hart.pc is the next instruction's."""
    if not choose_interrupt(hart):
        return False
    take_trap(hart)
    return True


@define
def answer_call(hart):
    """If a device or another thread has called: all that they may have changed is looked at before
    the next instruction."""
    if hart.attention != 0:
        hart.attention = 0
        fence()
        update_deadline(hart)
        hart.resync = 1


@define(cold=True)
def due_interrupts_first(hart):
    """Update timers that are due. Raises Trap with an interrupt, which is taken before the current
    instruction: this must not have written anything yet."""
    update_deadline(hart)
    if choose_interrupt(hart):
        raise Trap


@implement(vocabulary.observed_time, cold=True)
def observed_time(hart) -> u64:
    """Before the time is read: a hart checks its timers only now and then, but a program must not
    read a time at which its timer interrupt should have come already."""
    now = read_time(hart)
    if now >= hart.deadline:
        due_interrupts_first(hart)
    return now


@implement(vocabulary.interrupts_changed)
def interrupts_changed(hart):
    """The conditions are evaluated right after the instruction ("Machine Interrupt Registers")."""
    if pending_interrupt(hart) != 0:
        hart.resync = 1
    if hart.profile_ring != 0:
        note_host(hart)


@implement(vocabulary.wait_for_interrupt)
def wait_for_interrupt(hart):
    """An interrupt that mie enables ends the wait ("Wait for Interrupt").

    mstatus.MIE, SIE and mideleg don't matter. The hart goes on after the instruction: an
    interrupt that is taken has the next instruction's address in xepc.
    """
    refresh_timers(hart)
    if enabled_interrupts(hart) == 0:
        hart.stop = STOP_WFI
        hart.resync = 1
    else:
        interrupts_changed(hart)
