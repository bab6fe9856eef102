"""Fences: forget the translations that they name, in the contexts of the named address spaces.

A context holds combined translations where V=1, so each entry has its guest page beside it
(`guest_pages`): hfence.gvma of an address forgets only the entries of the G-stage mapping around
it ("Hypervisor Memory-Management Fence Instructions").
"""

from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.tlb import (
    BLOCK_SHIFT,
    NO_TAG,
    REGIME_VIRT,
    FixedBool,
    clear,
    context,
    context_count,
    drop,
    filled_at,
    filled_count,
)
from rvplat.hart.debugging.world_switches import vmid_of
from rvplat.hart.state import DATA_ENTRIES, FETCH_ENTRIES
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import VMID
from rvplat.lang import define, implement, u64


@define
def is_named(root: u64, asid: u64, has_asid: bool) -> bool:
    """Whether a context translates, for this ASID."""
    return root != 0 and (not has_asid or (root >> 44 ^ asid) & 0xFFFF == 0)


@define
def is_world(regime: u64, guest: u64, virt: u64, hgatp: u64) -> bool:
    """Whether a context is of this V, and of hgatp's VMID."""
    return regime & REGIME_VIRT == virt and (virt == 0 or vmid_of(guest) == vmid_of(hgatp))


@define
def forget_in(hart, virt: u64, va: u64, asid: u64, has_va: bool, has_asid: bool, fetch: FixedBool):
    """`forget` in the contexts for fetches, or for data."""
    for i in range(context_count(fetch)):
        ctx = context(hart, i, fetch)
        if is_named(ctx.root, asid, has_asid) and is_world(ctx.regime, ctx.guest, virt, hart.hgatp):
            if has_va:
                drop(hart, i, va, fetch)
            else:
                clear(hart, i, fetch)


@define
def forget(hart, virt: u64, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """Forget translations of the host's page tables, or of the first stage of hgatp's guest.

    Global mappings of a named address space are forgotten too: a fence may forget more than named.
    """
    forget_in(hart, virt, va, asid, has_va, has_asid, False)
    forget_in(hart, virt, va, asid, has_va, has_asid, True)
    hart.resync = 1


@implement(vocabulary.flush_translations, cold=True)
def flush_translations(hart, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """What sfence.vma forgets ("Supervisor Memory-Management Fence Instruction", "Memory-Management
    Fences")."""
    forget(hart, u64(REGIME_VIRT) if hart.virt != 0 else u64(0), va, asid, has_va, has_asid)


@implement(vocabulary.flush_guest_virtual, cold=True)
def flush_guest_virtual(hart, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """What hfence.vvma forgets."""
    hart.virtual_fences += 1
    forget(hart, u64(REGIME_VIRT), va, asid, has_va, has_asid)


@define
def is_of_guest(regime: u64, guest: u64, vmid: u64, has_vmid: bool) -> bool:
    """Whether a context is a guest's, of this VMID."""
    return regime & REGIME_VIRT != 0 and (not has_vmid or (vmid_of(guest) ^ vmid) & VMID == 0)


@define
def is_mapped(page: u64, gpa: u64) -> bool:
    """Whether the G-stage mapping of an entry's guest page maps an address."""
    return (page ^ gpa) >> (page & BLOCK_SHIFT) == 0


@define
def drop_guest_data(hart, n: u64, gpa: u64):
    """Forget the entries of a context whose G-stage mapping maps an address."""
    ctx = hart.ctx[n]
    for i in range(filled_count(ctx, u64(DATA_ENTRIES))):
        at = filled_at(ctx, u64(i))
        if is_mapped(ctx.guest_pages[at], gpa):
            ctx.entries[at].read_tag = NO_TAG
            ctx.entries[at].write_tag = NO_TAG


@define
def drop_guest_fetch(hart, n: u64, gpa: u64):
    """The same for fetches."""
    ctx = hart.fetch_ctx[n]
    for i in range(filled_count(ctx, u64(FETCH_ENTRIES))):
        at = filled_at(ctx, u64(i))
        if is_mapped(ctx.guest_pages[at], gpa):
            ctx.entries[at].tag = NO_TAG


@define
def forget_guest(hart, gpa: u64, vmid: u64, has_gpa: bool, has_vmid: bool, fetch: FixedBool):
    """`flush_guest_physical` in the contexts for fetches, or for data."""
    for i in range(context_count(fetch)):
        ctx = context(hart, i, fetch)
        if is_of_guest(ctx.regime, ctx.guest, vmid, has_vmid):
            if not has_gpa:
                clear(hart, i, fetch)
            elif fetch:
                drop_guest_fetch(hart, i, gpa)
            else:
                drop_guest_data(hart, i, gpa)


@implement(vocabulary.flush_guest_physical, cold=True)
def flush_guest_physical(hart, gpa: u64, vmid: u64, has_gpa: bool, has_vmid: bool):
    """What hfence.gvma forgets."""
    hart.guest_fences += 1
    forget_tables(hart)
    forget_guest(hart, gpa, vmid, has_gpa, has_vmid, False)
    forget_guest(hart, gpa, vmid, has_gpa, has_vmid, True)
    hart.resync = 1
