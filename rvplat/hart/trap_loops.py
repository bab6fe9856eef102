"""Traps that a trap handler itself raises, counted so that users learn of a handler that never gets
anywhere (machine/inspection/trap_loops.py). Nothing here changes what the guest sees.
"""

from rvplat.hart.state import HartState
from rvplat.isa.machinery.vocabulary import retired
from rvplat.lang import define, u8, u64

HartState.saved("nested_traps", u64)  # identical ones in a row: same cause and pc
HartState.saved("nested_at", u64)  # what `retired` was at the last one
HartState.saved("nested_mode", u8)  # whose handler raised it: as `handler_of` says (trap.py)
HartState.saved("nested_pc", u64)  # of the trap before the first of them
HartState.saved("nested_cause", u64)
HartState.saved("nested_tval", u64)


@define(cold=True)
def note_nested(hart, cause: u64, mode: u64, epc: u64, last_cause: u64, last_tval: u64):
    """Count an exception that goes to the mode in which it was raised. The last three arguments are
    the mode's CSRs, which describe the last trap. If that was the same one, no software has changed
    xepc since: the handler has probably raised it, and will raise it again."""
    if epc == hart.pc and last_cause == cause:
        hart.nested_traps += 1
    else:
        hart.nested_traps = 0
        hart.nested_pc = epc
        hart.nested_cause = last_cause
        hart.nested_tval = last_tval
    hart.nested_mode = u8(mode)
    hart.nested_at = retired(hart)
