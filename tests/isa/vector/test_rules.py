"""What is reserved or illegal, rule by rule, each with the section of the manual (Unprivileged, V).

An instruction in the first list raises illegal-instruction; one of the second, which differs from
it in what the rule is about, does not.
"""

from __future__ import annotations

import random

import pytest

from rvplat.engine.architecture import flag_field
from rvplat.isa.fp_state import fflags_read
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.rv_v import V, Zve64d, Zve64x, Zvfh, Zvfhmin
from rvplat.lang import u32

from .bench import DATA, ROWS, STATUS, VectorTwin, begin, twin

VILL = 1 << 63  # of vtype
NAMED = {row.name: row for row in ROWS}
LMULS = {"m1": 0, "m2": 1, "m4": 2, "m8": 3, "mf8": 5, "mf4": 6, "mf2": 7}
GROUPING = "Vector Register Grouping (vlmul)"
OPERANDS = "Vector Operands"
MASKING = "Vector Masking"
WIDTH = "Vector Load/Store Width Encoding"
SEGMENT = "Vector Load/Store Segment Instructions"
WHOLE = "Vector Load/Store Whole Register Instructions"
START = "Vector Start Index (vstart) Register"

# (section, vtype, instruction with operands): reserved
RESERVED = [
    (GROUPING, "e8,m2", "vadd.vv vd=3 vs2=4 vs1=6 vm=1"),
    (GROUPING, "e8,m4", "vadd.vv vd=4 vs2=6 vs1=8 vm=1"),
    (GROUPING, "e8,m8", "vadd.vx vd=8 vs2=4 rs1=1 vm=1"),
    (OPERANDS, "e8,m8", "vwadd.vv vd=8 vs2=16 vs1=24 vm=1"),  # EMUL 16
    (OPERANDS, "e64,m1", "vwadd.vv vd=8 vs2=16 vs1=24 vm=1"),  # EEW 128
    (OPERANDS, "e8,m1", "vwadd.vv vd=2 vs2=2 vs1=4 vm=1"),  # over the source's lowest register
    (OPERANDS, "e8,mf2", "vwadd.vv vd=3 vs2=3 vs1=4 vm=1"),  # the source's EMUL is below 1
    (OPERANDS, "e8,m1", "vnsrl.wi vd=3 vs2=2 uimm=1 vm=1"),  # not the source's lowest register
    (OPERANDS, "e8,m1", "vwadd.wv vd=8 vs2=4 vs1=5 vm=1"),  # v5 with two EEWs
    (OPERANDS, "e8,m1", "vnsrl.wv vd=8 vs2=4 vs1=4 vm=1"),
    (OPERANDS, "e8,m1", "vadd.vv vd=8 vs2=0 vs1=4 vm=0"),  # v0 with EEW 8 and 1
    (OPERANDS, "e8,m1", "vse8.v vs3=0 rs1=10 vm=0 nf=0"),
    (OPERANDS, "e8,m2", "vmseq.vv vd=5 vs2=4 vs1=8 vm=1"),  # not the source's lowest register
    (MASKING, "e8,m1", "vadd.vv vd=0 vs2=4 vs1=6 vm=0"),
    (MASKING, "e8,m2", "vle8.v vd=0 rs1=10 vm=0 nf=0"),
    ("Vector Type Illegal (vill)", "vill", "vadd.vv vd=2 vs2=4 vs1=6 vm=1"),
    ("Vector Type Illegal (vill)", "vill", "vle8.v vd=2 rs1=10 vm=1 nf=0"),
    ("Vector Unit-Stride Instructions", "vill", "vlm.v vd=2 rs1=10"),
    (WIDTH, "e8,m2", "vle64.v vd=8 rs1=10 vm=1 nf=0"),  # EMUL 16
    (WIDTH, "e64,mf8", "vle8.v vd=8 rs1=10 vm=1 nf=0"),  # vill: SEW above LMUL * ELEN
    (WIDTH, "e16,mf8", "vle8.v vd=8 rs1=10 vm=1 nf=0"),
    (WIDTH, "e8,m2", "vle16.v vd=2 rs1=10 vm=1 nf=0"),  # EMUL 4 at v2
    (SEGMENT, "e8,m4", "vle8.v vd=0 rs1=10 vm=1 nf=2"),  # EMUL * NFIELDS is 12
    (SEGMENT, "e8,m1", "vle8.v vd=28 rs1=10 vm=1 nf=4"),  # past v31
    ("Vector Indexed Segment Loads and Stores", "e8,m1", "vluxei8.v vd=4 rs1=10 vs2=5 vm=1 nf=1"),
    (OPERANDS, "e8,m1", "vluxei16.v vd=5 rs1=10 vs2=4 vm=1 nf=0"),
    (OPERANDS, "e16,m1", "vluxei8.v vd=4 rs1=10 vs2=4 vm=1 nf=0"),  # EMUL 1/2
    (OPERANDS, "e8,m1", "vsuxei16.v vs3=4 rs1=10 vs2=4 vm=1 nf=0"),
    (WHOLE, "e8,m1", "vl1re8.v vd=3 rs1=10 nf=1"),
    (WHOLE, "e8,m1", "vs1r.v vs3=6 rs1=10 nf=3"),
    ("Vector Integer Add-with-Carry / Subtract-with-Borrow Instructions", "e8,m1",
     "vadc.vvm vd=0 vs2=4 vs1=6 vm=0"),
    ("Vector Integer Extension", "e8,m1", "vzext.vf2 vd=8 vs2=4 vm=1"),
    ("Vector Integer Extension", "e32,mf2", "vzext.vf8 vd=8 vs2=4 vm=1"),
    ("Vector Integer Extension", "e64,m1", "vsext.vf8 vd=4 vs2=4 vm=1"),  # EMUL 1/8
    ("Whole Vector Register Move", "e8,m1", "vmv2r.v vd=3 vs2=4"),
    ("Vector Slide-up Instructions", "e8,m1", "vslideup.vi vd=4 vs2=4 uimm=1 vm=1"),
    ("Vector Slide-1-up", "e8,m1", "vslide1up.vx vd=4 vs2=4 rs1=1 vm=1"),
    ("Vector Register Gather Instructions", "e8,m1", "vrgather.vv vd=4 vs2=4 vs1=6 vm=1"),
    ("Vector Register Gather Instructions", "e8,m1", "vrgather.vv vd=4 vs2=6 vs1=4 vm=1"),
    ("Vector Register Gather Instructions", "e8,m1", "vrgatherei16.vv vd=5 vs2=6 vs1=4 vm=1"),
    ("Vector Register Gather Instructions", "e8,m8", "vrgatherei16.vv vd=8 vs2=16 vs1=0 vm=1"),
    ("Vector Compress Instruction", "e8,m1", "vcompress.vm vd=4 vs2=4 vs1=6"),
    ("Vector Compress Instruction", "e8,m1", "vcompress.vm vd=4 vs2=6 vs1=4"),
    (OPERANDS, "e8,m1", "vcompress.vm vd=4 vs2=6 vs1=6"),
    ("vmsbf Set-Before-First Mask Bit", "e8,m1", "vmsbf.m vd=4 vs2=4 vm=1"),
    ("vmsif Set-Including-First Mask Bit", "e8,m1", "vmsif.m vd=0 vs2=4 vm=0"),
    ("vmsof Set-Only-First Mask Bit", "e8,m1", "vmsof.m vd=4 vs2=4 vm=1"),
    ("Vector Iota Instruction", "e8,m2", "viota.m vd=4 vs2=5 vm=1"),
    ("Vector Element Index Instruction", "e8,m1", "vid.v vd=0 vm=0"),
    ("Vector Widening Integer Reduction Instructions", "e64,m1",
     "vwredsum.vs vd=8 vs2=4 vs1=6 vm=1"),
    (OPERANDS, "e8,m2", "vwredsum.vs vd=8 vs2=4 vs1=5 vm=1"),
    ("Vector Arithmetic Instruction encoding", "e8,m1", "vfadd.vv vd=4 vs2=6 vs1=8 vm=1"),
    ("Vector Floating-Point Instructions", "e8,m1", "vfcvt.f.x.v vd=4 vs2=8 vm=1"),
    ("Zvfhmin", "e8,m1", "vfwcvt.f.f.v vd=4 vs2=8 vm=1"),
    ("Zvfh", "e8,m1", "vfncvt.f.f.w vd=4 vs2=8 vm=1"),
    ("vfncvtbf16.f.f.w", "e32,m1", "vfncvtbf16.f.f.w vd=4 vs2=8 vm=1"),
    ("vfncvtbf16.f.f.w", "e16,m1", "vfncvtbf16.f.f.w vd=5 vs2=4 vm=1"),
    ("vfwcvtbf16.f.f.v", "e8,m1", "vfwcvtbf16.f.f.v vd=4 vs2=8 vm=1"),
    ("vfwcvtbf16.f.f.v", "e16,m1", "vfwcvtbf16.f.f.v vd=4 vs2=4 vm=1"),
    ("vfwmaccbf16", "e32,m1", "vfwmaccbf16.vv vd=4 vs2=8 vs1=10 vm=1"),
    ("vfwmaccbf16", "e64,m1", "vfwmaccbf16.vf vd=4 vs2=8 rs1=10 vm=1"),
    ("Widening Floating-Point/Integer Type-Convert Instructions", "e32,m1",
     "vfwcvt.x.f.v vd=4 vs2=4 vm=1"),
    ("Narrowing Floating-Point/Integer Type-Convert Instructions", "e32,m1",
     "vfncvt.f.f.w vd=5 vs2=4 vm=1"),
    ("Vector Floating-Point Slide-1-up Instruction", "e32,m1",
     "vfslide1up.vf vd=4 vs2=4 rs1=1 vm=1"),
]  # fmt: skip

