"""What an expression of a definition is while it is compiled: typed values and untyped literals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rvplat.lang.record import Field, Record, ptr
from rvplat.lang.types import Integer, s8, s16, s32, s64, s128, u8, u16, u32, u64, u128

SIGNED_OF: dict[type[Integer], type[Integer]] = {
    u8: s8, u16: s16, u32: s32, u64: s64, u128: s128
}  # fmt: skip


@dataclass(frozen=True)
class Pointer:
    """The type of a reference to a record."""

    record: Record


@dataclass(frozen=True)
class Value:
    """A typed value: an LLVM name or constant as text. `type` is an Integer class, bool, Pointer
    or None for nothing."""

    type: Any
    text: str


@dataclass(frozen=True)
class Literal:
    """An int whose type its neighbour decides."""

    value: int


@dataclass(frozen=True)
class Elements:
    """An array field, not indexed yet."""

    base: Value
    field: Field


@dataclass(frozen=True)
class Static:
    """A Python object that the text names: a function, a type, a module."""

    object: Any


def ir_type(kind: Any) -> str:
    """The LLVM type that a value of this type has."""
    if kind is bool:
        return "i1"
    if isinstance(kind, Pointer | ptr | Record):
        return "ptr"
    return f"i{kind.bits}"


def type_name(kind: Any) -> str:
    """The type as an error message says it."""
    if isinstance(kind, Pointer):
        return kind.record.name
    return getattr(kind, "__name__", str(kind))


def value_type(kind: Any) -> Any:
    """An annotation as a value's type: a record is passed by reference."""
    if isinstance(kind, Record):
        return Pointer(kind)
    if isinstance(kind, ptr):
        return Pointer(kind.target)
    return kind


def constant(kind: type[Integer], value: int) -> str:
    """An LLVM constant of the type."""
    return str(int(kind(value)))
