"""Page tables: address spaces that map the program's MiB to itself and to windows elsewhere. A
space is the host's or a guest's first stage (satp, vsatp), or a guest's second stage (hgatp).

Every space maps the handlers, their desks, the copy of the code, and the tables of the first stage
that lead to them correctly. Everything else is mostly mapped correctly, and sometimes spoilt.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from . import layout
from .worlds import WORLDS

V, R, W, X, U, G, A, D = (1 << n for n in range(8))
PPN_SHIFT = 10
PPN_MASK = (1 << 54) - (1 << PPN_SHIFT)
NAPOT = 1 << 63
NAPOT_PAGES = 16
MODES = {8: 3, 9: 4, 10: 5}  # satp.MODE: levels (Sv39, Sv48, Sv57); hgatp.MODE: Sv39x4 ...
MISSING_MODES = (1, 5, 7, 11, 15)
HANDLER, DESK, LENGTHS = V | R | X | A | D, V | R | W | A | D, V | R | A | D
HANDLERS = (layout.SUPERVISOR_HANDLER, layout.GUEST_HANDLER)
DESKS = (layout.SUPERVISOR_DESK, layout.GUEST_DESK)
VMID_SHIFT, VMID_BITS = 44, 14
WIDER = 2  # additional index bits of a root of the second stage
ROOT_PAGES = 1 << WIDER

ONLY, FIRST, SECOND = "only", "first", "second"  # the stage of the host, and those of guests


def pte(page: int, flags: int, base: int = layout.BASE) -> int:
    """An entry for a page of the program's memory, or of a window of guest physical memory."""
    return (base + page * layout.PAGE >> 12) << PPN_SHIFT | flags


def spoilt(rng: random.Random, good: int) -> int:
    """Another value for an entry, which may be invalid."""
    if good & (R | W | X) == 0:
        return good ^ rng.choice([V, U, A, D, W, 1 << 54, 1 << 61, 2 << 61, 3 << 61, NAPOT])
    kind = rng.randrange(13)
    if kind < 4:
        return good ^ rng.choice([V, R, W, X, U, U, G, A, D, A | D, W | D])
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
    """The pages for tables, and their contents."""

    data: bytearray
    free: list[int] = field(default_factory=lambda: list(layout.TABLES))

    def page(self) -> int:
        """The number of a free page for a table. ValueError if none is left."""
        if not self.free:
            raise ValueError("no page left for a table")
        return self.free.pop(0)

    def root(self) -> int:
        """The first of four aligned pages for a root of the second stage. ValueError if none."""
        while len(self.free) > ROOT_PAGES and self.free[0] % ROOT_PAGES:
            self.free.append(self.free.pop(0))
        first, *_ = (self.page() for _ in range(ROOT_PAGES))
        return first

    def read(self, pa: int) -> int:
        at = pa - layout.BASE
        return int.from_bytes(self.data[at : at + 8], "little")

    def write(self, pa: int, value: int) -> None:
        at = pa - layout.BASE
        self.data[at : at + 8] = value.to_bytes(8, "little")


@dataclass(frozen=True)
class Entry:
    """An entry that may be spoilt: its address, its correct value, and what it maps."""

    slot: int
    good: int
    va: int  # in the second stage, a guest physical address
    space: Space
    level: int = 0

    @property
    def is_pointer(self) -> bool:
        """Whether it points to a table, so that fences of an address don't order its changes."""
        return self.good & (R | W | X) == 0

    @property
    def page(self) -> int:
        """The page that it maps, or the first of them."""
        return layout.page_of((self.good & PPN_MASK) << 12 - PPN_SHIFT)

    @property
    def maps_tables(self) -> bool:
        """Whether it maps page tables of guests."""
        return self.space.stage == SECOND and (self.level > 0 or self.page in layout.TABLES)

    def spoilt(self, rng: random.Random) -> int:
        """Another value. For an entry that maps tables of guests, it is often one that prevents the
        hart from setting A and D in them."""
        if self.maps_tables and not self.level and rng.getrandbits(1):
            return self.good & ~rng.choice([W, D, W | D, A | D])
        return spoilt(rng, self.good)


