"""Fences and cached translations of fetches; mappings of 64 KiB and fences of one address."""

from __future__ import annotations

import pytest

from rvplat.engine.budgets import SLACK
from tests.h.bench import LEAF, LOAD, RAM, Bench, N, Trap, U, word
from tests.h.section import FENCES, GUEST_FENCES, SVINVAL, section
from tests.h.test_fences import FORGOTTEN, GPA, PA, PHYSICAL, VA, fence

FIRST = [
    (GUEST_FENCES, "hfence.vvma", "HS"),
    (SVINVAL, "hinval.vvma", "M"),
    (FENCES, "sfence.vma", "VS"),
]
SECOND = [(GUEST_FENCES, "hfence.gvma", "HS"), (SVINVAL, "hinval.gvma", "M")]


def run(bench: Bench, va: int) -> Trap | None:
    """Run the instruction at an address in VS mode. Natively, also run the loop that follows it:
    near a limit of instructions, a hart fetches them one by one and caches nothing."""
    bench.enter("VS", va)
    return bench.go(SLACK + 10 if bench.kind == "native" else 2)


def runs(bench: Bench, va: int) -> int:
    """The number that the code at an address returns."""
    assert run(bench, va) is None
    return int(bench.hart.x[5])


def number(bench: Bench, page: int, value: int) -> None:
    """Put code that returns a number at the start of a page, for `runs`."""
    bench.poke(page, word("addi", rd=5, rs1=0, imm=value), 4)
    bench.poke(page + 4, word("jal", rd=0), 4)


def expected(bench: Bench, page: int, forgotten: tuple[bool, bool]) -> int:
    """The number that a page's code returns after the two pages have changed places. The reference
    caches no fetch translation, which the manual allows."""
    return 2 - page if forgotten[page] or bench.kind == "reference" else page + 1


def primed(bench: Bench) -> None:
    """Code at VA returns 1, code at VA + 4096 returns 2, and both translations are cached."""
    bench.two_stages(vmid=5, asid=7)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * i)
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * i)
        number(bench, PA + 0x1000 * i, i + 1)
        assert runs(bench, VA + 0x1000 * i) == i + 1


@pytest.mark.parametrize(("rs1", "rs2", "forgotten"), FORGOTTEN)
@pytest.mark.parametrize(("section", "name", "mode"), FIRST)
def test_fetches_of_the_first_stage(
    bench: Bench, name: str, mode: str, rs1: int, rs2: int, forgotten: tuple[bool, bool]
) -> None:
    """A fence drops the translations that it names, and no others."""
    primed(bench)
    for i in range(2):
        bench.map_guest(VA + 0x1000 * i, GPA + 0x1000 * (1 - i))
    fence(bench, name, rs1, rs2, mode)
    for i in range(2):
        assert runs(bench, VA + 0x1000 * i) == expected(bench, i, forgotten)


@pytest.mark.parametrize(("gpa", "vmid", "forgotten"), PHYSICAL)
@pytest.mark.parametrize(("section", "name", "mode"), SECOND)
def test_fetches_of_the_second_stage(
    bench: Bench, name: str, mode: str, gpa: int, vmid: int, forgotten: tuple[bool, bool]
) -> None:
    primed(bench)
    for i in range(2):
        bench.map_host(GPA + 0x1000 * i, PA + 0x1000 * (1 - i))
    fence(bench, name, gpa >> 2, vmid, mode)
    for i in range(2):
        assert runs(bench, VA + 0x1000 * i) == expected(bench, i, forgotten)


@section(GUEST_FENCES)
@pytest.mark.parametrize("stage", ["guest", "host"])
@pytest.mark.parametrize("at", [0x0000, 0x3000, 0xF000])
@pytest.mark.parametrize("kind", ["fetch", LOAD])
def test_a_fence_of_an_address_takes_the_64_kib_around_it(
    bench: Bench, stage: str, at: int, kind: str
) -> None:
    """A fence of an address in a NAPOT mapping applies to the whole mapping (Svnapot)."""
    bench.two_stages()
    pa = RAM + 0x10_0000
    place = bench.map_guest if stage == "guest" else bench.map_host
    flags = LEAF | N | (U if stage == "host" else 0)
    for page in range(0, 0x1_0000, 0x1000):
        bench.map_guest(VA + page, GPA + page)
        bench.map_host(GPA + page, pa + page)
        bench.map_host(GPA + 0x1_0000 + page, pa + page)
        base = GPA if stage == "guest" else pa
        place(VA + page if stage == "guest" else GPA + page, base | 0x8000, flags)
        number(bench, pa + page, 1)
    for page in (0x2000, 0x9000):
        assert runs(bench, VA + page) == 1
        assert bench.access(LOAD, VA + page) is None
    for page in range(0, 0x1_0000, 0x1000):
        place(VA + page if stage == "guest" else GPA + page, 0, 0)
    if stage == "guest":
        fence(bench, "hfence.vvma", VA + at, 0, "HS")
    else:
        fence(bench, "hfence.gvma", (GPA + at) >> 2, 0, "HS")
    for page in (0x2000, 0x9000):
        if kind == LOAD:
            assert bench.access(kind, VA + page) is not None, "the old mapping is dropped"
        else:
            assert run(bench, VA + page) is not None, "the old mapping is dropped"