LEGAL = [
    (GROUPING, "e8,m2", "vadd.vv vd=2 vs2=4 vs1=6 vm=1"),
    (GROUPING, "e8,mf2", "vadd.vv vd=3 vs2=5 vs1=7 vm=1"),
    (OPERANDS, "e8,m1", "vwadd.vv vd=2 vs2=3 vs1=4 vm=1"),
    (OPERANDS, "e8,m4", "vwadd.vv vd=0 vs2=4 vs1=8 vm=1"),
    (OPERANDS, "e64,m8", "vzext.vf4 vd=0 vs2=6 vm=1"),
    (OPERANDS, "e8,m1", "vnsrl.wi vd=2 vs2=2 uimm=1 vm=1"),
    (OPERANDS, "e8,m1", "vwadd.wv vd=8 vs2=4 vs1=6 vm=1"),
    (OPERANDS, "e8,m1", "vadd.vv vd=8 vs2=0 vs1=4 vm=1"),
    (OPERANDS, "e8,m2", "vmseq.vv vd=4 vs2=4 vs1=8 vm=1"),
    (MASKING, "e8,m1", "vmseq.vv vd=0 vs2=4 vs1=6 vm=0"),  # a mask may be written over v0
    (MASKING, "e8,m1", "vredsum.vs vd=0 vs2=4 vs1=6 vm=0"),  # and the scalar of a reduction
    ("Vector Type Illegal (vill)", "vill", "vl1re8.v vd=2 rs1=10 nf=0"),
    ("Vector Type Illegal (vill)", "vill", "vs1r.v vs3=2 rs1=10 nf=0"),
    (WIDTH, "e8,m1", "vle64.v vd=8 rs1=10 vm=1 nf=0"),  # EMUL 8
    (WIDTH, "e64,m1", "vle8.v vd=9 rs1=10 vm=1 nf=0"),  # EMUL 1/8
    (SEGMENT, "e8,m4", "vle8.v vd=0 rs1=10 vm=1 nf=1"),
    (SEGMENT, "e8,m1", "vle8.v vd=27 rs1=10 vm=1 nf=4"),
    (SEGMENT, "e8,m2", "vle8.v vd=2 rs1=10 vm=1 nf=3"),  # only each group is aligned
    (OPERANDS, "e8,m1", "vluxei8.v vd=4 rs1=10 vs2=4 vm=1 nf=0"),
    (OPERANDS, "e8,m1", "vluxei16.v vd=4 rs1=10 vs2=4 vm=1 nf=0"),
    (OPERANDS, "e16,m2", "vluxei8.v vd=4 rs1=10 vs2=5 vm=1 nf=0"),
    (OPERANDS, "e8,m1", "vsuxei8.v vs3=4 rs1=10 vs2=4 vm=1 nf=0"),
    (WHOLE, "e8,m1", "vl1re8.v vd=2 rs1=10 nf=1"),
    ("Vector Slide-down Instructions", "e8,m1", "vslidedown.vi vd=4 vs2=4 uimm=1 vm=1"),
    ("Vector Slide-1-down Instruction", "e8,m1", "vslide1down.vx vd=4 vs2=4 rs1=1 vm=1"),
    ("Vector Integer Extension", "e64,m1", "vzext.vf8 vd=4 vs2=5 vm=1"),
    ("Vector Count Population in Mask vcpop.m", "e8,m1", "vcpop.m rd=5 vs2=0 vm=0"),
    ("Vector Mask-Register Logical Instructions", "e8,m8", "vmand.mm vd=3 vs2=5 vs1=3"),
    ("Vector Reduction Operations", "e8,m8", "vredsum.vs vd=3 vs2=8 vs1=3 vm=1"),
    ("Integer Scalar Move Instructions", "e8,m8", "vmv.s.x vd=3 rs1=1"),
    ("Vector Widening Integer Reduction Instructions", "e8,m1",
     "vwredsum.vs vd=4 vs2=4 vs1=6 vm=1"),
    ("Vector Arithmetic Instruction encoding", "e32,m1", "vfadd.vv vd=4 vs2=6 vs1=8 vm=1"),
    ("Widening Floating-Point/Integer Type-Convert Instructions", "e16,m1",
     "vfwcvt.f.x.v vd=4 vs2=8 vm=1"),
]  # fmt: skip


