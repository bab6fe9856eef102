"""A program as it is loaded: bytes at physical addresses, an entry, symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Protocol

from rvplat.frozen import frozen


@frozen
class Segment:
    """`data` at `address`, then zeros up to `size` bytes."""

    address: int
    data: bytes | memoryview
    size: int

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size


@frozen
class Program:
    """The contents of a program file. A `fixed` program has addresses of its own; the loader
    chooses those of any other.

    A program that is not fixed has addresses relative to 0; `room` is the memory that it needs from
    there, and `offset` its least distance from the start of memory. `bits` is the XLEN that it was
    built for, or 0 if the file doesn't tell.
    """

    path: Path
    kind: str
    segments: tuple[Segment, ...]
    entry: int
    fixed: bool = True
    room: int = 0
    offset: int = 0
    symbols: Mapping[str, int] = field(default_factory=dict, repr=False)
    bits: int = 0

    @property
    def start(self) -> int:
        """The lowest address of the program."""
        return min((segment.address for segment in self.segments), default=self.entry)

    @property
    def end(self) -> int:
        """The first address after the program, including memory that it needs after its bytes."""
        ends = [segment.end for segment in self.segments]
        return max([*ends, self.start + self.room])

    def at(self, base: int) -> Program:
        """The program moved to an address, unless it is fixed."""
        if self.fixed:
            return self
        segments = tuple(Segment(one.address + base, one.data, one.size) for one in self.segments)
        symbols = {name: value + base for name, value in self.symbols.items()}
        return replace(
            self, segments=segments, entry=self.entry + base, fixed=True, symbols=symbols
        )


class Loader(Protocol):
    """A loader that a plugin's `rvplat_loaders` returns: it reads files of another format."""

    name: str

    def matches(self, first_bytes: bytes, path: Path) -> bool:
        """Whether a file has this format; `first_bytes` are its first 4096 bytes, or all."""

    def load(self, path: Path, data: bytes) -> Program:
        """Read the program in a file; LoaderError if it is malformed."""
