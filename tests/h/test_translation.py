"""Two-stage address translation."""

from __future__ import annotations

import pytest

from rvplat.isa.privileged import Status
from tests.h.bench import (
    CODE,
    FETCH,
    LEAF,
    LEVELS,
    LOAD,
    ONES,
    RAM,
    STORE,
    A,
    Bench,
    D,
    R,
    Trap,
    U,
    V,
    W,
    X,
    word,
)
from tests.h.conftest import MakeBench
from tests.h.section import MSTATUS, SECOND_STAGE, STAGES, VSATP, VSSTATUS, WALK, section
from tests.h.stages import (
    ALL_GUEST,
    ALL_PAGE,
    AT,
    GPA,
    GUEST,
    KINDS,
    OK,
    PA,
    PAGE,
    READ_ENTRY,
    SCHEMES,
    VA,
    cause,
    causes,
    marked,
    stages,
    start,
)

# --- every pair of modes --------------------------------------------------------------------------


@section(STAGES)
@pytest.mark.parametrize("guest_mode", SCHEMES)
@pytest.mark.parametrize("host_mode", SCHEMES)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_every_pair_of_modes(bench: Bench, guest_mode: int, host_mode: int, mode: str) -> None:
    stages(bench, guest_mode, host_mode)
    if guest_mode and mode == "VU":
        bench.map_guest(VA, GPA if host_mode else PA, LEAF | U)
        bench.map_guest(CODE, CODE, LEAF | U)
    va = start(guest_mode, host_mode)
    bench.poke(PA + AT, 0x55)
    assert bench.access(LOAD, va + AT, mode) is None
    assert bench.hart.x[5] == 0x55
    bench.hart.x[7] = 0x77
    assert bench.access(STORE, va + AT, mode) is None
    assert bench.peek(PA + AT) == 0x77
    assert bench.access(FETCH, va, mode) is None


