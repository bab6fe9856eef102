"""Images of RAM: what all regions held at one moment."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from rvplat.bus.page_log import PAGE

Layout = tuple[tuple[int, int], ...]  # base and size in bytes of each region
Contents = bytes | Callable[[], bytes]  # 4,096 bytes for each page, or what reads them


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
        cls, regions: Iterable[tuple[int, int]], blocks: Iterable[tuple[Sequence[int], Contents]]
    ) -> MemoryImage:
        """An image of regions (base, size in bytes), made of blocks: ascending physical addresses,
        and 4,096 bytes for each of them, or a function that reads these, from several threads, each
        time that they are needed. All other pages are zero. ValueError for what is no page of the
        regions, and for a wrong order."""
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

    def numbers(self, addresses: Sequence[int]) -> list[int]:
        """The numbers of pages at ascending physical addresses, which mostly are of one region."""
        if not addresses:
            return []
        for first, (base, size) in zip(self.firsts, self.layout, strict=True):
            if base <= addresses[0] and addresses[-1] < base + size:
                return [first + (pa - base) // PAGE for pa in addresses]
        return [self.number(pa) for pa in addresses]

    def address(self, number: int) -> int:
        """The physical address of a page."""
        n = self.region(number)
        return self.layout[n][0] + (number - self.firsts[n]) * PAGE

    def region(self, number: int) -> int:
        """The index of the region that has a page."""
        return max(n for n, first in enumerate(self.firsts) if first <= number)


class Block:
    """Pages, by ascending numbers."""

    def __init__(self, numbers: list[int], contents: Contents) -> None:
        self.numbers = numbers
        self._contents = contents
        if isinstance(contents, bytes):
            self._checked(contents)

    def contents(self) -> bytes:
        """4,096 bytes for each page."""
        if isinstance(self._contents, bytes):
            return self._contents
        return self._checked(self._contents())

    def _checked(self, data: bytes) -> bytes:
        if len(data) != PAGE * len(self.numbers):
            count = len(self.numbers)
            raise ValueError(f"{len(data)} bytes: expected {PAGE} for each of {count}")
        return data

    def runs(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        """Pages that follow each other: the number of the first, the host address of its part of
        the contents `data`, and how many pages there are."""
        host = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        begin = 0
        for n in range(1, len(self.numbers) + 1):
            if n == len(self.numbers) or self.numbers[n] != self.numbers[n - 1] + 1:
                yield self.numbers[begin], host + begin * PAGE, n - begin
                begin = n


class MadePages:
    """Pages that were given, as those of a file, in blocks."""

    def __init__(self, layout: Layout, blocks: Iterable[tuple[Sequence[int], Contents]]) -> None:
        self._numbering = Numbering(layout)
        self.blocks: list[Block] = []
        last = -1
        for addresses, contents in blocks:
            block = Block(self._numbering.numbers(addresses), contents)
            for pa, number in zip(addresses, block.numbers, strict=True):
                if number <= last or pa % PAGE:
                    raise ValueError(f"{pa:#x}: expected a page of RAM, after the one before")
                last = number
            self.blocks.append(block)

    def pages(self) -> Iterator[tuple[int, bytes]]:
        for block in self.blocks:
            data = block.contents()
            for n, number in enumerate(block.numbers):
                yield self._numbering.address(number), data[n * PAGE : (n + 1) * PAGE]


def most_threads() -> int:
    """So many threads read images, write them, or fill RAM with them."""
    return min(os.cpu_count() or 1, 8)


def layout_of(regions: Sequence[Region]) -> Layout:
    """Base and size of each region."""
    return tuple((ram.base, ram.size) for ram in regions)


def check_layout(image: MemoryImage, layout: Layout) -> None:
    """ValueError if an image is of other regions."""

    def text(layout: Layout) -> str:
        return ", ".join(f"{base:#x} ({size:#x} bytes)" for base, size in layout)

    if image.layout != layout:
        raise ValueError(f"an image of RAM at {text(image.layout)}; this RAM is at {text(layout)}")
