"""Page tables: address spaces that map the program's MiB at its place and in windows elsewhere.

In every space the supervisor's handler, its desk and the lengths are mapped as it needs them;
everything else is mapped well mostly, and spoilt sometimes.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import layout
from .worlds import WORLDS

V, R, W, X, U, G, A, D = (1 << n for n in range(8))
PPN_SHIFT = 10
PPN_MASK = (1 << 54) - (1 << PPN_SHIFT)
NAPOT = 1 << 63
NAPOT_PAGES = 16
MODES = {8: 3, 9: 4, 10: 5}  # satp.MODE: levels (Sv39, Sv48, Sv57)
MISSING_MODES = (1, 5, 7, 11, 15)
HANDLER, DESK, LENGTHS = V | R | X | A | D, V | R | W | A | D, V | R | A | D


def pte(page: int, flags: int) -> int:
    """An entry for a page of the program's memory."""
    return (layout.address(page) >> 12) << PPN_SHIFT | flags


def spoilt(rng: random.Random, good: int) -> int:
    """An entry made wrong, or otherwise right."""
    if good & (R | W | X) == 0:
        return good ^ rng.choice([V, U, A, D, W, 1 << 54, 1 << 61, 2 << 61, 3 << 61, NAPOT])
    kind = rng.randrange(13)
    if kind < 4:
        return good ^ rng.choice([V, R, W, X, U, A, D, A | D, W | D])
    if kind == 4:
        return good & ~(R | X) | W  # reserved
    if kind == 5:
        return good | 1 << rng.randrange(54, 64)  # reserved, PBMT, N
    if kind == 6:
        return good & ~(R | W | X)  # a pointer
    if kind == 7:
        return good ^ 1 << PPN_SHIFT + rng.randrange(20, 44)  # no memory there
    if kind == 8 and layout.page_of((good & PPN_MASK) << 12 - PPN_SHIFT) in layout.DATA:
        return (good & (1 << PPN_SHIFT) - 1) | pte(rng.choice(layout.DATA), 0)  # another page
    if kind < 11:
        low = rng.choice([0, 1, 2, 4, NAPOT_PAGES // 2, NAPOT_PAGES // 2, 12])
        return good & ~(NAPOT_PAGES - 1 << PPN_SHIFT) | low << PPN_SHIFT | NAPOT
    if kind == 11:
        return good & ~(3 << 61) | rng.randrange(1, 4) << 61
    return rng.getrandbits(64) & ~(((1 << 44) - 1) << PPN_SHIFT) | 1 << PPN_SHIFT + 40


@dataclass
class Memory:
    """The pages for tables, and what is written into them."""

    data: bytearray
    free: list[int] = field(default_factory=lambda: list(layout.TABLES))

    def page(self) -> int:
        """A page for a table, by its number. ValueError when there is none left."""
        if not self.free:
            raise ValueError("no page left for a table")
        return self.free.pop(0)

    def read(self, pa: int) -> int:
        at = pa - layout.BASE
        return int.from_bytes(self.data[at : at + 8], "little")

    def write(self, pa: int, value: int) -> None:
        at = pa - layout.BASE
        self.data[at : at + 8] = value.to_bytes(8, "little")


@dataclass(frozen=True)
class Entry:
    """One that may be spoilt: where it is, its value when all is well, what it maps."""

    slot: int
    good: int
    va: int
    satp: int  # of its space
    level: int = 0

    @property
    def is_pointer(self) -> bool:
        """Fences of an address don't order its changes."""
        return self.good & (R | W | X) == 0

    @property
    def page(self) -> int:
        """The page that it maps, or the first of them."""
        return layout.page_of((self.good & PPN_MASK) << 12 - PPN_SHIFT)


class Space:
    """One address space."""

    def __init__(self, rng: random.Random, memory: Memory) -> None:
        self.rng = rng
        self.memory = memory
        self.mode = rng.choice(list(MODES))
        self.levels = MODES[self.mode]
        self.root = memory.page()
        asid = rng.choice([0, rng.getrandbits(16)])
        self.satp = self.mode << 60 | asid << 44 | layout.address(self.root) >> 12
        self.windows: list[int] = []
        self.entries: list[Entry] = []  # that may be spoilt
        self.user_data = rng.getrandbits(1)
        self._map_pages(layout.BASE, safe=True)
        for _ in range(rng.randrange(3)):
            self._window()

    @property
    def roots(self) -> list[int]:
        """Values for satp: the space, mostly; none; the space in a mode that no hart has."""
        missing = self.rng.choice(MISSING_MODES) << 60 | self.satp & (1 << 60) - 1
        return [self.satp] * 6 + [0, 0, 0, missing]

    def slot(self, va: int, level: int) -> int:
        """The address of the entry for an address at a level; tables are made on the way.

        ValueError where a superpage is in the way already.
        """
        table = self.root
        for at in range(self.levels - 1, level, -1):
            place = layout.address(table, (va >> (12 + 9 * at) & 0x1FF) * 8)
            entry = self.memory.read(place)
            if entry == 0:
                entry = pte(self.memory.page(), V)
                self.memory.write(place, entry)
            if entry & (R | X):
                raise ValueError(f"{va:#x} is mapped")
            table = layout.page_of(entry >> PPN_SHIFT << 12)
        return layout.address(table, (va >> (12 + 9 * level) & 0x1FF) * 8)

    def _map_pages(self, base: int, safe: bool) -> None:
        """Pages of 4 KiB: the handlers', code and data."""
        pages: Iterable[int] = [*layout.CODE, *layout.DATA]
        if safe:
            self._map(base, layout.SUPERVISOR_HANDLER, HANDLER)
            self._map(base, layout.SUPERVISOR_DESK, DESK)
            for page in layout.SHADOW:
                self._map(base, page, LENGTHS)
        if self.rng.randrange(4) == 0:
            self._map_contiguous(base)
            pages = layout.CODE
        twin = self._flags(layout.TWINS[0])
        for page in pages:
            good = pte(page, twin if page in layout.TWINS else self._flags(page))
            slot = self.slot(base + page * layout.PAGE, 0)
            rarely = self.rng.randrange(8) == 0 and page not in layout.TWINS
            self.memory.write(slot, spoilt(self.rng, good) if rarely else good)
            if page not in layout.TWINS:
                self.entries.append(Entry(slot, good, base + page * layout.PAGE, self.satp))

    def _map(self, base: int, page: int, flags: int) -> None:
        self.memory.write(self.slot(base + page * layout.PAGE, 0), pte(page, flags))

    def _map_contiguous(self, base: int) -> None:
        """All of data as one page of 64 KiB (Svnapot)."""
        flags, first = self._flags(layout.DATA[1]), layout.DATA[0]
        for page in layout.DATA:
            slot = self.slot(base + page * layout.PAGE, 0)
            self.memory.write(slot, NAPOT | pte(first + NAPOT_PAGES // 2, flags))

    def _flags(self, page: int) -> int:
        """Flags that suit the page mostly."""
        for world in WORLDS.values():
            if page in world.code and world.name != "M":
                writable = self.rng.choice([0, W | R])
                return V | X | A | D | writable | (U if world.user else 0)
        user = U if self.user_data else 0
        if self.rng.randrange(6) == 0:
            user ^= U
        flags = V | R | W | A | D | user
        if page in layout.CODE:
            return flags | X
        if self.rng.randrange(4) == 0:
            flags &= ~self.rng.choice([D, A | D, W | D, W, R | W])
        if flags & (R | W) == 0:
            flags |= X
        return flags | self.rng.choice([0, 0, 0, 1 << 61, 2 << 61, G])

    def _window(self) -> None:
        """The MiB once more, somewhere else: in pages, in a large page, in one that is askew."""
        bits = 12 + 9 * self.levels
        base = self.rng.getrandbits(bits - 34) << 33 | 1 << 34 | self.rng.getrandbits(10) << 21
        base |= -(1 << bits - 1) & (1 << 64) - 1 if base >> bits - 1 & 1 else 0
        level = self.rng.choice([0, 0, 1, 2])
        try:
            if level == 0:
                self._map_pages(base, safe=False)
                slot = self.slot(base, 1)
                self.entries += [Entry(slot, self.memory.read(slot), base, self.satp, 1)] * 4
            else:
                base &= ~((1 << 12 + 9 * level) - 1)
                good = pte(0, V | R | W | X | A | D | self.rng.choice([0, U]))
                slot = self.slot(base, level)
                askew = self.rng.randrange(4) == 0
                self.memory.write(slot, good | self.rng.randrange(4) << 10 if askew else good)
                self.entries += [Entry(slot, good, base, self.satp, level)] * 8
        except ValueError:
            return
        self.windows.append(base)


def spaces(rng: random.Random, data: bytearray) -> list[Space]:
    """Some address spaces."""
    memory = Memory(data)
    made = [Space(rng, memory)]
    for _ in range(rng.randrange(3)):
        with contextlib.suppress(ValueError):  # the pages for tables have run out
            made.append(Space(rng, memory))
    return made
