"""Whether triggers fire (RISC-V Debug Specification 1.0, "Sdtrig"). Their registers are in
isa/sdtrig.py.

Nothing here runs while no trigger is armed (hart.trigger_kinds). A page in which a trigger may
match a fetch has no fetch entry, so each of its instructions is fetched by itself and asked for.
A page in which a trigger may match an access has hidden tags, as one with a watchpoint. While an
icount trigger counts in the hart's mode, the budget is one instruction. So other code is as fast as
without triggers, and regions need not know of them. A trigger that compares data or opcodes may
match in any page.

A debugger's breakpoint or watchpoint at the same place stops first. After it, the trigger fires.
"""

from rvplat.hart.state import HartState
from rvplat.isa.machinery.vocabulary import raise_access_trap
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import Cause
from rvplat.isa.sdtrig import TRIGGERS, may_fire, mode_field, rearm
from rvplat.isa.trigger_values import (
    MATCH_EQUAL,
    MATCH_GE,
    MATCH_LT,
    MATCH_MASK_LOW,
    MATCH_NAPOT,
    MATCH_NOT,
    Armed,
    Control,
    Count,
    Kind,
    is_control,
    kind_of,
    trap_hit,
)
from rvplat.lang import NoReturn, define, u8, u64

HartState.derived("trigger_fired", u8)  # 1: the breakpoint exception that is raised is a trigger's

ID_SHIFT, VMID_BITS, ASID_BITS = 44, 14, 16  # in satp, vsatp and hgatp as the record holds them

# --- textra --------------------------------------------------------------------------------------


@define
def byte_mask(mask: u64) -> u64:
    """The bits of scontext that sbytemask ignores."""
    found = u64(0)
    for i in range(4):
        if mask >> i & 1 != 0:
            found |= u64(0xFF) << (8 * i)
    return found


@define
def context_fits(hart, data3: u64) -> bool:
    """sselect: scontext, or the ASID of satp or, with V=1, vsatp."""
    sselect = data3 & 3
    if sselect == 0:
        return True
    value = data3 >> 2 & (u64(0xFFFF_FFFF) if ux.bits == 64 else u64(0xFFFF))
    if sselect == 1:
        mask = data3 >> 36 & 15 if ux.bits == 64 else data3 >> 18 & 3
        compared = u64(0xFFFF_FFFF) if ux.bits == 64 else u64(0xFFFF)
        return (hart.scontext_value ^ value) & compared & ~byte_mask(mask) == 0
    root = hart.vsatp if hart.virt != 0 else hart.satp
    return (root >> ID_SHIFT ^ value) & ((1 << ASID_BITS) - 1) == 0


@define
def guest_fits(hart, data3: u64) -> bool:
    """mhselect: mcontext, or the VMID. Its highest bit may be the lowest of the value."""
    select = data3 >> 48 & 7 if ux.bits == 64 else data3 >> 23 & 7
    if select == 0:
        return True
    value = data3 >> 51 if ux.bits == 64 else data3 >> 26
    bits = u64(13) if ux.bits == 64 else u64(6)
    if select == 4:
        return (hart.hcontext_value ^ value) & ((u64(1) << bits) - 1) == 0
    value = value << 1 | select >> 2
    if select & 3 == 1:
        return (hart.hcontext_value ^ value) & ((u64(1) << (bits + 1)) - 1) == 0
    return (hart.hgatp >> ID_SHIFT ^ value) & ((1 << VMID_BITS) - 1) == 0


@define
def is_enabled(hart, i: u64) -> bool:
    """Whether a trigger counts in the hart's mode and contexts."""
    data1 = hart.trigger_data1[i]
    if data1 & mode_field(hart, kind_of(data1)) == 0:
        return False
    return context_fits(hart, hart.trigger_data3[i]) and guest_fits(hart, hart.trigger_data3[i])


# --- mcontrol6 -----------------------------------------------------------------------------------


@define
def address_matches(match: u64, data2: u64, va: u64, last: u64) -> bool:
    """Whether any address from va to last is matched. A negated match is that none of them is."""
    if match >= MATCH_NOT:
        return not any_address_matches(match & ~u64(MATCH_NOT), data2, va, last)
    return any_address_matches(match, data2, va, last)


@define
def any_address_matches(match: u64, data2: u64, va: u64, last: u64) -> bool:
    """The matches that are not negated."""
    if match == MATCH_EQUAL:
        return va <= data2 and data2 <= last
    if match == MATCH_NAPOT:
        low = data2 & (data2 + 1)
        return va <= data2 | (data2 ^ (data2 + 1)) and low <= last
    if match == MATCH_GE:
        return last >= data2
    if match == MATCH_LT:
        return va < data2
    at = va
    while at != last + 1:
        if mask_matches(match, data2, at):
            return True
        at += 1
    return False


