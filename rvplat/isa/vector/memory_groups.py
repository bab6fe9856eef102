"""Which registers a vector load or store may name (Unprivileged, "Vector Loads and Stores")."""

from rvplat.isa.machinery.vocabulary import illegal
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.vector.elements import element
from rvplat.isa.vector.groups import (
    check_element,
    check_group,
    check_mask,
    check_mask_apart,
    check_narrower_destination,
    check_wider_destination,
    emul_of,
    registers,
)
from rvplat.isa.vector.state import begin_change, require_vector, require_vtype
from rvplat.lang import FixedBool, Struct, define, s64, u64


class Places(Struct):
    """Where the elements are in memory. `index` is the host address of the offsets, of `index_bits`
    each; without an index these are 0, and the elements are `stride` bytes apart."""

    base: u64
    stride: u64
    index: u64
    index_bits: u64


class Data(Struct):
    """The groups of registers: the first one's first register, the registers of each, how many."""

    first: u64
    size: u64
    groups: u64


@define
def place_of(places: Places, i: u64) -> ux:
    """The address of element i. Offsets are zero-extended."""
    if places.index_bits == 0:
        return ux(places.base + i * places.stride)
    if places.index_bits == 8:
        return ux(places.base + element(places.index, i, 8))
    if places.index_bits == 16:
        return ux(places.base + element(places.index, i, 16))
    if places.index_bits == 32:
        return ux(places.base + element(places.index, i, 32))
    return ux(places.base + element(places.index, i, 64))


@define
def data_groups(hart, first: u64, nf: u64, eew: u64, emul: s64) -> Data:
    """The groups of a load or store, if they are legal: EMUL * NFIELDS up to 8, no register above
    v31 ("Vector Load/Store Segment Instructions")."""
    fields = nf + 1
    size = registers(emul)
    check_element(hart, eew)
    check_group(hart, first, emul)
    if fields * size > 8 or first + fields * size > 32:
        illegal(hart)
    return Data(first, size, fields)


@define
def direct_groups(hart, first: u64, nf: u64, vm: u64, eew: u64) -> Data:
    """The groups of a unit-stride or constant-stride access: EMUL = (EEW/SEW)*LMUL. A masked load
    can't overwrite v0. A masked store can't store it, since v0 would be read with two EEWs."""
    require_vtype(hart)
    data = data_groups(hart, first, nf, eew, emul_of(hart, eew))
    check_mask(hart, first, vm)
    begin_change(hart)
    return data


@define
def index_group(hart, vs2: u64, vm: u64, eew: u64):
    """The group of offsets has EMUL = (EEW/SEW)*LMUL."""
    require_vtype(hart)
    check_element(hart, eew)
    check_group(hart, vs2, emul_of(hart, eew))
    check_mask_apart(hart, vs2, vs2, vm)


@define
def check_loaded(hart, data: Data, vs2: u64, eew: u64):
    """The data of an indexed load may overlap the offsets as destination and source do elsewhere;
    those of segments can't ("Vector Indexed Segment Loads and Stores")."""
    emul = emul_of(hart, eew)
    if data.groups > 1:
        if data.first + data.groups * data.size > vs2 and vs2 + registers(emul) > data.first:
            illegal(hart)
    elif eew < hart.vsew:
        check_wider_destination(hart, data.first, hart.vlmul, vs2, emul)
    elif eew > hart.vsew:
        check_narrower_destination(hart, data.first, hart.vlmul, vs2, emul)


@define
def check_stored(hart, data: Data, vs2: u64, eew: u64):
    """No register is read both as data and as offsets, unless with one EEW."""
    ends = data.first + data.groups * data.size
    overlap = ends > vs2 and vs2 + registers(emul_of(hart, eew)) > data.first
    if overlap and eew != hart.vsew:
        illegal(hart)


@define
def check_whole(hart, first: u64, nf: u64, eew: u64) -> u64:
    """nf + 1 registers, which are aligned as a group is. vstart must be below EVL, which is
    returned ("Vector Load/Store Whole Register Instructions")."""
    require_vector(hart)
    check_element(hart, eew)
    count = (nf + 1) * hart.vlen_bytes // (eew // 8)
    if first & nf != 0 or hart.vstart >= count:
        illegal(hart)
    begin_change(hart)
    return count


@define
def indexed_groups(
    hart, first: u64, vs2: u64, nf: u64, vm: u64, store: FixedBool, eew: u64
) -> Data:  # fmt: skip
    """The groups of an indexed access, whose offsets have EEW bits. The data have EEW=SEW."""
    index_group(hart, vs2, vm, eew)
    data = data_groups(hart, first, nf, hart.vsew, hart.vlmul)
    check_mask(hart, first, vm)
    if store:
        check_stored(hart, data, vs2, eew)
    else:
        check_loaded(hart, data, vs2, eew)
    begin_change(hart)
    return data
