"""Regions against harts that store into their code and that decode it, in every order.

A region is told here by the bytes that it was made from: a slot that enters it gives their value.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from rvplat.engine import hot_code, region_places
from rvplat.hart.acceleration import invalidate, kept_pages
from rvplat.hart.acceleration.region_rows import RegionRow
from rvplat.isa.machinery.vocabulary import store_u16
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.lang import read_u16, read_u64, u16, u64, write_u16
from tests.hart.acceleration.interleaving import Text
from tests.hart.acceleration.test_protocols import (
    CODE,
    DATA,
    NEW,
    OLD,
    PAGE,
    World,
    li,
    settled,
    then_new,
)

pytestmark = pytest.mark.slow

ENTRY = 0xE000  # of the region's code
TAG = 0xFFFF_FFFF_FFFF_F000


def same_halfwords(row: Any, host: Any) -> bool:
    """`same_bytes` of the code's halfword: the search has accesses of one size to a place."""
    return bool(read_u16(host + (CODE - PAGE)) == read_u16(row.bytes + (CODE - PAGE)))


class RegionWorld(World):
    """Harts, and a region for the instruction at CODE as it was at first."""

    def __init__(self, harts: int = 2) -> None:
        super().__init__(harts)
        self.machine.view.regions_on = 1
        self.row = RegionRow.structure()()
        self.bytes = ctypes.create_string_buffer(PAGE_BYTES)
        write_u16(ctypes.addressof(self.bytes) + CODE - PAGE, li(OLD))
        self.row.entry = ENTRY
        self.row.lines = 1 << ((CODE - PAGE) >> 6)
        self.row.bytes = ctypes.addressof(self.bytes)
        self.row.heads.word[(CODE - PAGE) >> 7] = 1 << ((CODE - PAGE) >> 1 & 63)

    def place(self, n: int = 1) -> None:
        region_places.place_region(self.harts[n], u64(PAGE), u64(ctypes.addressof(self.row)))

    def run(self, n: int, pa: int = CODE) -> int:
        """Hart n executes the instruction, or enters its region."""
        value = super().run(n, pa)
        handler = int(read_u64(u64(self.slots[n] + (pa - CODE) * 8)))
        return OLD if handler == ENTRY else value

    # --- a region of hart 0 that stores ---

    def keep(self) -> None:
        """The hart enters a region, and leaves it before a store that misses the TLB."""
        self.harts[0].kept_write_tag = u64((1 << 64) - 1)
        store_u16(self.harts[0], u64(DATA), u16(0))
        kept_pages.write_addend(self.harts[0], u64(DATA), u64(2))

    def store_kept(self, value: int = NEW) -> None:
        """A store of the region, through the page that it keeps. It never misses here."""
        assert self.harts[0].kept_write_tag == CODE & TAG
        kept_pages.store_kept_u16(self.harts[0], u64(CODE), u16(li(value)))

    def stores_kept(self, value: int = NEW) -> list[Callable[..., Any]]:
        return [lambda *_: self.store_kept(value), lambda _: self.say()]


@pytest.fixture(autouse=True)
def halfwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hot_code, region_places):
        monkeypatch.setattr(module, "same_bytes", same_halfwords)


# --- kept pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["data", "code"])
def test_stores_to_a_kept_page_are_seen(before: str) -> None:
    """The page becomes code while a region of another hart keeps its write tag, or has become code
    before the region stores."""
    world = RegionWorld()
    world.keep()
    if before == "code":
        world.run(1)
    texts: dict[str, Text] = {"writer": world.stores_kept(), "decoder": world.runs_new(1)}
    world.everything(texts, then_new(world))


def test_the_last_of_several_stores_is_seen() -> None:
    world = RegionWorld()
    world.keep()
    fence_i: Callable[..., Any] = lambda _: world.fence_i(1)  # noqa: E731
    texts: dict[str, Text] = {
        "writer": [lambda: world.store_kept(3), *world.stores_kept()],
        "decoder": [lambda: world.run(1) and None, fence_i, *world.runs_new(1)],
    }
    world.everything(texts, settled)


def test_a_budget_s_end_ends_the_stores_in_flight() -> None:
    """After it the hart finds no tag, and its stores are slow."""
    world = RegionWorld()
    world.keep()
    writer: list[Callable[..., Any]] = [
        lambda: world.store_kept(3), lambda _: world.look_up(0), *world.stores()
    ]  # fmt: skip
    fence_i: Callable[..., Any] = lambda _: world.fence_i(1)  # noqa: E731
    decoder = [lambda: world.run(1) and None, fence_i, fence_i, *world.runs_new(1)]
    world.everything({"writer": writer, "decoder": decoder}, settled)


def test_a_page_kept_beyond_a_budget_s_end_would_be_seen_here() -> None:
    """What no region does: it shows that the search finds such a fault."""
    world = RegionWorld()
    world.keep()
    fence_i: Callable[..., Any] = lambda _: world.fence_i(1)  # noqa: E731
    writer: list[Callable[..., Any]] = [lambda: world.look_up(0), *world.stores_kept()]
    texts: dict[str, Text] = {
        "writer": writer,
        "decoder": [lambda: world.run(1) and None, fence_i, *world.runs_new(1)],
    }
    with pytest.raises(AssertionError, match="old code was run"):
        world.everything(texts, settled)


# --- placing and entering -----------------------------------------------------------------------


def test_a_region_is_put_in_place_while_its_code_changes() -> None:
    """A store in flight changes the code."""
    world = RegionWorld()
    world.keep()
    world.run(1)
    texts: dict[str, Text] = {
        "writer": [lambda: world.store_kept(), lambda _: world.look_up(0), lambda _: world.say()],
        "placer": world.place,
        "decoder": world.runs_new(1)[1:],
    }
    world.everything(texts, settled)


def test_a_slot_does_not_enter_a_region_that_was_dropped() -> None:
    """A hart decodes the slot of a head while another stores into the region's code."""
    world = RegionWorld()
    world.run(1)
    world.grow_old()
    world.place()
    assert int(read_u64(u64(world.slots[1]))) == ENTRY
    invalidate.drop_slots(
        world.harts[1], u64(1), u64((CODE - PAGE) >> 1), u64(1), world.machine.view.decode_handler
    )
    texts: dict[str, Text] = {"writer": world.stores(), "decoder": world.runs_new(1)}
    world.everything(texts, then_new(world))
