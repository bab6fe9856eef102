"""Snapshots of the board: in memory by name, or in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.errors import SnapshotError
from rvplat.gdb.monitor.command import Say, command
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget

if TYPE_CHECKING:
    from rvplat.machine.snapshots.snapshot import Snapshot

_WORDS = "snapshot save NAME, snapshot load NAME or snapshot list"


@command
def snapshot(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """snapshot save NAME | load NAME | list: save the board's whole state, or go back to it.

    A NAME with a "." or "/" is a file on the machine that runs the board; any other is kept in
    memory until the board ends. After load every hart is stopped; breakpoints stay. gdb doesn't
    learn of it: it shows old registers until it drops its register cache.
    """
    if list(words) == ["list"]:
        for name, one in target.snapshots.items():
            places = ", ".join(f"hart {n} at {pc:#x}" for n, pc in enumerate(one.pcs))
            say(f"{name}: {places}\n")
        if not target.snapshots:
            say("no snapshots in memory\n")
        return
    if len(words) != 2 or words[0] not in ("save", "load"):
        raise GdbError(f"{' '.join(words)!r}: expected {_WORDS}")
    try:
        (_save if words[0] == "save" else _load)(target, words[1], say)
    except SnapshotError as error:
        raise GdbError(str(error)) from None


def _save(target: MachineTarget, name: str, say: Say) -> None:
    from rvplat.machine.snapshots.snapshot import take

    with target.control.quiet():
        found = take(target.machine)
    if (path := _path(name)) is None:
        target.snapshots[name] = found
        say(f"saved as {name}\n")
        return
    from rvplat.machine.snapshots.file import write

    write(found, path)
    say(f"saved to {path}\n")


def _load(target: MachineTarget, name: str, say: Say) -> None:
    target.go_back(_found(target, name))
    say(f"the board is as in {name}; to see its registers: maintenance flush register-cache\n")


def _found(target: MachineTarget, name: str) -> Snapshot:
    if (path := _path(name)) is not None:
        from rvplat.machine.snapshots.file import read

        return read(path)
    if name not in target.snapshots:
        raise GdbError(f"no snapshot {name!r}: monitor snapshot list lists those in memory")
    return target.snapshots[name]


def _path(name: str) -> Path | None:
    """The file that a name means; None for one in memory."""
    return Path(name).expanduser().resolve() if "/" in name or "." in name else None
