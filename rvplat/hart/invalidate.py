"""Code that has been decoded, and the stores that change it.

RamRegion.code has a u64 a page: bit n says that some hart holds slots decoded from line n (64
bytes). TLB entries of such a page have no write tag, so its stores come the slow way and find the
bits. RamRegion.written has a u32 a page, for finding the write tags again when a page becomes
code: up to two numbers of TLB entries plus 1 in its halves, or MANY.

Two harts can meet here. Whoever makes a page writable puts its tag in place and then looks at the
bits; whoever decodes sets the bits and then takes away tags. Whoever stores slowly writes and then
looks at the bits; whoever decodes puts its slots in place and then looks at bits and bytes again
(`lines_settled`). What is left is a store in flight whose tag was still there: pages that have
become code lately are on a list, whose slots a hart drops at its fence.i.
"""

from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import CONTEXTS, DATA_ENTRIES, Hart, Machine
from rvplat.hart.tlb import NO_TAG, PAGE_MASK
from rvplat.isa import vocabulary
from rvplat.lang import (
    Record,
    address_of,
    atomic_and_u64,
    atomic_or_u64,
    atomic_swap_u32,
    compare_exchange_u32,
    ctz,
    define,
    fence,
    implement,
    intrinsic,
    read_u32,
    read_u64,
    u32,
    u64,
    write_u64,
)

PAGE_BYTES = 4096
SLOTS_A_LINE = 32  # a slot is for two bytes
SLOT_BYTES = 16
REACH = 3  # slots: a pair of four-byte instructions may begin six bytes before the line
MANY = 0xFFFF_FFFF
YOUNG = 256  # pages that the list of new code pages holds

Lock = Record("Lock")
Lock.add("taken", u32)

Machine.add("code_lock", Lock)  # held while a page becomes code
Machine.add("young_pages", u64, YOUNG)  # numbers of pages that became code, a ring
Machine.add("young_count", u64)  # how many ever did
Hart.add("young_seen", u64)  # the count at this hart's last fence.i
Hart.add("young_before", u64)  # and at the one before


@intrinsic("{result} = ptrtoint ptr {0} to i64")
def lock_address(lock: Lock) -> u64:
    """The host address of a lock's word."""
    return u64(address_of(lock))


@intrinsic("{result} = inttoptr i64 {0} to ptr")
def hart_at(address: u64) -> Hart:
    """The hart whose record is at a host address."""
    return Hart.view(address)


# --- bits ---------------------------------------------------------------------------------------


@define
def page_in(hart, region: u64, pa: u64) -> u64:
    """The number of an address's page in its region."""
    return (pa - hart.machine.ram[region].base) >> 12


@define
def code_word(hart, region: u64, pa: u64) -> u64:
    """The host address of the bits of an address's page."""
    return hart.machine.ram[region].code + page_in(hart, region, pa) * 8


@define
def line_bits(pa: u64, size: u64) -> u64:
    """The bits of the lines that `size` bytes touch, in one page."""
    first = pa >> 6 & 63
    last = (pa + size - 1) >> 6 & 63
    return (u64(2) << last) - (u64(1) << first)


# --- dropping slots -----------------------------------------------------------------------------


@define
def drop_slots(owner: Hart, page: u64, first: u64, count: u64, handler: u64):
    """Let a hart decode again: `count` slots of a page (numbered among all regions' pages)."""
    slots = read_u64(owner.slot_pages + 8 * page)
    if slots != 0:
        for i in range(first, first + count):
            write_u64(slots + SLOT_BYTES * i, handler)


@define
def drop_line(hart, page: u64, line: u64):
    """Drop a line's slots on every hart, and those before whose handlers may reach in."""
    machine = hart.machine
    first = line * SLOTS_A_LINE
    count = u64(SLOTS_A_LINE)
    if first != 0:
        first -= REACH
        count += REACH
    for i in range(machine.hart_count):
        drop_slots(hart_at(machine.harts[i]), page, first, count, machine.decode_handler)


@define(cold=True)
def invalidate_lines(hart, region: u64, pa: u64, bits: u64):
    """Drop the lines of a page whose bits are set here and in the page's word."""
    word = code_word(hart, region, pa)
    page = hart.machine.ram[region].first_page + page_in(hart, region, pa)
    hit = atomic_and_u64(word, ~bits) & bits
    for line in range(64):
        if hit >> line & 1 != 0:
            drop_line(hart, page, line)


@define
def order_harts(hart):
    """Order a store before later loads, as far as other harts can see it."""
    if hart.machine.hart_count != 1:
        fence()


@define
def note_store(hart, pa: u64, size: u64):
    """Bytes in one page of RAM have been written: drop what was decoded from their lines."""
    region = region_of(hart, pa)
    order_harts(hart)
    bits = line_bits(pa, size)
    if read_u64(code_word(hart, region, pa)) & bits != 0:
        invalidate_lines(hart, region, pa, bits)


@define(cold=True)
def invalidate_code(hart, pa: u64, size: u64):
    """As `note_store` for any range; what isn't RAM is passed over."""
    fence()
    at = pa
    left = size
    while left != 0:
        part = PAGE_BYTES - (at & (PAGE_BYTES - 1))
        part = left if left < part else part
        if region_of(hart, at) != NO_REGION:
            note_store(hart, at, part)
        at += part
        left -= part


@define(cold=True)
def dma_written(hart, pa: u64, size: u64):
    """A device has written RAM; any hart of the machine will do."""
    invalidate_code(hart, pa, size)


# --- write tags ---------------------------------------------------------------------------------