@define
def mask_matches(match: u64, data2: u64, value: u64) -> bool:
    """Mask low or mask high: tdata2 holds the mask above the bits that are wanted."""
    half = u64(ux.bits // 2)
    ones = (u64(1) << half) - 1
    part = value if match == MATCH_MASK_LOW else value >> half
    return part & (data2 >> half) & ones == data2 & ones


@define
def data_matches(match: u64, data2: u64, value: u64, length: u64) -> bool:
    """Whether a value of some bytes is matched. All but the masks compare that many bytes of
    tdata2."""
    if length > ux.bits // 8:
        return False
    negated = match & MATCH_NOT != 0
    match &= ~u64(MATCH_NOT)
    if match >= MATCH_MASK_LOW:
        return mask_matches(match, data2, value) != negated
    ones = (u64(1) << (8 * length)) - 1 if length < 8 else ~u64(0)
    wanted = data2 & ones
    found = False
    if match == MATCH_EQUAL:
        found = value == wanted
    elif match == MATCH_NAPOT:
        found = (value ^ wanted) & ~(data2 ^ (data2 + 1)) == 0
    elif match == MATCH_GE:
        found = value >= wanted
    else:
        found = value < wanted
    return found != negated


@define
def size_fits(size: u64, length: u64) -> bool:
    """Whether an access, or an instruction, of some bytes has the size that a trigger asks for."""
    if size == 0:
        return True
    return length == (u64(1) << (size - 1) if size < 5 else u64(8))


@define
def control_matches(hart, i: u64, kind: u64, va: u64, length: u64, value: u64, known: bool) -> bool:
    """Whether an mcontrol6 trigger matches an access of a kind (LOAD, STORE or EXECUTE)."""
    data1 = hart.trigger_data1[i]
    data2 = hart.trigger_data2[i]
    if not is_control(kind_of(data1)) or data1 & kind == 0:
        return False
    if not size_fits(data1 >> Control.SIZE_SHIFT & 7, length):
        return False
    match = data1 >> Control.MATCH_SHIFT & 15
    if data1 & Control.SELECT != 0:
        if not known or not data_matches(match, data2, value, length):
            return False
    else:
        last = va if kind == Control.EXECUTE else va + length - 1
        if not address_matches(match, data2, va, last):
            return False
    return is_enabled(hart, i)


@define(cold=True)
def control_fires(
    hart, kind: u64, va: u64, length: u64, value: u64, known: bool, hits: u64
) -> bool:
    """Whether an access fires triggers; their field hit becomes `hits`. A chained trigger lets the
    next one match only if it matches itself.

    Args:
        length: the bytes of the access or of the instruction; 0 before it is fetched.
        value: what is stored or was loaded, or the instruction, if that is known.
    """
    if not may_fire(hart):
        return False
    fires = False
    linked = True
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        matched = linked and control_matches(hart, u64(i), kind, va, length, value, known)
        chained = is_control(kind_of(data1)) and data1 & Control.CHAIN != 0
        if matched and not chained:
            hart.trigger_data1[i] = data1 & ~Control.HITS | hits
            fires = True
        linked = matched if chained else True
    return fires


@define
def fire(hart, tval: u64, is_address: bool) -> NoReturn:
    """Raise the breakpoint exception of a trigger."""
    hart.trigger_fired = 1
    is_guest = is_address and hart.virt != 0
    raise_access_trap(hart, u64(Cause.BREAKPOINT), tval, u64(0), u64(0), is_guest)


@define(cold=True)
def access_triggers(hart, va: u64, size: u64, kinds: u64):
    """Before an access. `kinds` are Control.LOAD and STORE."""
    if control_fires(hart, kinds, va, size, u64(0), False, u64(Control.HIT0)):
        fire(hart, va, True)


@define(cold=True)
def store_triggers(hart, va: u64, size: u64, value: u64):
    """Before a store of a value."""
    kept = value & ((u64(1) << (8 * size)) - 1) if size < 8 else value
    if control_fires(hart, u64(Control.STORE), va, size, kept, True, u64(Control.HIT0)):
        fire(hart, va, True)


@define(cold=True)
def load_triggers(hart, va: u64, size: u64, value: u64):
    """After a load of a value, zero-extended. The trap comes when the instruction has retired."""
    if control_fires(hart, u64(Control.LOAD), va, size, value, True, u64(Control.HITS)):
        hart.trigger_due = 1
        hart.trigger_address = va
        hart.resync = 1


@define(cold=True)
def page_triggers(hart, va: u64) -> u64:
    """What triggers may match in an address's page: LOAD, STORE and EXECUTE of Control."""
    page = va & ~u64(0xFFF)
    found = u64(0)
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        if is_control(kind_of(data1)):
            match = data1 >> Control.MATCH_SHIFT & 15
            here = match >= MATCH_MASK_LOW or data1 & Control.SELECT != 0
            if not here:
                here = address_matches(match, hart.trigger_data2[i], page, page | 0xFFF)
            if here:
                found |= data1 & (Control.LOAD | Control.STORE | Control.EXECUTE)
    return found


@define
def is_fetch_watched(hart, pc: u64) -> bool:
    """Whether a trigger may match a fetch from an address's page."""
    if hart.trigger_kinds & Armed.EXECUTE == 0:
        return False
    return page_triggers(hart, pc) & Control.EXECUTE != 0


# --- icount --------------------------------------------------------------------------------------


@define(cold=True)
def counts_here(hart) -> bool:
    """Whether an icount trigger counts, or is about to fire, in the hart's mode."""
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        left = data1 & (Count.COUNT | Count.PENDING)
        if kind_of(data1) == Kind.ICOUNT and left != 0 and is_enabled(hart, u64(i)):
            return True
    return False


@define
def is_counted(hart) -> bool:
    """Whether an icount trigger counts the instructions of the hart's mode."""
    return hart.trigger_kinds & Armed.COUNT != 0 and counts_here(hart)


@define(cold=True)
def count_event(hart):
    """An instruction, or an interrupt, in the hart's mode: counts fall by one."""
    if not may_fire(hart):
        return
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        if kind_of(data1) == Kind.ICOUNT and data1 & Count.COUNT != 0 and is_enabled(hart, u64(i)):
            data1 -= Count.ONE
            if data1 & Count.COUNT == 0:
                data1 |= Count.PENDING
            hart.trigger_data1[i] = data1


@define(cold=True)
def pending_fires(hart) -> bool:
    """Whether an icount trigger fires before the next instruction."""
    if not may_fire(hart):
        return False
    fires = False
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        is_pending = kind_of(data1) == Kind.ICOUNT and data1 & Count.PENDING != 0
        if is_pending and is_enabled(hart, u64(i)):
            hart.trigger_data1[i] = data1 & ~Count.PENDING | Count.HIT
            fires = True
    if fires:
        rearm(hart)
    return fires


@define(cold=True)
def fetch_triggers(hart, bits: u64, known: bool):
    """Triggers of the instruction at hart.pc. Once it is fetched, its bits and so its length are
    known, and triggers may ask for them."""
    length = (u64(4) if bits & 3 == 3 else u64(2)) if known else u64(0)
    hits = u64(Control.HIT0)
    if control_fires(hart, u64(Control.EXECUTE), hart.pc, length, bits, known, hits):
        fire(hart, hart.pc, True)


@define(cold=True)
def instruction_triggers(hart):
    """Before the instruction at hart.pc. It counts, whether it will retire or trap, and so does the
    trap of a trigger in its place."""
    if hart.trigger_kinds & Armed.COUNT != 0:
        fires = pending_fires(hart)
        count_event(hart)
        if fires:
            fire(hart, u64(0), False)
    if hart.trigger_kinds & Armed.EXECUTE != 0:
        fetch_triggers(hart, u64(0), False)


# --- itrigger and etrigger -----------------------------------------------------------------------


@define(cold=True)
def trap_enabled(hart) -> u64:
    """The itrigger and etrigger triggers that are enabled for traps taken from the hart's mode, a
    bit for each."""
    found = u64(0)
    for i in range(TRIGGERS):
        kind = kind_of(hart.trigger_data1[i])
        if (kind == Kind.ITRIGGER or kind == Kind.ETRIGGER) and is_enabled(hart, u64(i)):
            found |= u64(1) << i
    return found


@define(cold=True)
def trap_fires(hart, enabled: u64, wanted: u64, code: u64) -> bool:
    """Whether triggers of a type that were enabled fire after a trap with a code, in the mode of
    its handler."""
    if not may_fire(hart):
        return False
    fires = False
    for i in range(TRIGGERS):
        data1 = hart.trigger_data1[i]
        is_meant = enabled >> i & 1 != 0 and kind_of(data1) == wanted
        if is_meant and code < ux.bits and hart.trigger_data2[i] >> code & 1 != 0:
            hart.trigger_data1[i] = data1 | trap_hit()
            fires = True
    return fires
