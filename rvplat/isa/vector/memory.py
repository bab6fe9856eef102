"""Vector loads and stores (Unprivileged, "Vector Loads and Stores").

An instruction moves `fields` groups of elements. Field k of element i is at

    unit-stride      base + (i * fields + k) * EEW / 8
    constant-stride  base + i * stride + k * EEW / 8
    indexed          base + index[i] + k * EEW / 8

vstart counts the elements that are done. So after a trap the instruction goes on where it was.

Each instruction tries a quick way first, which copies from or to the host's memory
(memory_copies.py). It raises `Slowly` where that doesn't do. Then elements go one by one through
the words of scalar loads and stores.
"""

from rvplat.isa.rv_v import Zve32x
from rvplat.isa.vector.elements import Width
from rvplat.isa.vector.memory_copies import (
    copy_indexed,
    copy_mask,
    copy_strided,
    copy_unit_stride,
    copy_whole,
)
from rvplat.isa.vector.memory_elements import (
    load_until_fault,
    move_indexed,
    move_mask,
    move_strided,
    move_unit_stride,
    move_whole,
)
from rvplat.lang import Definition, Unwind, define, u64

WIDTHS = {8: "000", 16: "101", 32: "110", 64: "111"}  # "Vector Load/Store Width Encoding"


def _add(pattern: str, syntax: str, general: Definition, where: str = "", widest: int = 0) -> None:
    """Add the rows of a load or store, one for each width: `www` in the pattern, `EEW` in the
    syntax, and the definition's parameter `eew`. `widest` is the XLEN that has EEW=64; 0: each."""
    for eew, width in WIDTHS.items():
        shown = syntax.replace("EEW", str(eew))
        name = shown.split()[0].replace("{seg}", "").replace("{nregs}", "1")
        xlen = widest if eew == 64 else 0
        row = Zve32x.instruction(
            pattern.replace("www", width), shown, name=name, where=where, xlen=xlen
        )
        row(general.given(name, eew=eew))


# "Vector Unit-Stride Instructions"


@define
def vle(hart, vd, rs1, vm, nf, eew: Width):
    try:
        copy_unit_stride(hart, vd, u64(hart.x[rs1]), vm, nf, False, eew)
    except Unwind:
        move_unit_stride(hart, vd, u64(hart.x[rs1]), vm, nf, False, eew)


@define
def vse(hart, vs3, rs1, vm, nf, eew: Width):
    try:
        copy_unit_stride(hart, vs3, u64(hart.x[rs1]), vm, nf, True, eew)
    except Unwind:
        move_unit_stride(hart, vs3, u64(hart.x[rs1]), vm, nf, True, eew)


_add("nf 0 00 vm 00000 rs1 www vd 0000111", "vl{seg}eEEW.v vd, (rs1){vm}", vle)
_add("nf 0 00 vm 00000 rs1 www vs3 0100111", "vs{seg}eEEW.v vs3, (rs1){vm}", vse)


@Zve32x.instruction("000 0 00 1 01011 rs1 000 vd 0000111", "vlm.v vd, (rs1)", name="vlm.v")
def vlm(hart, vd, rs1):
    """Load a mask. vstart counts bytes."""
    try:
        copy_mask(hart, vd, u64(hart.x[rs1]), False)
    except Unwind:
        move_mask(hart, vd, u64(hart.x[rs1]), False)


@Zve32x.instruction("000 0 00 1 01011 rs1 000 vs3 0100111", "vsm.v vs3, (rs1)", name="vsm.v")
def vsm(hart, vs3, rs1):
    """Store a mask."""
    try:
        copy_mask(hart, vs3, u64(hart.x[rs1]), True)
    except Unwind:
        move_mask(hart, vs3, u64(hart.x[rs1]), True)


# "Vector Constant-Stride Instructions"


@define
def vlse(hart, vd, rs1, rs2, vm, nf, eew: Width):
    try:
        copy_strided(hart, vd, u64(hart.x[rs1]), u64(hart.x[rs2]), vm, nf, False, eew)
    except Unwind:
        move_strided(hart, vd, u64(hart.x[rs1]), u64(hart.x[rs2]), vm, nf, False, eew)


