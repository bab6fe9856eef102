"""Extensions that only name what harts do: each is true of every hart, in all worlds.

Shcounterenw, Shvstvala, Shtvala, Shvstvecd, Shvsatpa, Shgatpa and Svade are tested where their
subjects are (test_csrs.py, test_traps.py, test_guest_faults.py, test_page_tables.py).
"""

from __future__ import annotations

import random

import pytest

from rvplat.isa.machinery.extension import enabled_rows
from rvplat.isa.privileged import Status
from tests.h.bench import LOAD, NUMBERS, ONES, RAM, Bench, Trap, V, word
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.h.stages import ACCESS, AT, GPA, KINDS, PA, PAGE, VA, cause, stages

SVVPTC = "Svvptc Extension for Obviating Memory-Management Instructions after Marking PTEs Valid"
SSTVALA = "Sstvala Extension for Trap Value Reporting"
SSSTRICT = "Ssstrict Extension for Extension Conformance"
SV39 = 8


def one_stage(bench: Bench) -> None:
    """S mode's own translation: the page CODE, and VA to PA."""
    stages(bench, SV39, 0)
    bench["satp"], bench["vsatp"] = bench["vsatp"], 0


def entries(bench: Bench, root: int, va: int) -> list[int]:
    """The addresses of an address's page-table entries, from the root down (Sv39, Sv39x4)."""
    found, table = [], root
    for level in (2, 1, 0):
        found.append(table + (va >> (12 + 9 * level) & (0x7FF if level == 2 else 0x1FF)) * 8)
        table = bench.peek(found[-1]) >> 10 << 12
    return found


@section(SVVPTC)
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", ["only", "first", "second"])
def test_an_entry_that_becomes_valid_is_seen_without_a_fence(
    bench: Bench, stage: str, kind: str, level: int
) -> None:
    if stage == "only":
        one_stage(bench)
    else:
        stages(bench)
    root, at = (bench.host_root, GPA) if stage == "second" else (bench.guest_root, VA)
    mode = "HS" if stage == "only" else "VS"
    entry = entries(bench, root, at)[2 - level]
    pte = bench.peek(entry)
    bench.poke(entry, pte & ~V)
    expected = PAGE[kind] + 8 if stage == "second" else PAGE[kind]
    for _ in range(2):
        assert cause(bench.access(kind, VA, mode)) == expected
    bench.poke(entry, pte)
    assert cause(bench.access(kind, VA, mode)) == "ok"


@section("Ssu64xl Extension for UXLEN=64 Support")
@pytest.mark.parametrize("name", ["sstatus", "vsstatus"])
def test_uxl_is_64_bits(bench: Bench, name: str) -> None:
    for value in (0, ONES, Status.UXL_64):
        bench[name] = value
        assert bench[name] & Status.UXL == Status.UXL_64


@section("Sscounterenw Extension for Counter-Enable Writability")
def test_every_counter_has_its_bit_in_scounteren(bench: Bench) -> None:
    bench["scounteren"] = ONES
    assert bench["scounteren"] == 0xFFFF_FFFF
    bench["scounteren"] = 0
    assert bench["scounteren"] == 0


@section("Ssccptr Extension for Main Memory Page-Table Reads")
@pytest.mark.parametrize("page", [RAM, RAM + 0x1F_F000])
def test_any_page_of_main_memory_can_hold_a_page_table(bench: Bench, page: int) -> None:
    one_stage(bench)
    entry = entries(bench, bench.guest_root, VA)[2]
    for at in range(0, 0x1000, 8):
        bench.poke(page + at, bench.peek((entry & ~0xFFF) + at))
    middle = entries(bench, bench.guest_root, VA)[1]
    bench.poke(middle, page >> 12 << 10 | V)
    bench.poke(PA + AT, 0x77)
    assert bench.access(LOAD, VA + AT, "HS") is None
    assert bench.hart.x[5] == 0x77


@section("Sstvecd Extension for Direct Trap Vectoring")
@pytest.mark.parametrize("name", ["stvec", "vstvec"])
def test_stvec_holds_every_direct_address(bench: Bench, name: str) -> None:
    for bit in range(2, 64):
        bench[name] = 1 << bit
        assert bench[name] == 1 << bit
    bench[name] = ONES & ~3
    assert bench[name] == ONES & ~3


