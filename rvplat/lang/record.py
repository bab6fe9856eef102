"""Records: state with a layout that native code and CPython share.

A record is a list of fields at fixed offsets, laid out as in C. `view(address)` gives an object for
memory at a host address, whose fields are typed integers, as definitions need. `plain(address)`
gives a faster object for the same memory, whose fields are ints.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

from rvplat.frozen import frozen
from rvplat.lang.observation import observations, redirected
from rvplat.lang.types import Integer, Standing


@frozen
class ptr:
    """The type of a field that holds the host address of a record."""

    target: Record


FieldType: TypeAlias = "type[Integer] | ptr | Record"

_C_TYPES: dict[tuple[int, bool], Any] = {
    (8, False): ctypes.c_uint8, (16, False): ctypes.c_uint16,
    (32, False): ctypes.c_uint32, (64, False): ctypes.c_uint64,
    (8, True): ctypes.c_int8, (16, True): ctypes.c_int16,
    (32, True): ctypes.c_int32, (64, True): ctypes.c_int64,
}  # fmt: skip


@frozen
class RecordField:
    """One field: `count` is 0 for a scalar, else the length of the array. Sizes in bytes. `role` is
    what the owner of the record says of it (hart/state.py)."""

    name: str
    type: FieldType
    count: int
    offset: int
    role: str = ""

    @property
    def stride(self) -> int:
        """Bytes from one element to the next."""
        return size_of(self.type)

    @property
    def size(self) -> int:
        """Bytes of the scalar, or of the whole array."""
        return self.stride * max(self.count, 1)


def size_of(kind: FieldType) -> int:
    """Bytes of one value of the type in memory."""
    if isinstance(kind, Record):
        return kind.size
    return 8 if isinstance(kind, ptr) else held_as(kind).bits // 8


def held_as(kind: Any) -> Any:
    """The type whose memory a field of a type has: its own, or the usual one (`Standing`)."""
    return kind.usual if isinstance(kind, Standing) else kind


def _alignment(kind: FieldType) -> int:
    return 8 if isinstance(kind, Record | ptr) else min(8, size_of(kind))


class Record:
    """A named list of fields. It may begin with the fields of a `base`; then a reference to it is
    also one to the base. Fields can be added until the first use of `size` or of a view.

    The annotations of a definition name a record. The definition may run on an extension of that
    record (`extended`); `core` is the record that definitions name. `tables` are the rows of the
    Dispatch tables that are called with this record. `methods` are definitions and words that take
    a reference to this record first: `record.name(...)` calls one.
    """

    def __init__(self, name: str, base: Record | None = None) -> None:
        self.name = name
        self.base = base
        self.core = self
        self.fields: dict[str, RecordField] = {} if base is None else dict(base.fields)
        self.tables: dict[Any, Mapping[int, Any]] = {}
        self.methods: dict[str, Any] = {} if base is None else dict(base.methods)
        self._end: int = 0 if base is None else base._end
        self._size = 0  # once the layout is in use
        self._structure: Any = None

    def __repr__(self) -> str:
        return f"Record({self.name!r})"

    def add(self, name: str, kind: FieldType, count: int = 0, role: str = "") -> None:
        """Append a field. TypeError if the record has it, or if the layout is fixed."""
        if name in self.fields:
            raise TypeError(f"{self.name}.{name} is already there")
        align = _alignment(kind)
        offset = (self._end + align - 1) // align * align
        end = offset + size_of(kind) * max(count, 1)
        if self._size:
            raise TypeError(f"{self.name}.{name} comes too late: the layout is in use")
        self.fields[name] = RecordField(name, kind, count, offset, role)
        self._end = end
        self._structure = None

    def extended(self) -> Record:
        """A record that begins with this one and can get more fields. Fixes this one's layout."""
        assert self.size
        found = Record(self.name, self)
        found.base, found.core = self.base, self.core
        return found

    @property
    def size(self) -> int:
        """Bytes, a multiple of 64 for records over a cache line, else of 8. Fixes the layout."""
        if not self._size:
            unit = 64 if self._end > 64 else 8
            self._size = (self._end + unit - 1) // unit * unit
        return self._size

    def view(self, address: int) -> Any:
        """The record at a host address, for CPython."""
        assert self.size
        return View(self, int(address))

    def structure(self) -> Any:
        """The record as a subclass of ctypes.Structure. Pointers in it are addresses."""
        if self._structure is None:
            rest = ctypes.c_uint8 * (self.size - self._end)
            fields = [(field.name, _c_type(field)) for field in self.fields.values()]
            fields.append(("_rest", rest))
            made = type(self.name, (ctypes.Structure,), {"_fields_": fields})
            for field in self.fields.values():
                assert getattr(made, field.name).offset == field.offset, field.name
            self._structure = made
        return self._structure

    def plain(self, address: int) -> Any:
        """The record at a host address as a ctypes structure: its fields are ints. It is several
        times faster than `view`, and does not check assignments."""
        return self.structure().from_address(address)

    def field(self, name: str, address: int) -> Any:
        """One field of the record at a host address, or one array, as an object of ctypes whose
        `value` or elements are the memory. It doesn't need the whole structure."""
        found = self.fields[name]
        return _c_type(found).from_address(int(address) + found.offset)


