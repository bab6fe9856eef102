"""Pages of the guest with hot code, and what is known of them (region_manager.py)."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rvplat.frozen import frozen
from rvplat.hart.acceleration.region_rows import HOT, SPLIT, WITHHELD
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.running.native_records import NativeHart, NativeMachine

if TYPE_CHECKING:
    from rvplat.engine.regions.messages import Answer

REPORTS = 24  # of hot code in a page before it is compiled: by then most heads are known
EARLY = 6  # reports of a page that is compiled because the compiler has nothing else to do
HALF_S = 0.4  # the time after which a report counts half for a page's heat
MANY_DROPS = 6  # statistics call a page whose region was dropped so often "rewritten"
FAILURES = 2  # a page that could not be compiled so often is not tried again
DROPPED = 4  # so many times longer a page waits after each time that a store has dropped its region
LONG_S = 30.0  # a region that lived so long was worth its cost
Fate = Literal["compiled", "waiting", "left", "rewritten", "failed"]


@dataclass
class Placed:
    """A region in memory: its row, the bytes of the page, its code. `left` are the harts' counts of
    budgets when it was dropped: its memory is freed after each hart has left it."""

    pa: int
    answer: Answer
    row: Any
    data: Any
    code: Any
    since: float = field(default_factory=time.monotonic)
    left: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Bytes of code, about."""
        return len(self.answer.code or b"")


@dataclass
class Page:
    """A page with hot code. `reports` count since its last compile; it is compiled when there are
    `needed`, and a kept region is put in place when there are `patience`."""

    heads: dict[int, int] = field(default_factory=dict)  # offsets, and how often each was reported
    reports: int = 0
    heat: float = 0.0  # its reports at the time `heated`; each counts half after HALF_S
    heated: float = 0.0
    needed: int = REPORTS
    patience: int = 1
    drops: int = 0
    split: set[int] = field(default_factory=set)  # accesses (engine/regions/spans.py)
    placed: Placed | None = None
    left: frozenset[int] = frozenset()  # offsets that tier 0 must execute
    tried: bool = False  # it was compiled
    failures: int = 0

    @property
    def failed(self) -> bool:
        """Whether it is not compiled again."""
        return self.failures >= FAILURES

    @property
    def is_warm(self) -> bool:
        """Whether it may be compiled when no page is hotter. One that was compiled, or whose region
        was dropped, waits until it is hot."""
        return self.reports >= EARLY and not (self.tried or self.failures or self.drops)

    @property
    def is_withheld(self) -> bool:
        """Whether its region isn't entered because the page may have a breakpoint."""
        return self.placed is not None and int(self.placed.row.placed) == WITHHELD

    @property
    def is_dropped(self) -> bool:
        """Whether a store has dropped its region."""
        return self.placed is not None and int(self.placed.row.placed) == 0

    @property
    def size(self) -> int:
        """How many instructions its region has."""
        return 0 if self.placed is None else len(self.placed.answer.inside)

    @property
    def every_head(self) -> tuple[int, ...]:
        """The heads of its region, which may be of an earlier run, and those that were found since:
        a new region has all that the old one had, and then what is the hottest."""
        placed = () if self.placed is None or self.is_dropped else self.placed.answer.heads
        hottest = sorted(self.heads, key=self.heads.__getitem__, reverse=True)
        return tuple(dict.fromkeys((*placed, *hottest)))

    def enters(self, offset: int) -> bool:
        """Whether its region is entered at an offset."""
        return self.placed is not None and offset in self.placed.answer.heads

    def keeps_out(self, offset: int) -> bool:
        """Whether tier 0 must execute the instruction at an offset, however large its region is."""
        beyond = () if self.placed is None else self.placed.answer.beyond
        return offset in self.left and offset not in beyond

    def has(self, offset: int) -> bool:
        """Whether its region has the instruction at an offset."""
        return self.placed is not None and offset in self.placed.answer.inside

    def add_reports(self, offset: int, count: int, now: float) -> None:
        """Its code was found to be hot. `now`: of `time.monotonic`."""
        if offset & SPLIT:
            self.split.add(offset & ~SPLIT)
        else:
            self.heads[offset] = self.heads.get(offset, 0) + count
        self.reports += count
        self.heat, self.heated = self.heat_at(now) + count, now

    def heat_at(self, now: float) -> float:
        """How hot it is lately: a guest that boots leaves most hot code behind."""
        return float(self.heat * 0.5 ** ((now - self.heated) / HALF_S))

    def note_drop(self) -> None:
        """A store has dropped the region. Code that rewrites itself is not compiled each time."""
        assert self.placed is not None
        if time.monotonic() - self.placed.since > LONG_S:
            self.needed, self.patience, self.drops = REPORTS, 1, 0
        self.needed *= DROPPED
        self.patience *= DROPPED
        self.drops += 1
        self.reports, self.left = 0, frozenset()

    def result(self, start: int, bytes_at: Callable[[int], bytes]) -> HotPage:
        """What became of it. `bytes_at`: of `GuestCode`."""
        placed = self.placed
        if placed is not None and not self.is_dropped:
            answer, data = placed.answer, placed.data.raw
            return HotPage(start, "compiled", data, answer.inside, self.left, answer.beyond)
        fate: Fate = "waiting"
        if self.drops >= MANY_DROPS:
            fate = "rewritten"
        elif self.failures:
            fate = "failed"
        elif self.tried:
            fate = "left"
        return HotPage(start, fate, bytes_at(start), (), self.left)


