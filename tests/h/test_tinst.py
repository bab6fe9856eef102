"""htinst and mtinst."""

from __future__ import annotations

import pytest

from tests.h.bench import CODE, LEAF, NO_DEVICE, ONES, RAM, A, Bench, D, R, Trap, U, V, W, X, word
from tests.h.conftest import MakeBench
from tests.h.section import OF_CSR, TINST, section

GPA, PA = 0x4000_0000, RAM + 0x1_0000

# The instruction and its transformation; x6 (or sp) is the address.
LOADS = [
    *((word(n, rd=5, rs1=6, imm=-4), word(n, rd=5))
      for n in ("lb", "lbu", "lh", "lhu", "lw", "lwu", "ld")),
    (word("flw", rd=5, rs1=6, imm=8), word("flw", rd=5)),
    (word("fld", rd=31, rs1=6, imm=8), word("fld", rd=31)),
    (word("lr.w", rd=5, rs1=6, aq=1), word("lr.w", rd=5, aq=1)),
    (word("lr.d", rd=5, rs1=6), word("lr.d", rd=5)),
]  # fmt: skip
STORES = [
    *((word(n, rs2=7, rs1=6, imm=-4), word(n, rs2=7)) for n in ("sb", "sh", "sw", "sd")),
    (word("fsw", rs2=7, rs1=6, imm=8), word("fsw", rs2=7)),
    (word("fsd", rs2=30, rs1=6, imm=8), word("fsd", rs2=30)),
    *((word(n, rd=5, rs2=7, rs1=6, rl=1), word(n, rd=5, rs2=7, rl=1))
      for n in ("sc.w", "sc.d", "amoadd.w", "amoswap.d", "amomaxu.d")),
]  # fmt: skip
# Compressed: c.lw x9, 4(x8) and others; bit 1 of the expanded instruction's transformation is
# clear.
SHORT = [
    (0x4044, word("lw", rd=9) & ~2, 21), (0x6044, word("ld", rd=9) & ~2, 21),
    (0x2044, word("fld", rd=9) & ~2, 21), (0xC044, word("sw", rs2=9) & ~2, 23),
    (0xE044, word("sd", rs2=9) & ~2, 23), (0xA044, word("fsd", rs2=9) & ~2, 23),
    (0x4512, word("lw", rd=10) & ~2, 21), (0x6522, word("ld", rd=10) & ~2, 21),
    (0x2522, word("fld", rd=10) & ~2, 21), (0xC22A, word("sw", rs2=10) & ~2, 23),
    (0xE42A, word("sd", rs2=10) & ~2, 23), (0xA42A, word("fsd", rs2=10) & ~2, 23),
    (0xC236, word("sw", rs2=13) & ~2, 23), (0xE47E, word("sd", rs2=31) & ~2, 23),
]  # fmt: skip


def faulting(bench: Bench) -> Bench:
    """A guest page at GPA that isn't mapped, and registers that point into it."""
    bench["mstatus"] = bench["vsstatus"] = 3 << 13
    bench.two_stages(guest_mode=0)
    bench.hart.x[6] = bench.hart.x[8] = bench.hart.x[2] = GPA + 0x100
    return bench


@section(TINST)
@pytest.mark.parametrize(("bits", "expected"), LOADS)
@pytest.mark.parametrize("tinst", ["transformed", "zero"])
@pytest.mark.parametrize("to", ["M", "HS"])
def test_loads(make: MakeBench, bits: int, expected: int, tinst: str, to: str) -> None:
    bench = faulting(make(tinst=tinst))
    bench["medeleg"] = ONES if to == "HS" else 0
    found = bench.step(bits, "VS")
    assert found is not None
    assert (found.mode, found.cause) == (to, 21)
    assert found.tinst == (expected if tinst == "transformed" else 0)


@section(TINST)
@pytest.mark.parametrize(("bits", "expected"), STORES)
@pytest.mark.parametrize("tinst", ["transformed", "zero"])
def test_stores_and_atomics(make: MakeBench, bits: int, expected: int, tinst: str) -> None:
    bench = faulting(make(tinst=tinst))
    found = bench.step(bits, "VS")
    assert found is not None
    assert found.cause == 23
    assert found.tinst == (expected if tinst == "transformed" else 0)


