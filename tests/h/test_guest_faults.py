"""Accesses that cross a page, and priorities of exceptions."""

from __future__ import annotations

import itertools

import pytest

from rvplat.isa.privileged import HStatus, Status
from tests.h.bench import (
    FETCH,
    LEAF,
    LOAD,
    NO_DEVICE,
    NOP,
    ONES,
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
from tests.h.section import CAUSES, OF_CSR, SECOND_STAGE, TINST, section
from tests.h.stages import (
    ACCESS,
    GPA,
    GUEST,
    KINDS,
    OTHER,
    PA,
    PAGE,
    READ_ENTRY,
    VA,
    cause,
    stages,
)

GUEST_FAULTS = "Guest-Page Faults"
HANDLERS = [(OF_CSR["mtval2"], "M"), (OF_CSR["htval"], "HS")]

# --- accesses that cross a page -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LOAD, STORE])
@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(("section", "to"), HANDLERS)
def test_misaligned_accesses_name_the_part_that_faults(
    bench: Bench, kind: str, part: int, to: str
) -> None:
    """stval, htval and the Addr. Offset field of htinst describe the part that faults."""
    bench["medeleg"] = ONES if to == "HS" else 0
    stages(bench)
    bench.map_guest(VA + 0x1000, GPA + 0x1000)
    bench.map_host(GPA + 0x1000, OTHER)
    va = VA + 0xFFD
    assert bench.access(kind, va) is None
    bench.map_host(GPA + 0x1000 * part, PA, 0)
    bench.step(word("hfence.gvma"), "M")
    where = va if part == 0 else VA + 0x1000
    gpa = GPA + 0xFFD if part == 0 else GPA + 0x1000
    bits = word("ld", rd=5) if kind == LOAD else word("sd", rs2=7)
    offset = (where - va) << 15
    assert bench.access(kind, va) == Trap(to, GUEST[kind], where, gpa >> 2, bits | offset, 1, 1, 1)


@section(GUEST_FAULTS)
@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("to", ["M", "HS"])
def test_a_fetch_that_straddles_pages_names_the_half_that_faults(
    bench: Bench, part: int, to: str
) -> None:
    bench["medeleg"] = ONES if to == "HS" else 0
    stages(bench)
    bench.map_guest(VA + 0x1000, GPA + 0x1000)
    bench.map_host(GPA + 0x1000, OTHER)
    bench.poke(PA + 0xFFE, NOP & 0xFFFF, 2)
    bench.poke(OTHER, NOP >> 16, 2)
    assert bench.access(FETCH, VA + 0xFFE) is None
    bench.map_host(GPA + 0x1000 * part, PA, 0)
    bench.step(word("hfence.gvma"), "M")
    where, gpa = (VA + 0xFFE, GPA + 0xFFE) if part == 0 else (VA + 0x1000, GPA + 0x1000)
    assert bench.access(FETCH, VA + 0xFFE) == Trap(to, 20, where, gpa >> 2, 0, 1, 1, 1)


@section(TINST)
@pytest.mark.parametrize("name", ["hlv.d", "hsv.d"])
@pytest.mark.parametrize("part", [0, 1])
def test_misaligned_hlv_and_hsv_name_the_part_that_faults(
    bench: Bench, name: str, part: int
) -> None:
    """As above, but from HS mode: SPV is 0 and GVA is 1."""
    stages(bench)
    bench["hstatus"] = HStatus.SPVP
    bench.delegate()
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * i)
        bench.map_host(GPA + 0x1000 * i, PA if i == 0 else OTHER, 0 if i == part else LEAF | U)
    bench.hart.x[6] = VA + 0xFFD
    operands = {"rs2": 7} if name == "hsv.d" else {"rd": 5}
    offset = 0xFFD if part == 0 else 0x1000
    bits = word(name, **operands) | (offset - 0xFFD) << 15
    found = bench.step(word(name, rs1=6, **operands), "HS")
    assert found == Trap(
        "HS", 23 if name == "hsv.d" else 21, VA + offset, GPA + offset >> 2, bits, 1, 0, 1
    )


@section(SECOND_STAGE)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pages", ["none", "only read", "only write"])
def test_an_implicit_access_is_checked_as_a_load(bench: Bench, kind: str, pages: str) -> None:
    """For every kind of access, a page table needs only R in the second stage. The exception is
    that of the original access."""
    stages(bench)
    entry = bench.map_guest(VA, GPA)
    flags = {"none": 0, "only read": V | R | A | U, "only write": V | W | A | D | U}[pages]
    bench.map_host(entry & ~0xFFF, entry & ~0xFFF, flags)
    found = bench.access(kind, VA)
    if pages == "only read":
        assert found is None
    else:
        assert found == Trap("M", GUEST[kind], VA, entry >> 2, READ_ENTRY, 1, 1, 1)


STORES = ["sd", "fsd", "sc.d", "amoadd.w", "amoswap.d", "amomaxu.d"]


