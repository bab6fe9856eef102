"""What an expression of a definition is while it is compiled: typed values and untyped literals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rvplat.lang.record import Record, ptr
from rvplat.lang.struct import is_struct
from rvplat.lang.types import Integer

if TYPE_CHECKING:
    from rvplat.lang.ir import FieldPlace


@dataclass(frozen=True)
class Pointer:
    """The type of a reference to a record."""

    record: Record


@dataclass(frozen=True)
class Value:
    """A typed value: an LLVM name or constant as text. `type` is as in ir.py."""

    type: Any
    text: str


@dataclass(frozen=True)
class Literal:
    """An int whose type its neighbour decides."""

    value: int


@dataclass(frozen=True)
class Elements:
    """An array field, not indexed yet."""

    place: FieldPlace


@dataclass(frozen=True)
class Static:
    """A Python object that the text names: a function, a type, a module."""

    object: Any


def ir_type(kind: Any) -> str:
    """The LLVM type that a value of this type has."""
    if kind is bool:
        return "i1"
    if isinstance(kind, Pointer | ptr | Record) or kind is Record:
        return "ptr"
    if is_struct(kind):
        return "{ " + ", ".join(ir_type(value_type(k)) for k in kind.fields.values()) + " }"
    return f"i{kind.bits}"


def fits(kind: Any, want: Any) -> bool:
    """Whether a value of a type may stand where another is wanted: a record for one that it begins
    with, and any for `Record` itself, which intrinsics take."""
    if not isinstance(kind, Pointer):
        return bool(kind == want)
    record: Record | None = kind.record
    while record is not None and Pointer(record) != want:
        record = record.base
    return want is Record or record is not None


def is_number(kind: Any) -> bool:
    """Whether a type is an integer type or bool."""
    return isinstance(kind, type) and issubclass(kind, Integer | bool)


def type_name(kind: Any) -> str:
    """The type as an error message says it."""
    if isinstance(kind, Pointer):
        return kind.record.name
    return getattr(kind, "__name__", str(kind))


def value_type(kind: Any) -> Any:
    """An annotation as a value's type: a record is passed by reference."""
    if isinstance(kind, Record):
        return Pointer(kind.core)
    if isinstance(kind, ptr):
        return Pointer(kind.target.core)
    return kind
