"""Accesses that cross a page (Unprivileged, "Zicclsm"). Both pages are checked before any byte is
written. Both must be RAM, else it is an access fault: a device would receive an access that the
program didn't make. xtval is the address of the part that faults ("Machine Trap Value Register").
"""

from rvplat.hart.acceleration.invalidate import note_store
from rvplat.hart.device_ram import tell_device
from rvplat.hart.page_tables import LOAD, STORE
from rvplat.hart.ram import region_of
from rvplat.hart.translate import RamPlace, ram_place
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES
from rvplat.lang import define, relaxed_load_u8, relaxed_store_u8, u8, u64


@define(cold=True)
def second_part(hart, va: u64, here: u64, size: u64, access: u64) -> RamPlace:
    """The place of the part in the next page. A fault there has an offset from the access's own
    address (see tinst.py)."""
    hart.access_offset = here
    found = ram_place(hart, va + here, size - here, access, va + here)
    hart.access_offset = 0
    return found


@define(cold=True)
def load_across(hart, va: u64, size: u64) -> u64:
    """Load bytes from two pages."""
    here = PAGE_BYTES - (va & OFFSET_MASK)
    low = ram_place(hart, va, here, u64(LOAD), va)
    high = second_part(hart, va, here, size, u64(LOAD))
    value = u64(0)
    for i in range(size):
        at = low.host + i if u64(i) < here else high.host + i - here
        value |= u64(relaxed_load_u8(at)) << (8 * i)
    return value


@define(cold=True)
def store_across(hart, va: u64, size: u64, value: u64):
    """Store bytes to two pages."""
    here = PAGE_BYTES - (va & OFFSET_MASK)
    low = ram_place(hart, va, here, u64(STORE), va)
    high = second_part(hart, va, here, size, u64(STORE))
    for i in range(size):
        byte = u8(value >> (8 * i))
        if u64(i) < here:
            relaxed_store_u8(low.host + i, byte)
        else:
            relaxed_store_u8(high.host + i - here, byte)
    note_store(hart, low.pa, here)
    note_store(hart, high.pa, size - here)
    tell_device(hart, region_of(hart, low.pa), low.pa, here)
    tell_device(hart, region_of(hart, high.pa), high.pa, size - here)
