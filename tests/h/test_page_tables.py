"""Entries of the page tables of both stages, PMP beneath them, and extensions of page tables."""

from __future__ import annotations

import pytest

from tests.h.bench import (
    FETCH,
    IO,
    LEAF,
    LOAD,
    NC,
    NO_DEVICE,
    ONES,
    RAM,
    STORE,
    A,
    Bench,
    D,
    G,
    N,
    R,
    Trap,
    U,
    V,
    W,
    X,
    word,
)
from tests.h.section import HENVCFG, PROTECTION, SECOND_STAGE, STAGES, SV39, SVADU, WALK, section
from tests.h.stages import (
    ACCESS,
    ADUE,
    ALL_ACCESS,
    ALL_GUEST,
    ALL_PAGE,
    AT,
    GPA,
    GUEST,
    KINDS,
    OK,
    PA,
    PAGE,
    PBMTE,
    VA,
    WRITE_ENTRY,
    cause,
    causes,
    marked,
    stages,
)

# --- entries --------------------------------------------------------------------------------------


@section(SV39)
@pytest.mark.parametrize("bit", range(54, 61))
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_reserved_bits(bench: Bench, bit: int, stage: str) -> None:
    stages(bench)
    if stage == "guest":
        bench.map_guest(VA, GPA, LEAF | 1 << bit)
        assert causes(bench, VA) == ALL_PAGE
    else:
        bench.map_host(GPA, PA, LEAF | U | 1 << bit)
        assert causes(bench, VA) == ALL_GUEST


@pytest.mark.parametrize("bit", [G, 1 << 8, 1 << 9])
@pytest.mark.parametrize(("section", "stage"), [(PROTECTION, "guest"), (SECOND_STAGE, "host")])
def test_g_and_software_bits_are_ignored(bench: Bench, bit: int, stage: str) -> None:
    """ "The G bit in all G-stage PTEs ... must be ignored by hardware"."""
    stages(bench)
    if stage == "guest":
        bench.map_guest(VA, GPA, LEAF | bit)
    else:
        bench.map_host(GPA, PA, LEAF | U | bit)
    assert causes(bench, VA) == OK


@section(SV39)
@pytest.mark.parametrize("bit", [A, D, U, NC, N])
def test_pointers_of_the_second_stage_have_no_leaf_bits(bench: Bench, bit: int) -> None:
    stages(bench, guest_mode=0)
    bench["menvcfg"] = PBMTE
    root = bench.host_root + (GPA >> 30) * 8
    bench.poke(root, bench.peek(root) | bit)
    assert causes(bench, GPA) == ALL_GUEST


@section(WALK)
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_tables_that_loop(bench: Bench, stage: str) -> None:
    """A walk of a root table that points to itself ends at the last level with a page fault."""
    stages(bench)
    va = 3 << 30
    if stage == "guest":
        bench.poke(bench.guest_root + 3 * 8, bench.guest_root >> 12 << 10 | V)
        va |= 3 << 21 | 3 << 12
        assert causes(bench, va) == ALL_PAGE
    else:
        bench.map_guest(va, 3 << 30 | 3 << 21 | 3 << 12)
        bench.poke(bench.host_root + 3 * 8, bench.host_root >> 12 << 10 | V)
        assert causes(bench, va) == ALL_GUEST


@section(WALK)
@pytest.mark.parametrize("where", ["guest table", "host table", "page"])
def test_outside_memory(bench: Bench, where: str) -> None:
    """It is an access fault of the original access, with the guest virtual address; htval is 0."""
    stages(bench)
    if where == "page":
        bench.map_host(GPA, NO_DEVICE)
    elif where == "host table":
        bench.poke(bench.host_root + (GPA >> 30) * 8, NO_DEVICE >> 12 << 10 | V)
    else:
        bench.poke(bench.guest_root + (VA >> 30 & 511) * 8, 0x7000_0000 >> 12 << 10 | V)
        bench.map_host(0x7000_0000 | (VA >> 21 & 511) << 3 & ~0xFFF, NO_DEVICE)
    for kind in KINDS:
        found = bench.access(kind, VA)
        assert found is not None
        assert (found.cause, found.tval, found.tval2, found.gva) == (ACCESS[kind], VA, 0, 1)


