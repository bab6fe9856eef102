"""Snapshots, as a machine's user takes and loads them. What they are made of is in snapshots/."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rvplat.arguments import path as path_argument
from rvplat.arguments import paths
from rvplat.machine.boards.board import Board
from rvplat.machine.loading.loader import Software
from rvplat.machine.open_arguments import PathLike
from rvplat.machine.recorded import Recorded
from rvplat.machine.running.console import HostConsole
from rvplat.pluginmanager import Plugins

if TYPE_CHECKING:
    from rvplat.machine.snapshots.snapshot import Snapshot

Say = Callable[[str], None]


class Snapshots(Recorded):
    """The part of a machine that saves and loads its state."""

    if TYPE_CHECKING:

        def __init__(
            self, board: Board, software: Software | None = None,
            console: HostConsole | None = None, plugins: Plugins | None = None, say: Say = ...,
        ) -> None: ...  # fmt: skip

        def close(self) -> None: ...

    def save(self, path: PathLike | None = None) -> Snapshot:
        """Take a snapshot of the stopped machine: harts, RAM, devices, what the guest wrote to its
        disks, consoles, clock. It stays in memory, and is written to a file too if `path` says so.
        Snapshots of a run share the memory that did not change between them.

        Raises:
            SnapshotError: a device can't be saved, or the file can't be written. A file that was
                there before stays.
        """
        from rvplat.machine.snapshots.snapshot import take

        self.must_be_free()
        found = take(self)
        if path is not None:
            from rvplat.machine.snapshots.file import write

            write(found, path_argument("path", path))
        return found

    def load(self, snapshot: Snapshot | PathLike) -> None:
        """Give the stopped machine the state of a snapshot, or of a file of one. It may be of
        another machine with the same board. Breakpoints and watchpoints stay; a recording ends.
        The machine then was not started.

        Raises:
            SnapshotError: the file is no whole snapshot of this version, or it is of another board,
                plugin or disk image. The machine's state is as before.
        """
        from rvplat.machine.snapshots.snapshot import Snapshot, load_whole, put_back

        self.must_be_free()
        if isinstance(snapshot, Snapshot):
            put_back(self, snapshot)
        else:
            load_whole(self, _read(snapshot))
        self.end_recording()
        self.recording = None
        self.loaded_at = self.turns.place()
        self.last = None
        for console in (self.console, *self.consoles.values()):
            console.forget_runs()
        self.state_replaced()

    @classmethod
    def from_snapshot(
        cls, snapshot: Snapshot | PathLike, plugin_paths: Iterable[PathLike] = (),
        console: HostConsole | None = None, say: Say | None = None,
        settings: Mapping[str, object] | None = None, strict: bool | None = None,
        symbols: Mapping[int | None, PathLike] | None = None,
    ) -> Self:  # fmt: skip
        """Build the machine of a snapshot, or of a file of one, in its state.

        No file that the snapshot names is opened, except the images of its disks. They are only
        read: what the guest writes is kept apart and forgotten when the machine closes.

        Args:
            plugin_paths: the plugins of the board: a snapshot doesn't load any.
            settings: changes to the board, such as `{"devices.virtio0.image": "copy.img"}`.
            console, say, strict, symbols: as for `open`. A snapshot has the names of its program,
                but not the file with the debug information.

        Raises:
            SnapshotError: as `load`.
            RvplatError: the board can't be built.
        """
        from rvplat.machine.open_arguments import named_symbols
        from rvplat.machine.snapshots.rebuild import parts_of
        from rvplat.machine.snapshots.snapshot import Snapshot, put_back

        found = snapshot if isinstance(snapshot, Snapshot) else _read(snapshot)
        name = "the snapshot" if isinstance(snapshot, Snapshot) else str(snapshot)
        board, plugins, software = parts_of(
            found, name, paths("plugin_paths", plugin_paths), settings, strict
        )
        software = replace(software, symbol_files=named_symbols(symbols))
        machine = cls(board, software, console, plugins, say or _say_nothing)
        try:
            put_back(machine, found)
        except BaseException:
            machine.close()
            raise
        machine.loaded_at = machine.turns.place()
        return machine


def _read(path: PathLike) -> Snapshot:
    from rvplat.machine.snapshots.file import read

    return read(Path(path_argument("snapshot", path)))


def _say_nothing(text: str) -> None:
    """Discard a progress message."""
