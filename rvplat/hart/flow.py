"""Control flow as cold code and the reference see it: hart.next_pc is where the hart goes on.

Fast handlers go on by themselves (engine/fast.py); they mean the same.
"""

from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.vocabulary import raise_trap
from rvplat.isa.privileged import Cause
from rvplat.lang import implement, u64


@implement(vocabulary.jump)
def jump(hart, target: u64):
    """Bit 0 of a target is clear already, or cleared by the instruction."""
    hart.next_pc = target


@implement(vocabulary.branch)
def branch(hart, offset: u64):
    """From this instruction's address."""
    hart.next_pc = hart.pc + offset


@implement(vocabulary.check_target)
def check_target(hart, target: u64):
    """With IALIGN=32 bit 1 must be clear; bit 0 never gets here (unprivileged, 2.5)."""
    if target & hart.ialign_mask & 2 != 0:
        raise_trap(hart, u64(Cause.FETCH_MISALIGNED), target)
