"""What ran: addresses of instructions that each world has begun, with the programs there.

Its file is JSON, and files are merged (`Coverage.merge`):

    {"rvplat coverage": 1, "ran": [
        {"world": "host", "programs": [{"path": ..., "moved": 0, "digest": ...}],
         "pages": {"0x80000000": "f0a5"}}]}

A page's number has bit n for the halfword n, in hexadecimal. The same addresses in runs of other
programs are kept apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rvplat.errors import CoverageError
from rvplat.frozen import frozen

FORMAT = "rvplat coverage"
VERSION = 1
PAGE_BYTES = 4096
HOST = "host"


def world_name(vmid: int | None) -> str:
    """The name of the host (None) or of a guest."""
    return HOST if vmid is None else f"vmid_{vmid}"


@frozen
class Program:
    """An ELF file of a world. `moved` is what is added to its addresses; `digest` is of its bytes,
    so that another file of this name is not taken for it."""

    path: str
    moved: int
    digest: str

    @classmethod
    def at(cls, path: Path, moved: int = 0) -> Program:
        """The file as it is now; without a digest if it can't be read."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        except OSError:
            digest = ""
        return cls(str(path.absolute()), moved, digest)

    @property
    def is_same(self) -> bool:
        """Whether the file is the one that ran."""
        return Program.at(Path(self.path), self.moved) == self


Key = tuple[str, tuple[Program, ...]]
"""A world and its programs."""


class Coverage:
    """By world and programs: a number for each page, with bit n for an instruction at halfword
    n."""

    def __init__(self) -> None:
        self.ran: dict[Key, dict[int, int]] = {}

    def add(self, key: Key, pages: Mapping[int, int]) -> None:
        """Add what ran."""
        found = self.ran.setdefault(key, {})
        for page, bits in pages.items():
            found[page] = found.get(page, 0) | bits

    def merge(self, other: Coverage) -> None:
        """Add what ran elsewhere."""
        for key, pages in other.ran.items():
            self.add(key, pages)

    def worlds(self) -> list[str]:
        """The worlds, the host first."""
        names = {world for world, _ in self.ran}
        return sorted(names, key=lambda name: (name != HOST, len(name), name))

    def addresses(self, world: str) -> set[int]:
        """The addresses of the instructions that a world has begun, of all programs."""
        every = (pages for (name, _), pages in self.ran.items() if name == world)
        return {address for pages in every for address in addresses_in(pages)}

    def to_json(self) -> str:
        """The text of a file."""
        rows = [
            {
                "world": world,
                "programs": [
                    {"path": one.path, "moved": one.moved, "digest": one.digest} for one in programs
                ],
                "pages": {hex(page): f"{bits:x}" for page, bits in sorted(pages.items())},
            }
            for (world, programs), pages in sorted(self.ran.items(), key=lambda row: _order(row[0]))
        ]
        return json.dumps({FORMAT: VERSION, "ran": rows}) + "\n"

    @classmethod
    def read(cls, path: Path) -> Coverage:
        """The coverage in a file.

        Raises:
            CoverageError: the file can't be read, or is none of coverage.
        """
        try:
            held = json.loads(path.read_bytes())
        except OSError as error:
            raise CoverageError(f"{path}: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise CoverageError(
                f"{path}: not a file of --coverage FILE.json, or cut off ({error})"
            ) from None
        return cls.of(held, str(path))

    @classmethod
    def of(cls, held: Any, origin: str) -> Coverage:
        """The coverage in the values of a file; CoverageError names the `origin`."""
        version = held.get(FORMAT) if isinstance(held, dict) else None
        if version != VERSION:
            what = f"version {version}" if version is not None else "other JSON"
            raise CoverageError(
                f"{origin}: expected a file of --coverage FILE.json, this is {what}"
            )
        found = cls()
        try:
            for row in held["ran"]:
                programs = tuple(_program(**one) for one in row["programs"])
                pages = dict(_page(*one) for one in row["pages"].items())
                found.add((_world(row["world"]), programs), pages)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            kind = type(error).__name__
            raise CoverageError(
                f"{origin}: the coverage in it is damaged ({kind}: {error})"
            ) from None
        return found


def _world(name: str) -> str:
    """A world's name in a file: HTML has a folder of this name."""
    if not re.fullmatch(rf"{HOST}|vmid_\d+", name):
        raise ValueError(f"there is no world {name!r}")
    return name


def _program(path: str, moved: int, digest: str) -> Program:
    """A program in a file."""
    if not isinstance(moved, int) or "\0" in path + digest:
        raise ValueError(f"no program: {path!r}, moved by {moved!r}")
    return Program(path, moved, digest)


def _page(page: str, bits: str) -> tuple[int, int]:
    """A page in a file, and the bits of its halfwords."""
    base, ran = int(page, 16), int(bits, 16)
    if base % PAGE_BYTES or base >> 64 or ran >> PAGE_BYTES // 2:  # a negative one, too
        raise ValueError(f"no page: {page}")
    return base, ran


def _order(key: Key) -> tuple[str, list[tuple[str, int]]]:
    world, programs = key
    return world, [(one.path, one.moved) for one in programs]


def addresses_in(pages: Mapping[int, int]) -> Iterator[int]:
    """The addresses of the bits, in order."""
    for page in sorted(pages):
        bits = pages[page]
        while bits:
            low = bits & -bits
            yield page + 2 * (low.bit_length() - 1)
            bits ^= low
