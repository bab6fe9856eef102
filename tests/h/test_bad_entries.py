"""Bad entries at every level of every scheme, in both stages: malformed entries, loops, and entries
that point outside memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.h.bench import LEAF, LEVELS, NC, PAGES, STORE, A, Bench, D, N, R, U, V, W, X
from tests.h.section import SECOND_STAGE, WALK, section
from tests.h.stages import ACCESS, AT, GPA, GUEST, KINDS, PA, PAGE, READ_ENTRY, VA, stages

NOWHERE = 1 << 50  # neither mapped nor memory; aligned for every superpage
RESERVED = (54, 57, 60)  # test_page_tables.py has all
EACH_LEVEL = [(mode, level) for mode in (8, 9, 10) for level in range(LEVELS[mode])]

Entry = Callable[[int, int], int]  # the value, by (address of the entry, level)


def pointer(to: int) -> int:
    return to >> 12 << 10 | V


def either(level: int) -> int:
    """An entry that is valid at a level and leads to zeros; a test makes it bad."""
    return pointer(PAGES + 0x8_0000) if level else PA >> 12 << 10 | LEAF | U


MALFORMED: dict[str, Entry] = {
    "not valid": lambda at, level: either(level) & ~V,
    "W without R": lambda at, level: either(level) & ~R | W,
    "W and X without R": lambda at, level: either(level) & ~R | W | X,
    "PBMT 3": lambda at, level: either(level) | 3 * NC,
    "its own table": lambda at, level: pointer(at & ~0xFFF),
    "N of another size": lambda at, level: LEAF | U | N | PA >> 12 << 10,
    "a pointer with A": lambda at, level: pointer(PAGES) | A,
    "a pointer with D": lambda at, level: pointer(PAGES) | D,
    "a pointer with U": lambda at, level: pointer(PAGES) | U,
    **{
        f"reserved bit {bit}": lambda at, level, bit=bit: either(level) | 1 << bit  # type: ignore[misc]
        for bit in RESERVED
    },
}  # fmt: skip


def high(mode: int) -> int:
    """Address bits that select an entry of the root that no other address uses."""
    return {8: 0, 9: 1 << 45, 10: 1 << 54 | 1 << 45}[mode]


def spoil(bench: Bench, stage: str, mode: int, level: int, bad: Entry) -> int:
    """Make the stage's entry for VA at a level bad, and everything else good. Return the address of
    the entry."""
    stages(bench, mode if stage == "guest" else 8, mode if stage == "host" else 8)
    if stage == "guest":
        at = bench.map_guest(VA + high(mode), 0, LEAF, level)
    else:
        bench.map_guest(VA, GPA + high(mode))
        at = bench.map_host(GPA + high(mode), 0, LEAF | U, level)
    bench.poke(at, bad(at, level))
    return at


def faults(bench: Bench, va: int) -> dict[str, tuple[int, int, int]]:
    """(cause, tval2, tinst) by access."""
    found = {kind: bench.access(kind, va) for kind in KINDS}
    return {kind: (t.cause, t.tval2, t.tinst) if t else (-1, 0, 0) for kind, t in found.items()}


@section(WALK)
@pytest.mark.parametrize(("mode", "level"), EACH_LEVEL)
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_in_the_first_stage(bench: Bench, what: str, mode: int, level: int) -> None:
    spoil(bench, "guest", mode, level, MALFORMED[what])
    found = faults(bench, VA + high(mode) + AT)
    assert {kind: f[:2] for kind, f in found.items()} == {kind: (PAGE[kind], 0) for kind in KINDS}


@section(SECOND_STAGE)
@pytest.mark.parametrize(("mode", "level"), EACH_LEVEL)
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_in_the_second_stage(bench: Bench, what: str, mode: int, level: int) -> None:
    spoil(bench, "host", mode, level, MALFORMED[what])
    found = faults(bench, VA + AT)
    gpa = (GPA + high(mode) + AT) >> 2
    assert {k: f[:2] for k, f in found.items()} == {kind: (GUEST[kind], gpa) for kind in KINDS}


@section(WALK)
@pytest.mark.parametrize(("mode", "level"), [pair for pair in EACH_LEVEL if pair[1]])
def test_tables_outside_memory(bench: Bench, mode: int, level: int) -> None:
    """A guest's table is at an unmapped guest physical address: htinst shows a read of an entry. A
    host's table is at a physical address: that is an access fault of the original access."""
    spoil(bench, "guest", mode, level, lambda at, level: pointer(NOWHERE))
    va = VA + high(mode) + AT
    index = va >> (12 + 9 * (level - 1)) & 0x1FF
    expected = (NOWHERE + 8 * index) >> 2, READ_ENTRY
    assert faults(bench, va) == {kind: (GUEST[kind], *expected) for kind in KINDS}
    bench.begin()
    spoil(bench, "host", mode, level, lambda at, level: pointer(NOWHERE))
    found = faults(bench, VA + AT)
    assert {kind: f[:2] for kind, f in found.items()} == {kind: (ACCESS[kind], 0) for kind in KINDS}


@section(WALK)
@pytest.mark.parametrize(("mode", "level"), EACH_LEVEL)
def test_pages_outside_memory(bench: Bench, mode: int, level: int) -> None:
    """htval holds the address within the page, for superpages too."""
    spoil(bench, "guest", mode, level, lambda at, level: NOWHERE >> 12 << 10 | LEAF)
    va = VA + high(mode) + AT
    gpa = NOWHERE + (va & (1 << 12 + 9 * level) - 1)
    found = faults(bench, va)
    assert {k: f[:2] for k, f in found.items()} == {kind: (GUEST[kind], gpa >> 2) for kind in KINDS}
    bench.begin()
    spoil(bench, "host", mode, level, lambda at, level: NOWHERE >> 12 << 10 | LEAF | U)
    found = faults(bench, VA + AT)
    assert {kind: f[:2] for kind, f in found.items()} == {kind: (ACCESS[kind], 0) for kind in KINDS}


@section(WALK)
@pytest.mark.parametrize(("mode", "level"), [pair for pair in EACH_LEVEL if pair[1]])
@pytest.mark.parametrize("stage", ["guest", "host"])
def test_superpages_that_are_not_aligned(bench: Bench, stage: str, mode: int, level: int) -> None:
    spoil(bench, stage, mode, level, lambda at, level: (1 << 18) | LEAF | U)
    found = bench.access(STORE, (VA + high(mode) if stage == "guest" else VA) + AT)
    assert found is not None
    assert found.cause == (PAGE if stage == "guest" else GUEST)[STORE]
