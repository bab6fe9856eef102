"""The protocol between stores and decoded code, for any number of harts.

The data:

- RamRegion.code, a u64 a page. Bit n: some hart may hold slots decoded from line n (64 bytes).
- The write tags of the TLB. A store whose tag matches is *fast*: it checks nothing else. A page
  with bits has no write tags, so its stores are *slow*.
- RamRegion.written, a u32 a page: which TLB entries may have a write tag for the page. Each half
  holds the number of one entry plus 1, or 0; MANY stands for more than two.
- MachineState.code_lock. A hart that sets or clears bits holds it until slots and tags agree.

The protocol. An atomic operation of the language is a full fence too (lang/intrinsics.py).

A slow store, a device's write, an update of a page table (`note_store`):
 1. write the bytes;
 2. fence;
 3. read the bits, then the lock. Done if no line that was hit has a bit, and the lock is free;
 4. else take the lock, clear the lines' bits, fence, drop the lines' slots on every hart, and
    release the lock. (If the lock was taken, another hart may be dropping these lines.)

An AMO finds its address first, then writes. Steps 2 to 4 follow right after the instruction
(`note_late_store`), if the page had any bits when the address was found.

A hart that gives itself a write tag (`arm_writes`):
 1. put the tag in place;
 2. fence;
 3. note the entry in `written`, if it isn't noted;
 4. read the bits, then the lock. If there is a bit, or the lock is taken, remove the tag.

A hart that decodes (engine/core.py, `decode_slot`):
 1. read the bits. If those of the instruction's lines are not all there: take the lock and set
    them; if the page had none, take the notes out of `written`, remove the write tags that they
    name, add the page to the list of young pages; release the lock (`mark_lines`);
 2. read the bytes and fill the slot;
 3. fence, wait until the lock is free, read the bits and the bytes again. If a bit is gone or a
    byte is different, begin again (`lines_settled`).

One case remains, a fast store in flight: its tag matched before the tag was removed, and its bytes
arrive after the page was decoded. The host can stop a thread between the two for any time, and a
region keeps tags for a while (kept_pages.py): its stores to the page are in flight then. So:
 1. Between two instructions, a hart publishes now and then how many young pages it has seen in the
    list. Its earlier stores are visible by then, and its later ones find no tags for these pages
    (`pass_young`).
 2. Each fence.i drops what its hart decoded from young pages, until every other hart passed them.
tests/hart/acceleration/test_protocols.py runs these texts against each other in every order.
"""

from rvplat.hart.acceleration.code_lines import code_word, line_bits, page_in, region_place
from rvplat.hart.acceleration.host_locks import let_threads_run, release_lock, take_lock
from rvplat.hart.acceleration.region_rows import drop_region_of_lines
from rvplat.hart.acceleration.saved_pages import is_saved
from rvplat.hart.acceleration.tlb import NO_TAG
from rvplat.hart.acceleration.young_pages import YOUNG, hart_at, list_young, passed_by_others
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.searches import tell_searches
from rvplat.hart.state import CONTEXTS, DATA_ENTRIES, HartState, MachineState
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import PAGE_BYTES, PAGE_MASK
from rvplat.lang import (
    Record,
    atomic_and_u64,
    atomic_load_u32,
    atomic_load_u64,
    atomic_or_u64,
    atomic_swap_u32,
    compare_exchange_u32,
    ctz,
    define,
    fence,
    host_address,
    implement,
    read_u64,
    u8,
    u32,
    u64,
    write_u64,
)

SLOTS_A_LINE = 32  # a slot is for two bytes
SLOT_BYTES = 16
REACH = 3  # slots: a pair of four-byte instructions may begin six bytes before the line
MANY = 0xFFFF_FFFF

Lock = Record("Lock")
Lock.add("taken", u32)

MachineState.add("code_lock", Lock)
HartState.derived("late_pa", u64)  # of the AMO that is being executed, if its page has code
HartState.derived("late_size", u8)  # bytes; 0: none


# --- the lock -----------------------------------------------------------------------------------


@define
def take_code_lock(hart):
    """Wait for the lock. It is rarely taken, and for a short time."""
    take_lock(hart.machine, host_address(hart.machine.code_lock))


