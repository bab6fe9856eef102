"""The ranges that page tables map: an address space of the host, or of a guest through both stages
(Privileged, "Sv39: Page-Based 39-bit Virtual-Memory System" and the next sections; hypervisor
extension, "Two-Stage Address Translation").

    hart = machine.harts[0].plain
    for one in mappings(machine, hart, int(hart.satp)):
        print(f"{one.va:#x} {one.size:#x} {one.pa:#x} {one.flags}")

The hart's own definition says what an entry is, as in a walk (`list_table`, hart/page_tables.py).
"""

from __future__ import annotations

import bisect
import ctypes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rvplat.errors import BusError
from rvplat.frozen import frozen
from rvplat.hart.acceleration.tlb import REGIME_VIRT
from rvplat.hart.mmu import WIDER
from rvplat.hart.page_tables import INVALID, LEAF, SATP_PPN, TABLE_ENTRIES
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.isa.sv import narrowed_root
from rvplat.lang import u64
from rvplat.machine.running.system import System

MOST = 1 << 17  # leaves; tables that point to themselves would have far more
SPACE = 1 << 64
_LETTERS = "rwxugad"
_TYPES = ("", " NC", " IO")
Read = Callable[[int], bytes | None]
_Entry = tuple[int, int, int, int]  # index, kind, address of the page or table, PTE


@frozen
class Mapping:
    """`size` bytes at the virtual address `va`, mapped to the physical address `pa`. None: the
    second stage does not map them.

    `flags`: rwxugad, with - for clear bits, and the memory type unless it is PMA. For a guest,
    `gpa` is the guest physical address and `host_flags` are the flags of the second stage.
    """

    va: int
    size: int
    pa: int | None
    flags: str
    gpa: int | None = None
    host_flags: str = ""

    @property
    def end(self) -> int:
        """The first address after the range."""
        return self.va + self.size

    def goes_on_with(self, other: Mapping) -> bool:
        """Whether the other range continues this one with the same flags."""

        def on(a: int | None, b: int | None) -> bool:
            return b is None if a is None else a + self.size == b

        same = (self.flags, self.host_flags) == (other.flags, other.host_flags)
        return same and self.end == other.va and on(self.pa, other.pa) and on(self.gpa, other.gpa)

    def cut(self, start: int, end: int) -> Mapping:
        """The part of the range between two addresses."""
        past = start - self.va
        pa = None if self.pa is None else self.pa + past
        return replace(self, va=start, size=end - start, pa=pa)


def mappings(machine: System, hart: Any, root: int, hgatp: int | None = None) -> list[Mapping]:
    """The ranges of an address space in order: of satp, or of vsatp together with hgatp. The hart
    (its record) says which extensions there are. Without translation, all addresses are one range
    without flags."""
    read = _reader(machine)
    if hgatp is None:
        return list(merged(_stage(_Walk(machine, hart, read, 0), root)))
    second = list(merged(_stage(_Walk(machine, hart, read, 0), hgatp, WIDER)))
    guests = _Walk(machine, hart, _through(read, second), int(REGIME_VIRT))
    return list(merged(_both(_stage(guests, root), second)))


def root_csr(root: int, xlen: int) -> int:
    """The value of satp, vsatp or hgatp for a root as a hart's record holds it (isa/sv.py)."""
    return root if xlen == 64 else int(narrowed_root(u64(root)))


def _reader(machine: System) -> Read:
    """A function that reads a page of memory; None where there is no memory."""

    def read(pa: int) -> bytes | None:
        try:
            return machine.memory.read(pa, PAGE_BYTES)
        except BusError:
            return None

    return read


def _through(read: Read, second: list[Mapping]) -> Read:
    """A function that reads a page at a guest physical address."""

    def read_guest(gpa: int) -> bytes | None:
        found = next(_over(second, gpa, gpa + PAGE_BYTES), None)
        return None if found is None or found.pa is None else read(found.pa)

    return read_guest


def _stage(walk: _Walk, root: int, wide: int = 0) -> Iterator[Mapping]:
    """The ranges of one stage: the leaves below satp, vsatp or hgatp. `wide`: bits of the root's
    index beyond those of other tables."""
    if root >> 60 == 0:
        yield Mapping(0, SPACE, 0, "")
        return
    shape = walk.shape(root)
    levels, index = int(shape.levels), int(shape.index_bits)
    table, bits = (root & SATP_PPN) << 12, 12 + index * levels
    left = MOST
    for part in range(1 << wide):
        above = part << bits
        for one in walk.leaves(table + part * PAGE_BYTES, levels - 1, above, index):
            high = not wide and bits > 32 and one.va >> bits - 1 & 1
            yield replace(one, va=one.va | SPACE - (1 << bits)) if high else one
            left -= 1
            if left == 0:
                return


