"""Puts regions in place, and drops all of them (hart/acceleration/region_rows.py)."""

from rvplat.engine.arm_breakpoints import is_armed_anywhere
from rvplat.hart.acceleration.code_lines import code_word, page_in, region_place
from rvplat.hart.acceleration.invalidate import release_code_lock, take_code_lock
from rvplat.hart.acceleration.region_rows import (
    PLACED,
    WITHHELD,
    drop_region,
    enter_heads,
    row_at,
    same_bytes,
)
from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.ram import region_of
from rvplat.lang import atomic_load_u64, atomic_or_u64, define, fence, read_u64, u64, write_u64


@define(cold=True)
def place_region(hart, pa: u64, address: u64) -> u64:
    """Put a region of a page in place, instead of the one that is there. Returns PLACED, WITHHELD
    if the page may have breakpoints, or 0 if it has no code or other bytes now. `address`: of the
    region's row.

    A page with code has no write tags. So this thread may set further bits. A store in flight may
    change the bytes after they were compared, and a hart's fence.i may come before its slots enter
    the region. So the bytes are compared again before the lock is released: until then a hart that
    has dropped a slot doesn't execute it again (invalidate.py, `lines_settled`)."""
    machine = hart.machine
    row = row_at(address)
    region = region_of(hart, pa)
    ram = machine.ram[region]
    page = ram.first_page + page_in(hart, region, pa)
    place = region_place(hart, region, pa)
    take_code_lock(hart)
    row.placed = 0
    word = code_word(hart, region, pa)
    if atomic_load_u64(word) != 0:
        atomic_or_u64(word, row.lines)
        if same_bytes(row, ram.host + (pa - ram.base)):
            row.placed = u64(WITHHELD) if is_armed_anywhere(hart, page) else u64(PLACED)
    if row.placed == PLACED:
        if read_u64(place) != 0:
            drop_region(hart, place, page)
        write_u64(place, address)
        for i in range(machine.hart_count):
            enter_heads(hart_at(machine.harts[i]), row, page, machine.decode_handler)
        fence()
        if not same_bytes(row, ram.host + (pa - ram.base)):
            drop_region(hart, place, page)
    release_code_lock(hart)
    return u64(row.placed)


@define(cold=True)
def drop_regions(hart):
    """Drop every region."""
    machine = hart.machine
    take_code_lock(hart)
    for n in range(machine.ram_count):
        ram = machine.ram[n]
        for i in range(ram.size >> 12):
            if read_u64(ram.regions + i * 8) != 0:
                drop_region(hart, ram.regions + i * 8, ram.first_page + u64(i))
    release_code_lock(hart)