def vtype_of(text: str) -> int:
    """ "e8,m2" as a number."""
    if text == "vill":
        return VILL
    sew, lmul = text.split(",")
    return {"e8": 0, "e16": 1, "e32": 2, "e64": 3}[sew] << 3 | LMULS[lmul]


def arrange(text: str, vtype: str, vl: int = 4) -> VectorTwin:
    """The bench before an instruction such as "vadd.vv vd=2 vs2=4 vs1=6 vm=1"."""
    name, *operands = text.split()
    values = {key: int(value) for key, value in (one.split("=") for one in operands)}
    bench = twin()
    begin(bench, random.Random(text), NAMED[name].pattern.encode(**values), vtype_of(vtype), vl)
    assert bench.reference.find(NAMED[name].pattern.encode(**values)) is NAMED[name]
    bench.hart.x[10] = DATA + 256
    bench.hart.frm = 0
    for n in range(32 * 16):  # offsets of indexed accesses stay in the data
        bench.vectors[n] = n & 15 if n % 8 == 0 else 0
    return bench


def traps(bench: VectorTwin) -> bool:
    """Whether the instruction is illegal, by the reference and natively."""
    assert bench.differences() == []
    return bool(bench.hart.mcause == 2)


@pytest.mark.parametrize(("section", "vtype", "text"), RESERVED)
def test_a_reserved_encoding_is_illegal(section: str, vtype: str, text: str) -> None:
    bench = arrange(text, vtype)
    before = bytes(bench.vectors)
    assert traps(bench), section
    assert bytes(bench.vectors) == before


