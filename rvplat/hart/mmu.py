"""Bare, Sv32, Sv39, Sv48 and Sv57 (Privileged, "Virtual Address Translation Process"), and the two
stages of guests ("Two-Stage Address Translation").

`walk` never raises: it gives a `Translation`, whose fault its callers raise or report. A guest's
page tables are at guest physical addresses: `table_entry`, through which every page-table access
passes, translates those by the second stage.
"""

from rvplat.hart.acceleration.code_lines import code_word, line_bits
from rvplat.hart.acceleration.contexts import guest_root, translation_root
from rvplat.hart.acceleration.guest_tables import (
    forget_tables,
    known_last,
    known_table,
    remember_last,
    remember_table,
)
from rvplat.hart.acceleration.invalidate import mark_lines, note_store
from rvplat.hart.acceleration.saved_pages import before_write
from rvplat.hart.acceleration.tlb import (
    BLOCK_SHIFT,
    REGIME_DEBUG,
    REGIME_EXECUTE,
    REGIME_GUEST_MXR,
    REGIME_MXR,
    REGIME_PRIV,
    REGIME_SHADOW,
    REGIME_VALID,
    REGIME_VIRT,
)
from rvplat.hart.page_tables import (
    INVALID,
    POINTER,
    PROBE,
    PTE_A,
    PTE_D,
    SATP_PPN,
    SHADOW,
    address_in,
    below,
    enabled,
    entry_bytes,
    entry_kind,
    exchange_entry,
    is_denied,
    is_fatal,
    is_store,
    lacks_bits,
    leaf_page,
    level_bits,
    load_entry,
    next_table,
    permissions,
    with_shadow,
)
from rvplat.hart.pmp import EVERYTHING, READ, WRITE, pmp_grant
from rvplat.hart.pointer_masking import masking_of, transformed
from rvplat.hart.ram import NO_REGION, region_of
from rvplat.hart.state import ROM, HartState
from rvplat.hart.walk_events import (
    entry_checked,
    entry_read,
    entry_refused,
    leaf_denied,
    leaf_lacks_bits,
    second_stage_began,
    table_accessed,
    update_began,
    update_ended,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import PAGE_BYTES, PAGE_MASK, SUPERVISOR, EnvCfg
from rvplat.lang import Struct, define, u64

NO_FAULT = 0
PAGE_FAULT = 1
ACCESS_FAULT = 2
GUEST_FAULT = 3  # of the second stage: hart.fault_gpa and hart.fault_tinst say where

HartState.derived("fault_gpa", u64)  # guest physical address that the second stage refused
HartState.derived("leaf_table", u64)  # the table in which the last walk ended, if it is a last one
HartState.derived("fault_tinst", u64)  # the pseudoinstruction if that was an implicit access

READ_ENTRY = 0x2000  # 32-bit read for VS-stage address translation ("Special pseudoinst...")
WRITE_ENTRY = 0x2020  # with bit 12 they are of 64 bits

WIDER = 2  # bits that a guest physical address has more than a virtual one of the same mode


class Translation(Struct):
    """The result of a walk. `page`: the physical page | log2 of the mapping's size. `grant`: what
    may be done with it. It lacks WRITE while D is clear, so that it can be cached. `fault`:
    NO_FAULT, or why there is no page; then there is no grant. A fourth field would not fit in the
    registers in which x86-64 returns values."""

    page: u64
    grant: u64
    fault: u64


class EntryPlace(Struct):
    """Where a page-table entry is: its host address and its physical address, or a fault."""

    host: u64
    pa: u64
    fault: u64


class DebugTranslation(Struct):
    """Where a debugger finds a virtual address. `pa` has no meaning if it is not mapped."""

    pa: u64
    mapped: bool


@define
def refused(fault: u64) -> Translation:
    """The result of a walk that found no page."""
    return Translation(0, 0, fault)


# --- the walk -----------------------------------------------------------------------------------


@define
def is_cached(regime: u64, wanted: u64) -> bool:
    """Whether an access to a page table is a guest's own read of an entry (guest_tables.py)."""
    return wanted == READ and regime & (REGIME_VIRT | REGIME_DEBUG) == REGIME_VIRT


@define
def physical_entry(hart, pa: u64, regime: u64, wanted: u64) -> u64:
    """The host address of a page-table entry at a physical address, 0 for an access fault. The
    effective privilege is S ("Physical Memory Protection and Paging")."""
    as_supervisor = (regime & REGIME_DEBUG) | SUPERVISOR
    granted = pmp_grant(hart, pa, entry_bytes(), as_supervisor)
    entry_checked(pa, granted)
    if granted & wanted == 0:
        return u64(0)
    region = region_of(hart, pa)
    if region == NO_REGION:
        return u64(0)
    ram = hart.machine.ram[region]
    if wanted == WRITE and ram.writable == ROM:
        return u64(0)
    if wanted == WRITE:
        before_write(hart, pa)
    if regime & REGIME_DEBUG != 0 and hart.machine.search_lines != 0:
        mark_lines(hart, code_word(hart, region, pa), pa, line_bits(pa, entry_bytes()))
    return ram.host + (pa - ram.base)


@define(cold=True)
def guest_entry(hart, address: u64, regime: u64, wanted: u64) -> EntryPlace:
    """`table_entry` for a guest's tables: implicit accesses through the second stage, where MXR,
    which is for explicit loads, doesn't count."""
    table_accessed(address)
    known = known_table(hart, address) if is_cached(regime, wanted) else u64(0)
    if known != 0:
        return EntryPlace(known, address, NO_FAULT)
    implicit = regime & ~(REGIME_GUEST_MXR | REGIME_EXECUTE)
    found = walk_guest(hart, address, wanted, implicit)
    if found.fault != NO_FAULT:
        hart.fault_tinst = u64(ux.bits // 64 << 12) + (
            u64(READ_ENTRY) if wanted == READ else u64(WRITE_ENTRY)
        )
        return EntryPlace(0, 0, found.fault)
    pa = address_in(found.page, address)
    host = physical_entry(hart, pa, regime, wanted)
    if host == 0:
        return EntryPlace(0, 0, ACCESS_FAULT)
    if is_cached(regime, wanted):
        whole = pmp_grant(hart, pa & PAGE_MASK, u64(PAGE_BYTES), u64(SUPERVISOR))
        if whole & READ != 0:
            remember_table(hart, address, host)
    return EntryPlace(host, pa, NO_FAULT)


@define
def table_entry(hart, address: u64, regime: u64, wanted: u64) -> EntryPlace:
    """The place of a page-table entry whose address a table or a root register gives."""
    if regime & REGIME_VIRT != 0:
        return guest_entry(hart, address, regime, wanted)
    host = physical_entry(hart, address, regime, wanted)
    return EntryPlace(host, address, u64(NO_FAULT) if host != 0 else u64(ACCESS_FAULT))


@define
def update_leaf(hart, address: u64, read_at: u64, pte: u64, access: u64, regime: u64) -> u64:
    """Step 9: set A, and D for a store, if the entry is still what was read (at a host address).

    NO_FAULT: done, or the entry changed and step 2 is due again. A guest's table may be elsewhere
    by now, since the second stage was changed without a fence: then what was cached isn't used.
    """
    if not enabled(hart, regime, u64(EnvCfg.ADUE)):
        leaf_lacks_bits()
        return u64(PAGE_FAULT)
    update_began()
    entry = table_entry(hart, address, regime, u64(WRITE))
    if entry.fault != NO_FAULT:
        return entry.fault
    update_ended()
    if entry.host != read_at:
        forget_tables(hart)
        return u64(NO_FAULT)
    new = pte | PTE_A | PTE_D if is_store(access) else pte | PTE_A
    if exchange_entry(entry.host, pte, new):
        note_store(hart, entry.pa, entry_bytes())
    return u64(NO_FAULT)


@define
def walk_tables(hart, va: u64, access: u64, regime: u64, root: u64, levels: u64) -> Translation:
    """Steps 2 to 10 from a root table's address, whose low bits say how many more index bits it
    has (WIDER at the G stage). With REGIME_VIRT the tables' addresses are guest physical ones.
    It has six parameters, so that all are in registers and `walk` can end in a jump."""
    table = root & PAGE_MASK
    level = levels - 1
    mask = (u64(1) << level_bits() + (root & WIDER)) - 1
    while True:
        address = table + (va >> (12 + level_bits() * level) & mask) * entry_bytes()
        entry = table_entry(hart, address, regime, u64(READ))
        if entry.fault != NO_FAULT:
            entry_refused(regime, level, address)
            return refused(entry.fault)
        pte = load_entry(entry.host)
        entry_read(regime, level, address, pte)
        kind = entry_kind(hart, pte, level, regime)
        if kind == POINTER:
            table = next_table(pte)
            mask = (u64(1) << level_bits()) - 1
            level -= 1
        elif kind == INVALID:
            return refused(u64(PAGE_FAULT))
        else:
            grant = permissions(pte, regime)
            if is_denied(grant, access):
                leaf_denied()
                fatal = is_fatal(pte, access, regime)
                return refused(u64(ACCESS_FAULT) if fatal else u64(PAGE_FAULT))
            if not lacks_bits(pte, access):
                hart.leaf_table = table if level == 0 else u64(0)
                if pte & PTE_D == 0:
                    grant &= ~(WRITE | SHADOW)
                return Translation(leaf_page(pte, va, level), grant, NO_FAULT)
            fault = update_leaf(hart, address, entry.host, pte, access, regime)
            if fault != NO_FAULT:
                return refused(fault)


@define
def levels_of(root: u64) -> u64:
    """The levels of satp's or hgatp's MODE: 8 is Sv39 with three; RV32 has Sv32 alone, with two."""
    return (root >> 60) - 5 if ux.bits == 64 else u64(2)


class TableShape(Struct):
    """The levels of page tables, and the bits of an address that select an entry of a table."""

    levels: u64
    index_bits: u64


@define
def table_shape(hart, root: u64) -> TableShape:
    """That of the tables below satp's or hgatp's value. hgatp's first one has WIDER more bits."""
    return TableShape(levels_of(root), level_bits())


@define
def is_canonical(va: u64, levels: u64) -> bool:
    """The bits above the virtual address's highest are copies of it ("Sv39"); Sv32 has none."""
    if ux.bits == 32:
        return True
    top = 12 + 9 * levels - 1
    high = va >> top
    return high == 0 or high == u64(0xFFFF_FFFF_FFFF_FFFF) >> top


@define(cold=True)
def walk(hart, va: u64, access: u64, regime: u64) -> Translation:
    """Translate a virtual address for an access."""
    if regime & REGIME_VIRT != 0:
        return walk_both(hart, va, access, regime)
    return walk_stage(hart, va, access, regime, translation_root(hart, regime & REGIME_PRIV))


@define(cold=True)
def walk_both(hart, va: u64, access: u64, regime: u64) -> Translation:
    """`walk` where both stages count."""
    first = walk_stage(hart, va, access, regime, guest_root(hart))
    if first.fault != NO_FAULT:
        return first
    second_stage_began(first.page & PAGE_MASK)
    hart.fault_tinst = 0
    second = walk_guest(hart, first.page & PAGE_MASK, access, regime)
    page = (second.page & PAGE_MASK) | (first.page & BLOCK_SHIFT)
    return Translation(page, first.grant & with_shadow(second.grant), second.fault)


@define
def count_walk(hart, stage: u64, regime: u64):
    """Count a walk of the hart's, not a debugger's: a guest's counters can follow the number."""
    if regime & REGIME_DEBUG == 0:
        hart.walks[stage] += 1


@define
def walk_stage(hart, va: u64, access: u64, regime: u64, root: u64) -> Translation:
    """The only stage, or a guest's first, by satp's or vsatp's value; 0 is Bare."""
    if root == 0:
        if access & SHADOW != 0:  # "Shadow Stack Memory Protection"
            return refused(u64(ACCESS_FAULT))
        return Translation(va & PAGE_MASK | 12, EVERYTHING, NO_FAULT)
    count_walk(hart, u64(regime & REGIME_VIRT != 0), regime)
    levels = levels_of(root)
    if not is_canonical(va, levels):
        return refused(u64(PAGE_FAULT))
    return walk_tables(hart, va, access, regime, (root & SATP_PPN) << 12, levels)


@define
def second_regime(regime: u64) -> u64:
    """The second stage takes every access for U mode's; SUM is none of its business."""
    second = regime & (REGIME_VALID | REGIME_DEBUG | REGIME_EXECUTE)
    return second | REGIME_MXR if regime & REGIME_GUEST_MXR != 0 else second


@define
def walk_second(hart, gpa: u64, access: u64, regime: u64, levels: u64) -> Translation:
    """The second stage's tables, from the last one on where that is known."""
    second = second_regime(regime)
    needed = below(access)
    last = known_last(hart, gpa) if regime & REGIME_DEBUG == 0 else u64(0)
    if last != 0:
        return walk_tables(hart, gpa, needed, second, last, u64(1))
    wanted = u64(PROBE) if regime & REGIME_DEBUG != 0 else needed
    hart.leaf_table = 0
    root = (hart.hgatp & SATP_PPN) << 12 | WIDER
    found = walk_tables(hart, gpa, wanted, second, root, levels)
    if hart.leaf_table != 0 and regime & REGIME_DEBUG == 0:
        remember_last(hart, gpa, hart.leaf_table)
    return found


@define(cold=True)
def walk_guest(hart, gpa: u64, access: u64, regime: u64) -> Translation:
    """The second stage: as `walk`, of a guest physical address, by hgatp ("Guest Physical Address
    Translation"). Leaves the guest page and its mapping's size in hart.guest_page."""
    hart.fault_gpa = gpa
    levels = levels_of(hart.hgatp)
    if hart.hgatp >> 60 == 0:
        hart.guest_page = gpa & PAGE_MASK | 12
        return Translation(gpa & PAGE_MASK | 12, EVERYTHING, NO_FAULT)
    if gpa >> (12 + level_bits() * levels + WIDER) != 0:
        return refused(u64(GUEST_FAULT))
    count_walk(hart, u64(2), regime)
    found = walk_second(hart, gpa, access, regime, levels)
    hart.guest_page = (gpa & PAGE_MASK) | (found.page & BLOCK_SHIFT)
    fault = u64(GUEST_FAULT) if found.fault == PAGE_FAULT else found.fault
    return Translation(found.page, found.grant, fault)


@define
def debug_root(hart) -> u64:
    """The root of the current mode's first stage; 0 is Bare."""
    return guest_root(hart) if hart.virt != 0 else translation_root(hart, u64(hart.priv))


@define
def debug_translate(hart, va: u64) -> DebugTranslation:
    """Translate in the current mode for a debugger: no permissions, no PMP, no A or D, no trap.

    An address that means nothing as it is may be a pointer that the mode masks."""
    regime = REGIME_VALID | REGIME_DEBUG | REGIME_SHADOW | u64(hart.priv)
    if hart.virt != 0:
        regime |= REGIME_VIRT
    found = walk(hart, va, u64(PROBE), regime)
    at = va
    masking = masking_of(hart, u64(hart.priv), hart.virt != 0)
    root = debug_root(hart)
    if masking != 0 and (found.fault != NO_FAULT or root == 0):
        at = transformed(va, masking, root)
        found = walk(hart, at, u64(PROBE), regime)
    return DebugTranslation(address_in(found.page, at), found.fault == NO_FAULT)
