"""Code that stores change: lines, write tags, fence.i, several harts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from rvplat.hart.acceleration.tlb import NO_TAG
from rvplat.hart.acceleration.young_pages import YOUNG
from rvplat.isa.privileged import PAGE_MASK
from tests.hart.memory_bench import DECODE, LEAF, RAM, Bench

PA = RAM + 0x3000
PAGE = 3
VA = 0x40_0000
READY = 0x5107  # stands for a decoded slot's handler
MakeBench = Callable[..., Bench]


class Slots:
    """A page of decoded slots of one hart."""

    def __init__(self, memory: Bench, number: int = 0, page: int = PAGE) -> None:
        self.words = (ctypes.c_uint64 * (2 * 2048))(*[READY] * (2 * 2048))
        at = int(memory.harts[number].slot_pages) + 8 * page
        ctypes.c_uint64.from_address(at).value = ctypes.addressof(self.words)

    def dropped(self) -> list[int]:
        """Offsets in the page of the slots that are to be decoded again."""
        return [2 * i for i in range(2048) if self.words[2 * i] == DECODE]


def word(memory: Bench, page: int = PAGE) -> int:
    """Host address of a page's line bits."""
    return int(memory.machine.ram[0].code) + 8 * page


def bits(memory: Bench, page: int = PAGE) -> int:
    return ctypes.c_uint64.from_address(word(memory, page)).value


def decode(memory: Bench, offset: int, page: int = PAGE) -> None:
    """Do as the engine does before it decodes an instruction at an offset."""
    memory.mark_lines(word(memory, page), RAM + page * 0x1000, 1 << (offset >> 6))


def tag(memory: Bench, va: int, number: int = 0) -> int:
    return int(memory.harts[number].tlb[va >> 12 & 1023].write_tag)


def line(n: int, before: bool = True) -> list[int]:
    """Offsets of the slots that go with a line: its own and those whose pair may reach in."""
    return list(range(64 * n - (6 if before and n else 0), 64 * n + 64, 2))


# --- stores -------------------------------------------------------------------------------------


def test_a_store_drops_the_line_that_it_hits_and_no_other(memory: Bench) -> None:
    slots = Slots(memory)
    for offset in (0, 0x40, 0x80, 0x100):
        decode(memory, offset)
    memory.store(PA + 0x50, 1)
    assert slots.dropped() == line(1)
    assert bits(memory) == 0b10101
    assert memory.peek(PA + 0x50) == 1


def test_a_store_beside_code_drops_nothing(memory: Bench) -> None:
    slots = Slots(memory)
    decode(memory, 0x100)
    for offset in (0xF8, 0x140, 0xFF8):
        memory.store(PA + offset, 7)
        assert memory.load(PA + offset) == 7
    assert slots.dropped() == []
    assert bits(memory) == 1 << 4


@pytest.mark.parametrize(("offset", "size", "lines"), [(0x7C, 8, (1, 2)), (0x3F, 2, (0, 1))])
def test_a_misaligned_store_drops_both_lines(
    memory: Bench, offset: int, size: int, lines: tuple[int, int]
) -> None:
    slots = Slots(memory)
    for n in range(4):
        decode(memory, 64 * n)
    memory.store(PA + offset, 0, size)
    assert slots.dropped() == sorted({*line(lines[0]), *line(lines[1])})


def test_a_store_across_pages_drops_in_both(memory: Bench) -> None:
    first, second = Slots(memory), Slots(memory, page=PAGE + 1)
    decode(memory, 0xFC0)
    decode(memory, 0, PAGE + 1)
    memory.store(PA + 0xFFC, (1 << 64) - 1)
    assert first.dropped() == line(63)
    assert second.dropped() == line(0)


@pytest.mark.parametrize("how", ["amo_address", "zero_block", "store_conditional_u64"])
def test_other_writes_drop_as_well(memory: Bench, how: str) -> None:
    slots = Slots(memory)
    decode(memory, 0x40)
    if how == "amo_address":
        memory.amo_address(PA + 0x40, 8)
        memory.note_late_store()
    elif how == "zero_block":
        memory.zero_block(PA + 0x7F)
    else:
        memory.load_reserved_u64(PA + 0x40)
        assert memory.store_conditional_u64(PA + 0x40, 1) == 1
        memory.note_late_store()
    assert slots.dropped() == line(1)


def test_writes_of_devices(memory: Bench) -> None:
    first, second = Slots(memory), Slots(memory, page=PAGE + 2)
    decode(memory, 0xFC0)
    decode(memory, 0)
    decode(memory, 0x40, PAGE + 2)
    memory.dma_written(PA + 0xF80, 0x10C1)
    assert first.dropped() == line(63)
    assert second.dropped() == line(1)
    assert bits(memory) == 1
    memory.dma_written(0x5000_0000, 0x2000)
    memory.dma_written(PA, 0)


