"""Accesses to shadow stacks (Privileged, "Shadow Stack Memory Protection").

Faults are those of stores, of loads too. An entry of the TLB for a shadow-stack page has a write
tag with the bit SHADOW_TAG, which no other store matches, so that its accesses are as fast as
others. It is there only if D is set and nothing in the page is watched.
"""

from rvplat.hart.acceleration.invalidate import expect_late_store, note_store
from rvplat.hart.acceleration.tlb import SHADOW_TAG
from rvplat.hart.debugging.watchpoints import READS, WRITES, watch_access
from rvplat.hart.device_ram import tell_device, tell_device_afterwards
from rvplat.hart.memory_faults import raise_fault, raise_misaligned
from rvplat.hart.mmu import ACCESS_FAULT
from rvplat.hart.page_tables import POP, PUSH, STORE
from rvplat.hart.ram import read_host, region_of, write_host
from rvplat.hart.state import DATA_ENTRIES
from rvplat.hart.translate import ram_place
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import (
    define,
    implement,
    relaxed_load_u32,
    relaxed_load_u64,
    relaxed_store_u32,
    relaxed_store_u64,
    u32,
    u64,
)

INDEX_MASK = DATA_ENTRIES - 1


@define
def is_cached(hart, va: u64, size: u64) -> bool:
    """Whether the TLB serves an aligned access to a shadow stack."""
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    return entry.write_tag == va & (PAGE_MASK | (size - 1)) | SHADOW_TAG


@define
def entry_bytes() -> u64:
    """The size of an entry of a shadow stack."""
    return u64(ux.bits // 8)


@define(cold=True)
def push_slow(hart, va: u64, value: u64):
    """A push that the TLB didn't serve. A misaligned ssp is an access fault."""
    size = entry_bytes()
    if va & (size - 1) != 0:
        raise_fault(hart, va, u64(PUSH), u64(ACCESS_FAULT))
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(WRITES))
    found = ram_place(hart, va, size, u64(PUSH), va)
    write_host(found.host, size, value)
    note_store(hart, found.pa, size)
    tell_device(hart, region_of(hart, found.pa), found.pa, size)


@define(cold=True)
def pop_slow(hart, va: u64) -> u64:
    """A pop that the TLB didn't serve."""
    size = entry_bytes()
    if va & (size - 1) != 0:
        raise_fault(hart, va, u64(POP), u64(ACCESS_FAULT))
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(READS))
    return read_host(ram_place(hart, va, size, u64(POP), va).host, size)


@define(cold=True)
def swap_slow(hart, va: u64, size: u64) -> u64:
    """The host address for a swap that the TLB didn't serve."""
    if va & (size - 1) != 0:
        raise_misaligned(hart, va, u64(STORE))
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(READS | WRITES))
    found = ram_place(hart, va, size, u64(PUSH), va)
    expect_late_store(hart, found.pa, size)
    tell_device_afterwards(hart, region_of(hart, found.pa), found.pa, size)
    return found.host


@implement(vocabulary.push_shadow_stack)
def push_shadow_stack(hart, va: u64, value: u64):
    if not is_cached(hart, va, entry_bytes()):
        push_slow(hart, va, value)
    elif ux.bits == 64:
        relaxed_store_u64(va + hart.tlb[va >> 12 & INDEX_MASK].addend, value)
    else:
        relaxed_store_u32(va + hart.tlb[va >> 12 & INDEX_MASK].addend, u32(value))


@implement(vocabulary.pop_shadow_stack)
def pop_shadow_stack(hart, va: u64) -> u64:
    if not is_cached(hart, va, entry_bytes()):
        return pop_slow(hart, va)
    if ux.bits == 64:
        return relaxed_load_u64(va + hart.tlb[va >> 12 & INDEX_MASK].addend)
    return u64(relaxed_load_u32(va + hart.tlb[va >> 12 & INDEX_MASK].addend))


@implement(vocabulary.shadow_stack_address)
def shadow_stack_address(hart, va: u64, size: u64) -> u64:
    if is_cached(hart, va, size):
        return va + hart.tlb[va >> 12 & INDEX_MASK].addend
    return swap_slow(hart, va, size)