@pytest.mark.parametrize(("section", "vtype", "text"), LEGAL)
def test_what_the_rules_allow_is_legal(section: str, vtype: str, text: str) -> None:
    assert not traps(arrange(text, vtype)), section


@pytest.mark.parametrize(
    "text",
    ["vadd.vv vd=2 vs2=4 vs1=6 vm=1", "vredsum.vs vd=2 vs2=4 vs1=6 vm=1", "vcpop.m rd=5 vs2=4 vm=1",
     "vfirst.m rd=5 vs2=4 vm=1", "vmsbf.m vd=2 vs2=4 vm=1", "viota.m vd=2 vs2=4 vm=1",
     "vcompress.vm vd=2 vs2=4 vs1=6", "vmv.x.s rd=5 vs2=4", "vfadd.vv vd=2 vs2=4 vs1=6 vm=1"],
)  # fmt: skip
def test_arithmetic_with_a_vstart_is_illegal_and_leaves_it(text: str) -> None:
    """START: implementations may refuse a vstart that they never produce; some must."""
    bench = arrange(text, "e32,m1")
    bench.hart.vstart = 1
    assert traps(bench), START
    assert bench.hart.vstart == 1


def test_a_whole_register_access_with_a_vstart_past_its_end_is_illegal() -> None:
    """WHOLE: reserved if vstart is EVL or more; vl doesn't matter."""
    for start, illegal in ((3, False), (4, True)):
        bench = arrange("vl1re32.v vd=2 rs1=10 nf=0", "e8,m1", 0)
        bench.hart.vstart = start
        assert traps(bench) is illegal, WHOLE


