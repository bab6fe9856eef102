"""The work between handlers: finding slots, decoding, ending budgets, taking interrupts.

All of it is cold compared with the handlers, and all of it is native code while the machine runs.
Only `settle` handles interrupts, requests of other threads and the end of the budget. It returns
the slot to go on with, or 0 to leave native code, with hart.stop set.
"""

from rvplat.engine.arm_breakpoints import page_entered
from rvplat.engine.breakpoints import KEPT, is_breakpoint, is_met, keep_handler, stops_before_fetch
from rvplat.engine.budgets import end_turn, lasts, refill, runs_alone, step_from_here
from rvplat.engine.coverage_marks import enter_marks, mark, mark_single
from rvplat.engine.decode import NO_ROW, fill_slot, find_row, in_page, read_page
from rvplat.engine.hot_code import region_entry
from rvplat.engine.pairs import find_pair
from rvplat.engine.searching import enter_search, look, note_begin
from rvplat.engine.slot_pages import new_slots
from rvplat.engine.slots import header_at, slot_at
from rvplat.hart.acceleration.invalidate import lines_settled, mark_lines
from rvplat.hart.acceleration.tlb import fetch_fill
from rvplat.hart.acceleration.young_pages import enter_young
from rvplat.hart.atomics import finish_amo
from rvplat.hart.debugging.profile_samples import begin_profile
from rvplat.hart.debugging.timeline_events import note_entry
from rvplat.hart.fetch import NO_PAGE, fetch_address, fetch_instruction, translate_fetch
from rvplat.hart.interrupts import take_interrupt
from rvplat.hart.ram import region_of
from rvplat.hart.sleep import may_sleep, sleep
from rvplat.hart.state import (
    FETCH_ENTRIES,
    SLOT_HEADER,
    STOP_BREAK,
    STOP_NONE,
    STOP_WFI,
)
from rvplat.hart.trap import Trap, take_due_trigger, take_trap
from rvplat.hart.triggers import (
    fetch_triggers,
    instruction_triggers,
    is_fetch_watched,
)
from rvplat.isa.fp_state import call_out
from rvplat.isa.landing_pads import check_landing
from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import PAGE_MASK
from rvplat.isa.trigger_values import Armed
from rvplat.lang import (
    compare_exchange_u64,
    define,
    read_u64,
    u32,
    u64,
)

# --- pages of slots -----------------------------------------------------------------------------


@define(cold=True)
def find_slots(hart, pc: u64) -> bool:
    """Translate a fetch and make the page's slots a fetch entry. False if the page can have no
    slots, because PMP divides it or a trigger may match in it. Raises Trap."""
    if is_fetch_watched(hart, pc):
        return False
    pa = translate_fetch(hart, pc)
    if pa == NO_PAGE:
        return False
    region = region_of(hart, pa)
    ram = hart.machine.ram[region]
    number = pa - ram.base >> 12
    slots = read_u64(hart.slot_pages + (ram.first_page + number) * 8)
    if slots == 0:
        slots = new_slots(hart, pa & PAGE_MASK, region, number)
    header = header_at(slots - SLOT_HEADER)
    if hart.machine.cover_fn != 0:
        enter_marks(hart, header, pc, slots)
    fetch_fill(hart, pc, ram.host + (number << 12), slots)
    page_entered(hart, header, pc, slots)
    return True


# --- decoding -----------------------------------------------------------------------------------


@define
def choose_handler(row, slot, offset: u64) -> u64:
    """A row's handler; for a branch within the page, its near handler."""
    if row.near_handler != 0 and in_page(offset, slot.imm):
        return row.near_handler
    return row.handler


@define(cold=True)
def decode_slot(hart, address: u64):
    """Decode the instruction of the slot at a host address, and store its handler there."""
    pc = hart.pc_bias + (address >> 3)
    offset = pc & 0xFFE
    header = header_at(address - (offset << 3) - SLOT_HEADER)
    slot = slot_at(address)
    last = offset + 2 if offset != 0xFFE else offset
    lines = u64(1) << (offset >> 6) | u64(1) << (last >> 6)
    while True:
        mark_lines(hart, header.code, header.pa, lines)
        bits = read_page(header.host, offset)
        own = own_handler(hart, slot, bits, offset)
        slot.handler = own
        if lines_settled(hart, header.code, lines) and read_page(header.host, offset) == bits:
            break
    if hart.machine.compile_now != 0:
        call_out(hart, hart.machine.compile_now, header.pa | offset, u64(0), u64(0))
    if hart.machine.break_count != 0 and is_breakpoint(hart, header, pc):
        cover_slot(hart, address)
        return
    mark(header, offset)
    entry = region_entry(hart, header, offset)
    if entry != 0:  # another hart may drop the region and the slot meanwhile: it stays dropped
        compare_exchange_u64(address, own, entry)
    elif bits & 3 != 3:
        join(hart, address, offset, u64(2))
    elif offset != 0xFFE:
        join(hart, address, offset, u64(4))


