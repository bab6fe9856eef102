"""Atomic accesses (Unprivileged, "A"): natural alignment and RAM are required. With Zama16b an AMO
need only lie within 16 aligned bytes: the host's atomic operations are atomic there too, on x86-64
and on AArch64 with FEAT_LSE2.

A reservation is a host address and the value that the load-reserved read there. A store-conditional
compares and exchanges on the host, and always ends the reservation. The host's atomics make both
correct between harts.
"""

from rvplat.hart.acceleration.invalidate import expect_late_store, note_late_store
from rvplat.hart.acceleration.young_pages import hart_at
from rvplat.hart.counters import timer_check
from rvplat.hart.debugging.watchpoints import READS, WRITES, watch_access
from rvplat.hart.device_ram import tell_device_afterwards, tell_touched
from rvplat.hart.interrupts import enabled_interrupts
from rvplat.hart.memory_faults import in_granule, raise_misaligned
from rvplat.hart.page_tables import LOAD, STORE
from rvplat.hart.ram import region_of
from rvplat.hart.state import DATA_ENTRIES, HartState
from rvplat.hart.translate import arm_again, ram_place
from rvplat.isa.machinery import vocabulary
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import (
    atomic_load_u32,
    atomic_load_u64,
    call_host,
    compare_exchange_u32,
    compare_exchange_u64,
    define,
    implement,
    u8,
    u32,
    u64,
)

INDEX_MASK = DATA_ENTRIES - 1

HartState.in_ram("reservation_host", u64)  # host address; 0: no reservation
HartState.saved("reservation_value", u64)  # what was there
HartState.saved("reservation_size", u8)  # bytes

LOOKS = 64  # how often WRS reads the reserved word before it yields the host CPU
YIELDS = 16  # how often it yields at most


@define(cold=True)
def amo_slow(hart, va: u64, size: u64) -> u64:
    """AMOs fault as stores ("Zaamo")."""
    if va & (size - 1) != 0 and not in_granule(hart, va, size):
        raise_misaligned(hart, va, u64(STORE))
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(READS | WRITES))
    found = ram_place(hart, va, size, u64(STORE), va)
    arm_again(hart, va, found.pa)
    expect_late_store(hart, found.pa, size)
    tell_device_afterwards(hart, region_of(hart, found.pa), found.pa, size)
    return found.host


@define
def finish_amo(hart):
    """For the run loop: report what an AMO has written, to decoded code and to devices."""
    note_late_store(hart)
    if hart.touched_size != 0:
        tell_touched(hart)


@implement(vocabulary.amo_address)
def amo_address(hart, va: u64, size: u64) -> u64:
    """Where an AMO may read and write."""
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.write_tag == va & (PAGE_MASK | (size - 1)):
        return va + entry.addend
    return amo_slow(hart, va, size)


@define
def conditional_address(hart, va: u64, size: u64) -> u64:
    """Where a store-conditional may write. It is always aligned ("Zalrsc")."""
    if va & (size - 1) != 0:
        raise_misaligned(hart, va, u64(STORE))
    return amo_address(hart, va, size)


@define(cold=True)
def reserve_slow(hart, va: u64, size: u64) -> u64:
    """The host address for a load-reserved that the TLB didn't serve."""
    if va & (size - 1) != 0:
        raise_misaligned(hart, va, u64(LOAD))
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(READS))
    return ram_place(hart, va, size, u64(LOAD), va).host


@define
def reserve_address(hart, va: u64, size: u64) -> u64:
    """Where a load-reserved reads."""
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & (PAGE_MASK | (size - 1)):
        return va + entry.addend
    return reserve_slow(hart, va, size)


@implement(vocabulary.load_reserved_u32)
def load_reserved_u32(hart, va: u64) -> u32:
    host = reserve_address(hart, va, u64(4))
    value = atomic_load_u32(host)
    hart.reservation_host = host
    hart.reservation_value = u64(value)
    hart.reservation_size = 4
    return value


@implement(vocabulary.load_reserved_u64)
def load_reserved_u64(hart, va: u64) -> u64:
    host = reserve_address(hart, va, u64(8))
    value = atomic_load_u64(host)
    hart.reservation_host = host
    hart.reservation_value = value
    hart.reservation_size = 8
    return value


@implement(vocabulary.store_conditional_u32)
def store_conditional_u32(hart, va: u64, value: u32) -> bool:
    """Permissions are checked even if the store-conditional fails ("Zalrsc")."""
    host = conditional_address(hart, va, u64(4))
    held = hart.reservation_host == host
    hart.reservation_host = 0
    if held and compare_exchange_u32(host, u32(hart.reservation_value), value):
        return True
    hart.touched_size = 0
    return False


@implement(vocabulary.store_conditional_u64)
def store_conditional_u64(hart, va: u64, value: u64) -> bool:
    """A word's reservation doesn't hold the doubleword's other bytes."""
    host = conditional_address(hart, va, u64(8))
    held = hart.reservation_host == host and hart.reservation_size == 8
    hart.reservation_host = 0
    if held and compare_exchange_u64(host, hart.reservation_value, value):
        return True
    hart.touched_size = 0
    return False


# --- waiting ------------------------------------------------------------------------------------


@define
def others_could_run(hart) -> bool:
    """Whether a hart other than this one is awake, or an interrupt has come that will wake it."""
    for i in range(hart.machine.hart_count):
        if i != hart.hart_id:
            other = hart_at(hart.machine.harts[i])
            if other.waiting == 0 or enabled_interrupts(other) != 0:
                return True
    return False


@define
def yield_turn(hart):
    """Where harts take turns: after this instruction, let others have theirs. Time passes as if
    this one waited for as long as they run."""
    if hart.machine.shared != 0 and others_could_run(hart):
        if vocabulary.retired(hart) - hart.slice_start < hart.machine.least_turn:
            return
        hart.yields = 1
        hart.resync = 1


@implement(vocabulary.relax, cold=True)
def relax(hart):
    """Yield the host CPU. This matters where the host has fewer CPUs than there are harts.

    The run loop checks timers and requests only after many instructions. A loop of yields takes
    long for few of them, so the hart checks both each time.
    """
    if hart.machine.yield_fn != 0:
        call_host(hart.machine.yield_fn, u64(0), u64(0), u64(0), u64(0))
        timer_check(hart)
        if hart.attention != 0:
            hart.resync = 1
    else:
        yield_turn(hart)


@define
def reservation_changed(hart) -> bool:
    """Whether what was reserved has another value now."""
    if hart.reservation_size == 4:
        return u64(atomic_load_u32(hart.reservation_host)) != hart.reservation_value
    return atomic_load_u64(hart.reservation_host) != hart.reservation_value


@define
def is_called(hart) -> bool:
    """Whether an interrupt, a timer or another thread needs the hart ("Wait for Interrupt"). If so,
    the hart handles it before the next instruction."""
    timer_check(hart)
    if enabled_interrupts(hart) != 0 or hart.attention != 0:
        hart.resync = 1
    return hart.resync != 0


@implement(vocabulary.wait_on_reservation, cold=True)
def wait_on_reservation(hart) -> bool:
    """Wait some microseconds, by yielding the host CPU. Harts that take turns don't wait: no other
    hart runs meanwhile, and time stands still. They end their turns."""
    if hart.reservation_host == 0:
        return False
    if hart.machine.yield_fn == 0:
        yield_turn(hart)
        return False
    for i in range(LOOKS + YIELDS):
        if reservation_changed(hart):
            return True
        if i >= LOOKS:
            if is_called(hart):
                return True
            relax(hart)
    return False
