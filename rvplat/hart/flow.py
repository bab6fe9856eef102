"""Control flow in cold code and in the reference: hart.next_pc is the next instruction's address.

Fast handlers continue without next_pc (engine/fast.py), with the same effect.
"""

from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.vocabulary import raise_trap
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import Cause
from rvplat.lang import implement, u64


@implement(vocabulary.jump)
def jump(hart, target: ux):
    """Go to a target. Its bit 0 is clear."""
    hart.next_pc = u64(target)


@implement(vocabulary.branch)
def branch(hart, offset: ux):
    """Go to a target that is relative to this instruction."""
    hart.next_pc = u64(ux(hart.pc) + offset)


@implement(vocabulary.check_target)
def check_target(hart, target: u64):
    """With IALIGN=32 bit 1 must be clear; bit 0 never gets here (unprivileged, 2.5)."""
    if target & hart.ialign_mask & 2 != 0:
        raise_trap(hart, u64(Cause.FETCH_MISALIGNED), target)
