"""Worlds as native code tells them apart: the host (V=0), and guests by VMID."""

from rvplat.lang import define, u64

HOST = 0
ANYWHERE = 0xFFFF_FFFF_FFFF_FFFF  # in a breakpoint's row: every world
VMID_SHIFT = 44  # of hgatp
VMID_MASK = 0x3FFF


@define
def guest_world(hgatp: u64) -> u64:
    """The number of the guest that hgatp names: 1 more than its VMID."""
    return 1 + (hgatp >> VMID_SHIFT & VMID_MASK)


@define
def current_world(hart) -> u64:
    """The world that the hart is in. A fetch context's key holds the hgatp that made it."""
    if hart.virt == 0:
        return u64(HOST)
    return guest_world(hart.fetch_ctx[hart.fetch_context].guest)


@define
def current_asid(hart) -> u64:
    """The address space of the hart's fetches; 0 where there is no translation."""
    return hart.fetch_ctx[hart.fetch_context].root >> 44 & 0xFFFF
