"""Read a board by name, with its plugins, for `Machine` and the commands.

    board, plugins = open_board("virt", [parse_override("harts.count=2")])

Overrides have the syntax of the command line, see `rvplat.machine.boards.toml_tree`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rvplat.bus.device import Power, Progress
from rvplat.errors import Fault
from rvplat.frozen import frozen
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.board_faults import Place, fault, quoted
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import build_board, check_board
from rvplat.machine.boards.toml_tree import Override, Source, apply, read_board
from rvplat.machine.loading.devicetree import Chosen
from rvplat.machine.loading.fdt import Node
from rvplat.machine.running.assembly import Ports, assemble
from rvplat.pluginmanager import Plugins, load_plugins


@frozen
class Disk:
    """An image for the next free virtio slot; `origin` is how the user wrote it (`--disk FILE`)."""

    path: str
    origin: str


def open_source(
    name: str, overrides: Sequence[Override], plugins: Plugins, disks: Sequence[Disk] = ()
) -> tuple[Source, Catalogue]:
    """Read a board's TOML and load the plugins that it names; the catalogue includes them.

    Raises:
        PluginError: a plugin that the board names raised an error, or is not a plugin.
    """
    source = read_board(name, Catalogue.of(plugins).boards, overrides)
    _put_in(source, disks)
    for entry in source.plugins:
        path = entry.place.directory / Path(str(entry.value)).expanduser()
        if path.exists():
            plugins.load_path(path)
        else:
            found, expected = f"no file {quoted(str(entry.value))}", "a Python file or package"
            source.faults.append(fault(entry.place, "plugins", found, expected))
    return source, Catalogue.of(plugins)


def _put_in(source: Source, disks: Sequence[Disk]) -> None:
    """Put disks into the slots virtio0, virtio1, ...; a fault if the board has too few."""
    slots = 0
    devices = source.root.table.get("devices", source.root).table
    while f"virtio{slots}" in devices:
        slots += 1
    for number, disk in enumerate(disks[:slots] if source.complete else ()):
        for key, value in (("model", "virtio-blk"), ("image", disk.path)):
            apply(source, Override(("devices", f"virtio{number}", key), value, disk.origin))
    if source.complete and len(disks) > slots:
        found = f"{len(disks)} disk{'s' * (len(disks) > 1)}"
        most = f"at most {slots}: the board has virtio0 to virtio{slots - 1}"
        none = "none: the board has no virtio slot (devices.virtio0)"
        source.faults.append(fault(Place(disks[slots].origin), "", found, most if slots else none))


def open_board(
    name: str,
    overrides: Sequence[Override] = (),
    plugin_paths: Iterable[str | Path] = (),
    plugins: Plugins | None = None,
    disks: Sequence[Disk] = (),
) -> tuple[Board, Plugins]:
    """A board by its name or the path of its file, and all plugins, including those that it names.

    Raises:
        BoardError: the board has faults; the error lists all of them.
        PluginError: a plugin can't be used.
    """
    plugins = plugins if plugins is not None else load_plugins(plugin_paths)
    source, catalogue = open_source(name, overrides, plugins, disks)
    return build_board(source, catalogue), plugins


def faults_of(
    name: str, overrides: Sequence[Override] = (), plugin_paths: Iterable[str | Path] = ()
) -> list[Fault]:
    """Every fault of a board, in the order of its lines; empty if it can be built."""
    return check_board(*open_source(name, overrides, load_plugins(plugin_paths)))


def tree_of(board: Board, chosen: Chosen | None = None) -> Node:
    """The device tree of a board without software: no seed, no initrd."""
    assembly = assemble(board, Ports(_no_line, _no_timer, _no_power, _no_progress))
    try:
        tree = assembly.device_tree(chosen)
    except BaseException:
        assembly.abandon()
        raise
    assembly.close()
    return tree


def _no_progress() -> Progress:
    """No progress: there are no harts."""
    return ()


def _no_line(hart: int, bit: int, level: bool) -> None:
    """Ignore the call: there are no harts."""


def _no_timer(hart: int, mtimecmp: int) -> None:
    """Ignore the call: there are no harts."""


def _no_power(what: Power, code: int) -> None:
    """Ignore the call: nothing runs."""
