"""Slots and their headers by host address."""

from rvplat.hart.state import Slot, SlotHeader
from rvplat.lang import intrinsic, u64


@intrinsic("{result} = inttoptr i64 {0} to ptr")
def slot_at(address: u64) -> Slot:
    """The slot at a host address."""
    return Slot.view(int(address))


@intrinsic("{result} = inttoptr i64 {0} to ptr")
def header_at(address: u64) -> SlotHeader:
    """The header of a page of slots at a host address."""
    return SlotHeader.view(int(address))
