"""What is said of a hart in the critical-error state (Privileged, "Double Trap Control in mstatus
Register"): it has taken a trap that M mode can't take, and changed no state.
"""

from __future__ import annotations

from collections.abc import Mapping

from rvplat.errors import LoaderError
from rvplat.isa.privileged import Status
from rvplat.machine.inspection.hart_report import near
from rvplat.machine.inspection.trap_names import cause_name
from rvplat.machine.loading.symbol_files import symbols_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System


def critical_stop(machine: System, hart: Hart) -> Stop:
    """The stop of a hart that is in the state. Other harts may run."""
    try:
        symbols: Mapping[str, int] = symbols_of(machine.software, None)
    except LoaderError:  # the file was readable when the machine was built
        symbols = {}
    plain = hart.plain
    cause, pc = int(plain.trap_cause), int(plain.pc)
    detail = (
        f"hart {hart.number} is in a critical error: {cause_name(cause)} at {pc:#x}"
        f"{near(symbols, pc)}, with {int(plain.trap_tval):#x} for mtval, {_why(plain, symbols)}"
    )
    return Stop("critical", hart=hart.number, address=pc, detail=detail)


def _why(plain: object, symbols: Mapping[str, int]) -> str:
    """Why M mode could not take the trap."""
    status, epc, cause = (int(getattr(plain, name)) for name in ("mstatus", "mepc", "mcause"))
    if not status & Status.MDT:
        return "while mnstatus.NMIE is clear"
    if epc == cause == 0:  # the CSRs are as after a reset
        return "while mstatus.MDT is set, as after a reset"
    return f"while M mode handled {cause_name(cause)} at {epc:#x}{near(symbols, epc)} (mstatus.MDT)"
