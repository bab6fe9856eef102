"""Memory that the condition of a search reads (searching.py).

It is read by a walk of the page tables, whatever the TLB holds, so that the result is the same in
every run of the same instructions.
"""

from rvplat.hart.acceleration.code_lines import code_word, line_bits
from rvplat.hart.acceleration.invalidate import mark_lines
from rvplat.hart.mmu import debug_translate
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES
from rvplat.lang import define, read_u8, u64


@define
def page_part(va: u64, size: u64) -> u64:
    """How many of `size` bytes lie in the page of an address."""
    left = PAGE_BYTES - (va & OFFSET_MASK)
    return size if size < left else left


@define
def read_part(hart, pa: u64, size: u64) -> u64:
    """Bytes in one page, zero-extended. Their lines' writes are noticed from now on."""
    region = region_of(hart, pa)
    if region == NO_REGION:
        hart.agent_error = 1
        return u64(0)
    ram = hart.machine.ram[region]
    if hart.machine.search_lines != 0:
        mark_lines(hart, code_word(hart, region, pa), pa, line_bits(pa, size))
    host = ram.host + (pa - ram.base)
    value = u64(0)
    for i in range(size):
        value |= u64(read_u8(host + i)) << (8 * i)
    return value


@define(cold=True)
def searched_load(hart, va: u64, size: u64) -> u64:
    """1, 2, 4 or 8 bytes at a virtual address of the hart's world. Devices aren't accessed."""
    value = u64(0)
    done = u64(0)
    while done < size and hart.agent_error == 0:
        part = page_part(va + done, size - done)
        found = debug_translate(hart, va + done)
        if not found.mapped:
            hart.agent_error = 1
            return u64(0)
        value |= read_part(hart, found.pa, part) << (8 * done)
        done += part
    return value