def test_an_update_of_a_page_table_entry_drops_as_well(memory: Bench) -> None:
    pte = memory.map(VA, PA, LEAF & ~0xC0)
    page = (pte - RAM) >> 12
    slots = Slots(memory, page=page)
    decode(memory, pte & 0xFFF, page)
    memory.hart.menvcfg = 1 << 61
    memory.paged()
    memory.load(VA)
    assert slots.dropped() == line((pte & 0xFFF) >> 6)


# --- write tags ---------------------------------------------------------------------------------


def test_code_takes_the_write_tag_away_and_its_end_gives_it_back(memory: Bench) -> None:
    memory.store(PA, 1)
    assert tag(memory, PA) == PA
    decode(memory, 0x80)
    assert tag(memory, PA) == NO_TAG
    memory.store(PA, 2)
    assert tag(memory, PA) == NO_TAG
    memory.store(PA + 0x80, 3)
    assert bits(memory) == 0
    assert tag(memory, PA) == PA
    assert (memory.load(PA), memory.load(PA + 0x80)) == (2, 3)


def test_pages_with_code_get_no_write_tag(memory: Bench) -> None:
    decode(memory, 0)
    memory.load(PA)
    assert tag(memory, PA) == NO_TAG
    memory.store(PA + 0x40, 1)
    assert tag(memory, PA) == NO_TAG


@pytest.mark.parametrize("aliases", [1, 2, 3, 5])
def test_every_alias_in_every_context_is_found(memory: Bench, aliases: int) -> None:
    addresses = [VA + 0x1000 * i for i in range(aliases)]
    for va in addresses:
        memory.map(va, PA)
    memory.map(VA + 0x10_0000, PA + 0x1000)
    memory.allow_all()
    for asid in (1, 2):
        memory.enter(1, satp=memory.satp(asid=asid))
        for va in [*addresses, VA + 0x10_0000]:
            memory.store(va, asid)
    memory.enter(3)
    memory.store(PA, 1)
    decode(memory, 0)
    assert tag(memory, PA) == NO_TAG
    for asid in (1, 2):
        memory.enter(1, satp=memory.satp(asid=asid))
        assert {tag(memory, va) for va in addresses} == {NO_TAG}
        assert tag(memory, VA + 0x10_0000) == VA + 0x10_0000


# --- several harts ------------------------------------------------------------------------------


def test_a_store_drops_on_every_hart(make_bench: MakeBench) -> None:
    memory = make_bench(harts=3)
    slots = [Slots(memory, n) for n in range(3)]
    decode(memory, 0x40)
    memory.on(memory.harts[2], "store_u8", PA + 0x41, 1)
    assert [s.dropped() for s in slots] == [line(1)] * 3


def test_write_tags_of_other_harts_are_withdrawn(make_bench: MakeBench) -> None:
    memory = make_bench(harts=2)
    memory.on(memory.harts[1], "store_u8", PA, 1)
    assert tag(memory, PA, 1) == PA & PAGE_MASK
    decode(memory, 0)
    assert tag(memory, PA, 1) == NO_TAG


def test_fence_i_on_one_hart_has_nothing_to_do(memory: Bench) -> None:
    slots = Slots(memory)
    decode(memory, 0)
    memory.synchronise_instructions()
    assert slots.dropped() == []


def test_fence_i_drops_young_pages_until_the_others_have_passed_them(
    make_bench: MakeBench,
) -> None:
    memory = make_bench(harts=3)
    old, young, other = Slots(memory), Slots(memory, page=7), Slots(memory, 1, page=7)
    memory.harts[2].young_passed = 0  # runs, and has seen no page listed
    decode(memory, 0x80, 7)
    for _ in range(3):
        memory.synchronise_instructions()
        assert young.dropped() == line(2, before=False)
        young = Slots(memory, page=7)
    memory.on(memory.harts[2], "pass_young")
    memory.synchronise_instructions()
    assert young.dropped() == line(2, before=False), "a store may have come before it passed"
    young = Slots(memory, page=7)
    memory.synchronise_instructions()
    assert young.dropped() == old.dropped() == other.dropped() == []


def test_fence_i_after_more_young_pages_than_are_listed(make_bench: MakeBench) -> None:
    memory = make_bench(harts=2)
    slots = Slots(memory, page=200)
    decode(memory, 0x40, 200)
    memory.machine.young_count = YOUNG + 1
    memory.synchronise_instructions()
    assert slots.dropped() == line(1, before=False)


def test_an_amo_beside_code_is_looked_at_after_the_instruction(memory: Bench) -> None:
    """Its line may be decoded while it is executed."""
    decode(memory, 0)
    memory.amo_address(PA + 0x40, 8)
    assert int(memory.hart.resync) == 1, "the run loop comes next"
    decode(memory, 0x40)
    slots = Slots(memory)
    memory.note_late_store()
    assert slots.dropped() == line(1)
    slots = Slots(memory)
    decode(memory, 0x40)
    memory.note_late_store()
    assert slots.dropped() == []


def test_lines_that_a_store_dropped_are_not_settled(memory: Bench) -> None:
    decode(memory, 0x40)
    assert memory.lines_settled(word(memory), 0b10) == 1
    memory.store(PA + 0x40, 0)
    assert memory.lines_settled(word(memory), 0b10) == 0