def _c_type(field: RecordField) -> Any:
    if isinstance(field.type, Record):
        kind = field.type.structure()
    elif isinstance(field.type, ptr):
        kind = ctypes.c_uint64
    else:
        held = held_as(field.type)
        kind = _C_TYPES[held.bits, held.signed]
    return kind * field.count if field.count else kind


class View:
    """A record in memory. `view.pc`, `view.pc = 5`, `view.x[3] = 7`, `view.machine.harts[0]`."""

    __slots__ = ("_address", "_record")
    _address: int
    _record: Record

    def __init__(self, record: Record, address: int) -> None:
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_address", address)

    def __repr__(self) -> str:
        return f"<{self._record.name} at {self._address:#x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and other._address == self._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __getattr__(self, name: str) -> Any:
        field = self._record.fields.get(name)
        if field is None:
            method = self._record.methods.get(name)
            if method is None:
                raise AttributeError(f"{self._record.name} has no field {name!r}")
            return partial(method, self)
        if field.count:
            return ArrayView(field, self._address + field.offset)
        return _read(field.type, self._address + field.offset)

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._record.fields.get(name)
        if field is None or field.count:
            raise AttributeError(f"{self._record.name}.{name} is not a field to assign to")
        _write(field.type, self._address + field.offset, value)


class ArrayView:
    """An array field. IndexError for an index outside of it."""

    __slots__ = ("_address", "_field")

    def __init__(self, field: RecordField, address: int) -> None:
        self._field = field
        self._address = address

    def __len__(self) -> int:
        return self._field.count

    def clear(self) -> None:
        """Set all elements to zero."""
        if observations:
            for index in range(self._field.count):
                self[index] = 0
        else:
            ctypes.memset(self._address, 0, self._field.count * self._field.stride)

    def _at(self, index: int) -> int:
        if not 0 <= int(index) < self._field.count:
            raise IndexError(f"{self._field.name}[{int(index)}]: it has {self._field.count}")
        return self._address + int(index) * self._field.stride

    def __getitem__(self, index: int) -> Any:
        return _read(self._field.type, self._at(index))

    def __setitem__(self, index: int, value: Any) -> None:
        _write(self._field.type, self._at(index), value)


class PointerView(View):
    """The record to which a `ptr` field points. `[i]` gives the i-th record after it."""

    __slots__ = ()

    def __getitem__(self, index: int) -> View:
        return View(self._record, self._address + int(index) * self._record.size)


def _read(kind: FieldType, address: int) -> Any:
    if isinstance(kind, Record):
        return View(kind, address)
    if observations:
        address = redirected(address, size_of(kind), writes=False)
    if isinstance(kind, ptr):
        return PointerView(kind.target, ctypes.c_uint64.from_address(address).value)
    return kind(_C_TYPES[kind.bits, kind.signed].from_address(address).value)


def _write(kind: FieldType, address: int, value: Any) -> None:
    if isinstance(kind, Record):
        raise TypeError(f"a {kind.name} is assigned to field by field")
    if observations:
        address = redirected(address, size_of(kind), writes=True)
    if isinstance(kind, ptr):
        ctypes.c_uint64.from_address(address).value = address_of(value)
        return
    cell = _C_TYPES[kind.bits, kind.signed].from_address(address)
    cell.value = int(kind.adapt(value)) if not isinstance(value, bool) else int(value)


def rows_of(view: Any, table: Any) -> Mapping[int, Any]:
    """The rows of a Dispatch table for the record of a view."""
    record = view._record if isinstance(view, View) else None
    return {} if record is None else record.tables.get(table, {})


def address_of(view: Any) -> int:
    """The host address of a view or of a plain record. An int is returned as it is."""
    if isinstance(view, ctypes.Structure):
        return ctypes.addressof(view)
    return int(view._address) if isinstance(view, View) else int(view)
