"""Calls of the host by an ebreak (semihosting)."""

from rvplat.hart.state import HartState, MachineState
from rvplat.isa.fp_state import call_out
from rvplat.lang import define, u8, u64

NO_CALL, CALL_DONE, CALL_AGAIN = 0, 1, 2  # of host_call_fn: what an ebreak was
MachineState.add("host_call_fn", u64)  # host function (hart): serve the call that its ebreak may be
HartState.outside("calls_from", u8)  # modes whose ebreaks may be calls: privilege, +4 in guests


@define(cold=True)
def is_call_served(hart) -> bool:
    """Whether an ebreak is a call of the host (semihosting). It is served, or the hart makes it
    again because it waits for input: then others have their turns. It is not retired."""
    mode = u64(hart.priv) | u64(hart.virt) << 2
    if u64(hart.calls_from) >> mode & 1 == 0:
        return False
    found = call_out(hart, hart.machine.host_call_fn, u64(0), u64(0), u64(0))
    if found == NO_CALL:
        return False
    hart.budget -= 1
    hart.instret_base -= 1
    if found == CALL_DONE:
        hart.pc += 4
    elif hart.machine.shared != 0:
        hart.yields = 1
    hart.resync = 1
    return True
