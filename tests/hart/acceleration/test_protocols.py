"""What harts do to each other's slots and tags, every text against every other in every order.

The texts are the definitions themselves (tests/hart/acceleration/interleaving.py). The protocol
that they keep is at the head of rvplat/hart/acceleration/invalidate.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from rvplat.bus.ram import Ram
from rvplat.engine import architecture, core, slots
from rvplat.hart import reset
from rvplat.hart.acceleration import code_lines, invalidate, young_pages
from rvplat.hart.acceleration.tlb import NO_TAG
from rvplat.isa.machinery.vocabulary import amo_address, store_u16, synchronise_instructions
from rvplat.lang import (
    atomic_load_u32,
    compare_exchange_u16,
    fence,
    read_u64,
    u16,
    u64,
    write_u16,
    write_u32,
)
from rvplat.machine.boards.catalogue import base_extensions
from rvplat.machine.running.native_records import NativeHart, NativeMachine
from tests.h.bench import native_core
from tests.hart.acceleration.interleaving import Text, everything

pytestmark = pytest.mark.slow

RAM = 0x8000_0000
PAGE = RAM + 0x1000
CODE = PAGE + 0x40
BESIDE = PAGE + 0x80  # code, in another line
DATA = PAGE + 0x800


def li(value: int) -> int:
    """c.li a0, value"""
    return 0x4501 | value << 2


OLD, NEW = 1, 2


class World:
    """Harts that share a page with an instruction; hart 0 is the writer, the others decode."""

    def __init__(self, harts: int = 2) -> None:
        self.core = native_core(True)
        self.machine = NativeMachine()
        self.core.attach(self.machine.view)
        self.machine.view.yield_fn = 0
        self.machine.view.clock_virtual = 1
        self.machine.view.instructions_per_tick = 1 << 40
        self.ram = Ram(RAM, 1 << 16)
        self.machine.add_ram(self.ram, True)
        extensions = list(base_extensions())
        table = self.core.decoder(extensions)
        self.natives = [
            NativeHart(n, self.machine, table, self.core.architecture.layout) for n in range(harts)
        ]
        self.harts: list[Any] = [one.view for one in self.natives]
        for hart in self.harts:
            architecture.enable(hart, extensions)
            reset.reset(hart, extensions, CODE)
        young_pages.enter_young(self.harts[0])
        for pa in (CODE, BESIDE):
            self.poke(pa, li(OLD))
        self.flags = (ctypes.c_uint32 * harts)()
        self.slots = [0] * harts
        for n in range(1, harts):
            self.slots[n] = int(core.locate(self.harts[n]))

    def host(self, pa: int) -> int:
        return self.ram.address + pa - RAM

    def poke(self, pa: int, value: int) -> None:
        write_u16(self.host(pa), value)

    def is_other_slot(self, address: int) -> bool:
        """Whether a slot is at an address that is not of CODE or BESIDE."""
        for n in range(1, len(self.harts)):
            offset = address - self.slots[n] + (CODE - PAGE) * 8
            if 0 <= offset < 16 * 2048:
                return offset & ~15 not in ((CODE - PAGE) * 8, (BESIDE - PAGE) * 8)
        return False

    def everything(
        self, texts: dict[str, Text], check: Callable[[dict[str, Any]], None],
        stalled: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Three texts only with stores that are visible at once: else it takes minutes."""
        everything(texts, check, len(texts) < 3, self.is_other_slot, stalled)

    # --- what harts do ---

    def run(self, n: int, pa: int = CODE) -> int:
        """Hart n executes the instruction: the value that it gives."""
        address = self.slots[n] + (pa - CODE) * 8
        slot: Any = slots.slot_at(u64(address))
        if slot.handler == self.machine.view.decode_handler:
            core.decode_slot(self.harts[n], u64(address))
        return int(slot.imm)

    def store(self, n: int, pa: int = CODE, value: int = NEW) -> None:
        store_u16(self.harts[n], u64(pa), u16(li(value)))

    def say(self, n: int = 0) -> None:
        """Hart n tells the others that it has stored, after a fence."""
        fence()
        write_u32(ctypes.addressof(self.flags) + 4 * n, 1)

    def told(self, n: int = 0) -> bool:
        """Whether hart n has said so; a fence follows."""
        said = atomic_load_u32(ctypes.addressof(self.flags) + 4 * n) != 0
        fence()
        return bool(said)

    def look_up(self, n: int) -> None:
        """What the run loop does between two instructions."""
        invalidate.note_late_store(self.harts[n])
        young_pages.pass_young(self.harts[n])

    def grow_old(self) -> None:
        """No page is young any more."""
        self.look_up(0)
        for n in range(1, len(self.harts)):
            self.fence_i(n)
            for pa in (CODE, BESIDE):
                if code_lines.line_bits(u64(pa), u64(2)) & self.bits() != 0:
                    self.run(n, pa)

    def bits(self) -> int:
        """Of the page with the code."""
        return int(read_u64(u64(int(self.machine.view.ram[0].code) + 8)))

    def fence_i(self, n: int) -> None:
        synchronise_instructions(self.harts[n])

    def runs_new(self, n: int, by: int = 0) -> list[Callable[..., Any]]:
        """Hart n executes the code; if it was told of a store, it executes what was stored."""

        def fence_i(told: bool) -> bool:
            self.fence_i(n)
            return told

        return [
            lambda *_: self.run(n) and None,
            lambda *_: self.told(by),
            fence_i,
            lambda told: self.run(n) == NEW or not told,
        ]

    def stores(self, n: int = 0) -> list[Callable[..., Any]]:
        """Hart n stores and says so."""
        return [lambda *_: self.store(n), lambda _: self.say(n)]