@section(SSTVALA)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["HS", "VS"])
def test_stval_is_the_address_of_a_page_fault_or_access_fault(
    bench: Bench, kind: str, mode: str
) -> None:
    where = "HS" if mode == "HS" else "VS"
    bench.delegate(hedeleg=ONES)
    if mode == "HS":
        one_stage(bench)
    else:
        stages(bench, SV39, 0)
    bench.map_guest(VA, PA, 0)
    found = bench.access(kind, VA + AT, mode)
    assert found is not None
    assert (found.mode, found.cause, found.tval) == (where, PAGE[kind], VA + AT)
    bench.map_guest(VA, 0x1000_0000)
    found = bench.access(kind, VA + AT, mode)
    assert found is not None
    assert (found.mode, found.cause, found.tval) == (where, ACCESS[kind], VA + AT)


@section(SSTVALA)
@pytest.mark.parametrize(("name", "expected"), [("ld", 4), ("sd", 6), ("lr.d", 4), ("amoadd.d", 6)])
def test_stval_is_the_address_of_a_misaligned_access(
    make: MakeBench, name: str, expected: int
) -> None:
    bench = make("zicclsm zama16b")
    bench.delegate()
    bench.hart.x[6] = PA + 4
    operands = {"rs2": 7} if name in ("sd", "amoadd.d") else {}
    operands |= {} if name == "sd" else {"rd": 5}
    found = bench.step(word(name, rs1=6, **operands), "HS")
    assert found is not None
    assert (found.mode, found.cause, found.tval) == ("HS", expected, PA + 4)


@section(SSTVALA)
def test_stval_is_the_instruction_that_is_illegal_or_virtual(bench: Bench) -> None:
    bench.delegate()
    for bits, mode, expected in (
        (0xFFFF_FFFF, "HS", 2), (0x0000_0000, "U", 2), (word("mret"), "U", 2),
        (word("hfence.gvma"), "VS", 22), (word("wfi"), "VU", 22),
    ):  # fmt: skip
        found = bench.step(bits, mode)
        assert found is not None
        assert (found.mode, found.cause, found.tval) == ("HS", expected, bits)


def unimplemented(bench: Bench, numbers: list[int]) -> list[int]:
    """Those of the words that are no instruction of the hart."""
    rows = enabled_rows(bench.extensions)
    return [bits for bits in numbers if not any(row.pattern.matches(bits) for row in rows)]


@section(SSSTRICT)
@pytest.mark.slow
def test_unimplemented_opcodes_are_illegal(bench: Bench) -> None:
    """In all standard opcodes, and in the three quadrants of compressed instructions."""
    bench.delegate()
    chance = random.Random(1)
    short = [bits for bits in range(1 << 16) if bits & 3 != 3]
    long = [chance.getrandbits(25) << 7 | opcode for opcode in range(3, 128, 4) for _ in range(40)]
    words = unimplemented(bench, [*chance.sample(short, 2000), *long])
    assert len(words) > 500
    for bits in words:
        found = bench.step(bits, "HS")
        length = 0xFFFF_FFFF if bits & 3 == 3 else 0xFFFF
        assert found == Trap("HS", 2, bits & length, priv=1), f"{bits:#x}"


@section(SSSTRICT)
def test_unimplemented_csrs_are_illegal(bench: Bench) -> None:
    bench.delegate()
    for number in set(range(1 << 12)) - set(NUMBERS.values()):
        bits = word("csrrs", csr=number, rd=5, rs1=0)
        assert bench.step(bits, "HS") == Trap("HS", 2, bits, priv=1), f"{number:#x}"


@section("Za128rs Extension for Reservation-Set Size")
@pytest.mark.parametrize("distance", [-8, 8, 64, 128])
def test_a_store_outside_the_reservation_set_leaves_the_reservation(
    bench: Bench, distance: int
) -> None:
    """The set is the word of the lr itself, so it is smaller than 64 bytes (Za64rs)."""
    bench.hart.x[6] = PA
    assert bench.step(word("lr.d", rd=5, rs1=6), "M") is None
    bench.poke(PA + distance, 1)
    assert bench.step(word("sc.d", rd=5, rs1=6, rs2=7), "M") is None
    assert bench.hart.x[5] == 0


@section("Zicclsm Extension for Main Memory Misaligned Accesses")
@pytest.mark.parametrize("offset", [1, 4, 7, 0xFFC])
def test_misaligned_loads_and_stores_of_main_memory_work(bench: Bench, offset: int) -> None:
    bench.poke(PA + offset, 0x1122_3344_5566_7788)
    for mode in ("M", "HS", "VS"):
        assert bench.access(LOAD, PA + offset, mode) is None
        assert bench.hart.x[5] == 0x1122_3344_5566_7788


@section("Ziccamoa Extension for Main Memory Atomics")
def test_main_memory_takes_every_atomic_operation(bench: Bench) -> None:
    for name in ("swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu"):
        for width in "wd":
            bench.hart.x[6] = PA + 8
            assert bench.step(word(f"amo{name}.{width}", rd=5, rs1=6, rs2=7), "M") is None
