"""Vector loads and stores (Unprivileged, "Vector Loads and Stores").

An instruction moves `fields` groups of elements. Field k of element i is at

    unit-stride      base + (i * fields + k) * EEW / 8
    constant-stride  base + i * stride + k * EEW / 8
    indexed          base + index[i] + k * EEW / 8

vstart counts the elements that are done. So after a trap the instruction goes on where it was.
"""

from rvplat.isa.machinery.vocabulary import (
    drop_trap,
    illegal,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
)
from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import Width, element, group, is_active, set_element
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
from rvplat.lang import Definition, FixedBool, Struct, Unwind, define, s64, u8, u16, u32, u64

WIDTHS = {8: "000", 16: "101", 32: "110", 64: "111"}  # "Vector Load/Store Width Encoding"


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


# --- elements -----------------------------------------------------------------------------------


@define
def load_element(hart, register: u64, i: u64, va: u64, eew: Width):
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
def store_element(hart, register: u64, i: u64, va: u64, eew: Width):
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
def place_of(places: Places, i: u64) -> u64:
    """The address of element i. Offsets are zero-extended."""
    if places.index_bits == 0:
        return places.base + i * places.stride
    if places.index_bits == 8:
        return places.base + element(places.index, i, 8)
    if places.index_bits == 16:
        return places.base + element(places.index, i, 16)
    if places.index_bits == 32:
        return places.base + element(places.index, i, 32)
    return places.base + element(places.index, i, 64)


