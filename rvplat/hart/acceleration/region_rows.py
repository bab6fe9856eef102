"""The table of regions: native code for hot pages, and which slots enter it.

A page of RAM has at most one region. Its row says which lines of the page (64 bytes) it was made
from, and what their bytes were. A slot enters the region by its handler, if its offset is one of
the region's heads. The protocol of invalidate.py covers regions too:

- a region is put in place under the lock: the bits of its lines are set, then their bytes are
  compared (`place_region`); a slot that is decoded later compares the bytes again;
- whoever drops one of the lines drops the region before it releases the lock: the slots of the
  heads are undecoded on every hart (`drop_region`).

Regions don't look for breakpoints. So a page whose slots may have one has no region in place
(engine/arm_breakpoints.py).

A hart that is in the region runs on until it leaves it, at the latest at the end of its budget: it
has not executed fence.i since. Its own stores to the page leave the region, because a page with
code has no write tags.
"""

from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.state import HartState, MachineState, SlotHeader
from rvplat.lang import (
    Record,
    compare_exchange_u64,
    define,
    read_u64,
    record_at,
    u64,
    write_u64,
)

PAGE_WORDS = 32  # of 64 bits: a bit for each halfword of a page
LINE_WORDS = 8  # u64 a line

Halfwords = Record("Halfwords")  # a bit for each halfword of a page
Halfwords.add("word", u64, PAGE_WORDS)

RegionRow = Record("RegionRow")
RegionRow.add("entry", u64)  # host address of its code
RegionRow.add("placed", u64)  # PLACED, WITHHELD, or 0 when its bytes have changed
RegionRow.add("lines", u64)  # the lines of the page from which it was made
RegionRow.add("bytes", u64)  # host address of what the page held
RegionRow.add("heads", Halfwords)  # where it is entered
RegionRow.add("inside", Halfwords)  # where it has instructions

Sample = Record("Sample")
Sample.add("pa", u64)  # physical address of an instruction at which budgets ended
Sample.add("count", u64)  # since it was told last
Sample.add("told", u64)  # how often it was told

SAMPLES = 2048
HOT = 256  # reports of a hart that are kept
ENOUGH = 4  # samples that make an instruction hot
SPLIT = 1  # a report with this bit is about accesses that lie in two pages
WEIGHT = 56  # a report's bits from here on: it stands for ENOUGH << weight samples
ASKS = 63  # a report with this bit asks whether a region of the page is kept
PLACED = 1  # the region is entered
WITHHELD = 2  # it is not entered because the page has a breakpoint

MachineState.add("regions_on", u64)  # 0: none is entered
MachineState.add("compile_now", u64)  # host function (hart, pa): compile what was decoded; or 0
MachineState.add("hot_calls", u64)  # changes when a hart has found hot code
SlotHeader.add("samples", u64)  # of the page, where no region is entered
HartState.outside("samples", Sample, SAMPLES)
HartState.outside("hot", u64, HOT)  # a ring of reports: physical addresses and weights
HartState.outside("hot_count", u64)
HartState.outside("passes", u64)  # budgets that ended: between two the hart was outside regions
HartState.outside("region_samples", u64)  # budgets that ended in a region
HartState.outside("other_samples", u64)  # and elsewhere


row_at = record_at(RegionRow)


@define
def has_bit(halfwords: Halfwords, offset: u64) -> bool:
    """Whether a page offset is in the set."""
    return halfwords.word[offset >> 7] >> (offset >> 1 & 63) & 1 != 0


@define(cold=True)
def same_bytes(row: RegionRow, host: u64) -> bool:
    """Whether the lines of a region are as they were. `host`: of the page's bytes."""
    for line in range(64):
        if row.lines >> line & 1 != 0:
            for word in range(LINE_WORDS):
                at = line * 64 + word * 8
                if read_u64(host + at) != read_u64(row.bytes + at):
                    return False
    return True


@define(cold=True)
def drop_region(hart, place: u64, page: u64):
    """Drop a page's region. `place`: host address of the page's word in `regions`; `page` is
    numbered among all regions' pages. The caller holds the code lock."""
    row = row_at(read_u64(place))
    write_u64(place, u64(0))
    row.placed = 0
    machine = hart.machine
    for i in range(machine.hart_count):
        undecode_heads(hart_at(machine.harts[i]), row, page, machine.decode_handler)


@define
def undecode_heads(owner: HartState, row: RegionRow, page: u64, handler: u64):
    """Make a hart decode a region's heads again."""
    slots = read_u64(owner.slot_pages + page * 8)
    if slots != 0:
        for half in range(2048):
            if has_bit(row.heads, u64(half) * 2):
                write_u64(slots + half * 16, handler)


@define
def drop_region_of_lines(hart, place: u64, page: u64, lines: u64):
    """Drop a page's region, if it was made from any of the lines. Call it under the code lock."""
    address = read_u64(place)
    if address != 0 and row_at(address).lines & lines != 0:
        drop_region(hart, place, page)


@define
def enter_heads(owner: HartState, row: RegionRow, page: u64, decode: u64):
    """Let a hart's decoded slots of the heads enter the region. The hart may drop them meanwhile,
    at fence.i: they stay dropped."""
    slots = read_u64(owner.slot_pages + page * 8)
    if slots != 0:
        for half in range(2048):
            if has_bit(row.heads, u64(half) * 2):
                place = slots + half * 16
                own = read_u64(place)
                if own != decode:
                    compare_exchange_u64(place, own, row.entry)
