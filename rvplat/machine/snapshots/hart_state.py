"""The state of a hart: the fields of its record whose role is to be saved (hart/state.py), and how
many instructions it retired before the last reset."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any

from rvplat.errors import SnapshotError
from rvplat.hart.debugging.world_switches import GUESTS
from rvplat.hart.state import DERIVED, IN_RAM, SAVED
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER
from rvplat.isa.sdtrig import TRIGGERS
from rvplat.lang import Record
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.native_records import NativeHart
from rvplat.machine.running.system import System

RETIRED_BEFORE = "retired_before"
_WORD = 8
_MASK64 = (1 << 64) - 1


def fields_of_role(layout: Record, role: str) -> Iterator[tuple[str, int, int]]:
    """Name, offset and bytes of the fields of a role, without padding and pointers."""
    for field in layout.fields.values():
        if field.role == role:
            yield field.name, field.offset, field.size


def save_hart(machine: System, hart: NativeHart) -> dict[str, Any]:
    """The saved fields, by name, as bytes; host addresses in RAM as physical addresses."""
    found: dict[str, Any] = {
        name: ctypes.string_at(hart.address + offset, size)
        for name, offset, size in fields_of_role(hart.layout, SAVED)
    }
    for name, _, _ in fields_of_role(hart.layout, IN_RAM):
        found[name] = _physical(machine, int(hart.field(name).value))
    found[RETIRED_BEFORE] = hart.retired_before
    return found


def check_hart(hart: Hart, state: Mapping[str, Any]) -> None:
    """SnapshotError if the hart has other fields, or if a value would lead native code astray."""
    wanted = {name: size for name, _, size in fields_of_role(hart.layout, SAVED)}
    names = {*wanted, *(name for name, _, _ in fields_of_role(hart.layout, IN_RAM)), RETIRED_BEFORE}
    if odd := sorted(names ^ state.keys()):
        which = "lacks" if odd[0] in names else "has the unknown"
        raise SnapshotError(
            f"hart {hart.number}: the snapshot {which} field {odd[0]}: another version of rvplat, "
            "or of a plugin, saved it"
        )
    for name, value in state.items():
        size = wanted.get(name)
        fits = isinstance(value, int) if size is None else isinstance(value, bytes)
        if not fits or (size is not None and len(value) != size):
            raise SnapshotError(f"hart {hart.number}: the field {name} has another size")
    if bad := _impossible(hart, state):
        raise SnapshotError(f"hart {hart.number}: {bad} has a value that no hart can have")


def _impossible(hart: Hart, state: Mapping[str, Any]) -> str:
    """The first field whose value native code relies on and that no hart can have; else empty."""

    def number(name: str, signed: bool = False) -> int:
        return int.from_bytes(state[name], "little", signed=signed)

    if number("priv") not in (USER, SUPERVISOR, MACHINE):
        return "priv"
    for name in ("virt", "elp", "critical", "waiting"):
        if number(name) > 1:
            return name
    if number("guest_last") >= GUESTS:
        return "guest_last"
    if "tselect" in state and number("tselect") >= TRIGGERS:
        return "tselect"
    if "vsew" not in state or not (vlen := 8 * int(hart.plain.vlen_bytes)):
        return ""
    sew, lmul, vlmax = number("vsew"), number("vlmul", signed=True), number("vlmax")
    if sew not in (0, 8, 16, 32, 64) or not -3 <= lmul <= 3:
        return "vsew"
    most = (vlen << lmul if lmul >= 0 else vlen >> -lmul) // sew if sew else 0
    if vlmax > most:
        return "vlmax"
    if number("vl") > most or number("vstart") > 8 * vlen:
        return "vl"
    return ""


def load_hart(machine: System, hart: NativeHart, state: Mapping[str, Any]) -> None:
    """Restore a state that `check_hart` accepted, and forget what depended on the old one."""
    for name, offset, size in fields_of_role(hart.layout, SAVED):
        ctypes.memmove(hart.address + offset, state[name], size)
    for name, _, _ in fields_of_role(hart.layout, IN_RAM):
        address = machine.memory.host_address(state[name], _WORD) if state[name] else 0
        hart.field(name).value = address
    hart.retired_before = state[RETIRED_BEFORE]
    _forget(hart)
    machine.export("forget_derived")(hart.address)


def _forget(hart: NativeHart) -> None:
    """Clear the derived numbers. `forget_derived` brings the rest up to date."""
    for field in hart.layout.fields.values():
        if field.role == DERIVED and is_number(field):
            ctypes.memset(hart.address + field.offset, 0, field.size)


def is_number(field: Any) -> bool:
    """Whether a field is a number or an array of them, and no record or pointer."""
    return isinstance(field.type, type)


def _physical(machine: System, address: int) -> int:
    """The physical address of a host address in RAM; 0 if it is in none."""
    for ram in machine.memory.regions:
        if ram.address <= address < ram.address + ram.size:
            return address - ram.address + ram.base
    return 0
