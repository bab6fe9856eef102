"""Translation caches: what contexts keep apart, and what fences forget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvplat.hart.acceleration.tlb import LOG, NO_TAG
from rvplat.isa.privileged import Status
from tests.hart.memory_bench import LEAF, RAM, Bench, Fault, G, N, U

PA = RAM + 0x3000
VA = 0x40_0000
Change = Callable[[Bench, int, int], None]


def count_walks(memory: Bench) -> int:
    """Entries filled in all contexts since they were cleared."""
    return sum(int(ctx.fills) for ctx in memory.hart.ctx)


def remap(memory: Bench, va: int, pa: int, flags: int = LEAF) -> None:
    memory.map(va, pa, flags)


def prepare(memory: Bench, flags: int = LEAF) -> None:
    """VA maps PA, where 1 is; PA + 0x1000 holds 2; the translation is cached."""
    memory.poke(PA, 1)
    memory.poke(PA + 0x1000, 2)
    memory.map(VA, PA, flags)
    memory.paged()
    assert memory.load(VA) == 1


# --- contexts -----------------------------------------------------------------------------------


def test_a_translation_stays_until_a_fence(memory: Bench) -> None:
    prepare(memory)
    remap(memory, VA, PA + 0x1000)
    assert memory.load(VA) == 1
    memory.flush_translations(0, 0, False, False)
    assert memory.load(VA) == 2


def test_modes_and_sum_flush_nothing(memory: Bench) -> None:
    memory.map(VA, PA, LEAF | U)
    memory.map(VA + 0x1000, PA)
    memory.paged()
    changes = [(1, 0), (1, Status.SUM), (0, 0), (3, 0)]
    for _ in range(3):
        for priv, mstatus in changes:
            memory.enter(priv, mstatus=mstatus)
            memory.load(VA + 0x1000 if (priv, mstatus) == (1, 0) else PA if priv == 3 else VA)
    assert count_walks(memory) == 4


def test_address_spaces_are_kept_apart(memory: Bench) -> None:
    prepare(memory)
    first = memory.hart.satp
    other = memory.root = memory.page()
    memory.map(VA, PA + 0x1000)
    memory.enter(1, satp=8 << 60 | 7 << 44 | other >> 12)
    assert memory.load(VA) == 2
    memory.enter(1, satp=int(first))
    assert memory.load(VA) == 1
    memory.enter(1, satp=int(first) | 9 << 44)
    assert memory.load(VA) == 1
    assert count_walks(memory) == 3


def test_more_address_spaces_than_contexts(memory: Bench) -> None:
    memory.allow_all()
    roots = []
    for i in range(40):
        memory.root = memory.page()
        memory.poke(RAM + 0x4000 + 0x1000 * i, i)
        memory.map(VA, RAM + 0x4000 + 0x1000 * i)
        roots.append(8 << 60 | (i + 1) << 44 | memory.root >> 12)
    for _ in range(2):
        for i, satp in enumerate(roots):
            memory.enter(1, satp=satp)
            assert memory.load(VA) == i
            assert memory.fetch(VA) == i


def test_bare_mode_and_paging_are_kept_apart(memory: Bench) -> None:
    prepare(memory)
    memory.map(PA, PA + 0x1000)
    memory.enter(1, satp=0)
    assert memory.load(PA) == 1
    memory.enter(1, satp=memory.satp())
    assert memory.load(PA) == 2
    memory.enter(0, satp=0)
    assert memory.load(PA) == 1


def test_a_store_after_a_load_and_the_other_way_round(memory: Bench) -> None:
    memory.map(VA, PA)
    memory.paged()
    assert memory.load(VA) == 0
    memory.store(VA, 5)
    assert memory.load(VA) == 5
    assert count_walks(memory) == 1


# --- fences -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("va", "asid", "forgotten"),
    [
        (None, None, True),
        (None, 3, True),
        (None, 0x1_0003, True),
        (None, 4, False),
        (VA, None, True),
        (VA + 0xFFF, None, True),
        (VA + 0x1000, None, False),
        (VA, 3, True),
        (VA, 4, False),
    ],
)
def test_fences_forget_what_they_name(
    memory: Bench, va: int | None, asid: int | None, forgotten: bool
) -> None:
    prepare(memory)
    memory.enter(1, satp=memory.satp(asid=3))
    assert (memory.load(VA), memory.fetch(VA)) == (1, 1)
    memory.fetch_fill(VA, memory.host(PA), 0)
    remap(memory, VA, PA + 0x1000)
    memory.flush_translations(va or 0, asid or 0, va is not None, asid is not None)
    expected = 2 if forgotten else 1
    assert (memory.load(VA), memory.fetch(VA)) == (expected, expected)
    assert memory.hart.resync == 1


def test_a_fence_for_an_address_reaches_every_address_space(memory: Bench) -> None:
    prepare(memory, LEAF | G)
    for asid in (1, 2):
        memory.enter(1, satp=memory.satp(asid=asid))
        assert memory.load(VA) == 1
    remap(memory, VA, PA + 0x1000, LEAF | G)
    memory.flush_translations(VA, 0, True, False)
    for asid in (0, 1, 2):
        memory.enter(1, satp=memory.satp(asid=asid))
        assert memory.load(VA) == 2


def test_a_fence_from_machine_mode(memory: Bench) -> None:
    prepare(memory)
    remap(memory, VA, PA + 0x1000)
    memory.enter(3)
    memory.flush_translations(0, 0, False, False)
    memory.enter(1)
    assert memory.load(VA) == 2


@pytest.mark.parametrize("level", [1, 2])
def test_a_fence_drops_every_piece_of_a_superpage(memory: Bench, level: int) -> None:
    size = 1 << (12 + 9 * level)
    pte = memory.map(size, RAM & -size, level=level)
    memory.paged()
    offsets = [RAM % size + at for at in (0, 0x1000, 0x7000, 0x8_0000)]
    for at in offsets:
        assert memory.load(size + at) == 0
        assert memory.translate_fetch(size + at) == RAM + at
        memory.fetch_fill(size + at, memory.host(RAM), 0)
    memory.poke(pte, 0)
    memory.flush_translations(size + 0x1234, 0, True, False)
    for at in offsets:
        assert memory.load(size + at) == Fault(13, size + at)
        assert memory.fetch(size + at) == Fault(12, size + at)


def test_a_fence_drops_every_piece_of_a_napot_mapping(memory: Bench) -> None:
    va, pa = VA, RAM + 0x2_0000
    for page in range(16):
        memory.map(va + page * 0x1000, pa | 0x8000, LEAF | N)
    memory.map(va + 0x1_0000, pa)
    memory.paged()
    for page in range(17):
        assert memory.load(va + page * 0x1000) == 0
    for page in range(17):
        memory.map(va + page * 0x1000, 0, 0)
    memory.flush_translations(va + 0x5000, 0, True, False)
    for page in range(16):
        assert memory.load(va + page * 0x1000) == Fault(13, va + page * 0x1000)
    assert memory.load(va + 0x1_0000) == 0, "a page beside it stays"


def test_clearing_after_more_fills_than_are_logged(memory: Bench) -> None:
    for page in range(LOG + 20):
        memory.map(VA + page * 0x1000, PA)
    memory.paged()
    for page in range(LOG + 20):
        assert memory.load(VA + page * 0x1000) == 0
    for page in range(LOG + 20):
        memory.map(VA + page * 0x1000, 0, 0)
    memory.flush_translations(0, 0, False, False)
    for page in range(LOG + 20):
        assert isinstance(memory.load(VA + page * 0x1000), Fault)


def test_entries_of_one_index_replace_each_other(memory: Bench) -> None:
    far = VA + 0x1000 * 1024
    memory.map(VA, PA)
    memory.map(far, PA + 0x1000)
    memory.poke(PA, 1)
    memory.poke(PA + 0x1000, 2)
    memory.paged()
    for _ in range(2):
        assert (memory.load(VA), memory.load(far)) == (1, 2)


def test_an_address_that_no_tag_matches(memory: Bench) -> None:
    assert memory.load(NO_TAG, 1) == Fault(5, NO_TAG)
    assert memory.store(NO_TAG, 0, 1) == Fault(7, NO_TAG)