@define
def release_code_lock(hart):
    """Release the lock."""
    release_lock(host_address(hart.machine.code_lock))


@define
def is_code_locked(hart) -> bool:
    """Whether bits, slots and tags may disagree now. Call it after the bits were read."""
    return atomic_load_u32(host_address(hart.machine.code_lock)) != 0


# --- dropping slots -----------------------------------------------------------------------------


@define
def drop_slots(owner: HartState, page: u64, first: u64, count: u64, handler: u64):
    """Make a hart decode `count` slots of a page again (numbered among all regions' pages)."""
    slots = read_u64(owner.slot_pages + 8 * page)
    if slots != 0:
        for i in range(first, first + count):
            write_u64(slots + SLOT_BYTES * i, handler)


@define
def drop_line(hart, page: u64, line: u64):
    """Drop a line's slots on every hart, and those before that may reach into the line."""
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
    take_code_lock(hart)
    hit = atomic_and_u64(word, ~bits) & bits
    for line in range(64):
        if hit >> line & 1 != 0:
            drop_line(hart, page, line)
    if hit != 0:
        drop_region_of_lines(hart, region_place(hart, region, pa), page, hit)
    release_code_lock(hart)
    if hart.machine.search_lines != 0:
        tell_searches(hart)


@define
def order_harts(hart):
    """Order a store before later loads, as far as other harts can see it."""
    if hart.machine.hart_count != 1:
        fence()


@define
def note_store_at(hart, region: u64, word: u64, pa: u64, size: u64):
    """`note_store`, where the region and the host address of the page's bits are known."""
    order_harts(hart)
    bits = line_bits(pa, size)
    if atomic_load_u64(word) & bits != 0 or is_code_locked(hart):
        invalidate_lines(hart, region, pa, bits)


@define
def note_store(hart, pa: u64, size: u64):
    """Bytes in one page of RAM have been written: drop what was decoded from their lines."""
    region = region_of(hart, pa)
    note_store_at(hart, region, code_word(hart, region, pa), pa, size)


@define
def expect_late_store(hart, pa: u64, size: u64):
    """An AMO is going to write. If its page has code now, its slots are dropped after the
    instruction. If it becomes code meanwhile, the AMO is a store in flight."""
    if atomic_load_u64(code_word(hart, region_of(hart, pa), pa)) != 0:
        hart.late_pa = pa
        hart.late_size = u8(size)
        hart.resync = 1


@define
def note_late_store(hart):
    """The AMO that was expected has written. For the run loop, before the next instruction."""
    if hart.late_size != 0:
        note_store(hart, hart.late_pa, u64(hart.late_size))
        hart.late_size = 0


@define(cold=True)
def invalidate_code(hart, pa: u64, size: u64):
    """`note_store` for any range; addresses outside RAM are skipped."""
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
    """A device has written RAM. `hart` is any hart of the machine."""
    invalidate_code(hart, pa, size)


# --- write tags ---------------------------------------------------------------------------------


@define
def is_writer_noted(seen: u32, mark: u32) -> bool:
    """Whether a page's word of `written` includes an entry already."""
    return seen == MANY or seen & 0xFFFF == mark or seen >> 16 == mark


@define
def note_writer(hart, region: u64, pa: u64, index: u64):
    """Remember that TLB entry `index` of some context may write the page."""
    word = hart.machine.ram[region].written + page_in(hart, region, pa) * 4
    mark = u32(index) + 1
    seen = atomic_load_u32(word)
    while not is_writer_noted(seen, mark):
        new = u32(MANY)
        if seen == 0:
            new = mark
        elif seen >> 16 == 0:
            new = seen | mark << 16
        compare_exchange_u32(word, seen, new)
        seen = atomic_load_u32(word)


@define
def arm_writes(hart, va: u64, region: u64, pa: u64):
    """Put the write tag of va's entry in place, unless the page has code or is to be saved."""
    arm_tag(hart, va & PAGE_MASK, region, pa)