class Space:
    """One address space."""

    def __init__(
        self, rng: random.Random, memory: Memory, stage: str, identity: int, below: list[int]
    ) -> None:
        """`identity` is the ASID or VMID, `below` the addresses of the MiB in the stage below."""
        self.rng = rng
        self.memory = memory
        self.stage = stage
        self.below = below
        self.mode = rng.choice(list(MODES))
        self.levels = MODES[self.mode]
        self.wider = WIDER if stage == SECOND else 0
        self.root = memory.root() if stage == SECOND else memory.page()
        self.value = self.mode << 60 | identity << 44 | layout.address(self.root) >> 12
        self.windows: dict[int, int] = {}  # addresses of the MiB here, and in the stage below
        self.entries: list[Entry] = []  # entries that may be spoilt
        self.loose: list[int] = []  # pages of tables that only windows need
        self.user_data = rng.randrange(3) != 0
        self._map_whole()
        before = len(memory.free)
        pages = list(memory.free)
        for n in range(rng.randrange(3) if stage == ONLY else rng.randrange(1, 3)):
            self._window(0 if stage == FIRST and n == 0 else rng.choice([0, 0, 1, 2]))
        self.loose = pages[: before - len(memory.free)]

    @property
    def identity(self) -> int:
        """The ASID or VMID."""
        return self.value >> 44 & 0xFFFF

    def missing(self) -> int:
        """The value for satp or hgatp with a MODE that no hart has."""
        return self.rng.choice(MISSING_MODES) << 60 | self.value & (1 << 60) - 1

    def slot(self, va: int, level: int) -> int:
        """The address of the entry for an address at a level. Missing tables are made.

        ValueError if a superpage maps the address already.
        """
        table, bits = self.root, 9 + self.wider
        for at in range(self.levels - 1, level, -1):
            place = layout.address(table, (va >> (12 + 9 * at) & (1 << bits) - 1) * 8)
            entry = self.memory.read(place)
            if entry == 0:
                entry = pte(self.memory.page(), V)
                self.memory.write(place, entry)
            if entry & (R | X):
                raise ValueError(f"{va:#x} is mapped")
            table, bits = layout.page_of(entry >> PPN_SHIFT << 12), 9
        return layout.address(table, (va >> (12 + 9 * level) & (1 << bits) - 1) * 8)

    # --- the MiB at its place ---

    def _map_whole(self) -> None:
        if self.stage == SECOND and self.rng.randrange(6) == 0:
            flags = V | R | W | X | U | A | D
            self.memory.write(self.slot(layout.BASE, 1), pte(0, flags))
            return
        self._map_pages(layout.BASE, layout.BASE, safe=True)
        for page in layout.TABLES if self.stage != ONLY else ():
            self._map(layout.BASE, page, V | R | W | A | D)

    def _map_pages(self, base: int, target: int, safe: bool) -> None:
        """Map the handlers, code and data by pages of 4 KiB."""
        pages: Iterable[int] = [*layout.CODE, *layout.DATA]
        if safe:
            for flags, needed in ((HANDLER, HANDLERS), (DESK, DESKS), (LENGTHS, layout.SHADOW)):
                for page in needed:
                    self._map(base, page, flags)
        if self.rng.randrange(4) == 0:
            self._map_contiguous(base, target)
            pages = layout.CODE
        twin = self._flags(layout.TWINS[0])
        for page in pages:
            good = pte(page, twin if page in layout.TWINS else self._flags(page), target)
            slot = self.slot(base + page * layout.PAGE, 0)
            rarely = self.rng.randrange(14) == 0 and page not in layout.TWINS
            self.memory.write(slot, spoilt(self.rng, good) if rarely else good)
            if page not in layout.TWINS:
                self.entries.append(Entry(slot, good, base + page * layout.PAGE, self))

    def _map(self, base: int, page: int, flags: int) -> None:
        flags |= U if self.stage == SECOND else 0
        self.memory.write(self.slot(base + page * layout.PAGE, 0), pte(page, flags))

    def _map_contiguous(self, base: int, target: int) -> None:
        """Map all of data by one page of 64 KiB (Svnapot)."""
        flags, first = self._flags(layout.DATA[1]), layout.DATA[0]
        for page in layout.DATA:
            slot = self.slot(base + page * layout.PAGE, 0)
            self.memory.write(slot, NAPOT | pte(first + NAPOT_PAGES // 2, flags, target))

    def expose(self, page: int) -> None:
        """Allow the second stage's entry for a page of a guest's tables to be spoilt, and sometimes
        spoil it now."""
        gpa = layout.address(page)
        try:
            slot = self.slot(gpa, 0)
        except ValueError:  # a superpage maps it
            return
        entry = Entry(slot, self.memory.read(slot), gpa, self)
        self.entries.append(entry)
        if self.rng.randrange(5) == 0:
            self.memory.write(slot, entry.spoilt(self.rng))

    def _flags(self, page: int) -> int:
        """Flags that are mostly right for the page."""
        if self.stage == SECOND:
            user = U if self.rng.randrange(16) else 0
            executable = X if page in layout.CODE else 0
        else:
            for world in WORLDS.values():
                if page in world.code and world.name != "M":
                    writable = self.rng.choice([0, W | R])
                    return V | X | A | D | writable | (U if world.user else 0)
            user = U if self.user_data else 0
            if self.rng.randrange(6) == 0:
                user ^= U
            executable = 0
        flags = V | R | W | A | D | user | executable
        if page in layout.CODE:
            return flags | X
        if self.rng.randrange(4) == 0:
            flags &= ~self.rng.choice([D, D, A | D, A | D, W | D, W, R | W])
        if flags & (R | W) == 0:
            flags |= X
        return flags | self.rng.choice([0] * 9 + [1 << 61, 2 << 61, G])

    # --- windows ---

    def _base(self) -> int:
        """An address for a window, aligned to 2 MiB."""
        bits = min(12 + 9 * self.levels + self.wider, 56)
        base = self.rng.getrandbits(bits - 34) << 33 | 1 << 34 | self.rng.getrandbits(10) << 21
        if self.stage == SECOND or not base >> bits - 1 & 1:
            return base & (1 << bits) - 1
        return base | -(1 << bits - 1) & (1 << 64) - 1

    def _window(self, level: int) -> None:
        """Map the MiB again: by pages, by a superpage, or by a misaligned superpage."""
        base, target = self._base(), self.rng.choice(self.below)
        try:
            if level == 0:
                self._map_pages(base, target, safe=False)
                slot = self.slot(base, 1)
                self.entries += [Entry(slot, self.memory.read(slot), base, self, 1)] * 4
            else:
                base &= ~((1 << 12 + 9 * level) - 1)
                good = pte(0, V | R | W | X | A | D | self.rng.choice([0, U]), target)
                if self.stage == SECOND:
                    good |= U
                slot = self.slot(base, level)
                askew = self.rng.randrange(4) == 0
                self.memory.write(slot, good | self.rng.randrange(4) << 10 if askew else good)
                self.entries += [Entry(slot, good, base, self, level)] * 8
        except ValueError:
            return
        self.windows[base] = target


class Spaces:
    """The spaces of one program: the host's, and with H those of guests in both stages."""

    def __init__(self, rng: random.Random, data: bytearray, hypervisor: bool) -> None:
        self.rng = rng
        self.memory = Memory(data)
        self.only: list[Space] = [self._space(ONLY, self._asid(), [layout.BASE])]
        self.second: list[Space] = []
        self.first: list[Space] = []
        shared = rng.getrandbits(VMID_BITS) if rng.getrandbits(1) else None
        self.bare = 0 if shared is None else shared << VMID_SHIFT  # hgatp without a second stage
        if hypervisor:
            for _ in range(rng.randrange(1, 4)):
                vmid = rng.getrandbits(VMID_BITS) if shared is None else shared
                self._add(self.second, SECOND, vmid, [layout.BASE])
            guest = [base for space in self.second for base in space.windows]
            for _ in range(rng.randrange(1, 4)):
                self._add(self.first, FIRST, self._asid(), [layout.BASE, layout.BASE, *guest])
        for _ in range(rng.randrange(2 if hypervisor else 3)):
            self._add(self.only, ONLY, self._asid(), [layout.BASE])
        for space in self.second:
            for page in (page for first in self.first for page in first.loose):
                space.expose(page)

    def _asid(self) -> int:
        return self.rng.choice([0, self.rng.getrandbits(16)])

    def _space(self, stage: str, identity: int, below: list[int]) -> Space:
        return Space(self.rng, self.memory, stage, identity, below)

    def _add(self, spaces: list[Space], stage: str, identity: int, below: list[int]) -> None:
        with contextlib.suppress(ValueError):  # the pages for tables have run out
            spaces.append(self._space(stage, identity, below))

    def entry(self) -> Entry:
        """An entry that may be spoilt. All stages are equally likely, and so are entries for pages,
        for superpages or tables, and for tables of guests."""
        return self.rng.choice(self.rng.choice(self.groups))

    @cached_property
    def groups(self) -> list[list[Entry]]:
        """The groups that `entry` chooses from."""
        stages = [[e for s in of for e in s.entries] for of in (self.only, self.first, self.second)]
        groups = [[e for e in every if (e.level > 0) == larger]
                  for every in stages for larger in (False, True)]  # fmt: skip
        groups.append([e for e in stages[-1] if e.level == 0 and e.maps_tables])
        return [group for group in groups if group]

    def satp(self) -> int:
        """A value for satp: mostly a space, or Bare, or a space with a MODE that no hart has."""
        space = self.rng.choice(self.only)
        return self.rng.choice([space.value] * 6 + [0, 0, 0, space.missing()])

    def vsatp(self) -> int:
        """A value for vsatp: a space or Bare. The root's address is sometimes in another window of
        the second stage."""
        space = self.rng.choice(self.first or self.only)
        windows = [base for second in self.second for base in second.windows]
        if windows and self.rng.randrange(12) == 0:
            return space.value + (self.rng.choice(windows) - layout.BASE >> 12)
        return self.rng.choice([space.value] * 4 + [0])

    def hgatp(self) -> int:
        """A value for hgatp."""
        if not self.second:
            return 0
        space = self.rng.choice(self.second)
        return self.rng.choice([space.value] * 10 + [self.bare, space.missing()])

    def hgatps(self) -> list[int]:
        """One value of hgatp for each VMID that the program uses."""
        values = [self.bare, *(space.value for space in self.second)]
        by_vmid = {value >> VMID_SHIFT & (1 << VMID_BITS) - 1: value for value in values}
        return list(by_vmid.values())

    def pair(self) -> tuple[Entry, Entry] | None:
        """An entry of a guest's first stage, and the second stage's entry for the table with it."""
        found = [
            (entry, behind)
            for space in self.second
            for behind in space.entries
            if behind.level == 0 and behind.maps_tables
            for first in self.first
            for entry in first.entries
            if entry.level == 0 and layout.page_of(entry.slot) == behind.page
        ]
        return self.rng.choice(found) if found else None

    def own_entry(self) -> Entry | None:
        """An entry of a guest's first stage that the guest itself may spoil: one for a page of
        data. None if guests have several VMIDs, because its own fence isn't enough then."""
        every = (e for space in self.first for e in space.entries)
        entries = [e for e in every if e.level == 0 and e.page in layout.DATA]
        return self.rng.choice(entries) if entries and len(self.hgatps()) == 1 else None

    def windows(self, virtual: bool) -> list[int]:
        """The addresses at which programs can access the MiB."""
        spaces = (*self.first, *self.second) if virtual and self.second else self.only
        return [layout.BASE, *(base for space in spaces for base in space.windows)]
