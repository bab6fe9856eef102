"""Doublewords in pairs of registers of RV32: an even register holds the low half, the next one the
high half. As a pair x0 stands for two zeros, and what is written to it is lost.
"""

from rvplat.isa.machinery.extension import rd_is_zero
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import define, u64


@define
def joined(low: ux, high: ux) -> u64:
    """A doubleword from its halves."""
    return u64(low) | u64(high) << 32


@define
def source_pair(hart, register: u64) -> u64:
    """The doubleword that an instruction reads from a pair."""
    return joined(hart.x[register], hart.x[register + 1]) if register != 0 else u64(0)


@define
def old_pair(hart, rd: u64) -> u64:
    """The doubleword that an instruction reads from the pair of its destination."""
    return u64(0) if rd_is_zero(rd) else joined(hart.x[rd], hart.x[rd + 1])


@define
def put_pair(hart, rd: u64, value: u64):
    """Write a doubleword to the pair of a destination."""
    if not rd_is_zero(rd):
        hart.x[rd] = ux(value)
        hart.x[rd + 1] = ux(value >> 32)
