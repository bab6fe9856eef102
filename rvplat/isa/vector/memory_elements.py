"""Vector loads and stores, an element at a time, by the words of scalar loads and stores. These
take every trap, and vstart counts the elements that are done."""

from rvplat.isa.machinery.vocabulary import (
    drop_trap,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
)
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.vector.elements import Width, element, group, is_active, set_element
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
from rvplat.lang import FixedBool, Unwind, define, u8, u16, u32, u64


@define
def load_element(hart, register: u64, i: u64, va: ux, eew: Width):
    to = group(hart, register)
    if eew == 8:
        set_element(to, i, u64(load_u8(hart, va)), eew)
    elif eew == 16:
        set_element(to, i, u64(load_u16(hart, va)), eew)
    elif eew == 32:
        set_element(to, i, u64(load_u32(hart, va)), eew)
    else:
        set_element(to, i, load_u64(hart, va), eew)


@define
def store_element(hart, register: u64, i: u64, va: ux, eew: Width):
    value = element(group(hart, register), i, eew)
    if eew == 8:
        store_u8(hart, va, u8(value))
    elif eew == 16:
        store_u16(hart, va, u16(value))
    elif eew == 32:
        store_u32(hart, va, u32(value))
    else:
        store_u64(hart, va, value)


@define
def move_segment(hart, data: Data, va: ux, i: u64, store: FixedBool, eew: Width):
    """Load or store all fields of element i."""
    for k in range(data.groups):
        register = data.first + k * data.size
        if store:
            store_element(hart, register, i, va + ux(k * (eew // 8)), eew)
        else:
            load_element(hart, register, i, va + ux(k * (eew // 8)), eew)


@define(cold=True)
def move(hart, data: Data, places: Places, vm: u64, count: u64, store: FixedBool, eew: Width):
    """Load or store the active elements from vstart up to `count`."""
    for i in range(hart.vstart, count):
        hart.vstart = i
        if is_active(hart, vm, i):
            move_segment(hart, data, place_of(places, i), i, store, eew)
    hart.vstart = 0


@define
def unit_stride(base: u64, data: Data, eew: Width) -> Places:
    return Places(base, data.groups * (eew // 8), u64(0), u64(0))


@define(cold=True)
def move_unit_stride(
    hart, first: u64, base: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    data = direct_groups(hart, first, nf, vm, u64(eew))
    move(hart, data, unit_stride(base, data, eew), vm, hart.vl, store, eew)


@define(cold=True)
def move_strided(
    hart, first: u64, base: u64, stride: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    data = direct_groups(hart, first, nf, vm, u64(eew))
    move(hart, data, Places(base, stride, u64(0), u64(0)), vm, hart.vl, store, eew)


@define(cold=True)
def move_indexed(
    hart, first: u64, base: u64, vs2: u64, vm: u64, nf: u64, store: FixedBool, eew: Width
):  # fmt: skip
    """The data have EEW=SEW."""
    data = indexed_groups(hart, first, vs2, nf, vm, store, u64(eew))
    places = Places(base, u64(0), group(hart, vs2), u64(eew))
    if hart.vsew == 8:
        move(hart, data, places, vm, hart.vl, store, 8)
    elif hart.vsew == 16:
        move(hart, data, places, vm, hart.vl, store, 16)
    elif hart.vsew == 32:
        move(hart, data, places, vm, hart.vl, store, 32)
    else:
        move(hart, data, places, vm, hart.vl, store, 64)


@define(cold=True)
def move_mask(hart, register: u64, base: u64, store: FixedBool):
    require_vtype(hart)
    begin_change(hart)
    places = Places(base, u64(1), u64(0), u64(0))
    move(hart, Data(register, u64(1), u64(1)), places, u64(1), mask_bytes(hart), store, 8)


@define(cold=True)
def move_whole(hart, first: u64, base: u64, nf: u64, store: FixedBool, eew: Width):
    count = check_whole(hart, first, nf, u64(eew))
    places = Places(base, u64(eew // 8), u64(0), u64(0))
    move(hart, Data(first, u64(1), u64(1)), places, u64(1), count, store, eew)


@define(cold=True)
def load_until_fault(hart, first: u64, base: u64, vm: u64, nf: u64, eew: Width):
    """Only element 0 traps. Where another one would, vl is reduced to its index ("Unit-stride
    Fault-Only-First Loads")."""
    data = direct_groups(hart, first, nf, vm, u64(eew))
    places = unit_stride(base, data, eew)
    for i in range(hart.vstart, hart.vl):
        hart.vstart = i
        if is_active(hart, vm, i):
            if i == 0:
                move_segment(hart, data, place_of(places, i), i, False, eew)
            else:
                try:
                    move_segment(hart, data, place_of(places, i), i, False, eew)
                except Unwind:
                    drop_trap(hart)
                    hart.vl = i
                    break
    hart.vstart = 0