@section(STAGES)
@pytest.mark.parametrize(("cfg", "expected"), [(0x18, ALL_ACCESS), (0x19, ("ok", 7, 1))])
@pytest.mark.parametrize("what", ["page", "host root", "guest root"])
def test_pmp_beneath(bench: Bench, what: str, cfg: int, expected: tuple[int | str, ...]) -> None:
    """ "Machine-level physical memory protection applies to supervisor physical addresses"."""
    stages(bench)
    page = {"page": PA, "host root": bench.host_root, "guest root": bench.guest_root}[what]
    bench["pmpaddr1"], bench["pmpcfg0"] = (1 << 54) - 1, 0x1F << 8
    bench["pmpaddr0"], bench["pmpcfg0"] = page >> 2 | 0x1FF, 0x1F << 8 | cfg
    if what == "page":
        assert causes(bench, VA) == expected
    elif cfg == 0x19:
        assert causes(bench, VA) == OK, "walks only read the tables"
    else:
        found = bench.access(FETCH, VA)
        assert found is not None
        assert (found.cause, found.tval2) == (1, 0)


# --- Svade and Svadu ------------------------------------------------------------------------------


@section(PROTECTION)
@pytest.mark.parametrize("bits", [0, A, D, A | D])
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_svade_at_both_stages(bench: Bench, bits: int, stage: str) -> None:
    stages(bench)
    codes = ALL_PAGE if stage == "guest" else ALL_GUEST
    if stage == "guest":
        entry = bench.map_guest(VA, GPA, V | R | W | X | bits)
    else:
        entry = bench.map_host(GPA, PA, V | R | W | X | U | bits)
    before = bench.peek(entry)
    bad = (0, 0, 0) if bits == A | D else (0, 1, 0) if bits == A else (1, 1, 1)
    assert causes(bench, VA) == marked(bad, codes)
    assert bench.peek(entry) == before


@section(SVADU)
@pytest.mark.parametrize("menvcfg", [0, ADUE])
@pytest.mark.parametrize("henvcfg", [0, ADUE])
@pytest.mark.parametrize("kind", KINDS)
def test_svadu_at_both_stages(bench: Bench, menvcfg: int, henvcfg: int, kind: str) -> None:
    """henvcfg.ADUE is for the first stage; menvcfg.ADUE is for the second and enables the other."""
    stages(bench)
    bench["menvcfg"] = ADUE
    bench["henvcfg"] = henvcfg
    bench["menvcfg"] = menvcfg
    first = bench.map_guest(VA, GPA, V | R | W | X)
    second = bench.map_host(GPA, PA, V | R | W | X | U)
    found = cause(bench.access(kind, VA))
    bits = A | D if kind == STORE else A
    if not menvcfg or not henvcfg:
        assert found == PAGE[kind]
        assert bench.peek(first) & (A | D) == 0
    else:
        assert found == "ok"
        assert bench.peek(first) & (A | D) == bits
        assert bench.peek(second) & (A | D) == bits


