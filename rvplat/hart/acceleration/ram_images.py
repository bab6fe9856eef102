"""Images of RAM (bus/image_tree.py) as harts see them: epochs, and pages that are put back."""

from rvplat.bus.natives.image_log import PageList
from rvplat.hart.acceleration.code_lines import code_word
from rvplat.hart.acceleration.guest_tables import forget_tables
from rvplat.hart.acceleration.invalidate import invalidate_lines, region_of_page
from rvplat.hart.acceleration.saved_pages import (
    SLOT_BITS,
    is_zero_page,
    release_image_lock,
    take_image_lock,
)
from rvplat.hart.acceleration.tlb import NO_TAG, filled_at, filled_count, flush_everything
from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.state import CONTEXTS, DATA_ENTRIES
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.lang import (
    atomic_load_u64,
    copy_memory,
    define,
    fill_memory,
    read_u64,
    record_at,
    u8,
    u32,
    u64,
    write_u64,
)

LINE_BYTES = 64

list_at = record_at(PageList)


# --- epochs -------------------------------------------------------------------------------------


@define
def remove_write_tags(hart):
    """Remove every write tag of a hart."""
    for n in range(CONTEXTS):
        ctx = hart.ctx[n]
        if ctx.regime != 0:
            for i in range(filled_count(ctx, u64(DATA_ENTRIES))):
                ctx.entries[filled_at(ctx, u64(i))].write_tag = NO_TAG
    hart.kept_stale = 1


@define(cold=True)
def switch_log(hart, old: u64, new: u64, epoch: u32):
    """Save pages to the list at `new`, and tell that at `old` what it has got (host addresses; 0:
    none). Epoch 0: save none; else no hart runs."""
    machine = hart.machine
    take_image_lock(machine)
    log = machine.images
    if old != 0:
        list_at(old).count = log.pages.count
        list_at(old).slots = log.pages.slots
    if new != 0:
        log.pages.entries = list_at(new).entries
        log.pages.data = list_at(new).data
        log.pages.count = list_at(new).count
        log.pages.slots = list_at(new).slots
    log.epoch = epoch
    release_image_lock(machine)
    if epoch != 0:
        for i in range(machine.hart_count):
            remove_write_tags(hart_at(machine.harts[i]))


# --- putting pages back --------------------------------------------------------------------------


@define
def differs(one: u64, other: u64) -> bool:
    """Whether 64 bytes at two host addresses differ; other 0: they aren't zero."""
    for i in range(0, LINE_BYTES, 8):
        wanted = read_u64(other + i) if other != 0 else u64(0)
        if read_u64(one + i) != wanted:
            return True
    return False


@define
def changed_lines(lines: u64, host: u64, source: u64) -> u64:
    """Those of a page's lines that differ from its next contents; 0: they are zero."""
    found = u64(0)
    for line in range(64):
        at = u64(line) * LINE_BYTES
        if lines >> line & 1 != 0 and differs(host + at, source + at if source != 0 else u64(0)):
            found |= u64(1) << line
    return found


@define
def put_page(host: u64, source: u64):
    """Copy a page; source 0: set it to zero."""
    if source != 0:
        copy_memory(host, source, u64(PAGE_BYTES))
    else:
        fill_memory(host, u8(0), u64(PAGE_BYTES))


@define
def keep_instead(pages: PageList, i: u64, held: u64):
    """Let an entry have the page at a host address."""
    entry = read_u64(pages.entries + i * 8)
    slot = entry & (u64(1) << SLOT_BITS) - 1
    if slot == 0 and is_zero_page(held):
        return
    if slot == 0:
        pages.slots += 1
        slot = pages.slots
        write_u64(pages.entries + i * 8, entry | slot)
    copy_memory(pages.data + (slot - 1) * PAGE_BYTES, held, u64(PAGE_BYTES))


@define(cold=True)
def put_pages(hart, address: u64, scratch: u64):
    """Copy the pages of a list to RAM, and drop what was decoded from lines that are others now. If
    there is a scratch page (0: none), the list gets what RAM held."""
    pages = list_at(address)
    machine = hart.machine
    for i in range(pages.count):
        entry = read_u64(pages.entries + i * 8)
        page = entry >> SLOT_BITS
        slot = entry & (u64(1) << SLOT_BITS) - 1
        source = pages.data + (slot - 1) * PAGE_BYTES if slot != 0 else u64(0)
        region = region_of_page(hart, page)
        ram = machine.ram[region]
        offset = (page - ram.first_page) * PAGE_BYTES
        host = ram.host + offset
        lines = atomic_load_u64(code_word(hart, region, ram.base + offset))
        if lines != 0:
            lines = changed_lines(lines, host, source)
        if scratch != 0:
            copy_memory(scratch, host, u64(PAGE_BYTES))
        put_page(host, source)
        if scratch != 0:
            keep_instead(pages, u64(i), scratch)
        if lines != 0:
            invalidate_lines(hart, region, ram.base + offset, lines)


@define(cold=True)
def memory_replaced(hart):
    """An image was restored: page tables in RAM may be others."""
    forget_tables(hart)
    flush_everything(hart)
    hart.kept_stale = 1
