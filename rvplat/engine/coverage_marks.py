"""Coverage: which instructions each world has begun, noted where they are decoded.

A page of RAM that a world executes has a map: a byte for each halfword, 1 where an instruction
began. Maps belong to the machine (machine/worlds/covering.py); a page of slots has the address of
the map that it notes in, `marks`.

- An undecoded slot is about to be executed: `decode_slot` notes it. From then on its handler runs
  and notes nothing. What is dropped, because its bytes have changed or for any other reason, was
  noted before.
- A region runs no slots. With coverage its text has a store for each block, and it notes what came
  before wherever it is left (regions/marks.py).
- A single step decodes into the scratch page: `mark_single`.
- An instruction with a breakpoint is noted when it goes on.

A page of slots notes for one world at a time. When another world enters the page, all its slots are
undecoded again and the fetch entries of the other contexts are removed, so that no world runs what
another one decoded without coming here (`enter_marks`). That happens only where worlds share code.

A world may execute a page at several virtual addresses: they are listed, and the map is for all of
them. When the page has no decoded line left, another program is there, and another address gets a
map of its own.

Where coverage is off, `cover_fn` and `marks` are 0: it costs a comparison for each slot that is
decoded and each page that becomes a fetch entry, and nothing elsewhere.
"""

from rvplat.engine.slot_pages import clear_slots
from rvplat.engine.slots import header_at
from rvplat.hart.acceleration.tlb import FETCH_CONTEXTS, NO_TAG
from rvplat.hart.debugging.worlds import current_world
from rvplat.hart.state import FETCH_ENTRIES, SLOT_HEADER, MachineState, SlotHeader
from rvplat.isa.fp_state import call_out
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import atomic_load_u64, define, u64, write_u8

LISTED = 8  # virtual pages of a page of slots that are listed
FRESH = 1  # in the virtual page that is told: the page had no decoded line

MachineState.add("cover_fn", u64)  # host function (hart, pa, world, va | FRESH) -> map; 0: off
MachineState.add("cover_one_fn", u64)  # host function (hart, va, world, 0), where there is no map
SlotHeader.add("marks", u64)  # host address of the map; 0: none
SlotHeader.add("marks_world", u64)  # as hart/debugging/worlds.py numbers them
SlotHeader.add("marks_count", u64)  # virtual pages by which this world entered it
SlotHeader.add("marks_page", u64, LISTED)  # the last ones of them


@define
def mark(header, offset: u64):
    """An instruction at an offset of a page begins."""
    if header.marks != 0:
        write_u8(header.marks + (offset >> 1), 1)


@define(cold=True)
def mark_single(hart):
    """The instruction at hart.pc begins, in a scratch slot."""
    entry = hart.fetch[hart.pc >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag == hart.pc & PAGE_MASK:
        header = header_at(entry.slots - SLOT_HEADER)
        if header.marks != 0:
            mark(header, hart.pc & 0xFFE)
            return
    call_out(hart, hart.machine.cover_one_fn, hart.pc, current_world(hart), u64(0))


@define
def is_entered_by(header, page: u64) -> bool:
    """Whether a virtual page is listed."""
    known = header.marks_count if header.marks_count < LISTED else u64(LISTED)
    for i in range(known):  # noqa: SIM110
        if header.marks_page[i] == page:
            return True
    return False


@define
def forget_entry(hart, n: u64, index: u64, slots: u64):
    """Remove a fetch entry of a context, if it leads to these slots."""
    entry = hart.fetch_ctx[n].entries[index]
    if entry.slots == slots:
        entry.tag = NO_TAG


@define
def forget_entries(hart, header, slots: u64):
    """Remove every fetch entry that leads to a page of slots."""
    for n in range(FETCH_CONTEXTS):
        if hart.fetch_ctx[n].regime != 0:
            if header.marks_count <= LISTED:
                for i in range(header.marks_count):
                    index = header.marks_page[i] >> 12 & (FETCH_ENTRIES - 1)
                    forget_entry(hart, u64(n), index, slots)
            else:
                for index in range(FETCH_ENTRIES):
                    forget_entry(hart, u64(n), u64(index), slots)


@define(cold=True)
def enter_marks(hart, header, pc: u64, slots: u64):
    """A page of slots is about to become a fetch entry: let it note for the hart's world."""
    world = current_world(hart)
    page = pc & PAGE_MASK
    if header.marks != 0 and header.marks_world != world:
        forget_entries(hart, header, slots)
        clear_slots(hart, slots)
        header.marks = 0
    if header.marks == 0:
        header.marks_count = 0
    if not is_entered_by(header, page):
        fresh = u64(FRESH) if atomic_load_u64(header.code) == 0 else u64(0)
        if fresh != 0:
            header.marks_count = 0
        header.marks = call_out(hart, hart.machine.cover_fn, header.pa, world, page | fresh)
        header.marks_world = world
        header.marks_page[header.marks_count % LISTED] = page
        header.marks_count += 1