def settled(results: dict[str, Any]) -> None:
    """Every text that answers says yes."""
    assert all(answer is not False for answer in results.values()), f"old code was run: {results}"


def then_new(world: World, n: int = 1) -> Callable[[dict[str, Any]], None]:
    """And a store that comes when all have ended is seen after a fence.i."""

    def check(results: dict[str, Any]) -> None:
        settled(results)
        world.run(n)
        world.grow_old()
        world.store(0, value=3)
        world.fence_i(n)
        assert world.run(n) == 3, "a store into decoded code was not seen"

    return check


# --- tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["fresh", "noted"])
@pytest.mark.parametrize("steps", range(10))
def test_no_tag_stays_on_a_page_that_becomes_code(page: str, steps: int) -> None:
    """A hart gets its write tag, and its thread is stopped meanwhile; another decodes the page, and
    a third drops those lines."""
    world = World(3)
    if page == "noted":  # by an entry that has no tag any more
        world.store(0, DATA)
        world.harts[0].tlb[DATA >> 12 & 1023].write_tag = NO_TAG
    texts: dict[str, Text] = {
        "writer": lambda: world.store(0, DATA),
        "decoder": lambda: world.run(1),
        "dropper": lambda: invalidate.note_store(world.harts[2], u64(CODE), u64(2)),
    }
    world.everything(texts, then_new(world), ("writer", steps))


def test_no_tag_comes_back_beside_new_code() -> None:
    """The last line of code of a page is dropped by its writer, who gets the tag back."""
    world = World(2)
    world.run(1)
    world.store(0, DATA)  # the entry is there, and its tag is withheld
    texts: dict[str, Text] = {
        "writer": lambda: world.store(0),
        "decoder": lambda: world.run(1, BESIDE),
    }

    def check(results: dict[str, Any]) -> None:
        world.run(1, BESIDE)
        world.grow_old()
        world.store(0, BESIDE, 3)
        assert world.run(1, BESIDE) == 3

    world.everything(texts, check)


# --- slots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["data", "code", "armed"])
def test_a_store_is_seen_by_who_was_told_of_it(page: str) -> None:
    world = World(2)
    if page == "code":
        world.run(1, BESIDE)
        world.grow_old()
    elif page == "armed":
        world.store(0, DATA)

    writer = [*world.stores(), lambda _: world.look_up(0)]
    world.everything({"writer": writer, "decoder": world.runs_new(1)}, then_new(world))


def test_a_store_in_flight_outlasts_any_number_of_fences() -> None:
    """The host stops the writer's thread between its look at the tag and its store."""
    world = World(2)
    world.store(0, DATA)

    again: list[Callable[..., Any]] = [
        lambda *_: world.run(1) and None,
        lambda _: world.fence_i(1),
    ]
    decoder = [*again, *again, *again, *world.runs_new(1)]
    world.everything({"writer": world.stores(), "decoder": decoder}, settled)


