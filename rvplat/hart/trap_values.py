"""What a trap puts into xcause and pc."""

from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import INTERRUPT
from rvplat.lang import define, u64


@define
def vector_of(base: u64, cause: u64) -> u64:
    """Where xtvec sends a trap: MODE 1 gives each interrupt four bytes ("... Trap-Vector ...")."""
    target = base & ~3
    if base & 1 != 0 and cause & INTERRUPT != 0:
        return target + (cause << 2)
    return target


@define
def reported(cause: u64) -> u64:
    """A cause as xcause holds it: the Interrupt bit is bit XLEN-1."""
    if ux.bits == 64:
        return cause
    return cause & (INTERRUPT - 1) | (cause & INTERRUPT) >> 32
