"""Devices, with their registers by name.

A load from a device may change it: it takes a character, or claims an interrupt.
`devices.registers` makes none: it shows the registers that the device just keeps, and the state
that it would save."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.registry import method
from rvplat.api.schema import Value, Word, text_of
from rvplat.bus import Device, Hole, Register
from rvplat.errors import DeviceError, did_you_mean, nearest

MOST_VALUES = 64  # of an array


class DeviceFacts(TypedDict):
    """A device, its window (null if it has none), the levels of its interrupt lines by name, and
    whether it has a console."""

    name: str
    model: str
    description: str
    base: Word | None
    size: int
    lines: dict[str, bool]
    console: bool


class Field(TypedDict):
    """Bits of a register. `value` is null if the register's is."""

    name: str
    high: int
    low: int
    value: Word | None


class DeviceRegister(TypedDict):
    """A register, or an array of `count`. `values` has its value, or those of an array that are not
    0 by index; it is null if only a load, which may change the device, would tell."""

    name: str
    offset: int
    width: int
    access: str
    count: int
    values: dict[str, Word] | None
    fields: list[Field]


class DeviceState(TypedDict):
    """The registers, and besides what the device's own code keeps (`state`), as text."""

    name: str
    registers: list[DeviceRegister]
    state: dict[str, str]


@method("free")
def devices_list(session: Session) -> list[DeviceFacts]:
    """Every device of the board."""
    machine = session.api.machine
    return [
        {
            "name": name, "model": device.model,
            "description": (type(device).__doc__ or "").split("\n\n")[0].replace("\n    ", " "),
            "base": None if (base := machine.board.devices[name].base) is None else text_of(base),
            "size": machine.board.devices[name].size,
            "lines": {line: one.level for line, one in device.lines.items()},
            "console": name in machine.consoles,
        }
        for name, device in machine.devices.items()
    ]  # fmt: skip


def device_named(session: Session, name: str) -> Device:
    """A device. LookupError if there is none."""
    devices = session.api.machine.devices
    if name not in devices:
        hint = did_you_mean(nearest(name, devices))
        raise LookupError(f"there is no device {name!r}{hint}")
    return devices[name]


@method("still")
def devices_registers(session: Session, name: str) -> DeviceState:
    """The registers of a device, without a load. Nothing changes."""
    device = device_named(session, name)
    with session.api.machine.assembly.lock:
        rows = [one for one in device.rows() if not isinstance(one, Hole)]
        registers = [_register(device, row) for row in rows]
        try:
            saved = device.save()
        except DeviceError as error:
            saved = {"problem": str(error)}
    shown = {row.attribute for row in rows}
    state = {key: _brief(value) for key, value in saved.items() if key not in shown}
    return {"name": name, "registers": registers, "state": state}


def _register(device: Device, row: Register) -> DeviceRegister:
    values = _kept(device, row)
    first = None if values is None or row.count else values.get("0")
    fields: list[Field] = [
        {"name": one.name, "high": one.high, "low": one.low,
         "value": None if first is None else text_of((first & one.mask) >> one.low)}
        for one in row.fields if one.name != "-"
    ]  # fmt: skip
    return {
        "name": row.name, "offset": row.offset, "width": row.width, "access": row.access,
        "count": row.count, "fields": fields,
        "values": None if values is None else {key: text_of(one) for key, one in values.items()},
    }  # fmt: skip


def _kept(device: Device, row: Register) -> dict[str, int] | None:
    """The values of a register that the device keeps; None if a method answers loads."""
    if hasattr(device, f"read_{row.attribute}") or row.access == "wo" or row.behind:
        return None
    kept = getattr(device, row.attribute)
    if not row.count:
        return {"0": int(kept)}
    found = {str(n): int(kept[n]) for n in range(row.count) if int(kept[n])}
    return dict(list(found.items())[:MOST_VALUES])


def _brief(value: object) -> str:
    """A value of a saved state, in a few words. Of long lists only what is not 0."""
    if isinstance(value, list) and len(value) > 8 and all(isinstance(one, int) for one in value):
        there = [f"[{n}] {one:#x}" for n, one in enumerate(value) if one]
        return ", ".join(there[:MOST_VALUES]) or "0"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:#x}"
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


@method("stopped")
def devices_read(session: Session, name: str, offset: int, size: int = 4) -> Word:
    """A load from a device of a stopped machine, which may change the device."""
    _fits(session, name, offset, size)
    base = session.api.machine.board.devices[name].base or 0
    return text_of(session.api.machine.bus.read(base + offset, size))


@method("stopped")
def devices_write(session: Session, name: str, offset: int, value: Value, size: int = 4) -> None:
    """A store to a device of a stopped machine."""
    _fits(session, name, offset, size)
    base = session.api.machine.board.devices[name].base or 0
    session.api.machine.bus.write(base + offset, size, value & (1 << 8 * size) - 1)


def _fits(session: Session, name: str, offset: int, size: int) -> None:
    device_named(session, name)
    facts = session.api.machine.board.devices[name]
    if facts.base is None:
        raise LookupError(f"{name} has no registers")
    if size not in (1, 2, 4, 8) or offset % size or not 0 <= offset <= facts.size - size:
        raise BadParameter(f"offset={offset:#x}, size={size}: no aligned access in {name}'s window")
