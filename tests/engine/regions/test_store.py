"""Regions that are kept on disk."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import pytest

from rvplat import cache
from rvplat.engine.regions import store as stores
from rvplat.engine.regions.messages import Answer
from rvplat.engine.regions.store import Store

PAGE = bytes(range(256)) * 16


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path))
    return tmp_path


def answer(code: bytes = b"code", heads: tuple[int, ...] = (0,), lines: int = 1) -> Answer:
    return Answer(1, code, heads, (*heads, 4), (), lines, 0.25)


def kept(page: bytes = PAGE, key: str = "key", **changes: object) -> Answer:
    """Keep a region of a page."""
    store, made = Store(key), answer(**changes)  # type: ignore[arg-type]
    store.add(made, page)
    assert store.save() is None
    return made


def changed(at: int) -> bytes:
    return PAGE[:at] + bytes([PAGE[at] ^ 1]) + PAGE[at + 1 :]


def test_a_region_is_found_at_the_next_start() -> None:
    made = kept(heads=(0, 64), lines=0b11)
    store = Store("key")
    for head in (0, 64):
        found = store.find(head, PAGE)
        assert found is not None
        assert (found.code, found.heads, found.inside, found.lines) == (
            made.code, made.heads, made.inside, made.lines,
        )  # fmt: skip
    assert store.find(4, PAGE) is None, "no head"


def test_a_stale_region_is_not_used() -> None:
    """The guest's bytes differ, in the line of the head or in another one of the region."""
    kept(heads=(0,), lines=0b101)
    assert Store("key").find(0, changed(8)) is None
    assert Store("key").find(0, changed(128)) is None
    assert Store("key").find(0, changed(64)) is not None, "not a line of the region"


def test_a_region_of_a_page_is_found_without_a_head() -> None:
    """It is the largest one whose lines have the same bytes."""
    kept(heads=(64,), lines=0b10)
    store = Store("key")
    assert store.find_any(PAGE) == store.find(64, PAGE)
    assert store.find_any(changed(64)) is None
    assert store.find_any(changed(0)) is not None, "not a line of the region"
    store.add(answer(heads=(8, 16, 192), lines=0b1001), PAGE)
    assert store.find_any(PAGE) == store.find(192, PAGE)
    assert store.find_any(changed(192)) == store.find(64, PAGE)


def test_a_foreign_entry_is_not_used() -> None:
    kept(key="other harts")
    assert Store("key").find(0, PAGE) is None


@pytest.mark.parametrize("damage", ["torn", "changed", "empty"])
def test_a_damaged_entry_is_not_used(folder: Path, damage: str) -> None:
    kept()
    (path,) = folder.glob("*.bin")
    data = path.read_bytes()
    path.write_bytes({"torn": data[:-2], "changed": data[:-2] + b"xx", "empty": b""}[damage])
    store = Store("key")
    assert store.find(0, PAGE) is None
    store.add(answer(), PAGE)
    assert store.save() is None
    assert Store("key").find(0, PAGE) is not None


def test_an_entry_that_cannot_be_read_as_regions_is_not_used() -> None:
    rows = [
        "[1, 2, 3]",
        "[[[[0], [0], [], []], 1, 0.5, 0, 100]]",  # 100 bytes of code, which are not there
        "[[[[0], [0], [], []], 0, 0.5, 0, 4]]",  # no lines
        "[[[[0], [0], [], []], 1, 0.5, 0, -4]]",
        '[["0000", 1, 0.5, 0, 4]]',
        "null",
    ]
    for row in rows:
        data = struct.pack("<I", len(row)) + row.encode() + PAGE[:64] + b"code"
        cache.save_cached("key", data, "regions of another version")
        assert Store("key").find(0, PAGE) is None


def test_a_full_disk_is_reported() -> None:
    """The host refuses the rest of a file, as when a disk is full."""
    made = kept()
    store = Store("key")
    store.add(answer(bytes(5000), (64,), 0b11), PAGE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        problem = store.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(problem, OSError)
    assert store.find(64, PAGE) is not None, "this run goes on"
    found = Store("key").find(0, PAGE)
    assert found is not None and found.code == made.code, "the entry is the earlier one"


def test_a_larger_region_replaces_those_that_it_includes() -> None:
    store = Store("key")
    for n in range(1, 20):
        store.add(answer(heads=tuple(range(0, 2 * n, 2))), PAGE)
    assert len(store._every()) == 1
    store.add(answer(), changed(8))
    assert len(store._every()) == 2, "other bytes"


def test_kept_regions_have_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is different each time. Regions that were used lately stay."""
    monkeypatch.setattr(stores, "LIMIT_BYTES", 10_000)
    pages = [bytes([n]) * 4096 for n in range(100)]
    kept(pages[0], code=bytes(1000))
    store = Store("key")
    for page in pages[1:]:
        store.add(answer(bytes(1000)), page)
    assert store._size <= 10_000
    found = [n for n, page in enumerate(pages) if store.find(0, page) is not None]
    assert len(found) >= 6
    assert found == list(range(100 - len(found), 100))
