"""Fences drop the cached translations that they name, and no others."""

from __future__ import annotations

import itertools

import pytest

from rvplat.hart.acceleration.tlb import LOG
from tests.h.bench import (
    CODE,
    LEAF,
    LOAD,
    NC,
    ONES,
    RAM,
    STORE,
    A,
    Bench,
    D,
    R,
    U,
    V,
    W,
    X,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import FENCES, GUEST_FENCES, STAGES, SVINVAL, section
from tests.h.stages import ADUE, PBMTE

VA, GPA, PA, OTHER = 0x5000_0000, 0x4000_0000, RAM + 0x1_0000, RAM + 0x1_1000
MODES = [0, 8, 9, 10]  # of hgatp


def reads(bench: Bench, expected: int, va: int = VA, mode: str = "VS") -> bool:
    assert bench.access(LOAD, va, mode) is None
    return bool(bench.hart.x[5] == expected)


def primed(bench: Bench) -> Bench:
    """VA reads 1 and VA + 4096 reads 2, both cached. Then the tables of both stages change."""
    bench.two_stages(vmid=5, asid=7)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * i)
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * i)
        bench.poke(PA + 0x1000 * i, i + 1)
        assert reads(bench, i + 1, VA + 0x1000 * i)
    return bench


FORGOTTEN = [
    # instruction, rs1 (0: x0), rs2 (0: x0), which of the two pages are dropped
    (0, 0, (True, True)), (VA + 0x123, 0, (True, False)), (VA + 0x1008, 0, (False, True)),
    (VA + 0x9000, 0, (False, False)), (0, 7, (True, True)), (0, 8, (False, False)),
    (VA, 7, (True, False)), (VA, 8, (False, False)), (0, 7 | 1 << 16, (True, True)),
]  # fmt: skip


def fence(bench: Bench, name: str, rs1: int, rs2: int, mode: str) -> None:
    bench.hart.x[10], bench.hart.x[11] = rs1, rs2
    bits = word(name, rs1=10 if rs1 else 0, rs2=11 if rs2 else 0)
    assert bench.step(bits, mode) is None


@pytest.mark.parametrize(("rs1", "rs2", "forgotten"), FORGOTTEN)
@pytest.mark.parametrize(
    ("section", "name", "mode"),
    [(GUEST_FENCES, "hfence.vvma", "HS"), (GUEST_FENCES, "hfence.vvma", "M"),
     (SVINVAL, "hinval.vvma", "HS"), (FENCES, "sfence.vma", "VS"), (SVINVAL, "sinval.vma", "VS")],
)  # fmt: skip
def test_fences_of_the_first_stage_drop_what_they_name(
    bench: Bench, name: str, mode: str, rs1: int, rs2: int, forgotten: tuple[bool, bool]
) -> None:
    primed(bench)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * (1 - i))
    fence(bench, name, rs1, rs2, mode)
    for i in range(2):
        expected = 2 - i if forgotten[i] else i + 1
        assert reads(bench, expected, VA + 0x1000 * i), "exactly the named page is dropped"


@pytest.mark.parametrize(
    ("section", "name", "mode"),
    [(GUEST_FENCES, "hfence.vvma", "HS"), (SVINVAL, "hinval.vvma", "HS"),
     (FENCES, "sfence.vma", "VS"), (SVINVAL, "sinval.vma", "VS")],
)  # fmt: skip
def test_another_vmid_is_left_alone(bench: Bench, name: str, mode: str) -> None:
    """Each applies to one virtual machine only: that of hgatp.VMID."""
    primed(bench)
    mine = bench["hgatp"]
    bench.map_guest(VA, GPA + 0x1000)
    bench["hgatp"] = mine & ~(0x3FFF << 44) | 6 << 44
    fence(bench, name, 0, 0, mode)
    bench["hgatp"] = mine
    assert reads(bench, 1)


@section(GUEST_FENCES)
@pytest.mark.parametrize(("name", "mode"), [("hfence.vvma", "HS"), ("hinval.vvma", "M")])
def test_a_virtual_machine_is_its_vmid(bench: Bench, name: str, mode: str) -> None:
    """The other fields of hgatp don't matter when the fence is executed."""
    primed(bench)
    mine = bench["hgatp"]
    bench.map_guest(VA, GPA + 0x1000)
    bench["hgatp"] = 9 << 60 | 5 << 44 | bench.page(4) >> 12
    fence(bench, name, 0, 0, mode)
    bench["hgatp"] = mine
    assert reads(bench, 2)