@section("Guest-Page Faults")
@pytest.mark.parametrize("guest_mode", SCHEMES)
@pytest.mark.parametrize("host_mode", [8, 9, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_page_fault_names_the_guest_physical_address(
    make: MakeBench, guest_mode: int, host_mode: int, kind: str
) -> None:
    """htval is the GPA of exactly the address in stval, shifted right by two (Shtvala)."""
    bench = make(tinst="zero")
    stages(bench, guest_mode, host_mode)
    bench.map_host(GPA, PA, 0)
    found = bench.access(kind, start(guest_mode, host_mode) + AT)
    va = start(guest_mode, host_mode) + AT
    assert found == Trap("M", GUEST[kind], va, GPA + AT >> 2, 0, 1, 1, 1)
    bench.delegate()
    found = bench.access(kind, va)
    assert found == Trap("HS", GUEST[kind], va, GPA + AT >> 2, 0, 1, 1, 1)
    bench["hedeleg"] = ONES
    found = bench.access(kind, va)
    assert found is not None
    assert found.mode == "HS", "it can't be delegated to VS mode"


@section(STAGES)
@pytest.mark.parametrize("guest_mode", [8, 9, 10])
@pytest.mark.parametrize("host_mode", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fault_is_the_first_stages(
    make: MakeBench, guest_mode: int, host_mode: int, kind: str
) -> None:
    bench = make(tinst="zero")
    stages(bench, guest_mode, host_mode)
    bench.map_guest(VA, GPA, 0)
    assert bench.access(kind, VA + AT) == Trap("M", PAGE[kind], VA + AT, gva=1, virt=1, priv=1)
    bench.delegate(hedeleg=ONES)
    assert bench.access(kind, VA + AT) == Trap("VS", PAGE[kind], VA + AT, virt=1, priv=1)


@section(SECOND_STAGE)
@pytest.mark.parametrize("guest_mode", [8, 9, 10])
@pytest.mark.parametrize("host_mode", [8, 9, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_an_implicit_access_that_faults(
    bench: Bench, guest_mode: int, host_mode: int, kind: str
) -> None:
    """At every level of the first stage, the fault is reported as that of the original access.
    htval is the entry's address, and htinst is a pseudoinstruction."""
    stages(bench, guest_mode, host_mode)
    of_code = entries(bench, guest_mode, CODE)
    for (table, entry), (code_table, code_entry) in zip(
        entries(bench, guest_mode, VA), of_code, strict=True
    ):
        bench.map_host(table, table, 0)
        bench.step(word("hfence.gvma"), "M")
        expected = Trap("M", GUEST[kind], VA, entry >> 2, READ_ENTRY, 1, 1, 1)
        if table == code_table and kind != FETCH:  # then the instruction's own fetch faults
            expected = Trap("M", 20, CODE, code_entry >> 2, READ_ENTRY, 1, 1, 1)
        assert bench.access(kind, VA) == expected
        bench.map_host(table, table)
        bench.step(word("hfence.gvma"), "M")


def entries(bench: Bench, mode: int, va: int) -> list[tuple[int, int]]:
    """(table, entry) of the first stage at each level for an address, from the root down."""
    found, table = [], bench.guest_root
    for level in range(LEVELS[mode] - 1, -1, -1):
        entry = table + (va >> (12 + 9 * level) & 511) * 8
        found.append((table, entry))
        table = (bench.peek(entry) >> 10) << 12
    return found


# --- widths ---------------------------------------------------------------------------------------


@section(SECOND_STAGE)
@pytest.mark.parametrize(("host_mode", "bits"), [(8, 41), (9, 50), (10, 59)])
def test_guest_physical_addresses_have_two_more_bits(
    make: MakeBench, host_mode: int, bits: int
) -> None:
    """Sv39x4 has 41 bits; the bits above must all be zero."""
    bench = make(tinst="zero")
    stages(bench, 0, host_mode)
    for gpa in (1 << (bits - 1), 1 << (bits - 2), (1 << bits) - 0x1000):
        bench.map_host(gpa, PA)
        bench.poke(PA + AT, gpa)
        assert bench.access(LOAD, gpa + AT) is None
        assert bench.hart.x[5] == gpa
    for gpa in (1 << bits, 1 << 63, ONES - 0xFFF):
        assert bench.access(LOAD, gpa + AT) == Trap("M", 21, gpa + AT, gpa + AT >> 2, 0, 1, 1, 1)


@pytest.mark.parametrize(
    ("section", "guest_mode", "bits"),
    [
        (f"Sv{bits}: Page-Based {bits}-bit Virtual-Memory System", mode, bits)
        for mode, bits in ((8, 39), (9, 48), (10, 57))
    ],
)
def test_guest_virtual_addresses_are_sign_extended(
    make: MakeBench, guest_mode: int, bits: int
) -> None:
    bench = make(tinst="zero")
    stages(bench, guest_mode)
    for va in (1 << (bits - 1), 1 << 63, (1 << bits) | VA):
        for kind in KINDS:
            assert bench.access(kind, va) == Trap("M", PAGE[kind], va, 0, 0, 1, 1, 1)


@section(WALK)
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_superpages(bench: Bench, level: int, stage: str) -> None:
    size = 1 << (12 + 9 * level)
    bench.two_stages()
    va = 5 << 30
    inside = PA & (size - 1)
    if stage == "guest":
        bench.map_guest(va, 6 << 30, level=level)
        bench.map_host((6 << 30) + inside, PA)
    else:
        bench.map_guest(va + inside, (6 << 30) + inside)
        bench.map_host(6 << 30, PA & -size, level=level)
    bench.poke(PA + AT, 0x99)
    assert bench.access(LOAD, va + inside + AT) is None
    assert bench.hart.x[5] == 0x99


@section(WALK)
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_misaligned_superpages(bench: Bench, level: int, stage: str) -> None:
    bench.two_stages()
    va = 5 << 30
    if stage == "guest":
        bench.map_guest(va, (6 << 30) + 0x1000, level=level)
        assert causes(bench, va) == ALL_PAGE
    else:
        bench.map_guest(va, 6 << 30)
        bench.map_host(6 << 30, RAM + 0x1000, level=level)
        assert causes(bench, va) == ALL_GUEST


# --- permissions ----------------------------------------------------------------------------------

FLAGS = [(R, (0, 1, 1)), (R | W, (0, 0, 1)), (X, (1, 1, 0)), (R | X, (0, 1, 0)),
         (R | W | X, (0, 0, 0)), (W, (1, 1, 1)), (W | X, (1, 1, 1))]  # fmt: skip


@section(WALK)
@pytest.mark.parametrize(("flags", "bad"), FLAGS)
def test_permissions_of_the_first_stage(bench: Bench, flags: int, bad: tuple[int, ...]) -> None:
    stages(bench)
    bench.map_guest(VA, GPA, V | A | D | flags)
    assert causes(bench, VA) == marked(bad, ALL_PAGE)


@section(SECOND_STAGE)
@pytest.mark.parametrize(("flags", "bad"), FLAGS)
@pytest.mark.parametrize("mode", ["VS", "VU"])
def test_permissions_of_the_second_stage(
    bench: Bench, flags: int, bad: tuple[int, ...], mode: str
) -> None:
    stages(bench)
    for page in (VA, CODE):
        bench.map_guest(page, GPA if page == VA else page, LEAF | (U if mode == "VU" else 0))
    bench.map_host(GPA, PA, V | A | D | U | flags)
    assert causes(bench, VA, mode) == marked(bad, ALL_GUEST)


@section(SECOND_STAGE)
@pytest.mark.parametrize("mode", ["VS", "VU"])
@pytest.mark.parametrize("sum_", [0, Status.SUM])
def test_the_second_stage_needs_u_whatever_the_mode(bench: Bench, mode: str, sum_: int) -> None:
    """ "The current privilege mode is always taken to be U-mode"."""
    stages(bench, guest_mode=0)
    bench["mstatus"] = bench["vsstatus"] = sum_
    bench.map_host(GPA, PA, LEAF)
    assert causes(bench, GPA, mode) == ALL_GUEST
    bench.map_host(GPA, PA, LEAF | U)
    assert causes(bench, GPA, mode) == OK


@section(VSSTATUS)
@pytest.mark.parametrize("page", [0, U])
@pytest.mark.parametrize("sum_", [0, Status.SUM])
@pytest.mark.parametrize("outer", [0, Status.SUM])
def test_vsstatus_sum_applies_to_guests(bench: Bench, page: int, sum_: int, outer: int) -> None:
    """HS mode's SUM doesn't apply."""
    stages(bench)
    bench["vsstatus"], bench["mstatus"] = sum_, outer
    bench.map_guest(VA, GPA, LEAF | page)
    expected = OK if not page else ("ok", "ok", 12) if sum_ else ALL_PAGE
    assert causes(bench, VA) == expected


@section(STAGES)
@pytest.mark.parametrize("mxr", [0, Status.MXR])
@pytest.mark.parametrize("outer", [0, Status.MXR])
@pytest.mark.parametrize("first", [X, R | X])
@pytest.mark.parametrize("second", [X, R | X])
def test_mxr(bench: Bench, mxr: int, outer: int, first: int, second: int) -> None:
    """vsstatus.MXR applies to the first stage, HS mode's MXR to both stages."""
    stages(bench)
    bench["vsstatus"], bench["mstatus"] = mxr, outer
    bench.map_guest(VA, GPA, V | A | D | first)
    bench.map_host(GPA, PA, V | A | D | U | second)
    expected: int | str = "ok"
    if not first & R and not mxr and not outer:
        expected = 13
    elif not second & R and not outer:
        expected = 21
    assert cause(bench.access(LOAD, VA)) == expected


@section(STAGES)
@pytest.mark.parametrize("mxr", [0, Status.MXR])
def test_mxr_does_not_apply_to_implicit_accesses(bench: Bench, mxr: int) -> None:
    """A page table must be readable in the second stage."""
    stages(bench)
    bench["mstatus"] = bench["vsstatus"] = mxr
    assert cause(bench.access(LOAD, VA)) == "ok"
    level0 = bench.map_guest(VA, GPA) & ~0xFFF
    bench.map_host(level0, level0, V | A | D | U | X)
    bench.step(word("hfence.gvma"), "M")
    found = bench.access(LOAD, VA)
    entry = level0 + (VA >> 12 & 511) * 8
    assert found == Trap("M", 21, VA, entry >> 2, READ_ENTRY, 1, 1, 1)


# --- effective privilege --------------------------------------------------------------------------


@section(MSTATUS)
@pytest.mark.parametrize("mpv", [0, 1])
@pytest.mark.parametrize("mpp", [0, 1, 3])
def test_mprv(bench: Bench, mpv: int, mpp: int) -> None:
    """Table "Effect of MPRV": the U bit of the first stage shows VU or VS; V selects the tables."""
    stages(bench)
    bench.map_guest(VA, GPA, LEAF | (U if mpp == 0 else 0))
    bench.poke(PA, 0x1234)
    bench["mstatus"] = Status.MPRV | (Status.MPV if mpv else 0) | mpp << Status.MPP_SHIFT
    guest = mpv == 1 and mpp != 3
    found = bench.access(LOAD, VA if guest else PA, "M")
    assert found is None
    assert bench.hart.x[5] == 0x1234
    bench.map_guest(VA, GPA, LEAF | (0 if mpp == 0 else U))
    bench.step(word("hfence.vvma"), "M")
    if guest:
        found = bench.access(LOAD, VA, "M")
        assert found is not None
        assert (found.cause, found.gva, found.tval) == (13, 1, VA)


@section(VSATP)
def test_vs_tables_have_no_effect_while_v_is_0(bench: Bench) -> None:
    """ "When V=0, vsatp does not directly affect the behavior of the machine"."""
    stages(bench)
    for mode in ("HS", "U"):
        assert bench.access(LOAD, PA, mode) is None
        assert bench.access(FETCH, PA, mode) is None