@define
def own_handler(hart, slot, bits: u32, offset: u64) -> u64:
    """Fill the slot at an offset of a page; returns its handler."""
    if bits & 3 == 3 and offset == 0xFFE:
        return hart.machine.straddle_handler
    return decode_into(hart, slot, bits, offset)


@define
def join_pair(hart, first: u64, second: u64, length: u64):
    """Give the first of two slots the handler of their pair, if there is one. If another hart
    drops the slot meanwhile, it stays dropped."""
    alone = read_u64(first)
    both = find_pair(hart.machine, alone, read_u64(second), length)
    if both != 0:
        compare_exchange_u64(first, alone, both)


@define
def join(hart, address: u64, offset: u64, length: u64):
    """A slot was decoded: pair it with the slots before it and with the slot after it."""
    if offset >= 2:
        join_pair(hart, address - 16, address, u64(2))
    if offset >= 4:
        join_pair(hart, address - 32, address, u64(4))
    if offset + length < 4096:
        join_pair(hart, address, address + length * 8, length)


@define
def decode_into(hart, slot, bits: u32, offset: u64) -> u64:
    """Fill a slot's operands and return its handler. With an offset of 4096 no branch is near."""
    number = find_row(hart, bits)
    if number == NO_ROW:
        return hart.machine.illegal_handler
    row = hart.decode_rows[number]
    fill_slot(row, slot, bits)
    return choose_handler(row, slot, offset) if offset < 4096 else row.handler


@define(cold=True)
def scratch_slot(hart) -> u64:
    """Decode the instruction at hart.pc into the last slots of the scratch page, so that only it
    runs. For single steps and for an instruction that straddles two pages. Raises Trap."""
    bits = fetch_instruction(hart, hart.pc)
    address = hart.scratch_slots + 16 * 2046
    slot = slot_at(address)
    if hart.scratch_bits != u64(bits) + 1:
        slot.handler = decode_into(hart, slot, bits, u64(4096))
        hart.scratch_bits = u64(bits) + 1
    if hart.machine.cover_fn != 0:
        mark_single(hart)
    hart.pc_bias = hart.pc - (address >> 3)
    return address


@define
def undecodable(hart):
    """Raise illegal instruction: the hart doesn't have the instruction."""
    illegal(hart)


# --- breakpoints --------------------------------------------------------------------------------


@define
def cover_slot(hart, address: u64):
    """Give a slot the breakpoints' handler, unless another hart drops it meanwhile."""
    own = read_u64(address)
    keep_handler(hart, address, own)
    compare_exchange_u64(address, own, hart.machine.breakpoint_handler)


@define
def kept_handler(hart, address: u64, offset: u64) -> u64:
    """The handler of the instruction in a slot that has a breakpoint."""
    kept = hart.kept[address >> 4 & (KEPT - 1)]
    if kept.slot != address:  # another slot has overwritten the entry
        header = header_at(address - (offset << 3) - SLOT_HEADER)
        bits = read_page(header.host, offset)
        keep_handler(hart, address, own_handler(hart, slot_at(address), bits, offset))
    return kept.handler


@define
def meet_breakpoint(hart, address: u64) -> u64:
    """At a slot with the breakpoints' handler: the handler to go on with, or 0 to leave native
    code."""
    offset = hart.pc & 0xFFE
    header = header_at(address - (offset << 3) - SLOT_HEADER)
    if is_met(hart, header.pa | offset):
        hart.stop = STOP_BREAK
        return u64(0)
    machine = hart.machine
    if not is_breakpoint(hart, header, hart.pc):  # the breakpoint was removed
        compare_exchange_u64(address, machine.breakpoint_handler, machine.decode_handler)
    mark(header, offset)
    return kept_handler(hart, address, offset)


@define(cold=True)
def met_in_scratch(hart) -> bool:
    """Whether a breakpoint is met at hart.pc, in single steps. Raises Trap."""
    pa = u64(NO_PAGE)
    if hart.machine.break_physical != 0 or hart.machine.break_guest != 0:
        pa, _whole = fetch_address(hart, hart.pc)
    return is_met(hart, pa)


# --- settling ----------------------------------------------------------------------------------