@section(FENCES)
@pytest.mark.parametrize("mode", ["HS", "M"])
def test_sfence_vma_with_v_0_leaves_guests_alone(bench: Bench, mode: str) -> None:
    primed(bench)
    bench.map_guest(VA, GPA + 0x1000)
    bench.map_host(GPA, PA + 0x1000)
    fence(bench, "sfence.vma", 0, 0, mode)
    assert reads(bench, 1)


@section(FENCES)
@pytest.mark.parametrize("mode", ["HS", "M"])
@pytest.mark.parametrize("rs1", [0, PA + (1 << 30)])
@pytest.mark.parametrize("hgatp", [0, 5 << 44, 8 << 60 | 5 << 44])
def test_sfence_vma_with_v_0_is_the_hosts_whatever_hgatp_says(
    bench: Bench, mode: str, rs1: int, hgatp: int
) -> None:
    """ "When V=0 ... HS-level address-translation structures": VMIDs have no part in them."""
    root = bench.page()
    for at in (2, 3):
        bench.poke(root + at * 8, 2 << 18 << 10 | LEAF)
    bench["satp"], bench["hgatp"] = 8 << 60 | root >> 12, hgatp
    bench.poke(PA, 0x77)
    assert reads(bench, 0x77, PA + (1 << 30), "HS")
    bench.poke(root + 3 * 8, 0)
    fence(bench, "sfence.vma", rs1, 0, mode)
    found = bench.access(LOAD, PA + (1 << 30), "HS")
    assert found is not None
    assert found.cause == 13


@section(GUEST_FENCES)
@pytest.mark.parametrize("fills", [0, LOG])
@pytest.mark.parametrize("name", ["hfence.gvma", "hinval.gvma"])
def test_stores_and_loads_after_a_fence_of_an_address(bench: Bench, name: str, fills: int) -> None:
    """Cached translations of stores and loads, also after more fills than a hart keeps track of."""
    primed(bench)
    for i in range(2):
        assert bench.access(STORE, VA + 0x1000 * i) is None
        bench.map_host(GPA + 0x1000 * i, PA + 0x2000)
    bench.poke(PA + 0x2000, 9)
    for context in bench.hart.ctx:
        context.fills = int(context.fills) + fills
    fence(bench, name, GPA >> 2, 0, "HS")
    bench.hart.x[7] = 0x55
    assert bench.access(STORE, VA) is None
    assert (bench.peek(PA), bench.peek(PA + 0x2000)) == (0, 0x55)
    assert reads(bench, 0x55)
    assert reads(bench, 0, VA + 0x1000), "the other page is not dropped"


@section(FENCES)
def test_guests_fences_leave_the_host_alone(bench: Bench) -> None:
    root = bench.page()
    for at in (2, 3):
        bench.poke(root + at * 8, 2 << 18 << 10 | LEAF)
    alias = PA + (1 << 30)
    bench["satp"] = 8 << 60 | root >> 12
    primed(bench)
    bench.poke(PA, 0x77)
    assert reads(bench, 0x77, alias, "HS")
    bench.poke(root + 3 * 8, 0)
    for name in ("hfence.vvma", "hfence.gvma"):
        fence(bench, name, 0, 0, "M")
    fence(bench, "sfence.vma", 0, 0, "VS")
    assert reads(bench, 0x77, alias, "HS")


PHYSICAL = [
    (0, 0, (True, True)), (GPA + 0x120, 0, (True, False)), (GPA + 0x1000, 0, (False, True)),
    (GPA + 0x9000, 0, (False, False)), (0, 5, (True, True)), (0, 6, (False, False)),
    (GPA, 5, (True, False)), (GPA, 6, (False, False)), (0, 5 | 1 << 14, (True, True)),
]  # fmt: skip


@pytest.mark.parametrize(("gpa", "vmid", "forgotten"), PHYSICAL)
@pytest.mark.parametrize(
    ("section", "name", "mode"),
    [(GUEST_FENCES, "hfence.gvma", "HS"), (GUEST_FENCES, "hfence.gvma", "M"),
     (SVINVAL, "hinval.gvma", "HS")],
)  # fmt: skip
def test_fences_of_the_second_stage_drop_what_they_name(
    bench: Bench, name: str, mode: str, gpa: int, vmid: int, forgotten: tuple[bool, bool]
) -> None:
    """rs1 is a guest physical address shifted right by two."""
    primed(bench)
    for i in range(2):
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * (1 - i))
    fence(bench, name, gpa >> 2, vmid, mode)
    for i in range(2):
        expected = 2 - i if forgotten[i] else i + 1
        assert reads(bench, expected, VA + 0x1000 * i), "exactly the named page is dropped"


