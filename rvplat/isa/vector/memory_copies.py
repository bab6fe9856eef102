"""Vector loads and stores as copies from or to the host's memory.

These do where the access lies in pages of RAM whose translations are known, and its elements are
aligned. Else they raise, and the instruction may begin anew: those that copy element by element
then have the number of elements that are done in vstart, the others have changed nothing.
"""

from rvplat.isa.machinery.vocabulary import host_of_load, host_of_store
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES
from rvplat.isa.vector.elements import (
    Width,
    copy_bytes,
    element,
    group,
    is_active,
    result,
    set_element,
    write_back,
)
from rvplat.isa.vector.masks import mask_bytes
from rvplat.isa.vector.memory_groups import (
    Data,
    Places,
    check_whole,
    direct_groups,
    indexed_groups,
    place_of,
)
from rvplat.isa.vector.state import begin_change, require_vtype
from rvplat.lang import FixedBool, Unwind, define, u64


class Slowly(Unwind):
    """The elements must be moved one by one."""


@define
def host_of(hart, va: u64, store: FixedBool) -> u64:
    """The host address of the byte at va, and of the rest of its page."""
    host = host_of_store(hart, va) if store else host_of_load(hart, va)
    if host == 0:
        raise Slowly
    return host


@define
def copy(hart, at: u64, va: u64, size: u64, store: FixedBool):
    """Copy bytes between a host address and the memory at va: at most two pages."""
    here = PAGE_BYTES - (va & OFFSET_MASK)
    low = host_of(hart, va, store)
    if size <= here:
        copy_bytes(low if store else at, at if store else low, size)
    else:
        high = host_of(hart, u64(ux(va + here)), store)
        copy_bytes(low if store else at, at if store else low, here)
        rest = at + here
        copy_bytes(high if store else rest, rest if store else high, size - here)


@define
def check_start(hart, va: u64, eew: Width):
    """The quick ways begin with element 0, and elements are aligned."""
    if hart.vstart != 0 or va & (eew // 8 - 1) != 0:
        raise Slowly


@define
def store_active(hart, from_: u64, va: u64, eew: Width):
    """Store the elements that the mask selects, in one page."""
    if (va & OFFSET_MASK) + hart.vl * (eew // 8) > PAGE_BYTES:
        raise Slowly
    host = host_of(hart, va, True)
    for i in range(hart.vl):
        if is_active(hart, u64(0), i):
            set_element(host, i, element(from_, i, eew), eew)


@define
def copy_segments(hart, data: Data, va: u64, vm: u64, store: FixedBool, eew: Width):
    """The elements of a segment lie side by side. They go through `result`."""
    size = hart.vl * data.groups * (eew // 8)
    if not store:
        copy(hart, result(hart), va, size, False)
    for k in range(data.groups):
        register = group(hart, data.first + k * data.size)
        for i in range(hart.vl):
            place = i * data.groups + k
            if store:
                set_element(result(hart), place, element(register, i, eew), eew)
            elif is_active(hart, vm, i):
                set_element(register, i, element(result(hart), place, eew), eew)
    if store:
        copy(hart, result(hart), va, size, True)


@define(apart=True)
def copy_unit_stride(
    hart, first: u64, va: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    data = direct_groups(hart, first, nf, vm, u64(eew))
    check_start(hart, va, eew)
    size = hart.vl * (eew // 8)
    if nf != 0:
        if store and vm == 0:
            raise Slowly
        copy_segments(hart, data, va, vm, store, eew)
    elif vm != 0:
        copy(hart, group(hart, first), va, size, store)
    elif store:
        store_active(hart, group(hart, first), va, eew)
    else:
        copy(hart, result(hart), va, size, False)
        write_back(hart, first, vm, eew)


@define(apart=True)
def copy_mask(hart, register: u64, va: u64, store: FixedBool):
    require_vtype(hart)
    begin_change(hart)
    check_start(hart, va, 8)
    copy(hart, group(hart, register), va, mask_bytes(hart), store)


@define(apart=True)
def copy_whole(hart, first: u64, va: u64, nf: u64, store: FixedBool, eew: Width):
    check_whole(hart, first, nf, u64(eew))
    check_start(hart, va, eew)
    copy(hart, group(hart, first), va, (nf + 1) * hart.vlen_bytes, store)


@define
def copy_segment(hart, data: Data, host: u64, i: u64, store: FixedBool, eew: Width):
    """Copy all fields of element i."""
    for k in range(data.groups):
        register = group(hart, data.first + k * data.size)
        if store:
            set_element(host, k, element(register, i, eew), eew)
        else:
            set_element(register, i, element(host, k, eew), eew)


@define
def copy_elements(hart, data: Data, places: Places, vm: u64, store: FixedBool, eew: Width):
    """Copy the active elements from vstart on."""
    for i in range(hart.vstart, hart.vl):
        if is_active(hart, vm, i):
            va = u64(place_of(places, i))
            host = host_of_store(hart, va) if store else host_of_load(hart, va)
            within = (va & OFFSET_MASK) + data.groups * (eew // 8) <= PAGE_BYTES
            if host == 0 or not within or va & (eew // 8 - 1) != 0:
                hart.vstart = i
                raise Slowly
            copy_segment(hart, data, host, i, store, eew)
    hart.vstart = 0


@define(apart=True)
def copy_strided(
    hart, first: u64, base: u64, stride: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    data = direct_groups(hart, first, nf, vm, u64(eew))
    copy_elements(hart, data, Places(base, stride, u64(0), u64(0)), vm, store, eew)


@define(apart=True)
def copy_indexed(
    hart, first: u64, base: u64, vs2: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    """The data have EEW=SEW."""
    data = indexed_groups(hart, first, vs2, nf, vm, store, u64(eew))
    places = Places(base, u64(0), group(hart, vs2), u64(eew))
    if hart.vsew == 8:
        copy_elements(hart, data, places, vm, store, 8)
    elif hart.vsew == 16:
        copy_elements(hart, data, places, vm, store, 16)
    elif hart.vsew == 32:
        copy_elements(hart, data, places, vm, store, 32)
    else:
        copy_elements(hart, data, places, vm, store, 64)
