"""Searches in time: native code leaves after the first instruction after which a condition holds.

The condition is bytecode (agent.py). It is evaluated after each instruction, which is executed
alone, as in single steps. Interrupts that are due after it have been taken: the state is that in
which a run of so many instructions ends. A condition that only reads memory is evaluated only after
instructions that wrote what it had read, or that changed the mode or the translation; the others
run as ever, in regions too. A condition that can't be evaluated doesn't hold.
"""

from rvplat.engine.agent import ERROR, TRUE, evaluate
from rvplat.engine.slots import header_at
from rvplat.hart.debugging.worlds import ANYWHERE, current_world
from rvplat.hart.searches import forget_kept
from rvplat.hart.state import SLOT_HEADER, SLOTS_SIZE, STOP_BREAK, STOP_LIMIT, STOP_NONE
from rvplat.lang import define, read_u16, read_u32, u64


@define
def enter_search(hart):
    """Native code is entered: whatever Python has changed, look after the next instruction."""
    hart.search_began = 0
    hart.search_due = 1


@define(cold=True)
def note_begin(hart):
    """The instruction at hart.pc is about to be executed."""
    hart.search_began = 1
    hart.search_interrupted = 0
    hart.search_pc = hart.pc
    hart.search_from = current_world(hart)
    hart.search_stepped = u64(hart.stepping != 0)


@define
def bits_at(host: u64) -> u64:
    """The instruction at a host address."""
    low = u64(read_u16(host))
    return low | u64(read_u16(host + 2)) << 16 if low & 3 == 3 else low


@define
def find_instruction(hart):
    """Find pc and bits of the last instruction. Unless it was executed alone, the run loop was
    entered right after it, from its slot."""
    slot = hart.last_slot
    if slot == 0:
        hart.search_bits = 0
        return
    in_scratch = slot - hart.scratch_slots < SLOTS_SIZE
    if hart.search_stepped == 0:
        hart.search_pc = hart.pc_bias + (slot >> 3)
    if hart.search_stepped != 0 or in_scratch:
        hart.search_bits = hart.scratch_bits - 1
        return
    offset = hart.search_pc & 0xFFE
    hart.search_bits = bits_at(header_at(slot - (offset << 3) - SLOT_HEADER).host + offset)


@define
def is_true(hart) -> bool:
    """Whether the condition holds now. No interrupt is taken because it reads the time."""
    hart.search_looks += 1
    held = hart.interrupts_held
    hart.interrupts_held = 1
    code = hart.search_code
    result = evaluate(hart, code + 4, u64(read_u32(code)))
    hart.interrupts_held = held
    if hart.machine.search_lines != 0:
        forget_kept(hart)
    if result == ERROR:
        hart.search_errors += 1
    return result == TRUE


@define
def is_due(hart) -> bool:
    """Whether the condition is to be evaluated now."""
    if hart.stop >= STOP_BREAK or hart.search_began | hart.search_interrupted == 0:
        return False  # no instruction has ended, or a debugger stops before one
    asked = hart.search_steps | hart.search_due | hart.search_changed | hart.search_interrupted
    if hart.search_began != 0:
        hart.search_due = 0
    hart.search_began = 0
    hart.search_changed = 0
    return asked != 0


@define(cold=True)
def look(hart):
    """An instruction has ended. Let native code leave if the condition holds."""
    if not is_due(hart):
        return
    if hart.search_world != ANYWHERE and hart.search_world != current_world(hart):
        return
    if is_true(hart):
        find_instruction(hart)
        hart.search_found = 1
        if hart.stop == STOP_NONE:
            hart.stop = STOP_LIMIT
