"""A program as it is loaded: bytes at physical addresses, an entry, symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Segment:
    """`data` at `address`, then zeros up to `size` bytes."""

    address: int
    data: bytes | memoryview
    size: int

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size


@dataclass(frozen=True)
class Program:
    """What a file holds. A `fixed` program says where it goes, others go where the machine wants.

    A program that is not fixed has addresses relative to 0; `room` is how much memory it needs from
    there, `offset` how far above the start of memory it asks to be at least.
    """

    path: Path
    kind: str
    segments: tuple[Segment, ...]
    entry: int
    fixed: bool = True
    room: int = 0
    offset: int = 0
    symbols: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def start(self) -> int:
        """The lowest address."""
        return min((segment.address for segment in self.segments), default=self.entry)

    @property
    def end(self) -> int:
        """The first address after all of it, what it needs beyond its bytes included."""
        ends = [segment.end for segment in self.segments]
        return max([*ends, self.start + self.room])

    def at(self, base: int) -> Program:
        """The program at an address, if it goes where the machine wants it."""
        if self.fixed:
            return self
        segments = tuple(Segment(one.address + base, one.data, one.size) for one in self.segments)
        symbols = {name: value + base for name, value in self.symbols.items()}
        return Program(
            self.path, self.kind, segments, self.entry + base, True, self.room, self.offset, symbols
        )


class Loader(Protocol):
    """What a plugin's `rvplat_loaders` gives: it reads files of a format of its own."""

    name: str

    def matches(self, first_bytes: bytes, path: Path) -> bool:
        """Whether a file is of this format; `first_bytes` are the first 4096, or all."""

    def load(self, path: Path, data: bytes) -> Program:
        """The program in a file; LoaderError if it is not well formed."""
