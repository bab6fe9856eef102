"""Images of RAM: what all regions held at one moment."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from rvplat.bus.page_log import PAGE

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
        cls, regions: Iterable[tuple[int, int]], blocks: Iterable[tuple[Sequence[int], bytes]]
    ) -> MemoryImage:
        """An image of regions (base, size in bytes), made of blocks: ascending physical addresses,
        and 4,096 bytes for each of them. All other pages are zero. ValueError for what is no page
        of the regions, and for a wrong order."""
        layout = tuple(regions)
        return cls(layout, MadePages(layout, blocks))

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
    """Pages that were given, as those of a file. Their blocks are kept as they are: `runs` lets
    many pages be copied at once."""

    def __init__(self, layout: Layout, blocks: Iterable[tuple[Sequence[int], bytes]]) -> None:
        self._numbering = Numbering(layout)
        self._blocks: list[tuple[list[int], bytes]] = []
        last = -1
        for addresses, data in blocks:
            numbers = [self._numbering.number(pa) for pa in addresses]
            if len(data) != PAGE * len(numbers):
                raise ValueError(f"{len(data)} bytes: expected {PAGE} for each of {len(numbers)}")
            for pa, number in zip(addresses, numbers, strict=True):
                if number <= last or pa % PAGE:
                    raise ValueError(f"{pa:#x}: expected a page of RAM, after the one before")
                last = number
            self._blocks.append((numbers, data))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        for numbers, data in self._blocks:
            for n, number in enumerate(numbers):
                yield self._numbering.address(number), data[n * PAGE : (n + 1) * PAGE]

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Pages that follow each other: the number of the first, the host address of the contents,
        and how many pages there are."""
        for numbers, data in self._blocks:
            host = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
            begin = 0
            for n in range(1, len(numbers) + 1):
                if n == len(numbers) or numbers[n] != numbers[n - 1] + 1:
                    yield numbers[begin], host + begin * PAGE, n - begin
                    begin = n


def layout_of(regions: Sequence[Region]) -> Layout:
    """Base and size of each region."""
    return tuple((ram.base, ram.size) for ram in regions)


def check_layout(image: MemoryImage, layout: Layout) -> None:
    """ValueError if an image is of other regions."""

    def text(layout: Layout) -> str:
        return ", ".join(f"{base:#x} ({size:#x} bytes)" for base, size in layout)

    if image.layout != layout:
        raise ValueError(f"an image of RAM at {text(image.layout)}; this RAM is at {text(layout)}")
