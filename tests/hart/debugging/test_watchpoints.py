"""Watched ranges: which accesses stop a hart, and that nothing else is different."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from rvplat.hart.acceleration.tlb import HIDDEN
from rvplat.hart.debugging.watchpoints import HEADS, READS, WRITES, WatchRow, watch_hash
from rvplat.hart.debugging.worlds import ANYWHERE, HOST
from rvplat.hart.state import STOP_BREAK, STOP_NONE
from rvplat.lang import u64
from tests.hart.memory_bench import Bench

VA, PA = 0x10_0000, 0x8000_4000


class Watcher:
    """One row, watching bytes 0x10 to 0x17 of VA's page."""

    def __init__(self, memory: Bench, kinds: int, world: int = ANYWHERE) -> None:
        self.heads = (ctypes.c_uint32 * HEADS)()
        self.rows = (ctypes.c_uint8 * (2 * WatchRow.size))()
        row = WatchRow.view(ctypes.addressof(self.rows) + WatchRow.size)
        row.start, row.last, row.world, row.kinds = VA + 0x10, VA + 0x17, world, kinds
        self.heads[int(watch_hash(u64(VA)))] = 1
        machine = memory.hart.machine
        machine.watch_heads = ctypes.addressof(self.heads)
        machine.watch_rows = ctypes.addressof(self.rows)
        self.hart = memory.hart
        self.hart.pages_watched = 1
        self.hart.watch_skip = 1
        self.hart.pc = 0x8000_0000

    def stopped(self) -> bool:
        """Whether the access before stopped the hart; it goes on."""
        stop = int(self.hart.stop)
        self.hart.stop = STOP_NONE
        return stop == STOP_BREAK


@pytest.fixture
def mapped(memory: Bench) -> Iterator[Bench]:
    memory.map(VA, PA)
    memory.paged()
    yield memory


def test_a_store_into_the_range_stops_and_is_not_done(mapped: Bench) -> None:
    watcher = Watcher(mapped, WRITES)
    mapped.store(VA + 0x10, 5)
    assert watcher.stopped()
    assert mapped.peek(PA + 0x10) == 0
    assert (mapped.hart.watch_address, mapped.hart.watch_kind) == (VA + 0x10, WRITES)


def test_loads_and_other_stores_go_on(mapped: Bench) -> None:
    watcher = Watcher(mapped, WRITES)
    mapped.store(VA + 0x18, 7)
    mapped.store(VA + 8, 6)
    assert (mapped.load(VA + 0x10), mapped.load(VA + 0x18), mapped.load(VA + 8)) == (0, 7, 6)
    assert not watcher.stopped()


def test_a_load_from_the_range_stops_every_time(mapped: Bench) -> None:
    watcher = Watcher(mapped, READS)
    for _ in range(3):
        assert mapped.load(VA) == 0
        assert not watcher.stopped()
        mapped.load(VA + 0x10)
        assert watcher.stopped()
    assert int(mapped.hart.tlb[VA >> 12 & 1023].read_tag) == VA | HIDDEN


def test_part_of_an_access_is_enough(mapped: Bench) -> None:
    watcher = Watcher(mapped, READS | WRITES)
    mapped.load(VA + 0x14, 1)
    assert watcher.stopped()
    mapped.store(VA + 0x17, 1, 1)
    assert watcher.stopped()
    mapped.store(VA + 0x18, 1, 1)
    assert not watcher.stopped()


def test_the_instruction_that_is_passed_over(mapped: Bench) -> None:
    watcher = Watcher(mapped, WRITES)
    mapped.hart.watch_skip = 0x8000_0000
    mapped.store(VA + 0x10, 5)
    assert not watcher.stopped()
    assert mapped.peek(PA + 0x10) == 5


def test_a_row_of_another_world(mapped: Bench) -> None:
    watcher = Watcher(mapped, WRITES, world=HOST + 1)
    mapped.store(VA + 0x10, 5)
    assert not watcher.stopped()
    assert mapped.peek(PA + 0x10) == 5
