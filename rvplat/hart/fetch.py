"""Instruction fetch: translation of pcs, and instructions from memory.

An instruction is fetched in halfwords, since it may cross into another page. A fault of its second
half reports that half's address ("Machine Trap Value Register"). I/O regions can't be fetched from.
"""

from rvplat.hart.acceleration.tlb import BLOCK_SHIFT, large_bits
from rvplat.hart.memory_faults import raise_fault
from rvplat.hart.mmu import ACCESS_FAULT, NO_FAULT, walk
from rvplat.hart.page_tables import FETCH, address_in
from rvplat.hart.pmp import pmp_grant
from rvplat.hart.ram import NO_REGION, ram_host, region_of
from rvplat.hart.state import FETCH_ENTRIES
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.lang import define, relaxed_load_u16, u16, u32, u64

NO_PAGE = 0xFFFF_FFFF_FFFF_FFFF


@define(cold=True)
def fetch_address(hart, va: u64) -> tuple[u64, u64]:
    """(physical address, what PMP grants for the whole page), or an instruction fault."""
    hart.tlb_misses[2] += 1
    found = walk(hart, va, u64(FETCH), hart.fetches.regime)
    if found.fault != NO_FAULT:
        raise_fault(hart, va, u64(FETCH), found.fault)
    pa = address_in(found.page, va)
    whole = pmp_grant(hart, found.page & PAGE_MASK, u64(PAGE_BYTES), hart.fetches.regime)
    allowed = whole
    if whole == 0:
        allowed = pmp_grant(hart, pa, u64(2), hart.fetches.regime)
    if allowed & FETCH == 0 or region_of(hart, pa) == NO_REGION:
        raise_fault(hart, va, u64(FETCH), u64(ACCESS_FAULT))
    ctx = hart.fetch_ctx[hart.fetches.context]
    ctx.large |= large_bits(va, found.page & BLOCK_SHIFT)
    return pa, whole


@define(cold=True)
def translate_fetch(hart, pc: u64) -> u64:
    """The physical address of pc, in RAM; raises what a fetch raises.

    NO_PAGE where PMP divides the page: then nothing may be cached, and every instruction goes
    through `fetch_instruction`. Otherwise the caller may call `fetch_fill` (acceleration/tlb.py).
    """
    pa, whole = fetch_address(hart, pc)
    return pa if whole != 0 else u64(NO_PAGE)


@define
def fetch_halfword(hart, va: u64) -> u16:
    """Sixteen bits of an instruction."""
    entry = hart.fetch[va >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag == va & PAGE_MASK:
        return relaxed_load_u16(entry.host + (va & OFFSET_MASK))
    pa, _whole = fetch_address(hart, va)
    return relaxed_load_u16(ram_host(hart, pa))


@define(cold=True)
def peek_halfword(hart, va: u64) -> tuple[u64, bool]:
    """Sixteen bits of an instruction that was fetched before, and whether they are still there."""
    entry = hart.fetch[va >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag == va & PAGE_MASK:
        return u64(relaxed_load_u16(entry.host + (va & OFFSET_MASK))), True
    found = walk(hart, va, u64(FETCH), hart.fetches.regime)
    host = ram_host(hart, address_in(found.page, va))
    if found.fault != NO_FAULT or host == 0:
        return u64(0), False
    return u64(relaxed_load_u16(host)), True


@define(cold=True)
def fetch_instruction(hart, pc: u64) -> u32:
    """The instruction at an address: 16 bits, zero-extended, or 32."""
    low = u32(fetch_halfword(hart, pc))
    if low & 3 != 3:
        return low
    return low | u32(fetch_halfword(hart, u64(ux(pc + 2)))) << 16
