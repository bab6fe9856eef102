"""Breakpoints as handlers of slots.

A breakpoint is a row: an address in a space (virtual, physical or guest-physical), the world, ASID
and modes that it is for, and a condition. When code at the address is decoded, its slot gets the
handler `special.breakpoint`. This handler looks for a row that is met. If there is one, it leaves
native code with STOP_BREAK; else it goes on with the instruction's own handler. The guest's memory
is not changed, addresses need not be mapped, and code without rows is as fast as before.

One page of slots serves every address of its physical page. Its header lists the first few virtual
and guest-physical pages by which it was entered. When a page becomes a fetch entry and rows were
added since, the slots at the rows' addresses are dropped. A slot that is decoded later gets the
breakpoints' handler if a row has its address by any of the listed pages. If there were more pages
than the header can list, any row with the slot's offset counts: then the handler is sometimes
entered and finds no row. arm_breakpoints.py lists the pages and drops the slots.
"""

from rvplat.engine.agent import FALSE, evaluate
from rvplat.hart.debugging.watchpoints import note_met
from rvplat.hart.debugging.worlds import ANYWHERE, current_asid, current_world
from rvplat.hart.page_tables import address_in
from rvplat.hart.state import (
    FETCH_ENTRIES,
    STOP_BREAK,
    HartState,
    MachineState,
    SlotHeader,
)
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import (
    Record,
    define,
    ptr,
    read_u32,
    u8,
    u32,
    u64,
)

VIRTUAL = 0
PHYSICAL = 1
GUEST_PHYSICAL = 2
HEADS = 1 << 14  # chains of rows, by a hash of address and space
PAGES = 1 << 12  # counts of rows, by a hash of the page
MOST = 1 << 16  # rows; number 0 means no row
KEPT = 1 << 12  # own handlers of slots with breakpoints, by a hash of the slot
ANY_ASID = 0xFFFF_FFFF
ALIASES = 5

BreakRow = Record("BreakRow")
BreakRow.add("address", u64)
BreakRow.add("world", u64)  # as hart/debugging/worlds.py numbers them
BreakRow.add("code", u64)  # host address of conditions: u32 length and bytecode, length 0 ends
BreakRow.add("hits", u64)
BreakRow.add("next", u32)  # of the chain; 0 ends it
BreakRow.add("asid", u32)
BreakRow.add("space", u8)
BreakRow.add("modes", u8)  # bit n: privilege n counts where V=0, bit 4 + n: where V=1

KeptHandler = Record("KeptHandler")
KeptHandler.add("slot", u64)
KeptHandler.add("handler", u64)

MachineState.add("breakpoint_handler", u64)
MachineState.add("break_rows", ptr(BreakRow))
MachineState.add("break_heads", u64)  # host address: u32 HEADS
MachineState.add("break_pages", u64)  # host address: u32 PAGES, for all spaces
MachineState.add("break_offsets", u32, 2048)  # rows by their address's offset in its page, halved
MachineState.add("break_count", u64)
MachineState.add("break_physical", u64)  # rows in the physical space
MachineState.add("break_guest", u64)  # rows in guests' physical spaces
MachineState.add("break_stamp", u64)  # changes when a row is added

PageList = Record("PageList")
PageList.add("count", u64)  # ALIASES + 1: there are more
PageList.add("page", u64, ALIASES)

SlotHeader.add("armed_stamp", u64)  # break_stamp when it was armed
SlotHeader.add("aliases", PageList)  # virtual pages by which it was entered
SlotHeader.add("guests", PageList)  # guest-physical pages by which it was entered

HartState.outside("break_skip", u64)  # don't stop at this address once; an odd value is no address
HartState.outside("kept", KeptHandler, KEPT)


@define
def hash_of(space: u64, address: u64) -> u64:
    """The chain of an address."""
    return (address >> 1 ^ address >> 15 ^ address >> 29 ^ space << 9) & (HEADS - 1)


@define
def page_hash(address: u64) -> u64:
    """The count of an address's page."""
    return (address >> 12 ^ address >> 24) & (PAGES - 1)


@define
def first_row(hart, space: u64, address: u64) -> u64:
    """The first row with an address, or 0."""
    machine = hart.machine
    n = u64(read_u32(machine.break_heads + hash_of(space, address) * 4))
    while n != 0 and (
        machine.break_rows[n].address != address or u64(machine.break_rows[n].space) != space
    ):
        n = u64(machine.break_rows[n].next)
    return n


@define
def has_rows(hart, address: u64) -> bool:
    """Whether there are rows for addresses in the page of an address, of any space. Sometimes true
    if there are none, because pages share counts."""
    return read_u32(hart.machine.break_pages + page_hash(address) * 4) != 0


# --- decoding -----------------------------------------------------------------------------------