@section(TINST)
@pytest.mark.parametrize(("bits", "expected", "cause"), SHORT)
def test_compressed_instructions(bench: Bench, bits: int, expected: int, cause: int) -> None:
    found = faulting(bench).step(bits, "VS")
    assert found is not None
    assert (found.cause, found.tinst) == (cause, expected)


@section(TINST)
@pytest.mark.parametrize("name", ["hlv.b", "hlv.hu", "hlvx.wu", "hlv.d", "hsv.b", "hsv.d"])
def test_virtual_machine_loads_and_stores(bench: Bench, name: str) -> None:
    bits = word(name, rs1=6, **({"rs2": 7} if "hsv" in name else {"rd": 5}))
    found = faulting(bench).step(bits, "HS")
    assert found is not None
    assert found.tinst == bits & ~(31 << 15)
    assert (found.cause, found.gva, found.virt) == (23 if "hsv" in name else 21, 1, 0)


@section("Hypervisor Extension")  # of cmo.adoc
@pytest.mark.parametrize("name", ["cbo.zero", "cbo.clean", "cbo.flush", "cbo.inval"])
@pytest.mark.parametrize("tinst", ["transformed", "zero"])
def test_cache_block_operations(make: MakeBench, name: str, tinst: str) -> None:
    """The whole instruction except rs1, which is zero: xtval holds exactly the address in rs1."""
    bench = make(tinst=tinst)
    bench["menvcfg"] = bench["henvcfg"] = ONES
    found = faulting(bench).step(word(name, rs1=6), "VS")
    expected = word(name) if tinst == "transformed" else 0
    assert found == Trap("M", 23, GPA + 0x100, GPA + 0x100 >> 2, expected, 1, 1, 1)


# "Values that may be automatically written": causes that give zero for every instruction.
ZERO = [(word("ecall"), 10), (word("ebreak"), 3), (0xFFFF_FFFF, 2), (word("hlv.d"), 22)]


@section(TINST)
@pytest.mark.parametrize(("bits", "cause"), ZERO)
def test_other_causes_give_zero(bench: Bench, bits: int, cause: int) -> None:
    found = bench.step(bits, "VS")
    assert found is not None
    assert (found.cause, found.tinst) == (cause, 0)


@section(TINST)
@pytest.mark.parametrize("mode", ["M", "HS", "U", "VS", "VU"])
def test_access_faults_and_misaligned_ones_transform_too(bench: Bench, mode: str) -> None:
    bench.hart.x[6] = NO_DEVICE
    found = bench.step(word("lw", rd=9, rs1=6, imm=16), mode)
    assert found is not None
    assert (found.cause, found.tinst) == (5, word("lw", rd=9))
    bench.hart.x[6] = PA + 13  # Zama16b allows misaligned AMOs within 16 aligned bytes
    found = bench.step(word("amoadd.w", rd=9, rs1=6), mode)
    assert found is not None
    assert (found.cause, found.tinst) == (6, word("amoadd.w", rd=9))


@section(TINST)
@pytest.mark.parametrize("to", ["M", "HS"])
@pytest.mark.parametrize(("name", "cause"), [("lh", 13), ("sw", 15), ("amoadd.w", 15)])
def test_page_faults_transform_too(bench: Bench, name: str, cause: int, to: str) -> None:
    bench.two_stages()
    bench["medeleg"] = ONES if to == "HS" else 0
    bench.hart.x[6] = 0x5000_0000
    operands = {"rs2": 7} if name == "sw" else {"rd": 9}
    found = bench.step(word(name, rs1=6, **operands), "VS")
    assert found == Trap(to, cause, 0x5000_0000, 0, word(name, **operands), 1, 1, 1)


@section(TINST)
@pytest.mark.parametrize("to", ["M", "HS"])
def test_page_faults_of_fetches_give_zero(bench: Bench, to: str) -> None:
    bench.two_stages()
    bench["medeleg"] = ONES if to == "HS" else 0
    assert bench.access("fetch", 0x5000_0000) == Trap(to, 12, 0x5000_0000, 0, 0, 1, 1, 1)