@define
def arm_tag(hart, tag: u64, region: u64, pa: u64):
    """`arm_writes` with any tag: a page's address, and flags in the low bits."""
    if not is_saved(hart.machine, hart.machine.ram[region].first_page + page_in(hart, region, pa)):
        return
    index = tag >> 12 & (DATA_ENTRIES - 1)
    entry = hart.tlb[index]
    entry.write_tag = tag
    order_harts(hart)
    note_writer(hart, region, pa, index)
    if atomic_load_u64(code_word(hart, region, pa)) != 0 or is_code_locked(hart):
        entry.write_tag = NO_TAG


@define
def withdraw_index(owner: HartState, index: u64, page: u64):
    """Remove a hart's write tags for a physical page, in one entry of every context."""
    for n in range(CONTEXTS):
        entry = owner.ctx[n].entries[index]
        if entry.page & PAGE_MASK == page:
            entry.write_tag = NO_TAG


@define
def withdraw_writes(hart, region: u64, pa: u64):
    """Remove every hart's write tags for a page."""
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


@define(cold=True)
def add_lines(hart, word: u64, pa: u64, lines: u64):
    """Set the bits of lines; if the page had none, it becomes code."""
    take_code_lock(hart)
    if atomic_or_u64(word, lines) == 0:
        region = region_of(hart, pa)
        withdraw_writes(hart, region, pa)
        list_young(hart, hart.machine.ram[region].first_page + page_in(hart, region, pa))
    release_code_lock(hart)


@define
def mark_lines(hart, word: u64, pa: u64, lines: u64):
    """Slots are about to be decoded from lines of a page; `word` is where the page's bits are.

    Call it before the bytes are read, with the lines of all bytes of the instruction.
    """
    if atomic_load_u64(word) & lines != lines:
        add_lines(hart, word, pa, lines)


@define
def lines_settled(hart, word: u64, lines: u64) -> bool:
    """Call it after the slots are filled: False if a store has dropped the lines meanwhile.

    The caller compares the bytes as well; if they changed, or this is False, it decodes again.
    """
    fence()
    while is_code_locked(hart):
        let_threads_run(hart.machine)
    return atomic_load_u64(word) & lines == lines


@define
def drop_page(hart, region: u64, page: u64):
    """Make this hart decode a page again (numbered among all regions' pages)."""
    ram = hart.machine.ram[region]
    bits = read_u64(ram.code + (page - ram.first_page) * 8)
    while bits != 0:
        first = ctz(bits) * SLOTS_A_LINE
        drop_slots(hart, page, first, u64(SLOTS_A_LINE), hart.machine.decode_handler)
        bits &= bits - 1


@define
def region_of_page(hart, page: u64) -> u64:
    """The region of a page (numbered among all regions' pages)."""
    n = u64(0)
    while n + 1 < hart.machine.ram_count and hart.machine.ram[n + 1].first_page <= page:
        n += 1
    return n


# --- young pages --------------------------------------------------------------------------------


@define
def drop_young(hart, count: u64):
    """Drop what this hart decoded from the young pages up to a number."""
    machine = hart.machine
    if count - hart.young_from < YOUNG:
        for i in range(hart.young_from, count):
            page = machine.young_pages[i & (YOUNG - 1)]
            drop_page(hart, region_of_page(hart, page), page)
        fence()
    # A page that is listed now overwrites the one that came YOUNG pages before.
    if machine.young_count - hart.young_from >= YOUNG:
        drop_all_slots(hart)


@implement(vocabulary.synchronise_instructions, cold=True)
def synchronise_instructions(hart):
    """fence.i (Unprivileged, "Zifencei"). With one hart, its stores have dropped the slots already.

    With several, stores to young pages may have dropped nothing. A page is dropped for the last
    time after all other harts have passed it: by then their earlier stores are visible.
    """
    if hart.machine.hart_count != 1:
        count = hart.machine.young_count
        passed = passed_by_others(hart)
        fence()
        drop_young(hart, count)
        hart.young_from = passed if passed < count else count


@define(cold=True)
def drop_all_slots(hart):
    """Make this hart decode everything again."""
    machine = hart.machine
    for n in range(machine.ram_count):
        first = machine.ram[n].first_page
        for page in range(first, first + (machine.ram[n].size >> 12)):
            drop_page(hart, u64(n), u64(page))