class _Walk:
    """The leaves below one root. Each table is read once, and a table without leaves entered once:
    otherwise the walk of tables that point to themselves would not end. `read` reads a table."""

    def __init__(self, machine: System, hart: Any, read: Read, regime: int) -> None:
        self._read = read
        self._list_table = machine.export("list_table")
        self._hart, self._regime = hart, regime
        self._shape = machine.export("table_shape")
        xlen = machine.core.architecture.xlen
        self._entry = ctypes.c_uint64 if xlen == 64 else ctypes.c_uint32
        self._entries_count = TABLE_ENTRIES[xlen]
        self._found = (ctypes.c_uint64 * (2 * self._entries_count))()
        self._known: dict[tuple[int, int], list[_Entry]] = {}

    def shape(self, root: int) -> Any:
        """The levels of the tables below a root, and the bits of an index (`TableShape`)."""
        return self._shape(self._hart, root)

    def leaves(self, table: int, level: int, above: int, bits: int) -> Iterator[Mapping]:
        """The leaves of a table and of those that it points to. `bits`: those of an index."""
        shift, is_empty = 12 + bits * level, True
        for index, kind, address, pte in self._entries(table, level):
            va = above | index << shift
            if kind == LEAF:  # one of 16 equal leaves may map 64 KiB
                is_empty = False
                yield Mapping(va, 1 << shift, address, flags_of(pte))
                continue
            for one in self.leaves(address, level - 1, va, bits):
                is_empty = False
                yield one
        if is_empty:
            self._known[table, level] = []

    def _entries(self, table: int, level: int) -> list[_Entry]:
        """The entries of a table that are not invalid."""
        if (table, level) not in self._known:
            page = self._read(table)
            self._known[table, level] = list(self._listed(page, level)) if page else []
        return self._known[table, level]

    def _listed(self, page: bytes, level: int) -> Iterator[_Entry]:
        count = self._entries_count
        table = (self._entry * count).from_buffer_copy(page)
        found = self._found
        where = ctypes.addressof(table), level, self._regime, ctypes.addressof(found)
        self._list_table(self._hart, *where)
        rows = zip(range(count), found[::2], found[1::2], table, strict=True)
        return (row for row in rows if row[1] != INVALID)


def flags_of(pte: int) -> str:
    """The flags of a leaf, and its memory type."""
    return _flags(pte & 0xFF, pte >> 61 & 3)


@lru_cache
def _flags(low: int, memory_type: int) -> str:
    letters = "".join(c if low >> bit & 1 else "-" for bit, c in enumerate(_LETTERS, 1))
    return letters + _TYPES[memory_type]


def _over(found: list[Mapping], start: int, end: int) -> Iterator[Mapping]:
    """The parts of sorted ranges that lie between two addresses."""
    at = max(bisect.bisect_right(found, start, key=lambda one: one.va) - 1, 0)
    while at < len(found) and found[at].va < end:
        one = found[at]
        if one.end > start:
            yield one.cut(max(start, one.va), min(end, one.end))
        at += 1


def _both(first: Iterable[Mapping], second: list[Mapping]) -> Iterator[Mapping]:
    """A guest's ranges, split where the second stage maps them differently."""
    for one in first:
        gpa, end = one.pa or 0, (one.pa or 0) + one.size
        for part in _over(second, gpa, end):
            if part.va > gpa:
                yield Mapping(one.va + gpa - (one.pa or 0), part.va - gpa, None, one.flags, gpa)
            va = one.va + part.va - (one.pa or 0)
            yield Mapping(va, part.size, part.pa, one.flags, part.va, part.flags)
            gpa = part.end
        if gpa < end:
            yield Mapping(one.va + gpa - (one.pa or 0), end - gpa, None, one.flags, gpa)


def merged(found: Iterable[Mapping]) -> Iterator[Mapping]:
    """The ranges, with neighbours that continue each other merged."""
    last: Mapping | None = None
    for one in found:
        if last is not None and last.goes_on_with(one):
            last = replace(last, size=last.size + one.size)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last