@define
def vsse(hart, vs3, rs1, rs2, vm, nf, eew: Width):
    try:
        copy_strided(hart, vs3, u64(hart.x[rs1]), u64(hart.x[rs2]), vm, nf, True, eew)
    except Unwind:
        move_strided(hart, vs3, u64(hart.x[rs1]), u64(hart.x[rs2]), vm, nf, True, eew)


_add("nf 0 10 vm rs2 rs1 www vd 0000111", "vls{seg}eEEW.v vd, (rs1), rs2{vm}", vlse)
_add("nf 0 10 vm rs2 rs1 www vs3 0100111", "vss{seg}eEEW.v vs3, (rs1), rs2{vm}", vsse)


# "Vector Indexed Instructions": the unordered ones go in the order of elements too. RV32 has no
# offsets of 64 bits ("V: Vector Extension for Application Processors").


@define
def vlxei(hart, vd, rs1, vs2, vm, nf, eew: Width):
    """The width is that of the offsets."""
    try:
        copy_indexed(hart, vd, u64(hart.x[rs1]), vs2, vm, nf, False, eew)
    except Unwind:
        move_indexed(hart, vd, u64(hart.x[rs1]), vs2, vm, nf, False, eew)


@define
def vsxei(hart, vs3, rs1, vs2, vm, nf, eew: Width):
    try:
        copy_indexed(hart, vs3, u64(hart.x[rs1]), vs2, vm, nf, True, eew)
    except Unwind:
        move_indexed(hart, vs3, u64(hart.x[rs1]), vs2, vm, nf, True, eew)


_add("nf 0 01 vm vs2 rs1 www vd 0000111", "vlux{seg}eiEEW.v vd, (rs1), vs2{vm}", vlxei, widest=64)
_add("nf 0 11 vm vs2 rs1 www vd 0000111", "vlox{seg}eiEEW.v vd, (rs1), vs2{vm}", vlxei, widest=64)
_add("nf 0 01 vm vs2 rs1 www vs3 0100111", "vsux{seg}eiEEW.v vs3, (rs1), vs2{vm}", vsxei, widest=64)
_add("nf 0 11 vm vs2 rs1 www vs3 0100111", "vsox{seg}eiEEW.v vs3, (rs1), vs2{vm}", vsxei, widest=64)


# "Unit-stride Fault-Only-First Loads"


@define
def vleff(hart, vd, rs1, vm, nf, eew: Width):
    try:
        copy_unit_stride(hart, vd, u64(hart.x[rs1]), vm, nf, False, eew)
    except Unwind:
        load_until_fault(hart, vd, u64(hart.x[rs1]), vm, nf, eew)


_add("nf 0 00 vm 10000 rs1 www vd 0000111", "vl{seg}eEEWff.v vd, (rs1){vm}", vleff)


# "Vector Load/Store Whole Register Instructions": neither vtype nor vl matters.

_COUNTS = "nf != 2, nf != 4, nf != 5, nf != 6"  # 1, 2, 4 or 8 registers


@define
def vlr(hart, vd, rs1, nf, eew: Width):
    try:
        copy_whole(hart, vd, u64(hart.x[rs1]), nf, False, eew)
    except Unwind:
        move_whole(hart, vd, u64(hart.x[rs1]), nf, False, eew)


_add("nf 0 00 1 01000 rs1 www vd 0000111", "vl{nregs}reEEW.v vd, (rs1)", vlr, _COUNTS)


@Zve32x.instruction(
    "nf 0 00 1 01000 rs1 000 vs3 0100111", "vs{nregs}r.v vs3, (rs1)", name="vs1r.v", where=_COUNTS
)
def vsr(hart, vs3, rs1, nf):
    try:
        copy_whole(hart, vs3, u64(hart.x[rs1]), nf, True, 8)
    except Unwind:
        move_whole(hart, vs3, u64(hart.x[rs1]), nf, True, 8)
