"""The native decoder: rows made from the patterns, and the definition that reads them.

A bucket has the rows that instructions with the same opcode and funct3 can match, the most specific
rows first. A row describes how each operand's bits are gathered into the slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rvplat.engine.operands import IMM
from rvplat.frozen import frozen
from rvplat.hart.state import DecodeRow, Slot
from rvplat.isa.machinery.encoding import Condition, Pattern
from rvplat.isa.machinery.extension import SINK, Compressed, Instruction
from rvplat.lang import (
    LanguageError,
    Record,
    define,
    read_u16,
    relaxed_load_u16,
    s32,
    u8,
    u32,
    u64,
)

MAX_CONDITIONS = 5
MAX_OPERANDS = 5
MAX_PIECES = 8
BUCKETS = 256 + 32
NO_ROW = 0xFFFF

Piece = Record("Piece")
Piece.add("low", u8)
Piece.add("to", u8)
Piece.add("mask", u32)

OperandRow = Record("OperandRow")
OperandRow.add("place", u8)
OperandRow.add("pieces", u8)
OperandRow.add("sign", u8)  # the width of a signed operand, else 0
OperandRow.add("redirect", u8)  # 1: 0 becomes the sink
OperandRow.add("base", s32)  # added to the pieces; a constant operand has no pieces
OperandRow.add("piece", Piece, MAX_PIECES)

ConditionRow = Record("ConditionRow")
ConditionRow.add("mask", u32)
ConditionRow.add("value", u32)
ConditionRow.add("equal", u8)

DecodeRow.add("mask", u32)
DecodeRow.add("match", u32)
DecodeRow.add("length", u8)
DecodeRow.add("conditions", u8)
DecodeRow.add("operands", u8)
DecodeRow.add("jumps", u8)  # 1: the next instruction is never the one after it
DecodeRow.add("handler", u64)  # host address
DecodeRow.add("near_handler", u64)  # for a branch whose target is in the page; 0: none
DecodeRow.add("condition", ConditionRow, MAX_CONDITIONS)
DecodeRow.add("operand", OperandRow, MAX_OPERANDS)


@define
def bucket_of(bits: u32) -> u32:
    """The bucket of an instruction: opcode and funct3, for 32 bits and for 16 bits."""
    if bits & 3 == 3:
        return (bits >> 2 & 31) | (bits >> 12 & 7) << 5
    return 256 + ((bits & 3) << 3 | (bits >> 13 & 7))


@define
def row_matches(row, bits: u32) -> bool:
    """Whether a row's fixed bits and the terms of its `where` match."""
    if bits & row.mask != row.match:
        return False
    for i in range(row.conditions):
        term = row.condition[i]
        if (bits & term.mask == term.value) != (term.equal != 0):
            return False
    return True


@define
def find_row(hart, bits: u32) -> u64:
    """The number of the instruction's row, or NO_ROW."""
    at = u64(read_u16(hart.decode_buckets + u64(bucket_of(bits)) * 2))
    while True:
        number = u64(read_u16(hart.decode_order + at * 2))
        if number == NO_ROW or row_matches(hart.decode_rows[number], bits):
            return number
        at += 1


@define
def read_page(host: u64, offset: u64) -> u32:
    """The instruction at an offset of a page: 16 bits, or 32 if they are in the page."""
    low = u32(relaxed_load_u16(host + offset))
    if low & 3 != 3 or offset == 0xFFE:
        return low
    return low | u32(relaxed_load_u16(host + offset + 2)) << 16


@define
def gather(operand, bits: u32) -> u32:
    """An operand's value: its pieces put together, sign-extended, plus its base."""
    value = u32(0)
    for i in range(operand.pieces):
        piece = operand.piece[i]
        value |= (bits >> piece.low & piece.mask) << piece.to
    if operand.sign != 0:
        shift = 32 - u32(operand.sign)
        value = u32(s32(value << shift) >> shift)
    value += u32(operand.base)
    if operand.redirect != 0 and value == 0:
        return u32(SINK)
    return value


@define
def fill_slot(row, slot, bits: u32):
    """Put the operands into the slot."""
    for i in range(row.operands):
        operand = row.operand[i]
        value = gather(operand, bits)
        if operand.place == IMM:
            slot.imm = s32(value)
        else:
            slot.operands[operand.place] = u8(value)


@define
def in_page(offset: u64, imm: s32) -> bool:
    """Whether a branch at this offset of a page has its target in the page."""
    return offset + u64(imm) < 4096


@frozen
class DecodeEntry:
    """One pattern: an instruction, or a compressed form of one."""

    pattern: Pattern
    instruction: Instruction
    source: dict[str, str | int]  # the instruction's operand -> the pattern's, or a number
    name: str
    requires: tuple[str, ...]
    excludes: tuple[str, ...]
    extension: str
    xlen: int
    place: str = ""


def entry_of(row: Instruction | Compressed) -> DecodeEntry:
    """The decoder's entry for a row of an extension."""
    if isinstance(row, Compressed):
        return DecodeEntry(row.pattern, row.expands, dict(row.mapping), row.name, row.requires,
                     row.excludes, row.extension.name, row.xlen, row.place)  # fmt: skip
    same: dict[str, str | int] = {name: name for name in row.pattern.operands}
    return DecodeEntry(row.pattern, row, same, row.name, row.requires, row.excludes,
                 row.extension.name, row.xlen, row.place)  # fmt: skip


def check_overlaps(entries: Iterable[DecodeEntry]) -> None:
    """LanguageError when two patterns of one rank can match the same bits."""
    for a, b in find_overlaps(entries):
        raise LanguageError(f"{a.extension} {a.name}", f"overlaps {b.extension} {b.name}")


def find_overlaps(entries: Iterable[DecodeEntry]) -> Iterator[tuple[DecodeEntry, DecodeEntry]]:
    """Pairs of patterns of one rank that can match the same bits."""
    groups: dict[tuple[int, tuple[int, int]], list[DecodeEntry]] = {}
    for entry in entries:
        groups.setdefault((entry.pattern.length, entry.pattern.rank), []).append(entry)
    for group in groups.values():
        for i, a in enumerate(group):
            for b in group[i + 1 :]:
                common = a.pattern.mask & b.pattern.mask
                if a.pattern.match & common == b.pattern.match & common and not _apart(a, b):
                    yield a, b


def _apart(a: DecodeEntry, b: DecodeEntry) -> bool:
    """Whether the conditions of two patterns exclude that both match."""
    pairs = ((a, b), (b, a))
    return any(_excludes(t, other.pattern) for one, other in pairs for t in one.pattern.conditions)


def _excludes(term: Condition, other: Pattern) -> bool:
    """Whether no instruction of a pattern fulfils a condition."""
    fixed = term.mask & other.mask
    if term.equal and other.match & fixed != term.value & fixed:
        return True
    if not term.equal and fixed == term.mask and other.match & fixed == term.value:
        return True
    opposite = Condition(term.mask, term.value, not term.equal)
    return opposite in other.conditions


IMPLIED = {"row": DecodeRow, "slot": Slot, "operand": OperandRow}
"""Types of the parameters that have no annotation here."""
