"""Arming breakpoints: slots and regions that may have one are dropped (breakpoints.py).

A region doesn't look for breakpoints. So a page has no region in place while any of its listed
virtual or guest-physical pages, or the page itself, has rows. The same steps ensure it that drop
the slots: rows are added while all harts stand still, and a page that becomes a fetch entry later
is armed then. `place_region` asks under the code lock, and whoever lists a page takes the lock
after that.
"""

from rvplat.engine.breakpoints import ALIASES, PageList, has_rows, is_breakpoint
from rvplat.engine.slots import header_at
from rvplat.hart.acceleration.code_lines import page_in, region_place
from rvplat.hart.acceleration.invalidate import release_code_lock, take_code_lock
from rvplat.hart.acceleration.region_rows import WITHHELD, drop_region, row_at
from rvplat.hart.acceleration.tlb import FETCH_CONTEXTS, NO_TAG, REGIME_VIRT
from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import FETCH_ENTRIES, SLOT_HEADER
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import define, read_u64, u64, write_u64

# --- pages ---------------------------------------------------------------------------------------


@define
def list_has_rows(hart, pages: PageList) -> bool:
    """Whether there are rows for addresses in some listed page, or there are more pages than
    listed."""
    if pages.count > ALIASES:
        return True
    for i in range(pages.count):  # noqa: SIM110
        if has_rows(hart, pages.page[i]):
            return True
    return False


@define(cold=True)
def is_armed(hart, header) -> bool:
    """Whether the slots of a page may have breakpoints."""
    if hart.machine.break_count == 0:
        return False
    if has_rows(hart, header.pa) or list_has_rows(hart, header.aliases):
        return True
    return list_has_rows(hart, header.guests)


@define(cold=True)
def is_armed_anywhere(hart, page: u64) -> bool:
    """Whether some hart's slots of a page may have breakpoints. The page is numbered among all
    regions' pages."""
    machine = hart.machine
    for i in range(machine.hart_count):
        slots = read_u64(hart_at(machine.harts[i]).slot_pages + page * 8)
        if slots != 0 and is_armed(hart, header_at(slots - SLOT_HEADER)):
            return True
    return False


@define(cold=True)
def withhold_region(hart, header):
    """Let no hart enter the page's region if the page may have breakpoints."""
    if is_armed(hart, header):
        region = region_of(hart, header.pa)
        place = region_place(hart, region, header.pa)
        take_code_lock(hart)
        address = read_u64(place)
        if address != 0:
            ram = hart.machine.ram[region]
            drop_region(hart, place, ram.first_page + page_in(hart, region, header.pa))
            row_at(address).placed = WITHHELD
        release_code_lock(hart)


# --- pages that become fetch entries --------------------------------------------------------------


@define
def drop_slot(hart, slots: u64, offset: u64):
    """Make a slot undecoded, and the slots before it that may have a pair's handler with it."""
    handler = hart.machine.decode_handler
    first = offset - 4 if offset >= 4 else u64(0)
    for at in range(first >> 1, (offset >> 1) + 1):
        write_u64(slots + at * 16, handler)


@define
def is_listed(pages: PageList, page: u64) -> bool:
    """Whether a page is listed."""
    known = pages.count if pages.count < ALIASES else u64(ALIASES)
    for i in range(known):  # noqa: SIM110
        if pages.page[i] == page:
            return True
    return False


@define
def list_page(pages: PageList, page: u64):
    """List a page, if it isn't."""
    if not is_listed(pages, page):
        if pages.count < ALIASES:
            pages.page[pages.count] = page
            pages.count += 1
        else:
            pages.count = ALIASES + 1


@define
def note_page(hart, header, page: u64) -> bool:
    """List the virtual and the guest-physical page by which a page of slots is entered. Returns
    whether they were listed already and no row was added since."""
    settled = header.armed_stamp == hart.machine.break_stamp and is_listed(header.aliases, page)
    list_page(header.aliases, page)
    if hart.machine.break_guest != 0 and hart.virt != 0:
        guest = hart.guest_page & PAGE_MASK  # set by the walk that found the page
        settled = settled and is_listed(header.guests, guest)
        list_page(header.guests, guest)
    return settled


@define(cold=True)
def arm_page(hart, header, pc: u64, slots: u64):
    """A page of slots becomes a fetch entry: drop its slots that have rows."""
    machine = hart.machine
    page = pc & PAGE_MASK
    if note_page(hart, header, page):
        return
    header.armed_stamp = machine.break_stamp
    withhold_region(hart, header)
    for half in range(2048):
        if machine.break_offsets[half] != 0:
            offset = u64(half) * 2
            if is_breakpoint(hart, header, page | offset):
                drop_slot(hart, slots, offset)


@define
def page_entered(hart, header, pc: u64, slots: u64):
    """Call `arm_page` if there are breakpoints."""
    if hart.machine.break_count != 0:
        arm_page(hart, header, pc, slots)


# --- rows that were added or removed -------------------------------------------------------------


@define(cold=True)
def arm_virtual(hart, va: u64):
    """A row was added or removed: drop the hart's slots for its virtual address."""
    for n in range(FETCH_CONTEXTS):
        entry = hart.fetch_ctx[n].entries[va >> 12 & (FETCH_ENTRIES - 1)]
        used = hart.fetch_ctx[n].regime != 0  # else all is zero, as is the tag of page 0
        if used and entry.tag == va & PAGE_MASK:
            header = header_at(entry.slots - SLOT_HEADER)
            list_page(header.aliases, va & PAGE_MASK)
            withhold_region(hart, header)
            drop_slot(hart, entry.slots, va & 0xFFE)


@define(cold=True)
def arm_physical(hart, pa: u64):
    """The same for a physical address."""
    region = region_of(hart, pa)
    if region != NO_REGION:
        ram = hart.machine.ram[region]
        page = ram.first_page + (pa - ram.base >> 12)
        slots = read_u64(hart.slot_pages + page * 8)
        if slots != 0:
            withhold_region(hart, header_at(slots - SLOT_HEADER))
            drop_slot(hart, slots, pa & 0xFFE)


@define
def arm_guest_page(hart, n: u64, gpa: u64):
    """As `arm_guest`, in one fetch context."""
    for i in range(FETCH_ENTRIES):
        entry = hart.fetch_ctx[n].entries[i]
        page = hart.fetch_ctx[n].guest_pages[i] & PAGE_MASK
        if entry.tag != NO_TAG and page == gpa & PAGE_MASK:
            header = header_at(entry.slots - SLOT_HEADER)
            list_page(header.guests, page)
            withhold_region(hart, header)
            drop_slot(hart, entry.slots, gpa & 0xFFE)


@define(cold=True)
def arm_guest(hart, gpa: u64):
    """The same for a guest-physical address."""
    for n in range(FETCH_CONTEXTS):
        if hart.fetch_ctx[n].regime & REGIME_VIRT != 0:
            arm_guest_page(hart, u64(n), gpa)