@define
def has_row(hart, va: u64, pa: u64) -> bool:
    """Whether any row is for an address."""
    machine = hart.machine
    if machine.break_physical != 0 and first_row(hart, u64(PHYSICAL), pa) != 0:
        return True
    if not has_rows(hart, va):
        return False
    return first_row(hart, u64(VIRTUAL), va) != 0


@define(cold=True)
def is_guest_breakpoint(hart, header, offset: u64) -> bool:
    """Whether there is a row for an offset in any of the guest-physical pages."""
    if header.guests.count > ALIASES:
        return True
    for i in range(header.guests.count):
        if first_row(hart, u64(GUEST_PHYSICAL), header.guests.page[i] | offset) != 0:
            return True
    return False


@define(cold=True)
def is_breakpoint(hart, header, pc: u64) -> bool:
    """Whether there is a row for an address, or for the same offset in one of the listed pages."""
    offset = pc & 0xFFE
    if hart.machine.break_offsets[offset >> 1] == 0:
        return False
    if header.aliases.count > ALIASES or has_row(hart, pc, header.pa | offset):
        return True
    for i in range(header.aliases.count):
        if has_row(hart, header.aliases.page[i] | offset, header.pa | offset):
            return True
    return hart.machine.break_guest != 0 and is_guest_breakpoint(hart, header, offset)


@define(cold=True)
def keep_handler(hart, slot: u64, handler: u64):
    """Remember the handler of the instruction in a slot that has a breakpoint."""
    kept = hart.kept[slot >> 4 & (KEPT - 1)]
    kept.slot = slot
    kept.handler = handler


# --- meeting one --------------------------------------------------------------------------------


@define
def condition_holds(hart, code: u64) -> bool:
    """Whether one of a row's conditions is true or can't be evaluated."""
    if code == 0:
        return True
    at = code
    length = u64(read_u32(at))
    while length != 0:
        if evaluate(hart, at + 4, length) != FALSE:
            return True
        at += 4 + length
        length = u64(read_u32(at))
    return False


@define
def row_holds(hart, entry: BreakRow) -> bool:
    """Whether a row's world, modes, ASID and condition hold for the hart."""
    if entry.world != ANYWHERE and entry.world != current_world(hart):
        return False
    if u64(entry.modes) >> (u64(hart.priv) | u64(hart.virt) << 2) & 1 == 0:
        return False
    if entry.asid != ANY_ASID and u64(entry.asid) != current_asid(hart):
        return False
    return condition_holds(hart, entry.code)


@define
def met_in_chain(hart, space: u64, address: u64) -> u64:
    """The first row of an address that holds, or 0. Counts a hit for each row that holds."""
    machine = hart.machine
    met = u64(0)
    n = first_row(hart, space, address)
    while n != 0:
        row = machine.break_rows[n]
        if row.address == address and u64(row.space) == space and row_holds(hart, row):
            row.hits += 1
            note_met(hart, n)
            met = n if met == 0 else met
        n = u64(row.next)
    return met


@define(cold=True)
def guest_address(hart) -> u64:
    """The guest-physical address of hart.pc, where V=1."""
    index = hart.pc >> 12 & (FETCH_ENTRIES - 1)
    ctx = hart.fetch_ctx[hart.fetches.context]
    page = ctx.guest_pages[index]
    if ctx.entries[index].tag != hart.pc & PAGE_MASK:  # no fetch entry yet: the walk was just made
        page = hart.guest_page
    return address_in(page, u64(hart.pc))


@define
def is_met(hart, pa: u64) -> bool:
    """Whether the hart, at hart.pc, must stop before the instruction."""
    if hart.machine.points_off != 0:
        return False
    if hart.break_skip == hart.pc:
        hart.break_skip = 1
        hart.hook_held = 0
        return False
    hart.met_count = 0
    n = met_in_chain(hart, u64(VIRTUAL), hart.pc)
    if hart.machine.break_physical != 0:
        m = met_in_chain(hart, u64(PHYSICAL), pa)
        n = m if n == 0 else n
    if hart.machine.break_guest != 0 and hart.virt != 0:
        m = met_in_chain(hart, u64(GUEST_PHYSICAL), guest_address(hart))
        n = m if n == 0 else n
    hart.break_row = n
    return n != 0


@define(cold=True)
def stops_before_fetch(hart) -> bool:
    """Whether a breakpoint is met at an address that can't be fetched from. Breakpoints have a
    higher priority than the exceptions of the fetch ("Machine Cause Register", synchronous
    exception priority). The calls that gdb makes return to the stack, which often isn't executable.
    """
    if hart.machine.break_count == 0 or hart.machine.points_off != 0:
        return False
    if hart.break_skip == hart.pc:
        hart.break_skip = 1
        hart.hook_held = 0
        return False
    hart.met_count = 0
    hart.break_row = met_in_chain(hart, u64(VIRTUAL), hart.pc)
    if hart.break_row != 0:
        hart.stop = STOP_BREAK
    return hart.break_row != 0
