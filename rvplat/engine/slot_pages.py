"""A hart's pages of slots: each page of RAM from which it has executed code has one."""

from rvplat.engine.slots import header_at
from rvplat.hart.acceleration.invalidate import release_code_lock, take_code_lock
from rvplat.hart.acceleration.tlb import flush_everything
from rvplat.hart.state import SLOT_HEADER, SLOTS_SIZE
from rvplat.lang import define, fill_memory, u8, u64, write_u64


@define
def clear_slots(hart, slots: u64):
    """Make every slot of a page undecoded."""
    decode = hart.machine.decode_handler
    for i in range(2048):
        write_u64(slots + i * 16, decode)
    write_u64(slots + 32768, hart.machine.page_end_handler)


@define(cold=True)
def new_slots(hart, pa: u64, region: u64, number: u64) -> u64:
    """Make a page of slots for a page of RAM, which is number `number` of the region. If the
    memory for slots is full, drop all slots of the hart first."""
    if hart.slot_pool_used + SLOTS_SIZE > hart.slot_pool_size:
        drop_slots(hart)
    slots = hart.slot_pool + hart.slot_pool_used + SLOT_HEADER
    hart.slot_pool_used += SLOTS_SIZE
    clear_slots(hart, slots)
    header = header_at(slots - SLOT_HEADER)
    ram = hart.machine.ram[region]
    header.host = ram.host + (number << 12)
    header.pa = pa
    header.code = ram.code + number * 8
    header.aliases.count = 0
    header.guests.count = 0
    header.armed_stamp = 0
    header.samples = 0
    header.marks = 0
    write_u64(hart.slot_pages + (ram.first_page + number) * 8, slots)
    return slots


@define(cold=True)
def drop_slots(hart):
    """Drop every decoded instruction of the hart. Its pages of slots will be used for other pages,
    so nobody may be writing to them: who puts a region in place has the lock."""
    take_code_lock(hart)
    hart.slot_pool_used = 0
    machine = hart.machine
    for i in range(machine.ram_count):
        ram = machine.ram[i]
        fill_memory(hart.slot_pages + ram.first_page * 8, u8(0), (ram.size >> 12) * 8)
    release_code_lock(hart)
    flush_everything(hart)