def test_who_passed_a_page_has_no_store_in_flight() -> None:
    world = World(2)
    world.store(0, DATA)

    writer = [lambda: world.look_up(0), *world.stores()]
    fence_i: Callable[..., Any] = lambda _: world.fence_i(1)  # noqa: E731
    decoder = [lambda: world.run(1) and None, fence_i, fence_i, *world.runs_new(1)]
    world.everything({"writer": writer, "decoder": decoder}, settled)


def test_who_begins_to_run_may_have_a_store_in_flight() -> None:
    world = World(2)
    world.store(0, DATA)
    young_pages.leave_young(world.harts[0])

    hart = world.harts[0]
    writer: list[Callable[..., Any]] = [
        lambda: young_pages.enter_young(hart), *world.stores(),
        lambda _: young_pages.leave_young(hart),
    ]  # fmt: skip
    decoder: list[Callable[..., Any]] = [
        lambda: world.run(1) and None, lambda _: world.fence_i(1), *world.runs_new(1)
    ]  # fmt: skip
    world.everything({"writer": writer, "decoder": decoder}, settled)


@pytest.mark.parametrize("steps", range(7))
def test_two_stores_to_a_line(steps: int) -> None:
    """One hart drops the line that the other hit; the host stops its thread after some steps."""
    world = World(3)
    world.store(0, DATA)
    world.run(1)
    texts: dict[str, Text] = {
        "writer": world.stores(),
        "other": lambda: invalidate.note_store(world.harts[2], u64(CODE + 8), u64(2)),
        "decoder": world.runs_new(1)[1:],
    }
    world.everything(texts, settled, ("other", steps))


@pytest.mark.parametrize("steps", range(10))
def test_two_harts_decode_a_page_that_becomes_code(steps: int) -> None:
    """The second finds the bits set while the first has not removed the tags yet: the host stops
    the first one's thread after some steps."""
    world = World(3)
    world.store(0, DATA)
    word = u64(int(world.machine.view.ram[0].code) + 8)
    texts: dict[str, Text] = {
        "writer": world.stores(),
        "first": lambda: invalidate.mark_lines(world.harts[1], word, u64(PAGE), u64(2)),
        "decoder": world.runs_new(2),
    }
    world.everything(texts, settled, ("first", steps))


@pytest.mark.parametrize("page", ["data", "code", "armed"])
def test_an_amo_is_seen_as_a_store_is(page: str) -> None:
    world = World(2)
    if page == "code":
        world.run(1, BESIDE)
        world.grow_old()
    elif page == "armed":
        world.store(0, DATA)

    def amo() -> None:
        address = amo_address(world.harts[0], u64(CODE), u64(2))
        compare_exchange_u16(address, u16(li(OLD)), u16(li(NEW)))

    writer: list[Callable[..., Any]] = [amo, lambda _: world.look_up(0), lambda _: world.say()]
    world.everything({"writer": writer, "decoder": world.runs_new(1)}, then_new(world))


@pytest.mark.parametrize("page", ["data", "code"])
def test_a_device_is_seen_as_a_store_is(page: str) -> None:
    """Its thread has no hart of its own."""
    world = World(2)
    if page == "code":
        world.run(1, BESIDE)
        world.grow_old()

    device: list[Callable[..., Any]] = [
        lambda: world.poke(CODE, li(NEW)),
        lambda _: invalidate.dma_written(world.harts[1], u64(CODE), u64(2)),
        lambda _: world.say(),
    ]
    world.everything({"device": device, "decoder": world.runs_new(1)}, then_new(world))


def test_a_young_page_is_dropped_though_others_crowd_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is a ring: who reads it may be overtaken."""
    for module in (young_pages, invalidate):
        monkeypatch.setattr(module, "YOUNG", 2)
    world = World(2)
    world.store(0, DATA)
    world.run(1)  # the page is young
    world.poke(CODE, li(NEW))  # a store that was in flight

    word = int(world.machine.view.ram[0].code)

    def crowd() -> None:
        for page in (5, 6):
            pa = RAM + page * 0x1000
            invalidate.mark_lines(world.harts[0], u64(word + 8 * page), u64(pa), u64(1))

    def decoder() -> bool:
        world.fence_i(1)
        return world.run(1) == NEW

    world.everything({"crowd": crowd, "decoder": decoder}, settled)
