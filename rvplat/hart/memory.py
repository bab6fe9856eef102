"""Loads and stores: the fast path through the TLB, and the slow path.

A tag of the TLB is a page's virtual address. It is compared with the access's address without the
page offset, except for the offset's low bits, which are zero in an aligned access. So one compare
checks page and alignment.

An aligned load or store is one relaxed access of the host: RVWMO needs no more ("RVWMO Memory
Consistency Model": order comes from fences, annotations and dependencies, and a host keeps these).
"""

from rvplat.hart.acceleration.invalidate import arm_writes, code_word, note_store, note_store_at
from rvplat.hart.acceleration.saved_pages import before_write
from rvplat.hart.acceleration.tlb import DEVICE, HELD, HIDDEN, NO_TAG, REGIME_EXECUTE, WRITABLE
from rvplat.hart.counters import steady_ns, timer_check
from rvplat.hart.debugging.timeline_events import LOAD as READ_EVENT
from rvplat.hart.debugging.timeline_events import STORE as WRITE_EVENT
from rvplat.hart.debugging.timeline_events import note_access
from rvplat.hart.debugging.watchpoints import READS, watch_access, watch_loaded, watch_store
from rvplat.hart.device_ram import tell_device
from rvplat.hart.memory_faults import check_alignment, raise_fault
from rvplat.hart.misaligned import load_across, store_across
from rvplat.hart.mmu import ACCESS_FAULT
from rvplat.hart.page_tables import LOAD, STORE, address_in
from rvplat.hart.ports import (
    LOADS,
    PLAIN_READ,
    READS_TIME,
    STORES,
    WRITES_TIME,
    enter_devices,
    port_of,
    read_port,
    read_whole,
    write_port,
)
from rvplat.hart.ram import NO_REGION, ram_host, read_host, region_of, write_host
from rvplat.hart.state import DATA_ENTRIES, ROM, WATCHED
from rvplat.hart.translate import translate
from rvplat.isa.fp_state import call_out
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.vocabulary import observed_time
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.lang import (
    define,
    implement,
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

INDEX_MASK = DATA_ENTRIES - 1


# --- devices ------------------------------------------------------------------------------------


@define(cold=True)
def device_load(hart, va: u64, pa: u64, size: u64) -> u64:
    """Read a register, and note it if there is a timeline."""
    if hart.timeline_ring == 0:
        return read_register(hart, va, pa, size)
    began = steady_ns(hart)
    value = read_register(hart, va, pa, size)
    note_access(hart, u64(READ_EVENT), pa, size, began)
    return value


@define(cold=True)
def device_store(hart, va: u64, pa: u64, size: u64, value: u64):
    """Write a register, and note it if there is a timeline."""
    began = steady_ns(hart) if hart.timeline_ring != 0 else u64(0)
    write_register(hart, va, pa, size, value)
    if hart.timeline_ring != 0:
        note_access(hart, u64(WRITE_EVENT), pa, size, began)


@define
def read_register(hart, va: u64, pa: u64, size: u64) -> u64:
    """Read a register. No device there, or it refuses: access fault.

    Devices can't be executed, so hlvx can't read them."""
    if pa & (size - 1) != 0 or hart.data.regime & REGIME_EXECUTE != 0:
        raise_fault(hart, va, u64(LOAD), u64(ACCESS_FAULT))
    port = port_of(hart, pa, size, u64(LOADS))
    if port.device == 0:
        return python_load(hart, va, pa, size)
    if port.flags & PLAIN_READ != 0:
        return read_whole(hart, port)
    if port.flags & READS_TIME != 0:
        observed_time(hart)
    if not enter_devices(hart):
        return python_load(hart, va, pa, size)
    value, refused = read_port(hart, port)
    if refused:
        raise_fault(hart, va, u64(LOAD), u64(ACCESS_FAULT))
    return value


@define
def write_register(hart, va: u64, pa: u64, size: u64, value: u64):
    """Write a register."""
    if pa & (size - 1) != 0:
        raise_fault(hart, va, u64(STORE), u64(ACCESS_FAULT))
    port = port_of(hart, pa, size, u64(STORES))
    if port.device == 0:
        python_store(hart, va, pa, size, value)
        return
    if port.flags & WRITES_TIME != 0:
        observed_time(hart)
    if not enter_devices(hart):
        python_store(hart, va, pa, size, value)
    elif write_port(hart, port, value):
        raise_fault(hart, va, u64(STORE), u64(ACCESS_FAULT))


@define(cold=True)
def python_load(hart, va: u64, pa: u64, size: u64) -> u64:
    """Read a register through the host function. The device may return the time, and the access may
    take long, so timers are updated before and after."""
    observed_time(hart)
    value = call_out(hart, hart.mmio_read, pa, size, 0)
    timer_check(hart)
    if hart.mmio_error != 0:
        hart.mmio_error = 0
        raise_fault(hart, va, u64(LOAD), u64(ACCESS_FAULT))
    return value


@define(cold=True)
def python_store(hart, va: u64, pa: u64, size: u64, value: u64):
    """Write a register through the host function."""
    observed_time(hart)
    call_out(hart, hart.mmio_write, pa, size, value)
    timer_check(hart)
    if hart.mmio_error != 0:
        hart.mmio_error = 0
        raise_fault(hart, va, u64(STORE), u64(ACCESS_FAULT))


# --- the slow path --------------------------------------------------------------------------------


@define(cold=True)
def load_slow(hart, va: u64, size: u64) -> u64:
    """A load that the TLB didn't serve: misaligned, not cached, watched, a device."""
    if hart.pages_watched != 0:
        watch_access(hart, va, size, u64(READS))
        value = load_unwatched(hart, va, size)
        watch_loaded(hart, va, size, value)
        return value
    return load_unwatched(hart, va, size)


@define
def load_unwatched(hart, va: u64, size: u64) -> u64:
    """As `load_slow`, for a load that nothing watches, or that has been asked for."""
    if va & (size - 1) != 0:
        check_alignment(hart, va, size, u64(LOAD))
        if (va & OFFSET_MASK) + size > PAGE_BYTES:
            return load_across(hart, va, size)
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag & ~HIDDEN == va & PAGE_MASK:
        return read_host(va + entry.addend, size)
    if entry.read_tag == va & PAGE_MASK | DEVICE:
        return device_load(hart, va, address_in(entry.page, va), size)
    pa = translate(hart, va, size, u64(LOAD), va)
    host = ram_host(hart, pa)
    if host != 0:
        return read_host(host, size)
    return device_load(hart, va, pa, size)


@define
def store_cached(hart, va: u64, size: u64, value: u64) -> bool:
    """Store through an entry whose page is writable. Its write tag may be absent because the page
    has code; when the page has none any more the tag is set again, unless the page is watched."""
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag & ~HIDDEN != va & PAGE_MASK or entry.page & WRITABLE == 0:
        return False
    if entry.write_tag == NO_TAG:
        before_write(hart, address_in(entry.page, va))
    write_host(va + entry.addend, size, value)
    if entry.write_tag == NO_TAG:
        pa = address_in(entry.page, va)
        region = region_of(hart, pa)
        word = code_word(hart, region, pa)
        note_store_at(hart, region, word, pa, size)
        if entry.page & HELD == 0 and relaxed_load_u64(word) == 0:
            arm_writes(hart, va, region, pa)
    return True


@define(cold=True)
def store_slow(hart, va: u64, size: u64, value: u64):
    """A store that the TLB didn't serve."""
    if hart.pages_watched != 0:
        watch_store(hart, va, size, value)
    if va & (size - 1) != 0:
        check_alignment(hart, va, size, u64(STORE))
        if (va & OFFSET_MASK) + size > PAGE_BYTES:
            store_across(hart, va, size, value)
            return
    if store_cached(hart, va, size, value):
        return
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & PAGE_MASK | DEVICE and entry.page & WRITABLE != 0:
        device_store(hart, va, address_in(entry.page, va), size, value)
        return
    pa = translate(hart, va, size, u64(STORE), va)
    region = region_of(hart, pa)
    if region == NO_REGION:
        device_store(hart, va, pa, size, value)
    elif hart.machine.ram[region].writable == WATCHED and pa & (size - 1) == 0:
        device_store(hart, va, pa, size, value)  # the host function stores to RAM as well
    elif hart.machine.ram[region].writable == ROM:
        raise_fault(hart, va, u64(STORE), u64(ACCESS_FAULT))
    else:
        write_host(ram_host(hart, pa), size, value)
        note_store(hart, pa, size)
        tell_device(hart, region, pa, size)


# --- words of the vocabulary ----------------------------------------------------------------------


@implement(vocabulary.load_u8)
def load_u8(hart, va: u64) -> u8:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & PAGE_MASK:
        return relaxed_load_u8(va + entry.addend)
    return u8(load_slow(hart, va, u64(1)))


@implement(vocabulary.load_u16)
def load_u16(hart, va: u64) -> u16:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & (PAGE_MASK | 1):
        return relaxed_load_u16(va + entry.addend)
    return u16(load_slow(hart, va, u64(2)))


@implement(vocabulary.load_u32)
def load_u32(hart, va: u64) -> u32:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & (PAGE_MASK | 3):
        return relaxed_load_u32(va + entry.addend)
    return u32(load_slow(hart, va, u64(4)))


@implement(vocabulary.load_u64)
def load_u64(hart, va: u64) -> u64:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.read_tag == va & (PAGE_MASK | 7):
        return relaxed_load_u64(va + entry.addend)
    return load_slow(hart, va, u64(8))


@implement(vocabulary.host_of_load)
def host_of_load(hart, va: u64) -> u64:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    return va + entry.addend if entry.read_tag == va & PAGE_MASK else u64(0)


@implement(vocabulary.host_of_store)
def host_of_store(hart, va: u64) -> u64:
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    return va + entry.addend if entry.write_tag == va & PAGE_MASK else u64(0)


@implement(vocabulary.store_u8)
def store_u8(hart, va: u64, value: u8):
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.write_tag == va & PAGE_MASK:
        relaxed_store_u8(va + entry.addend, value)
    else:
        store_slow(hart, va, u64(1), u64(value))


@implement(vocabulary.store_u16)
def store_u16(hart, va: u64, value: u16):
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.write_tag == va & (PAGE_MASK | 1):
        relaxed_store_u16(va + entry.addend, value)
    else:
        store_slow(hart, va, u64(2), u64(value))


@implement(vocabulary.store_u32)
def store_u32(hart, va: u64, value: u32):
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.write_tag == va & (PAGE_MASK | 3):
        relaxed_store_u32(va + entry.addend, value)
    else:
        store_slow(hart, va, u64(4), u64(value))


@implement(vocabulary.store_u64)
def store_u64(hart, va: u64, value: u64):
    entry = hart.tlb[va >> 12 & INDEX_MASK]
    if entry.write_tag == va & (PAGE_MASK | 7):
        relaxed_store_u64(va + entry.addend, value)
    else:
        store_slow(hart, va, u64(8), value)
