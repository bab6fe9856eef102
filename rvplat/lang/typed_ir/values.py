"""Operands of expressions while they are compiled: typed values, untyped literals and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rvplat.frozen import frozen
from rvplat.lang.record import Record, ptr
from rvplat.lang.struct import is_struct
from rvplat.lang.types import Integer

if TYPE_CHECKING:
    from rvplat.lang.typed_ir.ir import FieldPlace


@frozen
class Pointer:
    """The type of a reference to a record."""

    record: Record


@frozen
class Value:
    """A typed value: an LLVM name or constant as text. `type` is as in ir.py."""

    type: Any
    text: str


@frozen
class Literal:
    """An int without a type. The other operand decides its type."""

    value: int


@frozen
class Elements:
    """An array field, not indexed yet."""

    place: FieldPlace


@frozen
class Static:
    """A Python object that the text names: a function, a type, a module."""

    object: Any


def ir_type(kind: Any) -> str:
    """The LLVM type of values of this type."""
    if kind is bool:
        return "i1"
    if isinstance(kind, Pointer | ptr | Record) or kind is Record:
        return "ptr"
    if is_struct(kind):
        return "{ " + ", ".join(ir_type(value_type(k)) for k in kind.fields.values()) + " }"
    return f"i{kind.bits}"


def fits(kind: Any, want: Any) -> bool:
    """Whether a value of a type may be used as another type: a record as a record with which it
    begins, and any record as `Record`, which intrinsics take."""
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
    """The type's name in error messages."""
    if isinstance(kind, Pointer):
        return kind.record.name
    return getattr(kind, "__name__", str(kind))


def value_type(kind: Any) -> Any:
    """The type of a value with this annotation. A record is passed by reference."""
    if isinstance(kind, Record):
        return Pointer(kind.core)
    if isinstance(kind, ptr):
        return Pointer(kind.target.core)
    return kind
