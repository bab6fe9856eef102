"""Translation of explicit accesses: walk, protection, and the TLB entry that caches both."""

from rvplat.hart.acceleration.code_lines import code_word
from rvplat.hart.acceleration.invalidate import arm_tag, arm_writes
from rvplat.hart.acceleration.saved_pages import before_write
from rvplat.hart.acceleration.tlb import (
    BLOCK_SHIFT,
    DEVICE,
    HELD,
    HIDDEN,
    NO_TAG,
    REGIME_EXECUTE,
    SHADOW_TAG,
    WRITABLE,
    note_fill,
)
from rvplat.hart.debugging.watchpoints import READS, watched_kinds
from rvplat.hart.memory_faults import raise_fault
from rvplat.hart.mmu import ACCESS_FAULT, NO_FAULT, walk
from rvplat.hart.page_tables import LOAD, SHADOW, address_in, with_shadow
from rvplat.hart.pmp import EXECUTE, READ, WRITE, pmp_grant
from rvplat.hart.pointer_masking import effective_address
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import DATA_ENTRIES, PLAIN, ROM, HartState
from rvplat.isa.privileged import PAGE_BYTES, PAGE_MASK
from rvplat.lang import Struct, define, relaxed_load_u64, u64

HartState.saved("tlb_misses", u64, 3)  # translations: for loads, for stores, for fetches


@define
def fill(hart, va: u64, page: u64, grant: u64):
    """Fill the entry of a page in which PMP grants the same to every byte.

    Another hart may read the entry meanwhile, but only its page and its write tag.
    """
    pa = page & PAGE_MASK
    region = region_of(hart, pa)
    if grant & READ == 0:
        return
    if region == NO_REGION:
        fill_device(hart, va, page, grant)
        return
    watched = (
        watched_kinds(hart, effective_address(hart, va)) if hart.pages_watched != 0 else u64(0)
    )
    note_fill(hart, va, page & BLOCK_SHIFT)
    ram = hart.machine.ram[region]
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    entry.write_tag = NO_TAG
    entry.page = page
    entry.addend = ram.host + (pa - ram.base) - (va & PAGE_MASK)
    entry.read_tag = va & PAGE_MASK if watched & READS == 0 else va & PAGE_MASK | HIDDEN
    if grant & WRITE != 0 and ram.writable == PLAIN:
        entry.page = page | WRITABLE if watched == 0 else page | (WRITABLE | HELD)
        if watched == 0:
            arm_writes(hart, va, region, pa)
    elif grant & SHADOW != 0 and watched == 0 and ram.writable == PLAIN:
        before_write(hart, pa)
        arm_tag(hart, va & PAGE_MASK | SHADOW_TAG, region, pa)


@define
def arm_again(hart, va: u64, pa: u64):
    """Put the write tag of va's entry in place after its page was saved for an image."""
    if hart.machine.images.epoch != 0:
        entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
        writable = entry.read_tag == va & PAGE_MASK and entry.page & (WRITABLE | HELD) == WRITABLE
        region = region_of(hart, pa)
        if writable and relaxed_load_u64(code_word(hart, region, pa)) == 0:
            arm_writes(hart, va, region, pa)


@define(cold=True)
def fill_device(hart, va: u64, page: u64, grant: u64):
    """Fill the entry of a page without RAM. It only saves the walk: accesses go to devices."""
    note_fill(hart, va, page & BLOCK_SHIFT)
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    entry.write_tag = NO_TAG
    entry.page = page | WRITABLE if grant & WRITE != 0 else page
    entry.read_tag = va & PAGE_MASK | DEVICE


@define(cold=True)
def translate(hart, va: u64, size: u64, access: u64, tval: u64) -> u64:
    """The physical address for an access of `size` bytes in one page, checked and remembered; the
    page is saved if it will be written and an image needs it.

    Raises the access's faults with `tval`. Both addresses are as the instruction gave them.
    """
    hart.tlb_misses[u64(access != LOAD)] += 1
    found = walk(hart, effective_address(hart, va), access, hart.data.regime)
    if found.fault != NO_FAULT:
        raise_fault(hart, tval, access, found.fault)
    pa = address_in(found.page, va)
    whole = with_shadow(pmp_grant(hart, found.page & PAGE_MASK, u64(PAGE_BYTES), hart.data.regime))
    allowed = whole
    if whole == 0:  # nothing, or PMP divides the page
        allowed = with_shadow(pmp_grant(hart, pa, size, hart.data.regime))
    if allowed & access == 0 or (hart.data.regime & REGIME_EXECUTE != 0 and allowed & EXECUTE == 0):
        raise_fault(hart, tval, access, u64(ACCESS_FAULT))
    if access != LOAD:
        before_write(hart, pa)
    fill(hart, va, found.page, found.grant & whole)
    return pa


class RamPlace(Struct):
    """A place in RAM: its host address and its physical address."""

    host: u64
    pa: u64


@define
def ram_place(hart, va: u64, size: u64, access: u64, tval: u64) -> RamPlace:
    """The place of an access within a page that must be RAM: else an access fault. Writes need RAM
    that isn't ROM."""
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    allowed = access == LOAD or (access & SHADOW == 0 and entry.page & WRITABLE != 0)
    if entry.read_tag == va & PAGE_MASK and allowed:
        if access != LOAD:
            before_write(hart, address_in(entry.page, va))
        return RamPlace(va + entry.addend, address_in(entry.page, va))
    pa = translate(hart, va, size, access, tval)
    region = region_of(hart, pa)
    if region == NO_REGION:
        raise_fault(hart, tval, access, u64(ACCESS_FAULT))
    ram = hart.machine.ram[region]
    if access != LOAD and ram.writable == ROM:
        raise_fault(hart, tval, access, u64(ACCESS_FAULT))
    return RamPlace(ram.host + (pa - ram.base), pa)
