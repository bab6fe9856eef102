"""Images of RAM: captured, restored in any order, and shared between memories."""

from __future__ import annotations

import ctypes
import random
from functools import partial

import pytest

from rvplat.bus import Memory, MemoryImage, Ram

PAGE = 4096
BASE, SIZE = 0x8000_0000, 64 * PAGE
SMALL, SMALL_SIZE = 0x1000, 4 * PAGE


def new_memory() -> Memory:
    memory = Memory()
    memory.add(Ram(SMALL, SMALL_SIZE, "rom"))
    memory.add(Ram(BASE, SIZE))
    return memory


def contents(memory: Memory) -> bytes:
    return memory.read(SMALL, SMALL_SIZE) + memory.read(BASE, SIZE)


def scribble(memory: Memory, chance: random.Random, count: int = 5) -> None:
    """Write words at random places, some of them zero."""
    for _ in range(count):
        base, size = chance.choice(((SMALL, SMALL_SIZE), (BASE, SIZE)))
        at = base + chance.randrange(size // 8) * 8
        memory.write_int(at, 8, chance.choice((0, chance.getrandbits(64))))


def test_a_tree_of_images_is_restored_in_any_order() -> None:
    chance = random.Random(1)
    memory = new_memory()
    known: list[tuple[MemoryImage, bytes]] = []
    for _ in range(300):
        scribble(memory, chance)
        action = chance.random()
        if action < 0.3:
            known.append((memory.capture(), contents(memory)))
        elif action < 0.8 and known:
            image, held = chance.choice(known)
            memory.restore(image)
            assert contents(memory) == held
        elif known:
            known.pop(chance.randrange(len(known)))
    assert len(known) > 3


def test_pages_are_those_that_are_not_zero() -> None:
    memory = new_memory()
    memory.write(BASE + 5 * PAGE + 7, b"five")
    memory.write(SMALL, b"small")
    first = memory.capture()
    memory.write(BASE + 5 * PAGE, bytes(PAGE))
    memory.write(BASE + 6 * PAGE, b"six")
    second = memory.capture()
    memory.write(BASE, b"later")
    found = {pa: bytes(data).rstrip(b"\0") for pa, data in first.pages()}
    assert found == {SMALL: b"small", BASE + 5 * PAGE: bytes(7) + b"five"}
    found = {pa: bytes(data).rstrip(b"\0") for pa, data in second.pages()}
    assert found == {SMALL: b"small", BASE + 6 * PAGE: b"six"}


def test_an_image_made_of_pages_starts_several_memories() -> None:
    source = new_memory()
    scribble(source, random.Random(2), 40)
    regions = [(ram.base, ram.size) for ram in source.regions]
    captured = source.capture()
    pages = list(captured.pages())
    halves = (pages[: len(pages) // 2], pages[len(pages) // 2 :])
    blocks = [([pa for pa, _ in half], b"".join(data for _, data in half)) for half in halves]
    made = MemoryImage.of(regions, blocks)
    read_later = [(addresses, partial(bytes, data)) for addresses, data in blocks]
    later = MemoryImage.of(regions, read_later)
    assert list(made.pages()) == list(later.pages()) == pages
    scribble(source, random.Random(3), 40)
    unused = new_memory()
    unused.restore(later)
    assert list(unused.capture().pages()) == pages
    for image in (made, later, captured):
        memory = new_memory()
        scribble(memory, random.Random(4), 40)
        own = memory.capture()
        before = contents(memory)
        memory.restore(image)
        assert [(pa, bytes(data)) for pa, data in memory.capture().pages()] == [
            (pa, bytes(data)) for pa, data in made.pages()
        ]
        memory.restore(own)
        assert contents(memory) == before
        memory.restore(image)
        source.restore(captured)
        assert contents(memory) == contents(source)


def test_an_image_of_other_regions_is_refused() -> None:
    other = Memory()
    other.add(Ram(BASE, 2 * SIZE))
    memory = new_memory()
    with pytest.raises(ValueError, match=r"^an image of RAM at 0x80000000 \(0x80000 bytes\); this"):
        memory.restore(other.capture())


@pytest.mark.parametrize(
    "addresses",
    [[BASE + 8], [BASE + SIZE], [BASE + PAGE, BASE], [BASE, BASE]],
    ids=["misaligned", "outside", "not in order", "twice"],
)
def test_an_image_holds_pages_of_its_regions_in_order(addresses: list[int]) -> None:
    message = f"{addresses[-1]:#x}: expected a page of RAM, after the one before"
    with pytest.raises(ValueError, match=f"^{message}$"):
        MemoryImage.of([(BASE, SIZE)], [(addresses, bytes(PAGE * len(addresses)))])
    with pytest.raises(ValueError, match=f"^{message}$"):
        MemoryImage.of([(BASE, SIZE)], [([pa], bytes(PAGE)) for pa in addresses])


def test_an_image_holds_whole_pages() -> None:
    with pytest.raises(ValueError, match=r"^8 bytes: expected 4096 for each of 1$"):
        MemoryImage.of([(BASE, SIZE)], [([BASE], bytes(8))])
    later = MemoryImage.of([(ram.base, ram.size) for ram in new_memory().regions],
                           [([BASE], lambda: bytes(8))])  # fmt: skip
    with pytest.raises(ValueError, match=r"^8 bytes: expected 4096 for each of 1$"):
        new_memory().restore(later)


def test_a_view_that_exists_may_be_written_after_the_image_was_captured() -> None:
    memory = new_memory()
    part = memory.view(BASE + 3 * PAGE - 8, 16)[4:12]
    for _ in range(2):
        before = contents(memory)
        image = memory.capture()
        part[:] = b"at edges"
        assert contents(memory) != before
        memory.restore(image)
        assert contents(memory) == before


def test_memory_is_told_before_a_write_through_a_host_address() -> None:
    memory = new_memory()
    image = memory.capture()
    memory.will_write(BASE + PAGE, 8)
    ctypes.memset(memory.host_address(BASE + PAGE, 8), 1, 8)
    memory.restore(image)
    assert not any(contents(memory))


def test_images_that_were_dropped_take_no_memory() -> None:
    memory = new_memory()
    memory.write(BASE, b"\1" * SIZE)
    kept = []
    for n in range(20):
        kept.append((memory.capture(), contents(memory)))
        memory.write(BASE, bytes([n + 2]) * (10 * PAGE))
    assert memory.images.bytes_used == 20 * 10 * PAGE
    del kept[1:19]
    assert memory.images.bytes_used == 2 * 10 * PAGE
    for image, held in kept:
        memory.restore(image)
        assert contents(memory) == held
    assert memory.images.bytes_used == 10 * PAGE  # RAM holds one of the two
    del kept, image
    memory.write(BASE, b"\2" * SIZE)
    assert memory.images.bytes_used == 0


def test_pages_that_were_zero_take_no_memory() -> None:
    memory = new_memory()
    image = memory.capture()
    memory.write(BASE, b"\1" * SIZE)
    assert memory.images.bytes_used == 0
    memory.restore(image)
    assert not any(contents(memory))