@pytest.mark.parametrize(
    "text",
    [
        "vadd.vv vd=2 vs2=4 vs1=6 vm=1",
        "vle8.v vd=2 rs1=10 vm=1 nf=0",
        "vl1re8.v vd=2 rs1=10 nf=0",
        "vsetvli rd=5 rs1=10 vtypei=0",
    ],
)
def test_every_vector_instruction_is_illegal_while_vs_is_off(text: str) -> None:
    """ "Vector Context Status in mstatus"."""
    bench = arrange(text, "e8,m1")
    bench.hart.mstatus = int(bench.hart.mstatus) & ~(3 << 9)
    assert traps(bench)


@pytest.mark.parametrize("status", [1, 2])
def test_a_vector_instruction_makes_vs_dirty(status: int) -> None:
    """ "Vector Context Status in mstatus": from Initial and Clean, unless it is illegal."""
    legal, illegal = "vadd.vv vd=2 vs2=4 vs1=6 vm=1", "vadd.vv vd=0 vs2=4 vs1=6 vm=0"
    for text, after in ((legal, 3), (illegal, status)):
        bench = arrange(text, "e8,m1")
        bench.hart.mstatus = int(bench.hart.mstatus) & ~(3 << 9) | status << 9
        assert traps(bench) is (after == status)
        assert int(bench.hart.mstatus) >> 9 & 3 == after


@pytest.mark.parametrize("frm", [5, 6, 7])
def test_floating_point_with_an_invalid_frm_is_illegal(frm: int) -> None:
    """ "Vector Arithmetic Instruction encoding": also where nothing is rounded, and if vl is 0."""
    for text in ("vfadd.vv vd=4 vs2=6 vs1=8 vm=1", "vfsgnj.vv vd=4 vs2=6 vs1=8 vm=1",
                 "vfmv.f.s rd=5 vs2=6", "vmfeq.vv vd=4 vs2=6 vs1=8 vm=1"):  # fmt: skip
        bench = arrange(text, "e32,m1", 0)
        bench.hart.frm = frm
        assert traps(bench), text