@section(TINST)
def test_a_fetch_gives_zero(bench: Bench) -> None:
    bench.two_stages()
    bench.map_guest(0x5000_0000, GPA)
    found = bench.access("fetch", 0x5000_0000)
    assert found == Trap("M", 20, 0x5000_0000, GPA >> 2, 0, 1, 1, 1)


@section(TINST)
def test_the_guests_own_faults_have_no_tinst(bench: Bench) -> None:
    """A trap into VS mode writes neither htinst nor mtinst."""
    bench.delegate(hedeleg=ONES)
    bench["htinst"] = bench["mtinst"] = 0x55
    bench.hart.x[6] = NO_DEVICE
    assert bench.step(word("ld", rs1=6), "VS") == Trap("VS", 5, NO_DEVICE, virt=1, priv=1)
    assert (bench["htinst"], bench["mtinst"]) == (0x55, 0x55)


@section(TINST)
def test_an_interrupt_gives_zero(bench: Bench) -> None:
    bench.delegate()
    bench["htinst"] = bench["htval"] = 0x55
    bench["hie"] = bench["hvip"] = 1 << 10
    bench.enter("VS", CODE)
    assert bench.interrupted() == ("HS", 10)
    assert (bench["htinst"], bench["htval"]) == (0, 0)


@pytest.mark.parametrize("tinst", ["transformed", "zero"])
@pytest.mark.parametrize("flags", [0, V | R | X | U | A | D])
@pytest.mark.parametrize(("section", "to"), [(OF_CSR["mtinst"], "M"), (OF_CSR["htinst"], "HS")])
def test_pseudoinstructions_are_there_in_either_setting(
    make: MakeBench, tinst: str, flags: int, to: str
) -> None:
    """ "Zero is not allowed" if htval isn't zero: a read of an entry, and a write of A and D."""
    bench = make(tinst=tinst)
    bench.two_stages()
    bench["medeleg"] = ONES if to == "HS" else 0
    bench["menvcfg"] = bench["henvcfg"] = 1 << 61
    entry = bench.map_guest(0x5000_0000, GPA, V | R | W)
    bench.map_host(GPA, PA)
    bench.map_host(entry & ~0xFFF, entry & ~0xFFF, flags)
    found = bench.access("load", 0x5000_0000)
    pseudo = 0x3020 if flags else 0x3000
    assert found == Trap(to, 21, 0x5000_0000, entry >> 2, pseudo, 1, 1, 1)


def across(bench: Bench, own: bool) -> Bench:
    """Two guest pages. The second isn't mapped in the guest's own tables (`own`), or in the second
    stage. x6 points two bytes before the end of the first page."""
    bench.two_stages()
    for page in (0, 0x1000):
        bench.map_guest(0x5000_0000 + page, GPA + page, 0 if own and page else LEAF)
        bench.map_host(GPA + page, PA + page, 0 if page and not own else LEAF | U)
    bench.hart.x[6] = 0x5000_0FFE
    return bench


@section(TINST)
@pytest.mark.parametrize("name", ["lw", "sw"])
def test_a_fault_in_the_second_page_has_its_offset_in_rs1(bench: Bench, name: str) -> None:
    """ "The Addr. Offset field" is xtval minus the original virtual address."""
    register = {"rd": 5} if name == "lw" else {"rs2": 7}
    found = across(bench, own=False).step(word(name, rs1=6, **register), "VS")
    expected = word(name, rs1=2, **register)
    cause = 21 if name == "lw" else 23
    assert found == Trap("M", cause, 0x5000_1000, GPA + 0x1000 >> 2, expected, 1, 1, 1)


@section(TINST)
@pytest.mark.parametrize("name", ["lw", "sw"])
def test_the_offset_of_a_guests_own_fault_is_not_kept_for_the_next(bench: Bench, name: str) -> None:
    register = {"rd": 5} if name == "lw" else {"rs2": 7}
    across(bench, own=True).delegate(hedeleg=ONES)
    first = bench.step(word(name, rs1=6, **register), "VS")
    assert first is not None
    assert (first.mode, first.tval) == ("VS", 0x5000_1000)
    bench.hart.x[6] = 0x5000_3000
    bench.map_guest(0x5000_3000, GPA + 0x3000)
    found = bench.step(word(name, rs1=6, **register), "VS")
    assert found is not None
    assert (found.mode, found.tinst) == ("HS", word(name, **register))
