"""What `Device.save` finds without being told: alarms that attributes hold, and attributes that
have changed but are not saved."""

from __future__ import annotations

import copy
import hashlib
from collections import deque
from collections.abc import Mapping
from inspect import get_annotations
from types import MethodType
from typing import Any

from rvplat.bus.clock import Alarm
from rvplat.errors import DeviceError

_SCALARS = (int, float, str, type(None))
_LISTS = (list, tuple, set, frozenset, deque)
_IMMUTABLE = frozenset({int, float, str, bytes, bool, type(None)})
_DEEPEST = 8
_BASE = frozenset({"wiring", "settings", "lines", "timers", "bound", "native_state"})


def copied(value: Any) -> Any:
    """A copy of a value that shares nothing with it. It is many times quicker than `deepcopy` for
    what devices consist of: numbers, strings, bytes, and lists and dicts of them."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if kind is list:
        return [one if type(one) in _IMMUTABLE else copied(one) for one in value]
    if kind is dict:
        return {name: copied(one) for name, one in value.items()}
    return copy.deepcopy(value)


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value consists of numbers, strings and bytes."""
    if isinstance(value, (*_SCALARS, bytes, bytearray)):
        return True
    if depth == _DEEPEST:
        return False
    if isinstance(value, dict):
        return all(_is_plain(one, depth + 1) for pair in value.items() for one in pair)
    return isinstance(value, _LISTS) and all(_is_plain(one, depth + 1) for one in value)


def attributes(device: Any) -> dict[str, Any]:
    """The attributes of a device that hold plain values, without those of the base class. Bytes
    are represented by a digest."""
    found: dict[str, Any] = {}
    for name, value in vars(device).items():
        if name[0] == "_" or name in _BASE or not _is_plain(value):
            continue
        is_bytes = isinstance(value, bytes | bytearray)
        found[name] = hashlib.blake2b(value).digest() if is_bytes else copied(value)
    return found


def unsaved_changes(device: Any) -> list[str]:
    """The attributes that have changed since the device was built and that its `save` leaves out.
    None are known of a class with a `save` of its own."""
    if "save" in vars(type(device)):
        return []
    left_out = {*device.unsaved, *device.state_names()}
    now, first = attributes(device), device._at_first
    return sorted(
        name
        for name, value in now.items()
        if name not in left_out and (name not in first or first[name] != value)
    )


def save_alarms(device: Any) -> dict[str, Any]:
    """The alarms of a device: those of a native one, and the pending ones that attributes hold.

    Raises:
        DeviceError: such an alarm doesn't call a method of the device.
    """
    clock = device.wiring.clock
    found = {name: alarm.save() for name, alarm in getattr(device, "timers", {}).items()}
    for name, alarm in vars(device).items():
        if not isinstance(alarm, Alarm) or (saved := clock.save_alarm(alarm)) is None:
            continue
        call = alarm.call
        if not isinstance(call, MethodType) or call.__self__ is not device:
            raise DeviceError(f"its alarm {name} calls {call!r}: expected a method of the device")
        found[name] = {"call": call.__name__, "pending": saved}
    return found


def load_alarms(device: Any, saved: Mapping[str, Any]) -> None:
    """Set the alarms of a device as they were, and cancel those that it has now.

    Raises:
        DeviceError: the device has no such alarm, or no such method.
    """
    clock, timers = device.wiring.clock, getattr(device, "timers", {})
    for name, alarm in vars(device).copy().items():
        if isinstance(alarm, Alarm):
            clock.cancel(alarm)
            setattr(device, name, None)
    for name, state in saved.items():
        if name in timers:
            timers[name].load(state)
            continue
        call = None if state["call"].startswith("__") else getattr(device, state["call"], None)
        is_there = name in vars(device) or name in _annotated(type(device))
        if not is_there or not isinstance(call, MethodType) or getattr(device, name, None):
            raise DeviceError(f"it has no alarm {name} that calls {state['call']}")
        setattr(device, name, clock.load_alarm(state["pending"], call))


def _annotated(kind: type) -> set[str]:
    """The names that a class and its bases annotate or set."""
    return {name for one in kind.__mro__ for name in (*vars(one), *get_annotations(one))}
