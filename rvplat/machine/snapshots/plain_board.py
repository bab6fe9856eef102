"""A checked board as plain tables, and back. Snapshot files hold a board so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rvplat.machine.boards.board import Board, HartChanges
from rvplat.machine.boards.board_faults import Place
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board
from rvplat.machine.boards.toml_tree import Override, Source, TomlEntry, apply
from rvplat.pluginmanager import Plugins

#: Keys that the state of a machine does not depend on.
IGNORED = {
    ("description",), ("strict",), ("model",), ("harts", "regions"), ("chosen", "bootargs"),
    ("boot", "program"), ("boot", "kernel"), ("boot", "initrd"), ("boot", "dtb"),
}  # fmt: skip
#: Of disks and semihosting: where the host keeps files.
_HOST_SETTINGS = {"image", "overlay", "snapshot", "raw", "folder"}
_SOFTWARE = ("program", "kernel", "initrd", "dtb")


def plain_board(board: Board) -> dict[str, Any]:
    """The tables and keys of a board's file, after all that it extends and all options."""
    harts = _values(board.harts)
    for one in board.each:
        own = {item.name: getattr(one.harts, item.name) for item in fields(HartChanges)}
        shared = {name: getattr(board.harts, name) for name in own}
        if changes := {name: _plain(v) for name, v in own.items() if v != shared[name]}:
            harts[str(one.number)] = changes
    devices = {}
    for name, device in board.devices.items():
        settings = _values(device.settings)
        joined = {"base": device.base, "controller": device.controller}
        joined = {key: value for key, value in joined.items() if value is not None}
        interrupts = {"interrupts": list(device.interrupts)} if device.interrupts else {}
        devices[name] = {"model": device.model.model, **joined, **interrupts, **settings}
    boot = {key: value for key, value in _values(board.boot).items() if key not in _SOFTWARE}
    return {
        **_values(board.general),
        "harts": harts,
        "memory": {name: _values(one) for name, one in board.memory.items()},
        "devices": devices,
        "chosen": _values(board.chosen),
        "boot": boot,
        "debug": _values(board.debug),
    }


def _values(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass of settings that are set."""
    found = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    """A value as TOML has it."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def board_of(
    name: str, tables: Mapping[str, Any], plugins: Plugins, overrides: Sequence[Override], file: str
) -> Board:
    """The board that `plain_board` described, with further options. The host's files below its
    disks are only read: what the guest writes is kept apart.

    Raises:
        BoardError: it has faults.
    """
    source = Source(name, TomlEntry({}, Place(file)))
    devices = {key: _kept_apart(keys) for key, keys in tables.get("devices", {}).items()}
    for key, value in {**tables, "devices": devices}.items():
        apply(source, Override((key,), value, file))
    for one in overrides:
        apply(source, one)
        if one.path[0] == "devices" and one.path[-1] == "overlay":
            apply(source, Override((*one.path[:-1], "snapshot"), False, one.origin))
    return build_board(source, Catalogue.of(plugins))


def _kept_apart(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a device. A disk forgets what the guest writes when the machine closes. The
    folder of semihosting is not the one that a file from anybody names."""
    kept = {key: value for key, value in keys.items() if key not in ("overlay", "folder")}
    return {**kept, "snapshot": True} if keys.get("readonly") is False else kept


def differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The keys in which two boards differ in what counts for a machine's state, with both values;
    None for a key that a board lacks."""
    first, second = dict(_flat(one)), dict(_flat(two))
    for path in [*first, *(path for path in second if path not in first)]:
        if first.get(path) != second.get(path) and not _is_ignored(path):
            yield ".".join(path), first.get(path), second.get(path)


def _is_ignored(path: tuple[str, ...]) -> bool:
    if path in IGNORED or path[0] == "debug":
        return True
    return path[0] == "devices" and len(path) == 3 and path[2] in _HOST_SETTINGS


def _flat(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield from _flat(one, (*path, key))
        else:
            yield (*path, key), one
