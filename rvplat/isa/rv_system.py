"""SYSTEM instructions except those on CSRs (Privileged, "Machine-Mode Privileged Instructions").

A trapping instruction is not retired: ecall and ebreak do not count in instret ("Environment Call
and Breakpoint").
"""

from rvplat.isa.landing_pads import restore_expectation
from rvplat.isa.machinery.vocabulary import (
    enter_privilege,
    illegal,
    jump,
    raise_trap,
    require_privilege,
    virtual_instruction,
    wait_for_interrupt,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.priv_m import Sm
from rvplat.isa.priv_s import S
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, Cause, HStatus, Status
from rvplat.isa.rv_i import BASE
from rvplat.isa.sdtrig import pop_enable
from rvplat.lang import define, u64


@BASE.instruction("0000000 00000 00000 000 00000 1110011", "ecall")
def ecall(hart):
    """Call the execution environment. Each mode has its own cause (8 U, 9 S, 10 VS, 11 M)."""
    cause = u64(Cause.ECALL_U) + u64(hart.priv)
    if hart.priv == SUPERVISOR and hart.virt != 0:
        cause = u64(Cause.ECALL_VS)
    raise_trap(hart, cause, u64(0))


@BASE.instruction("0000000 00001 00000 000 00000 1110011", "ebreak")
def ebreak(hart):
    """Raise a breakpoint exception. xtval may be zero or, as here, the instruction's address."""
    raise_trap(hart, u64(Cause.BREAKPOINT), hart.pc)


@define
def lowest_mode(hart) -> u64:
    """The value that MPP has after mret: the least privileged mode that the hart has."""
    return u64(USER) if hart.has_u != 0 else u64(MACHINE)


@define
def after_return(hart, status: u64, mode: u64, guest: bool) -> u64:
    """mstatus after a return from M mode: below M mode it clears MPRV, to U, VS and VU mode SDT,
    and to VU mode vsstatus.SDT ("Double Trap Control in mstatus Register").

    The manual says the latter of harts with Smdbltrp. Here it is so without it too, as in Spike and
    QEMU: else an S mode's double trap that M mode resolves would be followed by another one.
    """
    if mode == USER or guest:
        status &= ~u64(Status.SDT)
        if guest and mode == USER:
            hart.vsstatus &= ~u64(Status.SDT)
    return status & ~u64(Status.MPRV) if mode != MACHINE else status


@Sm.instruction("0011000 00010 00000 000 00000 1110011", "mret")
def mret(hart):
    """Return from a trap to M mode ("Trap-Return Instructions", "Privilege ... Stack").

    MIE becomes MPIE, MPIE becomes 1, MPP the lowest mode. A return below M mode clears MPRV.
    """
    require_privilege(hart, u64(MACHINE))
    old = hart.mstatus
    mode = (old & Status.MPP) >> Status.MPP_SHIFT
    new = old & ~(Status.MIE | Status.MPP | Status.MPV | Status.MPELP | Status.MDT) | Status.MPIE
    if old & Status.MPIE != 0:
        new |= Status.MIE
    guest = old & Status.MPV != 0 and mode != MACHINE
    new = after_return(hart, new, mode, guest)
    hart.mstatus = new | lowest_mode(hart) << Status.MPP_SHIFT
    enter_privilege(hart, mode, u64(guest))
    if old & Status.MPELP != 0:
        restore_expectation(hart)
    if hart.trigger_control != 0:
        pop_enable(hart)
    jump(hart, ux(hart.mepc))


@define
def popped(status: u64) -> u64:
    """sstatus or vsstatus after a return: SIE becomes SPIE, SPIE becomes 1, SPP becomes U,
    SPELP and SDT 0."""
    new = status & ~(Status.SIE | Status.SPP | Status.SPELP | Status.SDT) | Status.SPIE
    return new | Status.SIE if status & Status.SPIE != 0 else new


@define
def previous_mode(status: u64) -> u64:
    """The mode that SPP holds."""
    return u64(SUPERVISOR) if status & Status.SPP != 0 else u64(USER)


@define
def return_from_supervisor(hart):
    """Return to the mode in SPP and, with H, to the V in hstatus.SPV ("Trap Return")."""
    old = hart.mstatus
    if hart.priv == SUPERVISOR and old & Status.TSR != 0:
        illegal(hart)
    new = popped(old) & ~Status.MPRV
    hart.mstatus = new & ~u64(Status.MDT) if hart.priv == MACHINE else new
    virt = u64(hart.hstatus & HStatus.SPV != 0)
    if virt != 0 and old & Status.SPP == 0:
        hart.vsstatus &= ~u64(Status.SDT)
    hart.hstatus &= ~HStatus.SPV
    enter_privilege(hart, previous_mode(old), virt)
    if old & Status.SPELP != 0:
        restore_expectation(hart)


@define
def return_in_guest(hart):
    """Return to the mode in vsstatus.SPP; V stays 1."""
    if hart.hstatus & HStatus.VTSR != 0:
        virtual_instruction(hart)
    old = hart.vsstatus
    hart.vsstatus = popped(old)
    enter_privilege(hart, previous_mode(old), u64(1))
    if old & Status.SPELP != 0:
        restore_expectation(hart)


@S.instruction("0001000 00010 00000 000 00000 1110011", "sret")
def sret(hart):
    """Return from a trap to S mode; illegal in S mode while mstatus.TSR is set.

    With V=1 it returns from a trap to VS mode; hstatus.VTSR makes that a virtual instruction.
    """
    require_privilege(hart, u64(SUPERVISOR))
    if hart.virt != 0:
        return_in_guest(hart)
        jump(hart, ux(hart.vsepc))
    else:
        return_from_supervisor(hart)
        jump(hart, ux(hart.sepc))


@Sm.instruction("0001000 00101 00000 000 00000 1110011", "wfi")
def wfi(hart):
    """Stall until an interrupt ("Wait for Interrupt").

    Below M mode it is illegal while mstatus.TW is set, and in U mode on a hart with S mode: the
    time limit that the manual allows is zero here ("Virtualization Support in mstatus"). In VU
    mode, and in VS mode while hstatus.VTW is set, it is a virtual instruction.
    """
    if hart.priv != MACHINE:
        if hart.mstatus & Status.TW != 0:
            illegal(hart)
        if hart.virt != 0 and (hart.priv == USER or hart.hstatus & HStatus.VTW != 0):
            virtual_instruction(hart)
        if hart.priv == USER and hart.has_s != 0:
            illegal(hart)
    wait_for_interrupt(hart)