@dataclass
class Counts:
    """What regions cost and brought: how many were compiled, with how many instructions, in how
    many seconds of processor time; taken from the kept ones; dropped because of stores; failed."""

    compiled: int = 0
    instructions: int = 0
    seconds: float = 0.0
    kept: int = 0
    dropped: int = 0
    failed: int = 0


@frozen
class HotPage:
    """What became of a page with hot code: it has a region with the instructions `inside`; it waits
    for more samples or for the compiler; tier 0 is left to execute it; it was rewritten too often;
    or its compile failed. `left` are the offsets of instructions that are reached and not in the
    region, `beyond` those of them for which it had no room, `data` the page's bytes."""

    pa: int
    fate: Fate
    data: bytes
    inside: Sequence[int]
    left: frozenset[int]
    beyond: Sequence[int] = ()


class Reports:
    """What harts report in their rings (engine/hot_code.py)."""

    def __init__(self, harts: Sequence[NativeHart]) -> None:
        self._harts = harts
        self._seen = [0] * len(harts)

    def new(self) -> list[int]:
        """The reports since the last call."""
        return [report for n, hart in enumerate(self._harts) for report in self._new_of(n, hart)]

    def _new_of(self, n: int, hart: NativeHart) -> list[int]:
        count = int(hart.plain.hot_count)
        first, self._seen[n] = max(self._seen[n], count - HOT), count
        return [int(hart.plain.hot[i % HOT]) for i in range(first, count)]


class GuestCode:
    """Code in the memory of a machine."""

    def __init__(self, native: NativeMachine, harts: Sequence[NativeHart]) -> None:
        self._native, self._harts = native, harts

    def _region(self, pa: int) -> Any:
        plain = self._native.plain
        for n in range(int(plain.ram_count)):
            region = plain.ram[n]
            if region.base <= pa < region.base + region.size:
                return region
        raise KeyError(pa)

    def bytes_at(self, start: int) -> bytes:
        """The bytes of a page now."""
        region = self._region(start)
        return ctypes.string_at(region.host + start - region.base, PAGE_BYTES)

    def ran(self, start: int) -> bytes:
        """For each halfword of a page, whether some hart has decoded an instruction there."""
        region = self._region(start)
        number = region.first_page + (start - region.base) // PAGE_BYTES
        decode = int(self._native.plain.decode_handler)
        found = bytearray(PAGE_BYTES // 2)
        for hart in self._harts:
            slots = ctypes.c_uint64.from_address(hart.plain.slot_pages + 8 * number).value
            if slots:
                handlers = (ctypes.c_uint64 * PAGE_BYTES).from_address(slots)[::2]
                for i, handler in enumerate(handlers):
                    if handler != decode:
                        found[i] = 1
        return bytes(found)
