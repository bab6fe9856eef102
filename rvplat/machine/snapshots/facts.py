"""What a snapshot is of: rvplat's version, the board, the plugins, the host's files below it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rvplat.errors import SnapshotError
from rvplat.frozen import frozen
from rvplat.machine.boards.board import Board
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.plain_board import differences, plain_board
from rvplat.pluginmanager import Plugin, Plugins

_SHIPPED = "rvplat_plugins."
_USED = {"rvplat_devices", "rvplat_extensions"}
_PIECE = 1 << 20


@frozen
class BaseFile:
    """A file of the host that a device's state builds on. `sha256` is empty if nobody asked."""

    device: str
    path: str
    size: int
    mtime_ns: int
    sha256: str = ""


@frozen
class UsedPlugin:
    """A plugin whose device models or extensions the board has. `sha256` is of its source."""

    name: str
    source: str
    sha256: str


@frozen
class Facts:
    """What a snapshot is of. `board` has the tables and keys of the board's file."""

    version: str
    board_name: str
    board: Mapping[str, Any]
    plugins: tuple[UsedPlugin, ...]
    files: tuple[BaseFile, ...]


@lru_cache
def own_version() -> str:
    """The version of this rvplat."""
    return version("rvplat")


def facts_of(machine: System) -> Facts:
    """The facts of a machine. Contents of files aren't read."""
    board, plugins = machine.board, getattr(machine, "plugins", None)
    used = tuple(used_plugins(board, plugins)) if plugins is not None else ()
    return Facts(own_version(), board.name, plain_board(board), used, base_files(machine))


# --- plugins ---


def used_plugins(board: Board, plugins: Plugins) -> Iterable[UsedPlugin]:
    """The plugins, other than those that ship, that the board's state depends on."""
    names = {device.model.model for device in board.devices.values()}
    names |= {extension.name for extension in board.extensions}
    for plugin in plugins.plugins:
        if plugin.module.__name__.startswith(_SHIPPED):
            continue
        if any(hook in _USED and label in names for hook, label in plugin.registered):
            yield UsedPlugin(plugin.name, plugin.source, digest(plugin))


def digest(plugin: Plugin) -> str:
    """A digest of a plugin's source, wherever it lies."""
    file = Path(getattr(plugin.module, "__file__", None) or "")
    is_package = file.name == "__init__.py"
    found = hashlib.sha256()
    for one in sorted(file.parent.rglob("*.py")) if is_package else [file]:
        if one.is_file():
            found.update(f"{one.relative_to(file.parent)}\0".encode() + one.read_bytes())
    return found.hexdigest()


def check_plugins(facts: Facts, plugins: Plugins | None) -> None:
    """SnapshotError if a plugin is missing or has changed."""
    if plugins is None:
        return
    there = {plugin.name: plugin for plugin in plugins.plugins}
    for one in facts.plugins:
        if one.name not in there:
            raise SnapshotError(
                f"the snapshot needs the plugin {one.name} ({one.source}), which is not loaded: "
                "name its file with --plugin, or in plugin_paths"
            )
        if digest(there[one.name]) != one.sha256:
            raise SnapshotError(
                f"the plugin {one.name} ({there[one.name].source}) is not the one of the snapshot: "
                "its source has changed since"
            )


# --- files of the host ---


def base_files(machine: System) -> tuple[BaseFile, ...]:
    """The files below the devices' state, as they are now."""
    return tuple(
        _base_file(name, path)
        for name, device in machine.devices.items()
        for path in device.host_files()
    )


def _base_file(device: str, path: Path) -> BaseFile:
    try:
        found = path.stat()
    except OSError as error:
        raise SnapshotError(f"devices.{device}: {path}: {error.strerror}") from None
    return BaseFile(device, str(path.absolute()), found.st_size, found.st_mtime_ns)


def with_contents(one: BaseFile) -> BaseFile:
    """The same with the digest of the file's contents."""
    digest = sha256_of(one.path, one.size, one.mtime_ns)
    return BaseFile(one.device, one.path, one.size, one.mtime_ns, digest)


@lru_cache(maxsize=64)
def sha256_of(path: str, size: int, mtime_ns: int) -> str:
    """The digest of a file's contents, read once for a size and time of it. Holes are not read:
    each piece of a MiB that is all zero counts as one byte."""
    found, zeros = hashlib.sha256(), bytes(_PIECE)
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(b"0" if piece == zeros else b"1" + piece)
    return found.hexdigest()


def check_files(machine: System, facts: Facts) -> None:
    """SnapshotError if a file below a device's state has changed. A file whose time is another is
    compared by its contents, if the snapshot knows them: copies of an image are as good."""
    now = base_files(machine)
    for was in facts.files:
        found = next((one for one in now if one.device == was.device), None)
        if found is None:
            raise SnapshotError(
                f"devices.{was.device}: the snapshot's disk has an image: {was.path}"
            )
        if found.size != was.size:
            why = f"it has {found.size} bytes, and had {was.size}"
        elif found.mtime_ns == was.mtime_ns:
            continue
        elif not was.sha256:
            why = "it was written since"
        elif sha256_of(found.path, found.size, found.mtime_ns) == was.sha256:
            continue
        else:
            why = "its contents are others"
        raise SnapshotError(
            f"devices.{was.device}: the image {found.path} has changed since the snapshot: {why}"
        )


# --- all of it ---


def check_facts(machine: System, facts: Facts) -> None:
    """SnapshotError if a snapshot with these facts does not fit a machine."""
    check_plugins(facts, getattr(machine, "plugins", None))
    for key, was, found in differences(facts.board, plain_board(machine.board)):
        raise SnapshotError(
            f"the snapshot is of another board, {facts.board_name}: {key} is {_shown(was)} there, "
            f"and {_shown(found)} here"
        )
    check_files(machine, facts)


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)
