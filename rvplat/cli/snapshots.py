"""`rvplat run --save` and `--load` with a snapshot, and the terminal's key for one."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.cli.progress import say

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine

DEFAULT_FILE = Path("rvplat.snap")  # of the key, without --save
#: Options that say what a machine begins with; a snapshot says it already.
EXCLUDED = ("kernel", "initrd", "dtb", "append", "memory", "harts")


def add_save_option(parser: argparse.ArgumentParser) -> None:
    """Add `--save`."""
    parser.add_argument(
        "--save", type=Path, metavar="FILE",
        help="write a snapshot of the machine to FILE when the run ends, unless Ctrl-A S on the "
        "terminal wrote one before; --load FILE, without BOARD and PROGRAM, goes on from it",
    )  # fmt: skip


def snapshot_among(arguments: argparse.Namespace) -> Path | None:
    """The snapshot that `--load` names; None if its files are to be put into memory.

    Raises:
        RvplatError: other options exclude a snapshot.
    """
    files: list[Path] = [one.path for one in arguments.extra_files if one.address is None]
    if not files:
        return None
    from rvplat.errors import RvplatError
    from rvplat.machine.snapshots.blocks import is_snapshot

    found = [path for path in files if is_snapshot(path)]
    if not found:
        return None
    others = [f"--{name}" for name in EXCLUDED if getattr(arguments, name) is not None]
    if arguments.words:
        others.insert(0, " ".join(arguments.words))
    if arguments.disks:
        others.append("--disk")
    if len(arguments.extra_files) > 1:
        others.append("another --load")
    if others:
        raise RvplatError(
            f"--load {found[0]}: a snapshot has its board, software and memory: leave out "
            f"{', '.join(others)}"
        )
    return found[0]


def load(
    path: Path, arguments: argparse.Namespace, watched: object, symbols: Mapping[int | None, Path]
) -> Machine:
    """The machine of a snapshot, with the changes of `--set`, `--plugin` and `--strict`, and with
    files of symbols."""
    from rvplat.cli.options import overrides
    from rvplat.machine.machine import Machine

    assert callable(watched)
    changes = {".".join(one.path): one.value for one in overrides(arguments)}
    strict = True if getattr(arguments, "strict", False) else None
    return Machine.from_snapshot(
        path, arguments.plugins, say=watched, settings=changes, strict=strict, symbols=symbols
    )


class Saver:
    """Saves a machine: on the terminal's key while it runs, and at the end of the run."""

    def __init__(self, machine: Machine, path: Path | None) -> None:
        self.machine = machine
        self.path = path
        self._was_saved = False
        self._busy = threading.Lock()

    def check(self) -> None:
        """Before the run: SnapshotError if the machine can't be saved at its end."""
        if self.path is None:
            return
        from rvplat.errors import SnapshotError
        from rvplat.machine.snapshots.device_state import save_devices, standing

        if not self.path.absolute().parent.is_dir():
            raise SnapshotError(f"{self.path}: there is no such folder")
        with standing(self.machine):
            save_devices(self.machine)

    def key(self) -> None:
        """The user has typed the key. The thread of the terminal doesn't wait."""
        threading.Thread(target=self._save_now, name="rvplat-save", daemon=True).start()

    def _save_now(self) -> None:
        from rvplat.errors import SnapshotError
        from rvplat.machine.snapshots.file import write
        from rvplat.machine.snapshots.snapshot import Snapshot, take

        path = self.path or DEFAULT_FILE
        with self._busy:
            taken: list[Snapshot | SnapshotError] = []

            def look() -> None:
                try:
                    taken.append(take(self.machine))
                except SnapshotError as error:
                    taken.append(error)

            run = self.machine.current
            if run is None or not run.look(look):
                say("not saved: the machine does not run, or does not stop; gdb: monitor snapshot")
                return
            try:
                if isinstance(taken[0], SnapshotError):
                    raise taken[0]
                write(taken[0], path)
            except SnapshotError as error:
                say(f"not saved: {error}")
                return
            self._was_saved = True
            say(f"saved to {path}")

    def end(self) -> None:
        """After the run: save, unless the key did."""
        with self._busy:
            if self.path is not None and not self._was_saved:
                self.machine.save(self.path)
