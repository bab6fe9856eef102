"""Finding hot code, and entering the regions that are made of it.

Where a budget ends, the hart notes the instruction. Since budgets end after branches, that is
likely the head of a loop, a function, or a case of a switch. It also notes where a region was left
last. Code that is found several times is reported to the machine (`tell_hot`), which lets a region
be compiled. Code that stays in tier 0 is reported after 2, 4, 8, ... further samples, so that
reports take no time. At a page's first sample the machine is asked for a region from an earlier
start.

Several accesses of a region share one check of a page (regions/spans.py). Where they often lie in
two pages, the region is left each time. That is reported too (`sample_split`), and the next region
of the page checks them one by one.
"""

from rvplat.engine.slots import header_at
from rvplat.hart.acceleration.code_lines import region_place
from rvplat.hart.acceleration.region_rows import (
    ASKS,
    ENOUGH,
    HOT,
    SAMPLES,
    SPLIT,
    WEIGHT,
    has_bit,
    row_at,
    same_bytes,
)
from rvplat.hart.ram import region_of
from rvplat.hart.state import (
    FETCH_ENTRIES,
    SLOT_HEADER,
    SLOTS_SIZE,
    HartState,
    MachineState,
    SlotHeader,
)
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import call_host, define, fence, host_address, read_u64, u64

ASK_AGAIN = 64  # samples: the page may have other code than at the first one
MANY_SPLITS = 32  # so many in a budget cost more than the shared check saves
HOT_CALLS = MachineState.fields["hot_calls"].offset

HartState.derived("left_slot", u64)  # host address of the slot where a region was left last, or 0
HartState.derived("split_slot", u64)  # host address of the slot of accesses that lay in two pages
HartState.derived("split_count", u64)  # how often there were any in this budget


@define
def region_word(hart, header) -> u64:
    """The address of the row of a page's region, or 0."""
    region = region_of(hart, header.pa)
    return read_u64(region_place(hart, region, header.pa))


@define
def region_entry(hart, header, offset: u64) -> u64:
    """The handler with which the slot at an offset of a page enters a region, or 0."""
    if hart.machine.regions_on == 0:
        return u64(0)
    address = region_word(hart, header)
    if address == 0 or not has_bit(row_at(address).heads, offset):
        return u64(0)
    if not same_bytes(row_at(address), header.host):
        return u64(0)
    return row_at(address).entry


@define
def take_sample(hart):
    """Note where the budget ended."""
    entry = hart.fetch[hart.pc >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag != hart.pc & PAGE_MASK:
        return
    offset = hart.pc & 0xFFE
    header = header_at(entry.slots - SLOT_HEADER)
    address = region_word(hart, header)
    if address != 0 and has_bit(row_at(address).inside, offset):
        hart.region_samples += 1
        return
    hart.other_samples += 1
    header.samples += 1
    if address == 0 and (header.samples == 1 or header.samples == ASK_AGAIN):
        tell_hot(hart, header.pa | u64(1) << ASKS)
    note_hot(hart, header.pa | offset)


@define
def place_of(hart, slot: u64) -> tuple[SlotHeader, u64]:
    """The header of a slot's page, and the slot's offset."""
    inside = slot - hart.slot_pool
    number = inside // u64(SLOTS_SIZE)
    header = header_at(hart.slot_pool + number * SLOTS_SIZE)
    return header, (inside - number * SLOTS_SIZE - SLOT_HEADER) >> 3


@define
def sample_exit(hart):
    """Note where a region was left last, if no region is entered there. Code without branches, and
    code that a region had no room for, is found only so: no budget ends there."""
    if hart.left_slot == 0:
        return
    header, offset = place_of(hart, hart.left_slot)
    hart.left_slot = u64(0)
    address = region_word(hart, header)
    if address == 0 or not has_bit(row_at(address).heads, offset):
        note_hot(hart, header.pa | offset)


@define
def sample_split(hart):
    """Note accesses that lay in two pages often since the last budget ended."""
    if hart.split_count > MANY_SPLITS:
        header, offset = place_of(hart, hart.split_slot)
        note_hot(hart, header.pa | offset | SPLIT)
    hart.split_count = 0


@define
def note_hot(hart, pa: u64):
    """Count a sample. Call the compiler of regions when code is found to be hot."""
    sample = hart.samples[(pa >> 1 ^ pa >> 10) & (SAMPLES - 1)]
    if sample.pa != pa:
        sample.count = sample.count >> 1
        if sample.count != 0:
            return
        sample.pa = pa
        sample.told = 0
    sample.count += 1
    if sample.count == u64(ENOUGH) << sample.told:
        tell_hot(hart, pa | sample.told << WEIGHT)
        sample.count = 0
        sample.told += 1


@define(cold=True)
def tell_hot(hart, report: u64):
    """Call the compiler of regions."""
    machine = hart.machine
    hart.hot[hart.hot_count & (HOT - 1)] = report
    fence()
    hart.hot_count += 1
    machine.hot_calls += 1
    call_host(machine.wake_fn, host_address(machine) + HOT_CALLS, u64(0), u64(0), u64(0))