@section(GUEST_FENCES)
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_a_fence_of_an_address_takes_the_superpage_around_it(bench: Bench, stage: str) -> None:
    bench.two_stages()
    size = 2 << 20
    big, gpa = 0x5000_0000, 0x4000_0000
    if stage == "guest":
        bench.map_guest(big, gpa, level=1)
        for i in range(2):
            bench.map_host(gpa + 0x1000 * i, PA + 0x1000 * i)
    else:
        for i in range(2):
            bench.map_guest(big + 0x1000 * i, gpa + 0x1000 * i)
        bench.map_host(gpa, RAM, level=1)
    inside = 0 if stage == "guest" else PA - RAM
    if stage == "host":
        for i in range(2):
            bench.map_guest(big + 0x1000 * i, gpa + inside + 0x1000 * i)
    bench.poke(PA + 0x1000, 0x22)
    assert reads(bench, 0x22, big + 0x1000)
    if stage == "guest":
        bench.map_guest(big, gpa + size, level=1)
        fence(bench, "hfence.vvma", big + 0x8000, 0, "HS")
    else:
        bench.map_host(gpa, RAM + size, level=1)
        fence(bench, "hfence.gvma", gpa + 0x10_0000 >> 2, 0, "HS")
    found = bench.access(LOAD, big + 0x1000)
    assert found is not None, "the old page is dropped"


@section("rvplat: TLB")
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_a_world_switch_drops_nothing(bench: Bench, kind: str) -> None:
    """Entries are tagged by V, VMID and ASID."""
    primed(bench)
    mine = bench["hgatp"], bench["vsatp"]
    entry = bench.map_guest(VA, GPA + 0x1000)
    bench["hgatp"], bench["vsatp"] = 6 << 44, 0
    bench.enter("HS")
    assert bench.access(kind, PA + 0x2000, "HS") is None
    bench.enter("VS")
    assert bench.access(kind, PA + 0x2000, "VS") is None
    bench["hgatp"], bench["vsatp"] = mine
    assert reads(bench, 1)
    bench.poke(entry, 0)
    assert reads(bench, 1)


def distinguishes_worlds(bench: Bench) -> None:
    bench.two_stages(vmid=1, asid=1)
    bench.map_guest(VA, GPA)
    entry = bench.map_host(GPA, PA)
    bench.poke(PA, 0x11)
    bench.poke(OTHER, 0x22)
    assert reads(bench, 0x11)
    bench.poke(entry, OTHER >> 12 << 10 | LEAF | U)
    first = bench["hgatp"]
    bench["hgatp"] = first + (1 << 44)
    assert reads(bench, 0x22)
    bench["hgatp"] = first
    assert reads(bench, 0x11)
    bench["vsatp"] = bench["vsatp"] + (1 << 44)
    assert reads(bench, 0x22)


@section(FENCES)
def test_asids_and_vmids_are_distinguished(bench: Bench) -> None:
    distinguishes_worlds(bench)


@section(FENCES)
def test_a_begun_bench_is_like_a_new_one(bench: Bench) -> None:
    """Whatever translations earlier tests have left, and in which of the TLB's contexts."""
    others = itertools.count(3)
    for later in (13, 14, 15):
        bench.two_stages()
        bench.map_guest(VA, GPA)
        bench.map_host(GPA, PA)
        first = bench["hgatp"]
        guests = [*itertools.islice(others, 16), 1, *itertools.islice(others, later)]
        for vmid in guests:
            bench["hgatp"] = first + (vmid - 1 << 44)
            assert reads(bench, 0)
        bench.begin()
        distinguishes_worlds(bench)
        bench.begin()


@section(STAGES)
def test_a_change_of_pmp_applies_to_guests(bench: Bench) -> None:
    primed(bench)
    bench["pmpcfg0"] = 0x1C
    assert bench.access(LOAD, VA) is not None


