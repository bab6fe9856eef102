"""Loads and stores in regions: the last page of each base register is kept.

A region keeps, for each base register and apart for loads and stores, the tag and addend of the TLB
entry that it used last. Loops keep them in host registers while they run, other code in
`kept_pages` of the hart's record. What changes translations on this hart (fences, other contexts,
watchpoints, new code in a page) need not know of them: it happens outside regions and fast
handlers, and all other handlers set `kept_stale`. A region that is entered then forgets them.

Another hart may remove a write tag that is kept, because the page becomes code. The stores through
the kept tag are then stores in flight (invalidate.py): they end before this hart passes the page,
because it does so between two budgets, and pages are forgotten then.

The fields `kept_read_tag` and so on name these values in the definitions. Their memory is not used
(engine/region_templates.py).
"""

from typing import Any

from rvplat.hart.memory import (
    INDEX_MASK,
    load_slow,
    store_slow,
)
from rvplat.hart.state import HartState
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import (
    define,
    relaxed_load_u8,
    relaxed_load_u16,
    relaxed_load_u32,
    relaxed_load_u64,
    relaxed_store_u8,
    relaxed_store_u16,
    relaxed_store_u32,
    relaxed_store_u64,
    u8,
    u16,
    u32,
    u64,
)

KEPT_FIELDS = ("kept_read_tag", "kept_read_addend", "kept_write_tag", "kept_write_addend")

for _name in KEPT_FIELDS:
    HartState.derived(_name, u64)
BASES = 33  # registers, the sink included
TAGS = 2 * BASES  # words for the tags
HartState.derived("kept_pages", u64, 2 * TAGS)  # for each base, two tags; then two addends
HartState.derived("kept_stale", u64)  # kept pages may be wrong


@define
def read_addend(hart, va: u64, size: u64) -> u64:
    """The addend for a load, from the kept page or the TLB, or the load is left to tier 0."""
    if hart.kept_read_tag != va & (PAGE_MASK | (size - 1)):
        entry = hart.tlb[va >> 12 & INDEX_MASK]
        if entry.read_tag != va & (PAGE_MASK | (size - 1)):
            load_slow(hart, va, size)
        hart.kept_read_tag = entry.read_tag
        hart.kept_read_addend = entry.addend
    return hart.kept_read_addend


@define
def write_addend(hart, va: u64, size: u64) -> u64:
    """The addend for a store, as `read_addend`."""
    if hart.kept_write_tag != va & (PAGE_MASK | (size - 1)):
        entry = hart.tlb[va >> 12 & INDEX_MASK]
        if entry.write_tag != va & (PAGE_MASK | (size - 1)):
            store_slow(hart, va, size, u64(0))
        hart.kept_write_tag = entry.write_tag
        hart.kept_write_addend = entry.addend
    return hart.kept_write_addend


@define
def load_kept_u8(hart, va: u64) -> u8:
    return relaxed_load_u8(va + read_addend(hart, va, u64(1)))


@define
def load_kept_u16(hart, va: u64) -> u16:
    return relaxed_load_u16(va + read_addend(hart, va, u64(2)))


@define
def load_kept_u32(hart, va: u64) -> u32:
    return relaxed_load_u32(va + read_addend(hart, va, u64(4)))


@define
def load_kept_u64(hart, va: u64) -> u64:
    return relaxed_load_u64(va + read_addend(hart, va, u64(8)))


@define
def store_kept_u8(hart, va: u64, value: u8):
    relaxed_store_u8(va + write_addend(hart, va, u64(1)), value)


@define
def store_kept_u16(hart, va: u64, value: u16):
    relaxed_store_u16(va + write_addend(hart, va, u64(2)), value)


@define
def store_kept_u32(hart, va: u64, value: u32):
    relaxed_store_u32(va + write_addend(hart, va, u64(4)), value)


@define
def store_kept_u64(hart, va: u64, value: u64):
    relaxed_store_u64(va + write_addend(hart, va, u64(8)), value)


KEPT_READS: dict[Any, Any] = {
    vocabulary.load_u8: load_kept_u8,
    vocabulary.load_u16: load_kept_u16,
    vocabulary.load_u32: load_kept_u32,
    vocabulary.load_u64: load_kept_u64,
}
KEPT_WRITES: dict[Any, Any] = {
    vocabulary.store_u8: store_kept_u8,
    vocabulary.store_u16: store_kept_u16,
    vocabulary.store_u32: store_kept_u32,
    vocabulary.store_u64: store_kept_u64,
}
