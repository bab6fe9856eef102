"""Resumable non-maskable interrupts, and traps that M mode can't take (Privileged, "Smrnmi ...",
"Double Trap Control in mstatus Register"). The CSRs and mnret are in isa/scalar/smrnmi.py.

Devices and Python drive hart.rnmi_lines. The cause of an RNMI is the number of its line.
"""

from rvplat.hart.debugging.world_switches import count_exit
from rvplat.hart.modes import enter_handler
from rvplat.hart.state import STOP_BREAK, HartState
from rvplat.hart.trap_values import reported
from rvplat.hart.triggers import count_event
from rvplat.isa.privileged import INTERRUPT, MACHINE, NmiStatus
from rvplat.isa.trigger_values import Armed
from rvplat.lang import ctz, define, u64

RESUMABLE = 1 << 62  # of hart.trap_cause, beside INTERRUPT: a resumable non-maskable interrupt
COUNTED_AS = 64  # in hart.traps_taken: interrupt 0, which is none
AT_MTVEC = 1  # an address of a handler: where mtvec's BASE says

HartState.saved("rnmi_lines", u64)  # the RNMIs that devices drive, by cause
HartState.saved("rnmi_once", u64)  # RNMIs that are taken once
HartState.outside("rnmi_handler", u64)  # address of the handler of RNMIs, or AT_MTVEC
HartState.outside("rnmi_exceptions", u64)  # of exceptions in M mode while NMIE is clear


@define
def pending_rnmi(hart) -> u64:
    """The cause of the RNMI that is pending, for hart.trap_cause. The lowest number goes first."""
    return u64(INTERRUPT | RESUMABLE) | ctz(hart.rnmi_lines | hart.rnmi_once)


@define(cold=True)
def rnmi_vector(hart, address: u64) -> u64:
    """The address of a handler ("RNMI Handler Addresses")."""
    return hart.mtvec & ~3 if address == AT_MTVEC else address


@define(cold=True)
def enter_rnmi_handler(hart, cause: u64, priv: u64, virt: u64):
    """mnepc, mncause and mnstatus take what is interrupted; all interrupts are masked ("RNMI
    Operation")."""
    status = priv << NmiStatus.MNPP_SHIFT
    if virt != 0:
        status |= NmiStatus.MNPV
    if hart.elp != 0:
        status |= NmiStatus.MNPELP
        hart.elp = 0
    hart.rnmi_status = status
    hart.rnmi_masked = 1
    hart.rnmi_epc = hart.pc
    hart.rnmi_cause = cause
    hart.pc = rnmi_vector(hart, hart.rnmi_handler)
    enter_handler(hart, u64(MACHINE), u64(0))


@define(cold=True)
def take_rnmi(hart, cause: u64):
    """Enter the handler of a pending RNMI, in any mode. It changes no CSR of other traps."""
    code = cause & 63
    hart.traps_taken[COUNTED_AS] += 1
    if hart.trigger_kinds & Armed.COUNT != 0:
        count_event(hart)
    if hart.virt != 0:
        count_exit(hart, u64(INTERRUPT))
    hart.rnmi_once &= ~(u64(1) << code)
    enter_rnmi_handler(hart, reported(u64(INTERRUPT) | code), u64(hart.priv), u64(hart.virt))


@define(cold=True)
def enter_unexpected(hart, cause: u64):
    """A trap that M mode can't take: the RNMI handler handles it, or the hart is in a critical
    error."""
    if hart.has_smrnmi != 0 and hart.rnmi_masked == 0:
        enter_rnmi_handler(hart, reported(cause), u64(MACHINE), u64(0))
    else:
        enter_critical_error(hart)


@define(cold=True)
def enter_critical_error(hart):
    """No state changes, and nothing interrupts the hart. The run stops and says so
    (machine/inspection/critical_errors.py)."""
    hart.critical = 1
    hart.stop = STOP_BREAK
    hart.resync = 1
