"""The record of a native device's class, and the attributes through which Python uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from rvplat.bus.natives.methods import Later, NativeMethod
from rvplat.bus.natives.records import AlarmState, DeviceState, LineState, State
from rvplat.errors import DeviceError, did_you_mean, nearest
from rvplat.lang import Integer, Record, ptr, u8, u16, u32, u64

_OWN = frozenset({"wiring", "settings", "lines", "timers", "bound", "native_state"})
_UNSIGNED = {1: u8, 2: u16, 4: u32, 8: u64}


class FieldProperty(property):
    """A field of a device's record as an attribute of the device."""


def build_layout(kind: Any) -> Record | None:
    """The record of a class; that of its base if it adds nothing. None if it is not native.

    DeviceError if a definition or a field has the name of another, a row of `state` is none, or an
    alarm has no method.
    """
    _check_rows(kind)
    base: Record | None = getattr(kind.__mro__[1], "layout", None)
    natives = {n: m for n, m in vars(kind).items() if isinstance(m, NativeMethod)}
    rows = [row for row in kind.state if isinstance(row, State)]
    if base is None and not (natives or rows or kind.is_native):
        return None
    record = Record(kind.__qualname__, DeviceState if base is None else base)
    later = dict(getattr(kind.__mro__[1], "later", {}))
    wanted = [one for one in _fields(kind, rows) if base is None or one[0] not in base.fields]
    for name, type_, count in wanted:
        if name in record.fields or name in record.methods:
            raise DeviceError(f"{kind.__qualname__}: {name} is the name of something else already")
        record.add(name, type_, count)
        if not isinstance(type_, ptr):
            setattr(kind, name, _property(name, count))
    _add_methods(kind, record, natives, later)
    kind.later = later
    return record


def _check_rows(kind: Any) -> None:
    """DeviceError if a row of `state` is none or has no type of a field, or an alarm no method."""
    name = kind.__qualname__
    if isinstance(kind.state, State | str):
        raise DeviceError(f'{name}.state: expected rows, as in state = (State("name", u32),)')
    for row in kind.state:
        if not isinstance(row, State):
            continue
        if not (isinstance(row.type, type) and issubclass(row.type, Integer)):
            found = getattr(row.type, "__name__", repr(row.type))
            example = f'expected one such as u32, as in State("{row.name}", u32)'
            raise DeviceError(f"{name}: {row.name} has the type {found}, {example}")
        if row.name in _OWN:
            raise DeviceError(f"{name}: {row.name} is the name of something else already")
    for alarm, method in kind.alarms.items():
        if not hasattr(kind, method):
            hint = did_you_mean(nearest(method, vars(kind)))
            raise DeviceError(f"{name}: the alarm {alarm} calls {method}, which is no method{hint}")


def _fields(kind: Any, rows: list[State]) -> Iterator[tuple[str, Any, int]]:
    """Name, type and count of the fields: registers, lines, alarms, other state."""
    for row in rows:
        yield row.name, row.type, row.count
    stated = {row.name for row in rows}
    for row in kind.registers:
        if hasattr(row, "attribute") and row.attribute not in stated:
            stated.add(row.attribute)
            yield row.attribute, _UNSIGNED[row.width], row.count
    for name in kind.interrupts:
        yield name, ptr(LineState), 0
    for name in kind.alarms:
        yield name, ptr(AlarmState), 0


def _add_methods(
    kind: Any, record: Record, natives: Mapping[str, NativeMethod], later: dict[str, int]
) -> None:
    """Enter the class's definitions and the Python methods that they can ask for."""
    for name, method in natives.items():
        if isinstance(record.methods.get(name), NativeMethod):
            owner = record.methods[name].owner
            raise DeviceError(
                f"{method.place}: {kind.__qualname__}.{name} would take the place of a definition "
                f"of {owner}, which other definitions call: give it another name"
            )
        method.record = record
        record.methods[name] = method
    for name, method in vars(kind).items():
        if isinstance(method, Later):
            bit = later.setdefault(name, len(later))
            record.methods[name] = method.request(name, bit, record)


def _property(name: str, count: int) -> FieldProperty:
    if count:
        return FieldProperty(attrgetter(f"_plain.{name}"), _array_setter(name))
    return FieldProperty(attrgetter(f"_plain.{name}"), _setter(name))


def _setter(name: str) -> Callable[[Any, int], None]:
    def assign(device: Any, value: int) -> None:
        setattr(device._plain, name, value)

    return assign


def _array_setter(name: str) -> Callable[[Any, Any], None]:
    def assign(device: Any, values: Any) -> None:
        getattr(device._plain, name)[: len(values)] = list(values)

    return assign
