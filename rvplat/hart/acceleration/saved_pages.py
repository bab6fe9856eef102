"""Saving pages of RAM for images, before their first write in an epoch (bus/image_tree.py).

While there are images, a page has no write tags until it is saved, so that only slow paths ask
here:

- `arm_tag` gives no write tag for a page that is to be saved; a capture removes all tags;
- whoever finds the place of a write in another way calls `before_write` first: slow stores,
  atomics, shadow stacks, updates of page tables, devices.

A page that is written by several harts is saved once: the lock covers the whole copy, and each of
them writes after it.
"""

from rvplat.bus.natives.image_log import ImageLog
from rvplat.hart.acceleration.host_locks import release_lock, take_lock
from rvplat.hart.acceleration.last_change import note_write
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import MachineState
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.lang import (
    atomic_load_u32,
    atomic_store_u32,
    copy_memory,
    define,
    fence,
    host_address,
    read_u32,
    read_u64,
    u64,
    write_u64,
)

MachineState.add("images", ImageLog)

_LOCK = ImageLog.fields["lock"].offset
SLOT_BITS = 32  # of an entry of a PageList


@define
def take_image_lock(machine: MachineState):
    """Wait for the lock. It is held while a page is copied."""
    take_lock(machine, host_address(machine.images) + _LOCK)


@define
def release_image_lock(machine: MachineState):
    """Release it."""
    release_lock(host_address(machine.images) + _LOCK)


@define
def is_zero_page(host: u64) -> bool:
    """Whether the 4,096 bytes at a host address are zero."""
    for i in range(0, PAGE_BYTES, 32):
        found = read_u64(host + i) | read_u64(host + i + 8)
        if found | read_u64(host + i + 16) | read_u64(host + i + 24) != 0:
            return False
    return True


@define
def is_saved(machine: MachineState, page: u64) -> bool:
    """Whether a page (numbered among all regions' pages) can be written without more ado."""
    epoch = machine.images.epoch
    return epoch == 0 or atomic_load_u32(machine.images.saved + page * 4) == epoch


@define(cold=True)
def save_page(machine: MachineState, page: u64, host: u64):
    """Save a page, whose bytes are at a host address, if that wasn't done yet."""
    take_image_lock(machine)
    log = machine.images
    word = log.saved + page * 4
    is_looked = log.looked_page == page + 1
    if is_looked:
        note_write(machine)
    done = log.looked_epoch if is_looked else read_u32(word)
    if log.epoch != 0 and done != log.epoch:
        slot = u64(0)
        if not is_zero_page(host):
            log.pages.slots += 1
            slot = log.pages.slots
            copy_memory(log.pages.data + (slot - 1) * PAGE_BYTES, host, u64(PAGE_BYTES))
        write_u64(log.pages.entries + log.pages.count * 8, page << SLOT_BITS | slot)
        log.pages.count += 1
        fence()
        if is_looked:
            log.looked_epoch = log.epoch
        else:
            atomic_store_u32(word, log.epoch)
        fence()
    release_image_lock(machine)


@define
def before_write(hart, pa: u64):
    """A page is going to be written: save it if an image needs it."""
    machine = hart.machine
    if machine.images.epoch != 0:
        region = region_of(hart, pa)
        if region != NO_REGION:
            ram = machine.ram[region]
            offset = (pa - ram.base) & ~(PAGE_BYTES - 1)
            if not is_saved(machine, ram.first_page + (offset >> 12)):
                save_page(machine, ram.first_page + (offset >> 12), ram.host + offset)


@define
def before_dma(hart, pa: u64, size: u64):
    """A device is going to write RAM. `hart` is any hart of the machine; addresses outside RAM are
    skipped."""
    if hart.machine.images.epoch != 0 and size != 0:
        at = pa & ~(PAGE_BYTES - 1)
        while at < pa + size:
            before_write(hart, at)
            at += PAGE_BYTES