@section(SECOND_STAGE)
@pytest.mark.parametrize("name", [*STORES, "ld", "fld", "lr.w"])
@pytest.mark.parametrize("flags", [R, X, R | X, R | W | X])
@pytest.mark.parametrize("stage", ["first", "second"])
def test_atomics_are_stores(bench: Bench, name: str, flags: int, stage: str) -> None:
    """An AMO also reads, but a missing R is a store fault, like a missing W. A load-reserved is a
    load."""
    bench["mstatus"] = bench["vsstatus"] = Status.FS
    stages(bench)
    bench.hart.x[6] = VA
    assert bench.step(word("lr.d", rd=5, rs1=6), "VS") is None
    if stage == "first":
        bench.map_guest(VA, GPA, V | A | D | flags)
    else:
        bench.map_host(GPA, PA, V | A | D | U | flags)
    bench.step(word("hfence.gvma"), "M")
    found = bench.step(word(name, rs1=6), "VS")
    if flags & (W if name in STORES else R):
        assert found is None
    else:
        kind = STORE if name in STORES else LOAD
        assert cause(found) == (PAGE if stage == "first" else GUEST)[kind]


@section("Guest-Page Faults")
@pytest.mark.parametrize("kind", [LOAD, STORE])
@pytest.mark.parametrize("part", [0, 1])
def test_page_faults_of_parts(bench: Bench, kind: str, part: int) -> None:
    """ "The same as would be required for a regular page fault": this is a regular one."""
    stages(bench)
    bench.map_guest(VA + 0x1000, GPA + 0x1000)
    bench.map_host(GPA + 0x1000, OTHER)
    bench.map_guest(VA + 0x1000 * part, GPA, 0)
    where = VA + (0xFFD if part == 0 else 0x1000)
    bits = word("ld", rd=5) if kind == LOAD else word("sd", rs2=7)
    bits |= where - (VA + 0xFFD) << 15
    assert bench.access(kind, VA + 0xFFD) == Trap("M", PAGE[kind], where, 0, bits, 1, 1, 1)


# --- priorities of synchronous exceptions ---------------------------------------------------------

# Highest priority first: how to make the access fault, and the cause.
FAULTS = ["implicit host", "guest leaf", "host leaf", "memory"]
CODES = {"implicit host": GUEST, "guest leaf": PAGE, "host leaf": GUEST, "memory": ACCESS}


def spoil(bench: Bench, fault: str) -> None:
    entry = bench.map_guest(VA, GPA) if fault == "implicit host" else 0
    if fault == "implicit host":
        bench.map_host(entry & ~0xFFF, entry & ~0xFFF, 0)
    elif fault == "guest leaf":
        bench.map_guest(VA, GPA, V | U | A | D | R | W | X)
    elif fault == "host leaf":
        bench.map_host(GPA, NO_DEVICE, V | A | D | R | W | X)
    else:
        bench.map_host(GPA, NO_DEVICE)


@section(CAUSES)
@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(FAULTS, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_priorities_during_translation(bench: Bench, first: str, second: str, kind: str) -> None:
    """ "First encountered page fault, guest-page fault, or access fault", then faults of memory."""
    stages(bench)
    if (first, second) == ("host leaf", "memory"):
        spoil(bench, "host leaf")
    elif (first, second) == ("implicit host", "guest leaf"):
        spoil(bench, second)
        spoil_entry = bench.map_guest(VA, GPA, V | U | A | D | R | W | X)
        bench.map_host(spoil_entry & ~0xFFF, spoil_entry & ~0xFFF, 0)
    else:
        spoil(bench, second)
        spoil(bench, first)
    assert cause(bench.access(kind, VA)) == CODES[first][kind]


@section(CAUSES)
@pytest.mark.parametrize("kind", [LOAD, STORE])
def test_a_misaligned_atomic_takes_priority_over_translation(bench: Bench, kind: str) -> None:
    """A hart that checks alignment first raises misaligned before the faults of translation."""
    stages(bench)
    bench.map_host(GPA, PA, 0)
    bench.hart.x[6] = VA + 14  # Zama16b allows misaligned AMOs within 16 aligned bytes
    bits = word("lr.w", rs1=6) if kind == LOAD else word("amoadd.w", rs1=6)
    assert cause(bench.step(bits, "VS")) == (4 if kind == LOAD else 6)


@section(CAUSES)
def test_a_fetch_fault_takes_priority_over_faults_of_the_instruction(bench: Bench) -> None:
    stages(bench)
    bench.map_host(GPA, PA, 0)
    bench.poke(PA, 0xFFFF_FFFF, 4)
    assert cause(bench.access(FETCH, VA)) == 20


@section(CAUSES)
def test_a_virtual_instruction_takes_priority_over_its_access(bench: Bench) -> None:
    stages(bench, guest_mode=0)
    bench.map_host(GPA, PA, 0)
    bench.hart.x[6] = GPA
    assert bench.outcome(word("hlv.d", rs1=6), "VS") == "virtual"
    bench["hstatus"] = HStatus.HU
    assert bench.outcome(word("hlv.d", rs1=6), "VU") == "virtual"