@section(SECOND_STAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_svadu_needs_the_page_table_writable_in_the_second_stage(bench: Bench, kind: str) -> None:
    """The fault is that of the original access, with the pseudoinstruction of a write."""
    stages(bench)
    bench["menvcfg"] = bench["henvcfg"] = ADUE
    entry = bench.map_guest(VA, GPA, V | R | W | X)
    bench.map_host(entry & ~0xFFF, entry & ~0xFFF, V | R | X | U | A | D)
    found = bench.access(kind, VA)
    assert found == Trap("M", GUEST[kind], VA, entry >> 2, WRITE_ENTRY, 1, 1, 1)
    assert bench.peek(entry) & (A | D) == 0


@section(SECOND_STAGE)
def test_svadu_sets_a_and_d_of_the_page_tables_page(bench: Bench) -> None:
    """Reading an entry sets A in the second stage; updating it sets D too."""
    stages(bench)
    bench["menvcfg"] = bench["henvcfg"] = ADUE
    entry = bench.map_guest(VA, GPA, V | R | W | X | A | D)
    page = bench.map_host(entry & ~0xFFF, entry & ~0xFFF, V | R | W | U)
    assert bench.access(LOAD, VA) is None
    assert bench.peek(page) & (A | D) == A
    bench.poke(entry, bench.peek(entry) & ~(A | D))
    bench.step(word("hfence.vvma"), "M")
    assert bench.access(LOAD, VA) is None
    assert bench.peek(page) & (A | D) == A | D


@section(WALK)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_svadu_where_the_second_stage_moves_the_page_table_without_a_fence(
    bench: Bench, kind: str
) -> None:
    """The walk may or may not use the cached translation. It must end, and it must update an entry
    that allows the access."""
    stages(bench)
    bench["menvcfg"] = bench["henvcfg"] = ADUE
    bench.map_guest(VA + 0x1000, GPA)
    entry = bench.map_guest(VA, GPA, V | R | W | X)
    table, copy = entry & ~0xFFF, bench.page()
    assert bench.access(LOAD, VA + 0x1000) is None
    for at in range(0, 0x1000, 8):
        bench.poke(copy + at, bench.peek(table + at))
    bench.map_host(table, copy)
    assert bench.access(kind, VA) is None
    assert (bench.peek(entry) | bench.peek(copy + entry % 0x1000)) & A


# --- Svnapot and Svpbmt ---------------------------------------------------------------------------


@section("Svnapot Extension for NAPOT Translation Contiguity")
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_svnapot_at_both_stages(bench: Bench, stage: str) -> None:
    bench.two_stages()
    va, gpa, pa = 0x40_0000, 0x80_0000, RAM + 0x10_0000
    for page in range(0, 0x1_0000, 0x1000):
        bench.map_guest(va + page, gpa | 0x8000 if stage == "guest" else gpa + page,
                        LEAF | (N if stage == "guest" else 0))  # fmt: skip
        bench.map_host(gpa + page, pa | 0x8000 if stage == "host" else pa + page,
                       LEAF | U | (N if stage == "host" else 0))  # fmt: skip
        bench.poke(pa + page + AT, page | 7)
    for page in range(0, 0x1_0000, 0x1000):
        assert bench.access(LOAD, va + page + AT) is None
        assert bench.hart.x[5] == page | 7
    flags = LEAF | N
    if stage == "guest":
        bench.map_guest(VA, GPA & ~0xFFFF | 0x4000, flags)
        assert causes(bench, VA) == ALL_PAGE
    else:
        bench.map_guest(VA, GPA)
        bench.map_host(GPA, PA & ~0xFFFF | 0x4000, flags | U)
        assert causes(bench, VA) == ALL_GUEST


@section("Svpbmt Extension for Page-Based Memory Types")
@pytest.mark.parametrize("pbmt", [NC, IO, NC | IO])
@pytest.mark.parametrize("menvcfg", [0, PBMTE])
@pytest.mark.parametrize("henvcfg", [0, PBMTE])
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_svpbmt_at_both_stages(
    bench: Bench, pbmt: int, menvcfg: int, henvcfg: int, stage: str
) -> None:
    stages(bench)
    bench["menvcfg"], bench["henvcfg"] = PBMTE, henvcfg
    bench["menvcfg"] = menvcfg
    legal = pbmt != NC | IO and menvcfg != 0
    if stage == "guest":
        bench.map_guest(VA, GPA, LEAF | pbmt)
        assert causes(bench, VA) == (OK if legal and henvcfg else ALL_PAGE)
    else:
        bench.map_host(GPA, PA, LEAF | U | pbmt)
        assert causes(bench, VA) == (OK if legal else ALL_GUEST)


@section(HENVCFG)
@pytest.mark.parametrize(("field", "flags"), [(PBMTE, LEAF | NC), (ADUE, V | R | W | X)])
def test_each_field_of_henvcfg_is_independent(bench: Bench, field: int, flags: int) -> None:
    """No other field replaces it: in henvcfg for the first stage, in menvcfg for both stages."""
    stages(bench)
    bench["menvcfg"], bench["henvcfg"] = ONES, ONES & ~field
    bench.map_guest(VA, GPA, flags)
    assert causes(bench, VA) == ALL_PAGE
    bench["henvcfg"] = ONES
    bench["menvcfg"] = ONES & ~field
    assert causes(bench, VA) == ALL_PAGE
    bench["menvcfg"] = ONES
    assert causes(bench, VA) == OK
    bench["menvcfg"], bench["henvcfg"] = ONES & ~field, ONES
    bench.map_guest(VA, GPA)
    bench.map_host(GPA, PA, flags | U)
    bench.step(word("hfence.gvma"), "M")
    assert causes(bench, VA) == ALL_GUEST
    bench["menvcfg"], bench["henvcfg"] = field, 0
    assert causes(bench, VA) == OK