@define
def is_writer_noted(seen: u32, mark: u32) -> bool:
    """Whether a page's word of `written` covers an entry already."""
    return seen == MANY or seen & 0xFFFF == mark or seen >> 16 == mark


@define
def note_writer(hart, region: u64, pa: u64, index: u64):
    """Remember that TLB entry `index` of some context may write the page."""
    word = hart.machine.ram[region].written + page_in(hart, region, pa) * 4
    mark = u32(index) + 1
    seen = read_u32(word)
    while not is_writer_noted(seen, mark):
        new = u32(MANY)
        if seen == 0:
            new = mark
        elif seen >> 16 == 0:
            new = seen | mark << 16
        compare_exchange_u32(word, seen, new)
        seen = read_u32(word)


@define
def arm_writes(hart, va: u64, region: u64, pa: u64):
    """Put the write tag of va's entry in place, unless the page has code."""
    index = va >> 12 & (DATA_ENTRIES - 1)
    note_writer(hart, region, pa, index)
    entry = hart.tlb[index]
    entry.write_tag = va & PAGE_MASK
    order_harts(hart)
    if read_u64(code_word(hart, region, pa)) != 0:
        entry.write_tag = NO_TAG


@define
def withdraw_index(owner: Hart, index: u64, page: u64):
    """Take a hart's write tags for a physical page away, in one entry of every context."""
    for n in range(CONTEXTS):
        entry = owner.ctx[n].entries[index]
        if entry.page & PAGE_MASK == page:
            entry.write_tag = NO_TAG


@define
def withdraw_writes(hart, region: u64, pa: u64):
    """Take every hart's write tags for a page away."""
    machine = hart.machine
    page = pa & PAGE_MASK
    seen = atomic_swap_u32(machine.ram[region].written + page_in(hart, region, pa) * 4, u32(0))
    for i in range(machine.hart_count):
        owner = hart_at(machine.harts[i])
        if seen == MANY:
            for index in range(DATA_ENTRIES):
                withdraw_index(owner, index, page)
        else:
            if seen & 0xFFFF != 0:
                withdraw_index(owner, u64(seen & 0xFFFF) - 1, page)
            if seen >> 16 != 0:
                withdraw_index(owner, u64(seen >> 16) - 1, page)


# --- decoding -----------------------------------------------------------------------------------


@define
def take_code_lock(hart):
    """Wait for the lock; what it guards is rare and short."""
    lock = lock_address(hart.machine.code_lock)
    while not compare_exchange_u32(lock, u32(0), u32(1)):
        pass


@define
def release_code_lock(hart):
    """Let another hart have it."""
    atomic_swap_u32(lock_address(hart.machine.code_lock), u32(0))


@define(cold=True)
def code_page_young(hart, pa: u64):
    """Stores to a page may be in flight that won't drop what is decoded now: list the page."""
    machine = hart.machine
    region = region_of(hart, pa)
    page = machine.ram[region].first_page + page_in(hart, region, pa)
    take_code_lock(hart)
    machine.young_pages[machine.young_count & (YOUNG - 1)] = page
    fence()
    machine.young_count += 1
    release_code_lock(hart)


@define
def mark_lines(hart, word: u64, pa: u64, lines: u64):
    """Slots are about to be decoded from lines of a page; `word` is where the page's bits are.

    To be called before the bytes are read, with the lines of all of the instruction's bytes.
    """
    now = read_u64(word)
    if now & lines != lines:
        if now == 0:
            code_page_young(hart, pa)  # listed before anybody can see the bits
        if atomic_or_u64(word, lines) == 0:
            withdraw_writes(hart, region_of(hart, pa), pa)


@define
def lines_settled(word: u64, lines: u64) -> bool:
    """To be asked after slots are in place: False if a store has dropped the lines meanwhile.

    The caller compares the bytes as well; if they changed, or this is False, it decodes again.
    """
    fence()
    return read_u64(word) & lines == lines


@define
def drop_page(hart, region: u64, page: u64):
    """Let this hart decode again what it may have decoded from a page (of all regions' pages)."""
    ram = hart.machine.ram[region]
    bits = read_u64(ram.code + (page - ram.first_page) * 8)
    while bits != 0:
        first = ctz(bits) * SLOTS_A_LINE
        drop_slots(hart, page, first, u64(SLOTS_A_LINE), hart.machine.decode_handler)
        bits &= bits - 1


@define
def region_of_page(hart, page: u64) -> u64:
    """The region of a page that is numbered among all regions' pages."""
    n = u64(0)
    while n + 1 < hart.machine.ram_count and hart.machine.ram[n + 1].first_page <= page:
        n += 1
    return n


@implement(vocabulary.synchronise_instructions, cold=True)
def synchronise_instructions(hart):
    """fence.i (Unprivileged, "Zifencei"). One hart: its stores have dropped slots at once.

    Several: drop those of pages that became code since the fence.i before the last one.
    """
    machine = hart.machine
    if machine.hart_count != 1:
        fence()
        count = machine.young_count
        if count - hart.young_before > YOUNG:
            drop_all_slots(hart)
        else:
            for i in range(hart.young_before, count):
                page = machine.young_pages[i & (YOUNG - 1)]
                drop_page(hart, region_of_page(hart, page), page)
        hart.young_before = hart.young_seen
        hart.young_seen = count


@define(cold=True)
def drop_all_slots(hart):
    """Let this hart decode everything again."""
    machine = hart.machine
    for n in range(machine.ram_count):
        first = machine.ram[n].first_page
        for page in range(first, first + (machine.ram[n].size >> 12)):
            drop_page(hart, u64(n), u64(page))
