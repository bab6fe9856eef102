"""The ranges that page tables map: an address space of the host, or of a guest through both stages
(Privileged, "Sv39: Page-Based 39-bit Virtual-Memory System" and the next sections; hypervisor
extension, "Two-Stage Address Translation").

    for one in mappings(machine.memory, satp):
        print(f"{one.va:#x} {one.size:#x} {one.pa:#x} {one.flags}")
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rvplat.bus.ram import Memory
from rvplat.errors import BusError
from rvplat.frozen import frozen
from rvplat.hart.mmu import WIDER
from rvplat.hart.page_tables import PTE_N, PTE_PPN, PTE_R, PTE_V, PTE_W, PTE_X, SATP_PPN
from rvplat.isa.privileged import PAGE_BYTES

MOST = 1 << 17  # leaves; tables that point to themselves would have far more
SPACE = 1 << 64
_LETTERS = "rwxugad"
_TYPES = ("", " NC", " IO", " PBMT=3")
_ENTRIES = struct.Struct("<512Q")
Read = Callable[[int], bytes | None]


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


def mappings(memory: Memory, root: int, hgatp: int | None = None) -> list[Mapping]:
    """The ranges of an address space in order: of satp, or of vsatp together with hgatp. Without
    translation, all addresses are one range without flags."""
    if hgatp is None:
        return list(merged(_first(_reader(memory), root)))
    second = [Mapping(0, SPACE, 0, "")]
    if hgatp >> 60:
        second = list(merged(_stage(_reader(memory), hgatp, WIDER)))
    return list(merged(_both(_first(_through(memory, second), root), second)))


def _reader(memory: Memory) -> Read:
    """A function that reads a page of memory; None where there is no memory."""

    def read(pa: int) -> bytes | None:
        try:
            return memory.read(pa, PAGE_BYTES)
        except BusError:
            return None

    return read


def _through(memory: Memory, second: list[Mapping]) -> Read:
    """A function that reads a page at a guest physical address."""
    read = _reader(memory)

    def read_guest(gpa: int) -> bytes | None:
        found = next(_over(second, gpa, gpa + PAGE_BYTES), None)
        return None if found is None or found.pa is None else read(found.pa)

    return read_guest


def _first(read: Read, root: int) -> Iterator[Mapping]:
    """The ranges of the only stage, or of a guest's first stage."""
    if root >> 60 == 0:
        return iter([Mapping(0, SPACE, 0, "")])
    return _stage(read, root, 0)


def _stage(read: Read, root: int, wide: int) -> Iterator[Mapping]:
    """The leaves below satp, vsatp or hgatp. `wide`: bits of the root's index beyond nine."""
    levels = (root >> 60) - 5
    table, bits = (root & SATP_PPN) << 12, 12 + 9 * levels
    left, walk = MOST, _Walk(read)
    for part in range(1 << wide):
        above = part << bits
        for one in walk.leaves(table + part * PAGE_BYTES, levels - 1, above):
            high = not wide and one.va >> bits - 1 & 1
            yield replace(one, va=one.va | SPACE - (1 << bits)) if high else one
            left -= 1
            if left == 0:
                return


class _Walk:
    """The leaves below one root. Each table is read once, and a table without leaves entered once:
    otherwise the walk of tables that point to themselves would not end."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def leaves(self, table: int, level: int, above: int) -> Iterator[Mapping]:
        """The leaves of a table and of those that it points to."""
        shift, is_empty = 12 + 9 * level, True
        for index, pte in self._entries(table, level):
            va, pa = above | index << shift, (pte & PTE_PPN) << 2
            if pte & (PTE_R | PTE_X):
                if pte & PTE_N:  # 16 equal entries map 64 KiB
                    pa = pa & ~0xFFFF | va & 0xFFFF
                found = iter((Mapping(va, 1 << shift, pa, flags_of(pte)),))
            else:
                found = self.leaves(pa, level - 1, va)
            for one in found:
                is_empty = False
                yield one
        if is_empty:
            self._known[table, level] = []

    def _entries(self, table: int, level: int) -> list[tuple[int, int]]:
        """(index, PTE) of the valid entries of a table."""
        if (table, level) not in self._known:
            page, low = self._read(table), (1 << 12 + 9 * level) - 1
            rows = enumerate(_ENTRIES.unpack(page) if page else ())
            self._known[table, level] = [(n, pte) for n, pte in rows if _counts(pte, level, low)]
        return self._known[table, level]


def _counts(pte: int, level: int, low: int) -> bool:
    """Whether a PTE is valid. `low`: the address bits that are 0 in a leaf of the level."""
    if not pte & PTE_V or pte & (PTE_R | PTE_W) == PTE_W:
        return False
    if not pte & (PTE_R | PTE_X):
        return level > 0
    if pte & PTE_N:
        low &= ~0xFFFF
    return not (pte & PTE_PPN) << 2 & low


def flags_of(pte: int) -> str:
    """The flags of a leaf, and its memory type."""
    letters = "".join(c if pte >> bit & 1 else "-" for bit, c in enumerate(_LETTERS, 1))
    return letters + _TYPES[pte >> 61 & 3]


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