def test_floating_point_is_illegal_while_fs_is_off() -> None:
    """ "Vector Floating-Point Instructions"."""
    bench = arrange("vfadd.vv vd=4 vs2=6 vs1=8 vm=1", "e32,m1")
    bench.hart.mstatus = int(bench.hart.mstatus) & ~STATUS | 3 << 9
    bench.hart.fp_ready = 0
    assert traps(bench)


@pytest.mark.parametrize("name", ["vfredusum", "vfredosum", "vfredmin", "vfwredusum", "vfwredosum"])
@pytest.mark.parametrize(("vtype", "nan"), [("e16,m1", 0x7F80_7C01), ("e32,m1", 0x7F80_0001)])
def test_a_reduction_of_nothing_raises_no_flag(name: str, vtype: str, nan: int) -> None:
    """ "Vector Reduction Operations": if vl is 0, nothing is done; vs1 has a signaling NaN here."""
    bench = arrange(f"{name}.vs vd=4 vs2=6 vs1=8 vm=1", vtype, 0)
    if name.startswith("vfw"):
        nan = {"e16,m1": 0x7F80_0001, "e32,m1": 0x7FF0_0000_0000_0001}[vtype]
    bench.vectors[8 * 16 : 8 * 16 + 8] = list(nan.to_bytes(8, "little"))
    assert not traps(bench)
    assert int(fflags_read(bench.hart, u32(1))) == 0


@pytest.mark.parametrize(
    ("missing", "vtype", "text"),
    [
        (V, "e64,m1", "vmulh.vv vd=4 vs2=6 vs1=8 vm=1"),
        (V, "e64,m1", "vsmul.vv vd=4 vs2=6 vs1=8 vm=1"),
        (Zve64d, "e64,m1", "vfadd.vv vd=4 vs2=6 vs1=8 vm=1"),
        (Zve64d, "e32,m1", "vfwadd.vv vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfadd.vv vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vmfeq.vv vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfmv.s.f vd=4 rs1=6"),
        (Zvfh, "e16,m1", "vfmv.f.s rd=4 vs2=6"),
        (Zvfh, "e16,m1", "vfredosum.vs vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfwadd.wv vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfwredusum.vs vd=4 vs2=6 vs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfslide1up.vf vd=4 vs2=6 rs1=8 vm=1"),
        (Zvfh, "e16,m1", "vfwcvt.x.f.v vd=4 vs2=6 vm=1"),
        (Zvfh, "e16,m1", "vfncvt.f.x.w vd=4 vs2=6 vm=1"),
        (Zvfh, "e16,m1", "vfncvt.rod.f.f.w vd=4 vs2=6 vm=1"),
        (Zvfh, "e8,m1", "vfwcvt.f.x.v vd=4 vs2=6 vm=1"),
        (Zvfh, "e8,m1", "vfncvt.rtz.xu.f.w vd=4 vs2=6 vm=1"),
        (Zvfhmin, "e16,m1", "vfwcvt.f.f.v vd=4 vs2=6 vm=1"),
        (Zvfhmin, "e16,m1", "vfncvt.f.f.w vd=4 vs2=6 vm=1"),
        (Zve64x, "e8,m1", "vle64.v vd=8 rs1=10 vm=1 nf=0"),
        (Zve64x, "e8,m1", "vl1re64.v vd=8 rs1=10 nf=0"),
        (Zve64x, "e8,mf8", "vluxei64.v vd=8 rs1=10 vs2=4 vm=1 nf=0"),
        (Zve64x, "e32,m1", "vwadd.vv vd=4 vs2=8 vs1=9 vm=1"),
    ],
)
def test_what_an_extension_adds_is_illegal_without_it(
    missing: Extension, vtype: str, text: str
) -> None:
    """ "Zve64x", "Zve64f", "Zve64d", "Zvfh", "Zvfhmin": widths that they don't support."""
    bench = arrange(text, vtype)
    assert not traps(bench)
    bench = arrange(text, vtype)
    setattr(bench.hart, flag_field(missing), 0)
    assert traps(bench)


