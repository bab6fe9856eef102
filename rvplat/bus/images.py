"""Images of RAM: what all regions held at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

PAGE = 4096  # bytes
CHUNK = 512 * PAGE
ZEROS = bytes(CHUNK)

Layout = tuple[tuple[int, int], ...]  # base and size of each region


class Region(Protocol):
    """A region of RAM (`Ram`)."""

    base: int
    size: int
    view: memoryview


class MemoryImage:
    """What RAM held when `Memory.capture` was called. `Memory.restore` puts it back, into any
    memory with the same regions."""

    def __init__(self, layout: Layout, pages: Mapping[int, bytes]) -> None:
        self.layout = layout
        self._pages = pages

    @classmethod
    def of(
        cls, regions: Iterable[tuple[int, int]], pages: Iterable[tuple[int, bytes]]
    ) -> MemoryImage:
        """An image of regions (base, size in bytes), made of physical addresses with 4,096 bytes
        each. All other pages are zero. ValueError for a page outside the regions."""
        layout = tuple(regions)
        found = {}
        for pa, data in pages:
            if pa % PAGE or len(data) != PAGE or not any(b <= pa < b + n for b, n in layout):
                raise ValueError(
                    f"page {pa:#x}, {len(data)} bytes: expected {PAGE} bytes of a page of RAM"
                )
            found[pa] = bytes(data)
        return cls(layout, found)

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Physical address and 4,096 bytes of each page that isn't all zero, in order."""
        yield from sorted(self._pages.items())


def layout_of(regions: Iterable[Region]) -> Layout:
    """Base and size of each region."""
    return tuple((ram.base, ram.size) for ram in regions)


def text(layout: Layout) -> str:
    """A layout, for messages."""
    return ", ".join(f"{base:#x} ({size:#x} bytes)" for base, size in layout)


def chunks(ram: Region) -> Iterator[int]:
    """The offsets of a region's chunks that aren't all zero."""
    for start in range(0, ram.size, CHUNK):
        data = ram.view[start : start + CHUNK].tobytes()
        if data != ZEROS[: len(data)]:
            yield start


def capture_regions(regions: Sequence[Region]) -> MemoryImage:
    """Copy every page that isn't zero."""
    pages = {}
    for ram in regions:
        for chunk in chunks(ram):
            for start in range(chunk, min(chunk + CHUNK, ram.size), PAGE):
                data = ram.view[start : start + PAGE].tobytes()
                if data != ZEROS[: len(data)]:
                    pages[ram.base + start] = data.ljust(PAGE, b"\0")
    return MemoryImage(layout_of(regions), pages)


def restore_regions(regions: Sequence[Region], image: MemoryImage) -> list[int]:
    """Copy the pages that differ; returns their addresses."""
    if image.layout != layout_of(regions):
        raise ValueError(
            f"an image of RAM at {text(image.layout)}; this RAM is at {text(layout_of(regions))}"
        )
    wanted = dict(image.pages())
    changed = []
    for ram in regions:
        for start in range(0, ram.size, PAGE):
            view = ram.view[start : start + PAGE]
            data = wanted.get(ram.base + start, ZEROS)[: len(view)]
            if view.tobytes() != data:
                view[:] = data
                changed.append(ram.base + start)
    return changed
