"""Images of RAM: what all regions held at one moment."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

from rvplat.bus.page_log import PAGE, PageLog

Buffer: TypeAlias = bytes | bytearray | memoryview
Layout = tuple[tuple[int, int], ...]  # base and size in bytes of each region


class Region(Protocol):
    """A region of RAM (`Ram`)."""

    base: int
    size: int
    address: int
    view: memoryview

    def clear(self) -> None: ...


class Source(Protocol):
    """Where an image has its pages from."""

    def pages(self) -> Iterator[tuple[int, bytes]]: ...


class MemoryImage:
    """What RAM held when `Memory.capture` was called. `Memory.restore` puts it back, in any memory
    with the same regions. Its host memory is free when nothing refers to the image any more.

    `layout` has base and size of each region.
    """

    def __init__(self, layout: Layout, source: Source) -> None:
        self.layout = layout
        self.source = source

    @classmethod
    def of(
        cls, regions: Iterable[tuple[int, int]], pages: Iterable[tuple[int, Buffer]]
    ) -> MemoryImage:
        """An image of regions (base, size in bytes), made of physical addresses with 4,096 bytes
        each. All other pages are zero. ValueError for what is no page of the regions."""
        layout = tuple(regions)
        return cls(layout, MadePages(layout, pages))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Physical address and 4,096 bytes of each page that isn't all zero, in order. The machine
        may run meanwhile, and other images may be captured and restored."""
        return self.source.pages()


class Numbering:
    """Pages are numbered from 0 through all regions."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.firsts: list[int] = []  # the number of each region's first page
        self.count = 0
        for _, size in layout:
            self.firsts.append(self.count)
            self.count += -(-size // PAGE)

    def number(self, pa: int) -> int:
        """The number of the page at a physical address, or -1."""
        for first, (base, size) in zip(self.firsts, self.layout, strict=True):
            if base <= pa < base + size:
                return first + (pa - base) // PAGE
        return -1

    def address(self, number: int) -> int:
        """The physical address of a page."""
        n = self.region(number)
        return self.layout[n][0] + (number - self.firsts[n]) * PAGE

    def region(self, number: int) -> int:
        """The index of the region that has a page."""
        return max(n for n, first in enumerate(self.firsts) if first <= number)


class MadePages:
    """Pages that were given, as those of a file."""

    def __init__(self, layout: Layout, pages: Iterable[tuple[int, Buffer]]) -> None:
        self._numbering = Numbering(layout)
        self._log = PageLog(self._numbering.count)
        for pa, data in pages:
            number = self._numbering.number(pa)
            if number < 0 or pa % PAGE or len(data) != PAGE:
                raise ValueError(
                    f"page {pa:#x}, {len(data)} bytes: expected {PAGE} bytes of a page of RAM"
                )
            held = (ctypes.c_char * PAGE).from_buffer_copy(data)
            self._log.append(number, ctypes.addressof(held))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        for number, slot in sorted(self._log.entries()):
            if slot:
                yield self._numbering.address(number), ctypes.string_at(self._log.at(slot), PAGE)


def layout_of(regions: Sequence[Region]) -> Layout:
    """Base and size of each region."""
    return tuple((ram.base, ram.size) for ram in regions)


def check_layout(image: MemoryImage, layout: Layout) -> None:
    """ValueError if an image is of other regions."""

    def text(layout: Layout) -> str:
        return ", ".join(f"{base:#x} ({size:#x} bytes)" for base, size in layout)

    if image.layout != layout:
        raise ValueError(f"an image of RAM at {text(image.layout)}; this RAM is at {text(layout)}")