@define(cold=True)
def begin(hart):
    """Native code is entered: return the rest of the budget to the limit, so that `settle` checks
    everything. A hart that slept in WFI sleeps on."""
    hart.limit += hart.budget
    hart.instret_base -= u64(hart.budget)
    hart.budget = 0
    hart.stop = STOP_NONE
    hart.left_slot = u64(0)  # the memory of slots may be another since
    if hart.waiting != 0 and hart.sleeps != 0:
        hart.stop = STOP_WFI
    hart.attention = 1
    if hart.profile_ring != 0:
        begin_profile(hart)
    if hart.timeline_ring != 0:
        note_entry(hart)
    enter_search(hart)
    enter_young(hart)


@define
def single(hart) -> u64:
    """The scratch slot of hart.pc's instruction, or 0 at a breakpoint. Raises Trap."""
    if hart.machine.break_count != 0 and met_in_scratch(hart):
        hart.stop = STOP_BREAK
        return u64(0)
    if hart.trigger_kinds & (Armed.EXECUTE | Armed.COUNT) != 0:
        instruction_triggers(hart)
    if hart.trigger_kinds & Armed.OPCODE != 0:
        fetch_triggers(hart, u64(fetch_instruction(hart, hart.pc)), True)
    if hart.elp != 0:  # after triggers: an address breakpoint has a higher priority
        check_landing(hart, u64(fetch_instruction(hart, hart.pc)))
    return scratch_slot(hart)


@define
def locate(hart) -> u64:
    """The slot of hart.pc, or 0 at a breakpoint. Raises Trap."""
    if hart.stepping != 0:
        return single(hart)
    entry = hart.fetch[hart.pc >> 12 & (FETCH_ENTRIES - 1)]
    if entry.tag != hart.pc & ~0xFFE:
        found = False
        try:
            found = find_slots(hart, hart.pc)
        except Trap:
            if stops_before_fetch(hart):
                return u64(0)
            found = find_slots(hart, hart.pc)  # again: conditions may have changed the trap
        if not found:
            return single(hart)
        entry = hart.fetch[hart.pc >> 12 & (FETCH_ENTRIES - 1)]
    hart.pc_bias = entry.bias
    return entry.slots + ((hart.pc & 0xFFE) << 3)


@define
def traps_first(hart) -> bool:
    """See to what the last instruction or a device has changed. Returns whether that has to be done
    again, because an interrupt was taken, or because a timer comes earlier than was known when the
    budget was granted."""
    hart.resync = 0
    hart.search_changed = 1
    finish_amo(hart)
    if hart.trigger_due != 0:
        take_due_trigger(hart)
        return True
    if take_interrupt(hart):
        hart.search_interrupted = 1
        return True
    return hart.attention != 0 and hart.machine.exact != 0


@define
def settle(hart) -> u64:
    """Do all that is due before the instruction at hart.pc. The slot to go on with, or 0."""
    if ux.bits < 64:  # after the last instruction of the address space comes the first
        hart.pc = u64(ux(hart.pc))
    while True:
        if hart.stop == STOP_WFI:
            if may_sleep(hart):
                sleep(hart)
            if hart.stop != STOP_NONE:
                hart.resync = 0  # `begin` makes `settle` check everything
                if hart.search_code != 0:
                    look(hart)
                return u64(0)
        if hart.budget <= 0 or hart.attention != 0:
            refill(hart)
        if hart.resync != 0 and hart.stop != STOP_BREAK and traps_first(hart):
            continue
        if hart.search_code != 0:
            look(hart)
        if hart.yields != 0:
            end_turn(hart)
        if hart.stop != STOP_NONE:
            hart.resync = 0  # as above
            return u64(0)
        if runs_alone(hart):
            if hart.stepping == 0:
                step_from_here(hart)
        elif hart.window != 0:
            hart.stepping = u32(not lasts(hart))
        if hart.search_code != 0:
            note_begin(hart)
        try:
            if hart.elp != 0:
                if hart.trigger_kinds & (Armed.EXECUTE | Armed.COUNT) != 0:
                    return single(hart)
                check_landing(hart, u64(fetch_instruction(hart, hart.pc)))
            return locate(hart)
        except Trap:
            hart.last_slot = 0
            take_trap(hart)


@define
def straddle(hart) -> u64:
    """The slot of an instruction that straddles two pages, or of its trap handler, or 0."""
    try:
        return scratch_slot(hart)
    except Trap:
        hart.last_slot = 0
        hart.search_pc = hart.pc
        take_trap(hart)
    return settle(hart)