@define
def move_segment(hart, data: Data, va: u64, i: u64, store: FixedBool, eew: Width):
    """Load or store all fields of element i."""
    for k in range(data.groups):
        register = data.first + k * data.size
        if store:
            store_element(hart, register, i, va + k * (eew // 8), eew)
        else:
            load_element(hart, register, i, va + k * (eew // 8), eew)


@define(cold=True)
def move(hart, data: Data, places: Places, vm: u64, count: u64, store: FixedBool, eew: Width):
    """Load or store the active elements from vstart up to `count`."""
    for i in range(hart.vstart, count):
        hart.vstart = i
        if is_active(hart, vm, i):
            move_segment(hart, data, place_of(places, i), i, store, eew)
    hart.vstart = 0


@define(cold=True)
def move_of_sew(hart, data: Data, places: Places, vm: u64, store: FixedBool):
    """As `move`, with EEW=SEW."""
    if hart.vsew == 8:
        move(hart, data, places, vm, hart.vl, store, 8)
    elif hart.vsew == 16:
        move(hart, data, places, vm, hart.vl, store, 16)
    elif hart.vsew == 32:
        move(hart, data, places, vm, hart.vl, store, 32)
    else:
        move(hart, data, places, vm, hart.vl, store, 64)


@define(cold=True)
def load_until_fault(hart, data: Data, places: Places, vm: u64, eew: Width):
    """Only element 0 traps. Where another one would, vl is reduced to its index ("Unit-stride
    Fault-Only-First Loads")."""
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


# --- what the operands must be -------------------------------------------------------------------


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


# --- instructions -------------------------------------------------------------------------------


def _add(pattern: str, syntax: str, general: Definition, where: str = "") -> None:
    """Add the rows of a load or store, one for each width: `www` in the pattern, `EEW` in the
    syntax, and the definition's parameter `eew`."""
    for eew, width in WIDTHS.items():
        shown = syntax.replace("EEW", str(eew))
        name = shown.split()[0].replace("{seg}", "").replace("{nregs}", "1")
        row = Zve32x.instruction(pattern.replace("www", width), shown, name=name, where=where)
        row(general.given(name, eew=eew))


# "Vector Unit-Stride Instructions"


@define
def vle(hart, vd, rs1, vm, nf, eew: Width):
    data = direct_groups(hart, vd, nf, vm, u64(eew))
    places = Places(hart.x[rs1], data.groups * (eew // 8), u64(0), u64(0))
    move(hart, data, places, vm, hart.vl, False, eew)


@define
def vse(hart, vs3, rs1, vm, nf, eew: Width):
    data = direct_groups(hart, vs3, nf, vm, u64(eew))
    places = Places(hart.x[rs1], data.groups * (eew // 8), u64(0), u64(0))
    move(hart, data, places, vm, hart.vl, True, eew)


_add("nf 0 00 vm 00000 rs1 www vd 0000111", "vl{seg}eEEW.v vd, (rs1){vm}", vle)
_add("nf 0 00 vm 00000 rs1 www vs3 0100111", "vs{seg}eEEW.v vs3, (rs1){vm}", vse)


@define
def mask_bytes(hart) -> u64:
    """The bytes that hold the mask of vl elements."""
    return hart.vl + 7 >> 3


@Zve32x.instruction("000 0 00 1 01011 rs1 000 vd 0000111", "vlm.v vd, (rs1)", name="vlm.v")
def vlm(hart, vd, rs1):
    """Load a mask. vstart counts bytes."""
    require_vtype(hart)
    begin_change(hart)
    places = Places(hart.x[rs1], u64(1), u64(0), u64(0))
    move(hart, Data(vd, u64(1), u64(1)), places, u64(1), mask_bytes(hart), False, 8)


@Zve32x.instruction("000 0 00 1 01011 rs1 000 vs3 0100111", "vsm.v vs3, (rs1)", name="vsm.v")
def vsm(hart, vs3, rs1):
    """Store a mask."""
    require_vtype(hart)
    begin_change(hart)
    places = Places(hart.x[rs1], u64(1), u64(0), u64(0))
    move(hart, Data(vs3, u64(1), u64(1)), places, u64(1), mask_bytes(hart), True, 8)


# "Vector Constant-Stride Instructions"


@define
def vlse(hart, vd, rs1, rs2, vm, nf, eew: Width):
    data = direct_groups(hart, vd, nf, vm, u64(eew))
    places = Places(hart.x[rs1], hart.x[rs2], u64(0), u64(0))
    move(hart, data, places, vm, hart.vl, False, eew)


@define
def vsse(hart, vs3, rs1, rs2, vm, nf, eew: Width):
    data = direct_groups(hart, vs3, nf, vm, u64(eew))
    places = Places(hart.x[rs1], hart.x[rs2], u64(0), u64(0))
    move(hart, data, places, vm, hart.vl, True, eew)


_add("nf 0 10 vm rs2 rs1 www vd 0000111", "vls{seg}eEEW.v vd, (rs1), rs2{vm}", vlse)
_add("nf 0 10 vm rs2 rs1 www vs3 0100111", "vss{seg}eEEW.v vs3, (rs1), rs2{vm}", vsse)


# "Vector Indexed Instructions": the unordered ones go in the order of elements too.


@define
def vlxei(hart, vd, rs1, vs2, vm, nf, eew: Width):
    """The width is that of the offsets; the data have EEW=SEW."""
    index_group(hart, vs2, vm, u64(eew))
    data = data_groups(hart, vd, nf, hart.vsew, hart.vlmul)
    check_mask(hart, vd, vm)
    check_loaded(hart, data, vs2, u64(eew))
    begin_change(hart)
    places = Places(hart.x[rs1], u64(0), group(hart, vs2), u64(eew))
    move_of_sew(hart, data, places, vm, False)


@define
def vsxei(hart, vs3, rs1, vs2, vm, nf, eew: Width):
    index_group(hart, vs2, vm, u64(eew))
    data = data_groups(hart, vs3, nf, hart.vsew, hart.vlmul)
    check_mask(hart, vs3, vm)
    check_stored(hart, data, vs2, u64(eew))
    begin_change(hart)
    places = Places(hart.x[rs1], u64(0), group(hart, vs2), u64(eew))
    move_of_sew(hart, data, places, vm, True)


_add("nf 0 01 vm vs2 rs1 www vd 0000111", "vlux{seg}eiEEW.v vd, (rs1), vs2{vm}", vlxei)
_add("nf 0 11 vm vs2 rs1 www vd 0000111", "vlox{seg}eiEEW.v vd, (rs1), vs2{vm}", vlxei)
_add("nf 0 01 vm vs2 rs1 www vs3 0100111", "vsux{seg}eiEEW.v vs3, (rs1), vs2{vm}", vsxei)
_add("nf 0 11 vm vs2 rs1 www vs3 0100111", "vsox{seg}eiEEW.v vs3, (rs1), vs2{vm}", vsxei)


# "Unit-stride Fault-Only-First Loads"


@define
def vleff(hart, vd, rs1, vm, nf, eew: Width):
    data = direct_groups(hart, vd, nf, vm, u64(eew))
    places = Places(hart.x[rs1], data.groups * (eew // 8), u64(0), u64(0))
    load_until_fault(hart, data, places, vm, eew)


_add("nf 0 00 vm 10000 rs1 www vd 0000111", "vl{seg}eEEWff.v vd, (rs1){vm}", vleff)


# "Vector Load/Store Whole Register Instructions": neither vtype nor vl matters.

_COUNTS = "nf != 2, nf != 4, nf != 5, nf != 6"  # 1, 2, 4 or 8 registers


@define
def move_whole(hart, first: u64, base: u64, nf: u64, store: FixedBool, eew: Width):
    """Move nf + 1 registers, which are aligned as a group is. vstart must be below EVL."""
    require_vector(hart)
    check_element(hart, eew)
    count = (nf + 1) * hart.vlen_bytes // (eew // 8)
    if first & nf != 0 or hart.vstart >= count:
        illegal(hart)
    begin_change(hart)
    places = Places(base, u64(eew // 8), u64(0), u64(0))
    move(hart, Data(first, u64(1), u64(1)), places, u64(1), count, store, eew)


@define
def vlr(hart, vd, rs1, nf, eew: Width):
    move_whole(hart, vd, hart.x[rs1], nf, False, eew)


_add("nf 0 00 1 01000 rs1 www vd 0000111", "vl{nregs}reEEW.v vd, (rs1)", vlr, _COUNTS)


@Zve32x.instruction(
    "nf 0 00 1 01000 rs1 000 vs3 0100111", "vs{nregs}r.v vs3, (rs1)", name="vs1r.v", where=_COUNTS
)
def vsr(hart, vs3, rs1, nf):
    move_whole(hart, vs3, hart.x[rs1], nf, True, 8)