@pytest.mark.parametrize(
    ("vtype", "text"),
    [
        ("e16,m1", "vfwcvt.f.f.v vd=4 vs2=6 vm=1"), ("e16,m1", "vfncvt.f.f.w vd=4 vs2=6 vm=1"),
        ("e16,m1", "vfwcvt.f.x.v vd=4 vs2=6 vm=1"), ("e16,m1", "vfncvt.x.f.w vd=4 vs2=6 vm=1"),
    ],
)  # fmt: skip
def test_without_zvfh_conversions_are_legal(vtype: str, text: str) -> None:
    """ "Zvfhmin"; and those of singles with integers of 16 bits."""
    bench = arrange(text, vtype)
    setattr(bench.hart, flag_field(Zvfh), 0)
    assert not traps(bench)


# --- vsetvl ("Configuration-Setting Instructions") ----------------------------------------------

VSET = [
    ("Constraints on Setting vl", "vsetvli rd=5 rs1=10 vtypei=0", 7, 7, 0),
    ("Constraints on Setting vl", "vsetvli rd=5 rs1=10 vtypei=0", 100, 16, 0),
    ("Constraints on Setting vl", "vsetvli rd=5 rs1=10 vtypei=0", 0, 0, 0),
    ("AVL encoding", "vsetvli rd=5 rs1=0 vtypei=3", 1, 128, 3),
    ("AVL encoding", "vsetivli rd=5 uimm=31 vtypei=16", 1, 4, 16),
    ("AVL encoding", "vsetvli rd=0 rs1=0 vtypei=9", 1, 4, 9),  # e16,m2: VLMAX stays 16
    ("AVL encoding", "vsetvli rd=0 rs1=0 vtypei=8", 1, 0, VILL),  # e16,m1: it would change
    ("Vector Register Grouping (vlmul)", "vsetvli rd=5 rs1=10 vtypei=4", 1, 0, VILL),
    ("Vector Selected Element Width (vsew)", "vsetvli rd=5 rs1=10 vtypei=32", 1, 0, VILL),
    ("Vector Register Grouping (vlmul)", "vsetvli rd=5 rs1=10 vtypei=13", 1, 0, VILL),  # e16,mf8
    ("Unsupported vtype Values", "vsetvli rd=5 rs1=10 vtypei=256", 1, 0, VILL),
]  # fmt: skip


@pytest.mark.parametrize(("section", "text", "avl", "vl", "vtype"), VSET)
def test_vset(section: str, text: str, avl: int, vl: int, vtype: int) -> None:
    bench = arrange(text, "e8,m1")
    bench.hart.x[10], bench.hart.vstart = avl, 3
    assert not traps(bench), section
    hart = bench.hart
    assert (hart.vl, hart.vtype, hart.vstart) == (vl, vtype, 0), section
    if "rd=5" in text:
        assert hart.x[5] == vl


@pytest.mark.parametrize("bit", range(8, 64))
def test_every_bit_of_vtype_counts(bit: int) -> None:
    """ "Unsupported vtype Values": all XLEN bits of vsetvl's register."""
    bench = arrange("vsetvl rd=5 rs1=10 rs2=11", "e8,m1")
    bench.hart.x[11] = 1 << bit
    assert not traps(bench)
    assert (bench.hart.vtype, bench.hart.vl, bench.hart.x[5]) == (VILL, 0, 0)


def test_vl_stays_reserved_after_vill() -> None:
    """ "AVL encoding": to keep vl is reserved if vill was set."""
    bench = arrange("vsetvli rd=0 rs1=0 vtypei=0", "vill")
    assert not traps(bench)
    assert bench.hart.vtype == VILL
