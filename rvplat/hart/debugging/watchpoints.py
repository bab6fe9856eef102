"""Watchpoints: ranges of virtual addresses in a world whose loads or stores stop the hart.

The TLB entries of a page with a watched range have hidden tags. So each access of the page takes
the slow path, which looks at the rows first. Other pages are as fast as without watchpoints. The
hart stops before the access, with hart.pc at the instruction.

A row has no condition: machine/debugging/watchpoints.py evaluates it after the hart has stopped.
"""

from rvplat.hart.acceleration.tlb import CONTEXTS, drop_data
from rvplat.hart.debugging.worlds import ANYWHERE, current_world
from rvplat.hart.pointer_masking import effective_address
from rvplat.hart.state import STOP_BREAK, HartState, MachineState
from rvplat.hart.trap import Trap
from rvplat.hart.triggers import (
    access_triggers,
    load_triggers,
    page_triggers,
    store_triggers,
)
from rvplat.isa.trigger_values import Armed
from rvplat.lang import Record, define, ptr, read_u32, u8, u32, u64

READS = 1
WRITES = 2
HEADS = 1 << 12  # chains of rows, by a hash of the page
MOST = 1 << 14  # rows, one for each page of a range; number 0 is none
NOWHERE = 1  # of watch_skip, break_skip and ebreak_skip: no instruction is at an odd address
MOST_MET = 16  # rows that a stop can name

WatchRow = Record("WatchRow")
WatchRow.add("start", u64)
WatchRow.add("last", u64)  # the last byte, in the same page
WatchRow.add("world", u64)
WatchRow.add("next", u32)  # of the chain; 0 ends it
WatchRow.add("kinds", u8)

MachineState.add("watch_rows", ptr(WatchRow))
MachineState.add("points_off", u32)  # no breakpoint or watchpoint is met: a run is repeated
MachineState.add("watch_heads", u64)  # host address: u32 HEADS
HartState.outside("break_row", u64)  # the first breakpoint met (engine/breakpoints.py), or 0
HartState.outside("watch_row", u64)  # the first row that was met
HartState.outside("watch_address", u64)  # the first byte of the access that is in that row's range
HartState.outside("watch_kind", u64)  # READS, WRITES, or both (AMOs)
HartState.outside("watch_skip", u64)  # accesses of the instruction here don't stop; odd: none
HartState.outside("met_count", u64)  # rows of breakpoints or watchpoints met at the last stop
HartState.outside("met_rows", u32, MOST_MET)  # their numbers


@define
def note_met(hart, row: u64):
    """A row is met: list it for the stop."""
    if hart.met_count < MOST_MET:
        hart.met_rows[hart.met_count] = u32(row)
        hart.met_count += 1


@define
def watch_hash(va: u64) -> u64:
    """The chain of an address's page."""
    return (va >> 12 ^ va >> 24) & (HEADS - 1)


@define
def first_watch(hart, va: u64) -> u64:
    """The first row of the chain. There is no table before the first watchpoint."""
    if hart.machine.watch_heads == 0:
        return u64(0)
    return u64(read_u32(hart.machine.watch_heads + watch_hash(va) * 4))


@define(cold=True)
def watched_kinds(hart, va: u64) -> u64:
    """What is watched in an address's page, in any world, by debuggers and triggers."""
    machine = hart.machine
    kinds = u64(0)
    n = first_watch(hart, va)
    while n != 0:
        if (machine.watch_rows[n].start ^ va) >> 12 == 0:
            kinds |= u64(machine.watch_rows[n].kinds)
        n = u64(machine.watch_rows[n].next)
    if hart.trigger_kinds & Armed.ACCESS != 0:
        kinds |= page_triggers(hart, va) & (READS | WRITES)
    return kinds


@define
def overlaps(watch: WatchRow, va: u64, last: u64, kinds: u64) -> bool:
    """Whether an access of these kinds is watched."""
    return u64(watch.kinds) & kinds != 0 and va <= watch.last and last >= watch.start


@define
def counts_here(hart, watch: WatchRow) -> bool:
    """Whether the hart is in the row's world, and its instruction is not skipped."""
    if hart.watch_skip == hart.pc or hart.machine.points_off != 0:
        return False
    return watch.world == ANYWHERE or watch.world == current_world(hart)


@define
def meets(hart, watch: WatchRow, va: u64, last: u64, kinds: u64) -> bool:
    """Whether an access in one page stops the hart because of this row."""
    return overlaps(watch, va, last, kinds) and counts_here(hart, watch)


@define(cold=True)
def stop_at_watch(hart, va: u64, last: u64, kinds: u64, first: u64):
    """Stop the hart at a row that an access meets; list the other rows that it meets, too."""
    machine = hart.machine
    start = machine.watch_rows[first].start
    hart.watch_row = first
    hart.watch_address = va if va > start else start
    hart.watch_kind = kinds
    hart.break_row = 0
    hart.met_count = 0
    n = first
    while n != 0:
        if meets(hart, machine.watch_rows[n], va, last, kinds):
            note_met(hart, n)
        n = u64(machine.watch_rows[n].next)
    hart.stop = STOP_BREAK
    raise Trap


@define(cold=True)
def watch_bytes(hart, va: u64, last: u64, kinds: u64):
    """Stop the hart if an access in one page is watched. Raises Trap, with hart.stop set.

    Each access of a watched page runs this, so it only reads until a row is met."""
    machine = hart.machine
    n = first_watch(hart, va)
    while n != 0:
        if meets(hart, machine.watch_rows[n], va, last, kinds):
            stop_at_watch(hart, va, last, kinds, n)
        n = u64(machine.watch_rows[n].next)


@define(cold=True)
def watch_range(hart, first: u64, size: u64, kinds: u64):
    """As `watch_bytes`, for an access that may reach into the next page."""
    here = first
    last = first + size - 1
    if (here ^ last) >> 12 != 0:
        watch_bytes(hart, here, here | 0xFFF, kinds)
        here = last & ~0xFFF
    watch_bytes(hart, here, last, kinds)


@define(cold=True)
def watch_access(hart, va: u64, size: u64, kinds: u64):
    """Before an access: stop the hart if it is watched, or raise a trigger's exception. Its address
    is as the instruction gave it."""
    first = effective_address(hart, va)
    watch_range(hart, first, size, kinds)
    if hart.trigger_kinds & Armed.ACCESS != 0:
        access_triggers(hart, first, size, kinds)


@define(cold=True)
def watch_store(hart, va: u64, size: u64, value: u64):
    """As `watch_access`, for a store whose value is known."""
    first = effective_address(hart, va)
    watch_range(hart, first, size, u64(WRITES))
    if hart.trigger_kinds & Armed.ACCESS != 0:
        store_triggers(hart, first, size, value)


@define(cold=True)
def watch_loaded(hart, va: u64, size: u64, value: u64):
    """After a load: triggers that compare what was loaded."""
    if hart.trigger_kinds & Armed.DATA != 0:
        load_triggers(hart, effective_address(hart, va), size, value)


@define(cold=True)
def watch_changed(hart, va: u64):
    """A row of a page was added or removed: drop the page's TLB entries."""
    for n in range(CONTEXTS):
        drop_data(hart, u64(n), va)
