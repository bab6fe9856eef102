"""The decoder's tables in host memory, made from entries or from what the cache keeps of them."""

from __future__ import annotations

import ast
import ctypes
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from rvplat.engine.decode import BUCKETS, NO_ROW, DecodeEntry, check_overlaps
from rvplat.engine.operands import places
from rvplat.hart.state import DecodeRow
from rvplat.isa.machinery.encoding import Operand
from rvplat.lang import Definition

Entries = Callable[[], list[DecodeEntry]]
_WORD = 8  # bytes of an address
_JUMPS = ("jump", "branch")  # words of the vocabulary
_COUNTS = 3  # numbers at the beginning of `to_bytes`


@dataclass
class Table:
    """The decoder's tables for one set of extensions, in host memory. `forms` has, for each row,
    the number of its instruction's form. The rows have no addresses of handlers before `place`."""

    rows: Any
    buckets: Any
    order: Any
    forms: Any
    find_entries: Entries

    @cached_property
    def entries(self) -> list[DecodeEntry]:
        """The patterns, the most specific first. It imports all rows."""
        return ranked(self.find_entries())

    def attach(self, hart: Any) -> None:
        """Give these tables to a hart."""
        hart.decode_rows = ctypes.addressof(self.rows)
        hart.decode_buckets = ctypes.addressof(self.buckets)
        hart.decode_order = ctypes.addressof(self.order)

    def place(self, fast: Sequence[int], near: Sequence[int]) -> None:
        """Store the host addresses of the handlers, and of the near handlers (or 0), which are
        given by the forms' numbers."""
        step = ctypes.sizeof(DecodeRow.structure()) // _WORD
        with memoryview(self.rows).cast("B") as held, held.cast("Q") as words:
            for name, found in (("handler", fast), ("near_handler", near)):
                at = DecodeRow.fields[name].offset // _WORD
                words[at::step] = array("Q", [found[number] for number in self.forms])

    def to_bytes(self) -> bytes:
        """The tables as bytes, for the cache."""
        counts = (ctypes.c_uint32 * _COUNTS)(len(self.rows), len(self.order), len(self.forms))
        return b"".join(bytes(one) for one in (counts, *self._parts))

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self.rows, self.buckets, self.order, self.forms

    @classmethod
    def from_bytes(cls, data: bytes, entries: Entries) -> Table:
        """The tables that `to_bytes` made these bytes from, before or after `place`."""
        counts = (ctypes.c_uint32 * _COUNTS).from_buffer_copy(data)
        rows, order, forms = counts
        found = cls._new(rows, order, forms, entries)
        at = ctypes.sizeof(counts)
        for part in found._parts:
            ctypes.memmove(part, data[at : at + ctypes.sizeof(part)], ctypes.sizeof(part))
            at += ctypes.sizeof(part)
        return found

    @classmethod
    def _new(cls, rows: int, order: int, forms: int, entries: Entries) -> Table:
        short = ctypes.c_uint16
        return cls(
            (DecodeRow.structure() * rows)(), (short * BUCKETS)(), (short * order)(),
            (short * forms)(), entries,
        )  # fmt: skip


def ranked(entries: list[DecodeEntry]) -> list[DecodeEntry]:
    """The entries in the order of their rows, the most specific first."""
    return sorted(entries, key=lambda one: one.pattern.rank, reverse=True)


def build_table(entries: Entries, numbers: Mapping[str, int]) -> Table:
    """Make the tables for patterns. `numbers` has the numbers of the instructions' forms by key."""
    found = ranked(entries())
    check_overlaps(found)
    lists: list[list[int]] = [[] for _ in range(BUCKETS)]
    for number, entry in enumerate(found):
        length = entry.pattern.length
        key = _KEYS[length]
        for bucket in _buckets(length, entry.pattern.mask & key, entry.pattern.match & key):
            lists[bucket].append(number)
    table = Table._new(
        max(1, len(found)), sum(len(one) + 1 for one in lists), len(found), entries
    )  # an array has at least one row
    at = 0
    for bucket, rows in enumerate(lists):
        table.buckets[bucket] = at
        table.order[at : at + len(rows) + 1] = [*rows, NO_ROW]
        at += len(rows) + 1
    for number, entry in enumerate(found):
        table.forms[number] = numbers[f"{entry.instruction.name}.{entry.pattern.length}"]
        _fill_row(table.rows[number], entry)
    return table


_KEYS = {2: 0xE003, 4: 0x707F}  # by length: the bits that `bucket_of` reads
_BITS_OF_BUCKETS = {
    2: {n: (n - 256 >> 3) | (n & 7) << 13 for n in range(256, BUCKETS)},
    4: {n: 3 | (n & 31) << 2 | (n >> 5) << 12 for n in range(256)},
}


@cache
def _buckets(length: int, mask: int, match: int) -> list[int]:
    """The buckets of all instructions in which these bits are fixed."""
    return [n for n, bits in _BITS_OF_BUCKETS[length].items() if bits & mask == match]


def _fill_row(row: Any, entry: DecodeEntry) -> None:
    pattern = entry.pattern
    row.mask, row.match, row.length = pattern.mask, pattern.match, pattern.length
    row.jumps = int(always_jumps(entry.instruction.definition))
    row.conditions = len(pattern.conditions)
    for i, term in enumerate(pattern.conditions):
        target = row.condition[i]
        target.mask, target.value, target.equal = term.mask, term.value, int(term.equal)
    found = places(entry.instruction)
    row.operands = len(found)
    for i, place in enumerate(found):
        source = entry.source[place.name]
        operand = pattern.operands[source] if isinstance(source, str) else None
        constant = source if isinstance(source, int) else 0
        redirect = place.name == "rd" and entry.instruction.redirects_rd
        _fill_operand(row.operand[i], place.index, operand, constant, redirect)


def always_jumps(definition: Definition) -> bool:
    """Whether a definition ends in a jump or branch, in all its ways but those that raise. "No" is
    safe for one that does so by other means."""
    tree = definition.tree
    last = tree.body[-1]
    call = last.value if isinstance(last, ast.Expr) else None
    name = call.func if isinstance(call, ast.Call) else None
    is_jump = isinstance(name, ast.Name) and name.id in _JUMPS
    return is_jump and not any(isinstance(one, ast.Return) for one in ast.walk(tree))


def _fill_operand(
    target: Any, place: int, operand: Operand | None, constant: int, redirect: bool
) -> None:
    target.place, target.redirect, target.base = place, int(redirect), constant
    if operand is None:
        return
    target.base = operand.base
    target.sign = operand.width if operand.signed else 0
    target.pieces = len(operand.pieces)
    for i, piece in enumerate(operand.pieces):
        cell = target.piece[i]
        cell.low, cell.to, cell.mask = piece.low, piece.to, (1 << piece.width) - 1
