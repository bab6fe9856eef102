"""Definitions that Python calls as native functions, because they must be atomic or fast."""

from __future__ import annotations

from typing import Any

from rvplat.engine import (
    arm_breakpoints,
    breakpoints,
    core,
    region_places,
    slot_pages,
)
from rvplat.hart import counters, csr, interrupts, mmu, page_tables, sleep
from rvplat.hart.acceleration import contexts, invalidate, last_change, ram_images, saved_pages, tlb
from rvplat.hart.debugging import watchpoints
from rvplat.hart.modes import enter_handler
from rvplat.hart.state import STOP_NONE
from rvplat.hart.trap import Trap
from rvplat.isa.hpm import count_one
from rvplat.isa.machinery.vocabulary import protection_changed
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Definition, define, u32, u64
from rvplat.lang.native.exported import Raised

__all__ = ["EXPORTS", "Raised"]

MCYCLE = 0xB00  # minstret and the event counters follow
HIGH = 0x80  # added to their numbers for the high halves of RV32
FILTERS = 0x321  # mcyclecfg; minstretcfg follows
FILTERS_HIGH = 0x721


@define
def read_csr(hart, number: u32) -> u64:
    """A CSR's value, in any mode. No interrupt is taken first: no instruction reads it."""
    held = hart.interrupts_held
    hart.interrupts_held = 1
    try:
        value = csr.csr_read(hart, number)
    except Trap:
        hart.interrupts_held = held
        raise Trap from None
    hart.interrupts_held = held
    return value if ux.bits == 64 else value & 0xFFFF_FFFF  # as an instruction reads it


@define
def write_csr(hart, value: u64, number: u32):
    """Write a CSR, in any mode. Counters don't count the instruction that writes them
    (isa/hpm.py). Here no instruction writes, so that one is counted."""
    filters = number - FILTERS < 2 or number - FILTERS_HIGH < 2
    hart.instret_base -= u64(filters)
    csr.csr_write(hart, number, value)
    hart.instret_base += u64(filters)
    if number & ~(HIGH | 31) == MCYCLE:
        count_one(hart, u64(number & 31))


@define
def set_mode(hart, priv: u64, virt: u64):
    """Put the hart into a mode. No instruction does so, and none is counted."""
    enter_handler(hart, priv, virt)


@define
def awaited_interrupts(hart) -> u64:
    """Check the timers and return the interrupts that end a wait."""
    counters.update_deadline(hart)
    return interrupts.enabled_interrupts(hart)


@define
def take_interrupts(hart) -> u64:
    """Take all interrupts that are due at hart.pc. Returns their number."""
    hart.stop = STOP_NONE  # no trap is taken while hart.stop is set
    counters.update_deadline(hart)
    taken = u64(0)
    while interrupts.take_interrupt(hart):
        taken += 1
    return taken


@define
def forget_derived(hart):
    """The saved state was replaced: forget translations and checks that were made with the old one.
    The numbers among the derived fields are zero already."""
    hart.kept_stale = 1
    protection_changed(hart)
    contexts.context_changed(hart)


_exported: dict[str, Any] = {
    "read_csr": read_csr,
    "write_csr": write_csr,
    "set_mode": set_mode,
    "dma_written": invalidate.dma_written,
    "context_changed": contexts.context_changed,
    "flush_everything": tlb.flush_everything,
    "before_dma": saved_pages.before_dma,
    "begin_looking": last_change.begin_looking,
    "end_looking": last_change.end_looking,
    "switch_log": ram_images.switch_log,
    "put_pages": ram_images.put_pages,
    "memory_replaced": ram_images.memory_replaced,
    "drop_slots": slot_pages.drop_slots,
    "debug_translate": mmu.debug_translate,
    "table_shape": mmu.table_shape,
    "list_table": page_tables.list_table,
    "watch_changed": watchpoints.watch_changed,
    "arm_virtual": arm_breakpoints.arm_virtual,
    "arm_physical": arm_breakpoints.arm_physical,
    "arm_guest": arm_breakpoints.arm_guest,
    "condition_holds": breakpoints.condition_holds,
    "met_here": core.met_in_scratch,
    "update_deadline": counters.update_deadline,
    "awaited_interrupts": awaited_interrupts,
    "take_interrupts": take_interrupts,
    "sleep": sleep.sleep,
    "place_region": region_places.place_region,
    "drop_regions": region_places.drop_regions,
    "forget_derived": forget_derived,
}
EXPORTS: dict[str, Definition] = _exported
