"""What a search in time has in the records of native code (engine/searching.py): the condition, and
the last instruction.

A condition that only reads memory is evaluated after writes of the lines (64 bytes) that it read.
They are noticed as writes of code are: the lines' bits are set as though they had been decoded
(acceleration/invalidate.py). So all ways to write RAM count.
"""

from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.state import HartState, MachineState
from rvplat.lang import define, u64

MachineState.add("search_lines", u64)  # 1: writes of what the condition reads are noticed
HartState.outside("search_code", u64)  # host address: u32 length, bytecode; 0: no search
HartState.outside("search_world", u64)  # where it counts (debugging/worlds.py)
HartState.outside("search_steps", u64)  # 1: it is evaluated after each instruction
HartState.outside("search_due", u64)  # 1: it is evaluated after the next instruction
HartState.outside("search_began", u64)  # 1: an instruction has begun since the last evaluation
HartState.outside("search_changed", u64)  # 1: the mode or the translation may have changed since
HartState.outside("search_interrupted", u64)  # 1: an interrupt was taken since
HartState.outside("search_stepped", u64)  # 1: one instruction alone has begun
HartState.outside("search_found", u64)  # 1: the condition holds
HartState.outside("search_looks", u64)  # evaluations
HartState.outside("search_errors", u64)  # those that failed
HartState.outside("search_pc", u64)  # of the last instruction
HartState.outside("search_bits", u64)  # the last instruction; 0: its fetch trapped
HartState.outside("search_from", u64)  # the world in which it began
HartState.outside("last_slot", u64)  # of the instruction after which the run loop was entered, or 0


@define
def forget_kept(hart):
    """Pages have lost their write tags: regions must not keep them (acceleration/kept_pages.py)."""
    for i in range(hart.machine.hart_count):
        hart_at(hart.machine.harts[i]).kept_stale = 1


@define(cold=True)
def tell_searches(hart):
    """What a condition has read may have been written. All harts are in one thread."""
    for i in range(hart.machine.hart_count):
        other = hart_at(hart.machine.harts[i])
        other.search_due = 1
        other.resync = 1
