"""From entries of .debug_info to types (DWARF 5, chapter 5, "Type Entries")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rvplat.debuginfo.expressions import evaluate, no_memory
from rvplat.debuginfo.faults import NotThere
from rvplat.debuginfo.types import (
    Array,
    BitField,
    Boolean,
    Enumeration,
    Float,
    Integer,
    Member,
    Pointer,
    Structure,
    Type,
)
from rvplat.debuginfo.units import attribute, text_of

if TYPE_CHECKING:
    from elftools.dwarf.die import DIE

BOOLEAN, COMPLEX, FLOAT, SIGNED, SIGNED_CHAR = 0x02, 0x03, 0x04, 0x05, 0x06  # DW_ATE
POINTERS = {
    "DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type",
    "DW_TAG_ptr_to_member_type",
}  # fmt: skip
STRUCTURES = {
    "DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union", "DW_TAG_class_type": "class",
}  # fmt: skip
SAME = {
    "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type", "DW_TAG_atomic_type",
    "DW_TAG_packed_type", "DW_TAG_immutable_type",
}  # fmt: skip
DEEPEST = 64  # types of types: a damaged file may have a circle


class TypeReader:
    """The types of a file. `address_bytes` is the size of a pointer."""

    def __init__(self, address_bytes: int) -> None:
        self._bytes = address_bytes
        self._known: dict[int, Type] = {}

    def of(self, die: DIE, depth: int = 0) -> Type:
        """The type of a variable or member."""
        return self._referred(die, depth) or Type("void", 0)

    def _referred(self, die: DIE, depth: int = 0) -> Type | None:
        """The type that an entry refers to; None for void."""
        if "DW_AT_type" not in die.attributes:
            return None
        if depth > DEEPEST:
            raise ValueError("types refer to each other in a circle")
        found = die.get_DIE_from_attribute("DW_AT_type")
        if found.offset not in self._known:
            self._known[found.offset] = self._made(found, depth + 1)
        return self._known[found.offset]

    def _made(self, die: DIE, depth: int) -> Type:
        name = text_of(attribute(die, "DW_AT_name") or b"")
        size = attribute(die, "DW_AT_byte_size")
        if die.tag == "DW_TAG_base_type":
            return _base(name, size or 0, attribute(die, "DW_AT_encoding"))
        if die.tag in POINTERS:
            return self._pointer(die, size)
        if die.tag in STRUCTURES:
            shown = f"{STRUCTURES[die.tag]} {name}".strip()
            return Structure(shown, size or 0, lambda: dict(self._members(die, 0)))
        if die.tag == "DW_TAG_enumeration_type":
            return Enumeration(f"enum {name}".strip(), size or 4, _enumerators(die))
        if die.tag == "DW_TAG_array_type":
            return self._array(die, depth)
        if die.tag in SAME or die.tag == "DW_TAG_typedef":
            return self._referred(die, depth) or Type(name or "void", 0)
        return Type(name or str(die.tag).removeprefix("DW_TAG_"), size or 0)

    def _pointer(self, die: DIE, size: int | None) -> Type:
        return Pointer("pointer", size or self._bytes, lambda: self._referred(die))

    def _array(self, die: DIE, depth: int) -> Type:
        found = self.of(die, depth)
        counts = [_count(one) for one in die.iter_children() if one.tag == "DW_TAG_subrange_type"]
        for count in reversed(counts):
            found = Array(found, count)
        return found

    def _members(self, die: DIE, base: int) -> Iterator[tuple[str, Member]]:
        for child in die.iter_children():
            if child.tag not in ("DW_TAG_member", "DW_TAG_inheritance"):
                continue
            place = self._place(child)
            if place is None:
                continue
            offset = base + place
            kind = self.of(child)
            name = attribute(child, "DW_AT_name")
            if name is not None:
                yield text_of(name), _member(child, offset, kind)
            elif isinstance(kind, Structure):
                for inner, one in kind.members.items():
                    yield inner, Member(offset + one.offset, one.type)

    def _place(self, die: DIE) -> int | None:
        """Where a member is in its structure: a number, or an expression that adds it to the
        structure's address (5.7.6). None if it depends on memory, as that of a virtual base."""
        place = attribute(die, "DW_AT_data_member_location") or 0
        if isinstance(place, int):
            return place
        with suppress(NotThere):
            return evaluate(die.dwarfinfo, place, {}, no_memory, self._bytes, (0,))
        return None


def _base(name: str, size: int, encoding: Any) -> Type:
    if encoding == BOOLEAN:
        return Boolean(name, size, False)
    if encoding in (FLOAT, COMPLEX):
        return Float(name, size) if encoding == FLOAT else Type(name, size)
    return Integer(name, size, encoding in (SIGNED, SIGNED_CHAR))


def _enumerators(die: DIE) -> dict[str, int]:
    return {
        text_of(attribute(one, "DW_AT_name")): int(attribute(one, "DW_AT_const_value"))
        for one in die.iter_children() if one.tag == "DW_TAG_enumerator"
    }  # fmt: skip


def _count(die: DIE) -> int:
    """The elements of an array's dimension; 0 if that is not a constant."""
    count, upper = attribute(die, "DW_AT_count"), attribute(die, "DW_AT_upper_bound")
    lower = attribute(die, "DW_AT_lower_bound") or 0
    if isinstance(count, int):
        return count
    return upper - lower + 1 if isinstance(upper, int) and upper < 1 << 40 else 0


def _member(die: DIE, offset: int, kind: Type) -> Member:
    """A member, which may be a bit field (5.7.6, "Data Member Entries")."""
    bits = attribute(die, "DW_AT_bit_size")
    if bits is None:
        return Member(offset, kind)
    at = attribute(die, "DW_AT_data_bit_offset")
    if at is None:  # DWARF 2 and 3 count from the most significant bit of the storage
        storage = attribute(die, "DW_AT_byte_size") or kind.size
        at = 8 * storage - (attribute(die, "DW_AT_bit_offset") or 0) - bits
    return Member(offset + at // 8, BitField(kind, at % 8, bits))