@section(SVINVAL)
def test_without_svinval_there_is_no_hinval(make: MakeBench) -> None:
    bench = make(without="svinval")
    for name in ("hinval.vvma", "hinval.gvma"):
        assert bench.outcome(word(name), "HS") == "illegal"
        assert bench.outcome(word(name), "VS") == "illegal"


# --- other changes that they make visible ---------------------------------------------------------


@section(GUEST_FENCES)
@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
def test_hfence_gvma_orders_a_change_of_mode(bench: Bench, first: int, second: int) -> None:
    """ "If hgatp.MODE is changed for a given VMID ... even if the old or new MODE is Bare"."""
    where = {}
    for mode in (first, second):
        if mode:
            bench.host_mode, bench.host_root = mode, bench.page(4)
            bench.map_host(CODE, CODE)
            bench.map_host(PA, PA + 0x1000 * (mode - 7))
            where[mode] = mode << 60 | 5 << 44 | bench.host_root >> 12
        bench.poke(PA + 0x1000 * (mode - 7 if mode else 0), mode)
    for mode in (first, second):
        bench["hgatp"] = where.get(mode, 5 << 44)
        fence(bench, "hfence.gvma", 0, 5, "HS")
        assert reads(bench, mode, PA)


@pytest.mark.parametrize("stage", ["first", "second"])
@section(FENCES)
def test_a_fence_synchronizes_pbmte(bench: Bench, stage: str) -> None:
    """HFENCE.GVMA after a change of menvcfg, HFENCE.VVMA after a change of henvcfg."""
    bench["menvcfg"] = bench["henvcfg"] = PBMTE
    primed(bench)
    if stage == "first":
        bench.map_guest(VA, GPA, LEAF | NC)
    else:
        bench.map_host(GPA, PA, LEAF | U | NC)
    fence(bench, "hfence.gvma", 0, 0, "M")
    assert reads(bench, 1)
    bench["henvcfg" if stage == "first" else "menvcfg"] = 0
    fence(bench, "hfence.vvma" if stage == "first" else "hfence.gvma", 0, 0, "M")
    found = bench.access(LOAD, VA)
    assert found is not None
    assert found.cause == (13 if stage == "first" else 21)


@pytest.mark.parametrize("kind", [LOAD, STORE])
@pytest.mark.parametrize("stage", ["first", "second"])
@section(FENCES)
def test_a_fence_synchronizes_adue(bench: Bench, stage: str, kind: str) -> None:
    """The same for ADUE: the access whose A and D bits the hart used to set faults afterwards, and
    the entry doesn't change."""
    bench["menvcfg"] = bench["henvcfg"] = ADUE
    primed(bench)
    if stage == "first":
        entry = bench.map_guest(VA, GPA, V | R | W | X)
    else:
        entry = bench.map_host(GPA, PA, V | R | W | X | U)
    fence(bench, "hfence.gvma", 0, 0, "M")
    assert bench.access(kind, VA) is None
    assert bench.peek(entry) & (A | D) == (A | D if kind == STORE else A)
    bench.poke(entry, bench.peek(entry) & ~(A | D))
    bench["henvcfg" if stage == "first" else "menvcfg"] = 0
    fence(bench, "hfence.vvma" if stage == "first" else "hfence.gvma", 0, 0, "M")
    found = bench.access(kind, VA)
    assert found is not None
    page, guest = (13, 21) if kind == LOAD else (15, 23)
    assert found.cause == (page if stage == "first" else guest)
    assert bench.peek(entry) & (A | D) == 0


@section(FENCES)
@pytest.mark.parametrize("where", ["page", "guest table", "host table"])
def test_hfence_gvma_synchronizes_pmp(bench: Bench, where: str) -> None:
    """With rs1 and rs2 x0; "an HFENCE.VVMA instruction is not required"."""
    primed(bench)
    guest_table = bench.map_guest(VA, GPA) & ~0xFFF
    host_table = bench.map_host(GPA, PA) & ~0xFFF
    hidden = {"page": PA, "guest table": guest_table, "host table": host_table}[where]
    assert reads(bench, 1)
    bench["pmpaddr1"], bench["pmpcfg0"] = ONES >> 10, 0x1F << 8
    bench["pmpaddr0"], bench["pmpcfg0"] = hidden >> 2 | 0x1FF, 0x1F << 8 | 0x18
    fence(bench, "hfence.gvma", 0, 0, "M")
    found = bench.access(LOAD, VA)
    assert found is not None
    assert found.cause in (1, 5), "5, or 1 because the fetch needs the tables too"
