"""Where XLEN matters to vectors: what RV32 has otherwise (Unprivileged, V)."""

from __future__ import annotations

import ctypes
import random

from .bench import DATA, NARROW, ROWS, VectorTwin, begin, twin

NAMED = {row.name: row for row in NARROW}
E32, E64 = 2 << 3, 3 << 3
VTYPE = 0xC21
LIMIT, LOAD_ACCESS, ILLEGAL = 1 << 20, 5, 2
CSRRS_A0_VTYPE = VTYPE << 20 | 0x0000_2573


def execute(bits: int, vtype: int, vl: int, x: dict[int, int]) -> VectorTwin:
    """Run an instruction natively, with some registers set."""
    bench = twin(32)
    begin(bench, random.Random(bits), bits, vtype, vl)
    for number, value in x.items():
        bench.hart.x[number] = value
    bench.hart.limit = LIMIT
    bench.core.run(bench.native.address)
    return bench


def words(bench: VectorTwin, register: int, count: int) -> list[int]:
    at = register * int(bench.hart.vlen_bytes)
    data = bytes(bench.vectors[at : at + 4 * count])
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def memory(bench: VectorTwin, address: int) -> int:
    at = bench.ram.address + address - int(bench.ram.base)
    return int.from_bytes(ctypes.string_at(at, 4), "little")


def test_offsets_of_64_bits_are_not_there() -> None:
    """ "The V extension does not support EEW=64 for index values when XLEN=32"."""
    missing = {row.name for row in ROWS} - set(NAMED)
    assert missing == {f"v{kind}{order}xei64.v" for kind in "ls" for order in "uo"}
    wide = next(row for row in ROWS if row.name == "vluxei64.v")
    bits = wide.pattern.encode(vd=8, rs1=10, vs2=16, vm=1, nf=0)
    assert execute(bits, E64, 1, {10: DATA}).hart.mcause == ILLEGAL


def test_vill_is_the_highest_bit() -> None:
    """ "vill is at bit XLEN-1"."""
    bench = execute(NAMED["vsetvli"].pattern.encode(rd=5, rs1=0, vtypei=256), E32, 1, {})
    assert (bench.hart.vtype, bench.hart.vl) == (1 << 31, 0)
    bits = NAMED["vsetvl"].pattern.encode(rd=5, rs1=6, rs2=7)
    assert execute(bits, E32, 1, {6: 2, 7: 1 << 31 | E32}).hart.vtype == 1 << 31
    assert execute(bits, E32, 1, {6: 2, 7: E32}).hart.vtype == E32
    bench.hart.vtype = 1 << 31
    assert execute(CSRRS_A0_VTYPE, 0x100, 0, {}).hart.x[10] == 1 << 31


def test_a_scalar_is_sign_extended_to_wider_elements() -> None:
    for name in ("vmv.v.x", "vmv.s.x"):
        bits = NAMED[name].pattern.encode(vd=8, rs1=10)
        assert words(execute(bits, E64, 1, {10: 0x8000_0001}), 8, 2) == [0x8000_0001, 0xFFFF_FFFF]


def test_an_element_is_truncated_to_a_register() -> None:
    """vmv.x.s: "If SEW > XLEN, the least-significant XLEN bits are transferred"."""
    bench = execute(NAMED["vmv.x.s"].pattern.encode(rd=10, vs2=8), E64, 1, {})
    assert bench.hart.x[10] == words(bench, 8, 1)[0]


def test_vfirst_is_minus_1_where_no_bit_is_set() -> None:
    bits = NAMED["vfirst.m"].pattern.encode(rd=10, vs2=8, vm=1)
    assert execute(bits, E32, 0, {}).hart.x[10] == 0xFFFF_FFFF


def test_strides_may_be_negative() -> None:
    bits = NAMED["vlse32.v"].pattern.encode(vd=8, rs1=10, rs2=11, vm=1, nf=0)
    base = DATA + 0x100
    bench = execute(bits, E32, 4, {10: base, 11: 0x1_0000_0000 - 8})
    assert words(bench, 8, 4) == [memory(bench, base - 8 * i) for i in range(4)]


def test_an_address_and_an_offset_wrap_at_32_bits() -> None:
    bits = NAMED["vluxei32.v"].pattern.encode(vd=8, rs1=10, vs2=16, vm=1, nf=0)
    bench = twin(32)
    begin(bench, random.Random(1), bits, E32, 1)
    at = 16 * int(bench.hart.vlen_bytes)
    for i, byte in enumerate((DATA + 4).to_bytes(4, "little")):
        bench.vectors[at + i] = byte
    bench.hart.x[10] = 0xFFFF_FFFC
    bench.hart.limit = LIMIT
    bench.core.run(bench.native.address)
    assert words(bench, 8, 1) == [memory(bench, DATA)]


def test_the_element_after_the_end_of_the_address_space_is_at_0() -> None:
    bits = NAMED["vle32.v"].pattern.encode(vd=8, rs1=10, vm=0, nf=0)
    bench = twin(32)
    begin(bench, random.Random(2), bits, E32, 2)
    bench.vectors[0] = 2  # element 0 is not active
    bench.hart.x[10], bench.hart.mtval = 0xFFFF_FFFC, 1
    bench.hart.limit = LIMIT
    bench.core.run(bench.native.address)
    hart = bench.hart
    assert (int(hart.mcause), int(hart.mtval), int(hart.vstart)) == (LOAD_ACCESS, 0, 1)
