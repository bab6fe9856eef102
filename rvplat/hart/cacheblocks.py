"""Cache-block operations (Unprivileged, "CMO"). There are no caches to manage; permissions count.

xtval is the value of rs1, not the block's address ("Page-Fault, Guest-Page-Fault, and Access-Fault
Exceptions").
"""

from rvplat.hart.acceleration.invalidate import note_store
from rvplat.hart.debugging.watchpoints import WRITES, watch_access
from rvplat.hart.device_ram import tell_device
from rvplat.hart.memory_faults import raise_fault
from rvplat.hart.mmu import ACCESS_FAULT
from rvplat.hart.page_tables import MANAGE, STORE
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import DATA_ENTRIES
from rvplat.hart.translate import ram_place, translate
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import define, fill_memory, implement, u8, u64

BLOCK_BYTES = 64  # "Zic64b"


@define(cold=True)
def zero_slow(hart, va: u64):
    """A block that the TLB didn't serve; I/O regions don't support it."""
    block = va & ~(BLOCK_BYTES - 1)
    if hart.pages_watched != 0:
        watch_access(hart, block, u64(BLOCK_BYTES), u64(WRITES))
    found = ram_place(hart, block, u64(BLOCK_BYTES), u64(STORE), va)
    fill_memory(found.host, u8(0), u64(BLOCK_BYTES))
    note_store(hart, found.pa, u64(BLOCK_BYTES))
    tell_device(hart, region_of(hart, found.pa), found.pa, u64(BLOCK_BYTES))


@implement(vocabulary.zero_block)
def zero_block(hart, va: u64):
    """Zero the 64 bytes around an address."""
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    if entry.write_tag == va & PAGE_MASK:
        fill_memory((va & ~(BLOCK_BYTES - 1)) + entry.addend, u8(0), u64(BLOCK_BYTES))
    else:
        zero_slow(hart, va)


@implement(vocabulary.cache_block_check, cold=True)
def cache_block_check(hart, va: u64):
    """A block can be managed where a load or a store is permitted; faults are those of stores.

    There must be RAM: elsewhere, on devices too, the access faults.
    """
    block = va & ~(BLOCK_BYTES - 1)
    pa = translate(hart, block, u64(BLOCK_BYTES), u64(MANAGE), va)
    if region_of(hart, pa) == NO_REGION:
        raise_fault(hart, va, u64(MANAGE), u64(ACCESS_FAULT))
