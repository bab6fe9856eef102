"""RAM as harts see it: regions of the physical address space that are host memory."""

from rvplat.hart.state import MAX_RAM_REGIONS
from rvplat.lang import (
    define,
    read_u16,
    read_u32,
    read_u64,
    relaxed_load_u8,
    relaxed_load_u16,
    relaxed_load_u32,
    relaxed_load_u64,
    relaxed_store_u8,
    relaxed_store_u16,
    relaxed_store_u32,
    relaxed_store_u64,
    u8,
    u16,
    u32,
    u64,
    write_u16,
    write_u32,
    write_u64,
)

NO_REGION = MAX_RAM_REGIONS


@define
def region_of(hart, pa: u64) -> u64:
    """The number of the RAM region that holds a physical address, or NO_REGION."""
    for i in range(hart.machine.ram_count):
        if pa - hart.machine.ram[i].base < hart.machine.ram[i].size:
            return i
    return u64(NO_REGION)


@define
def ram_host(hart, pa: u64) -> u64:
    """The host address of a physical address in RAM; 0 elsewhere."""
    n = region_of(hart, pa)
    if n == NO_REGION:
        return u64(0)
    return hart.machine.ram[n].host + (pa - hart.machine.ram[n].base)


@define
def read_unaligned(address: u64, size: u64) -> u64:
    """2, 4 or 8 bytes of host memory, zero-extended."""
    if size == 8:
        return read_u64(address)
    if size == 4:
        return u64(read_u32(address))
    return u64(read_u16(address))


@define
def read_host(address: u64, size: u64) -> u64:
    """1, 2, 4 or 8 bytes of host memory, zero-extended; in one access if they are aligned."""
    if address & (size - 1) != 0:
        return read_unaligned(address, size)
    if size == 8:
        return relaxed_load_u64(address)
    if size == 4:
        return u64(relaxed_load_u32(address))
    if size == 2:
        return u64(relaxed_load_u16(address))
    return u64(relaxed_load_u8(address))


@define
def write_unaligned(address: u64, size: u64, value: u64):
    """The low 2, 4 or 8 bytes of a value."""
    if size == 8:
        write_u64(address, value)
    elif size == 4:
        write_u32(address, u32(value))
    else:
        write_u16(address, u16(value))


@define
def write_host(address: u64, size: u64, value: u64):
    """The low 1, 2, 4 or 8 bytes of a value; in one access if the address is aligned."""
    if address & (size - 1) != 0:
        write_unaligned(address, size, value)
    elif size == 8:
        relaxed_store_u64(address, value)
    elif size == 4:
        relaxed_store_u32(address, u32(value))
    elif size == 2:
        relaxed_store_u16(address, u16(value))
    else:
        relaxed_store_u8(address, u8(value))
