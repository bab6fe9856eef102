"""Statistics of world switches, for authors of hypervisors. A world is the host (V=0) or a guest,
identified by the VMID in hgatp. Switches are rare, so they are counted where they are made.
"""

from rvplat.hart.debugging.worlds import keep_world, note_switch
from rvplat.hart.state import HartState
from rvplat.isa.machinery.vocabulary import retired
from rvplat.isa.privileged import INTERRUPT, VMID, VMID_SHIFT
from rvplat.lang import define, u8, u64

GUESTS = 16  # whose tables are remembered
CODES = 64

HartState.saved("exits", u64, CODES)  # exits from guests, by exception code
HartState.saved("interrupt_exits", u64, CODES)  # exits from guests, by interrupt
HartState.saved("world_entries", u64)  # entries into guests
HartState.saved("virtual_fences", u64)  # fences of guests' first stages by the hypervisor
HartState.saved("guest_fences", u64)  # fences of second stages
HartState.saved("walks", u64, 3)  # walks: the host's tables, guests' first stage, the second stage
HartState.saved("world_retired", u64, 2)  # instructions, by V, up to the last switch
HartState.saved("world_since", u64)  # what `retired` was then

HartState.saved("guest_hgatp", u64, GUESTS)  # of guests that ran, one entry for each VMID
HartState.saved("guest_vsatp", u64, GUESTS)
HartState.saved("guest_retired", u64, GUESTS)  # instructions up to the last switch
HartState.saved("guest_last", u64)  # the entry of the guest that ran last
HartState.saved("guest_count", u64)  # how many entries were ever made

STATISTICS = (
    "exits", "interrupt_exits", "walks", "world_retired", "guest_hgatp", "guest_vsatp",
    "guest_retired", "world_entries", "virtual_fences", "guest_fences", "world_since",
    "guest_last", "guest_count",
)  # fmt: skip


@define
def vmid_of(hgatp: u64) -> u64:
    """The VMID field."""
    return hgatp >> VMID_SHIFT & VMID


@define
def find_guest(hart, vmid: u64) -> u64:
    """The entry of a VMID; a new one takes the place of the oldest."""
    known = hart.guest_count if hart.guest_count < GUESTS else u64(GUESTS)
    for i in range(known):
        if vmid_of(hart.guest_hgatp[i]) == vmid:
            return i
    fresh = hart.guest_count % GUESTS
    hart.guest_count += 1
    hart.guest_retired[fresh] = 0
    return fresh


@define
def remember_guest(hart):
    """Keep the roots of the guest that is left."""
    at = hart.guest_last
    if hart.guest_count == 0 or (hart.guest_hgatp[at] ^ hart.hgatp) >> VMID_SHIFT & VMID != 0:
        at = find_guest(hart, vmid_of(hart.hgatp))
        hart.guest_last = at
    hart.guest_hgatp[at] = hart.hgatp
    hart.guest_vsatp[at] = hart.vsatp


@define(cold=True)
def switch_world(hart, virt: u64):
    """V changes. Which FS and VS count changes with it (isa/fp_state.py, isa/vector/state.py)."""
    now = retired(hart)
    spent = now - hart.world_since
    hart.world_retired[hart.virt] += spent
    hart.world_since = now
    if virt != 0:
        hart.world_entries += 1
    else:
        remember_guest(hart)
        hart.guest_retired[hart.guest_last] += spent
    if hart.keep_worlds != 0:
        keep_world(hart, hart.guest_last)
    if hart.hook_switches != 0:
        note_switch(hart)
    hart.virt = u8(virt)
    hart.fp_ready = 0
    hart.v_ready = 0


@define
def count_exit(hart, cause: u64):
    """A guest is about to trap out of its world."""
    if cause & INTERRUPT != 0:
        hart.interrupt_exits[cause & (CODES - 1)] += 1
    else:
        hart.exits[cause & (CODES - 1)] += 1
