"""Snapshots of the machine's whole state, in memory by name or in files."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.methods.running import State, state_of
from rvplat.api.registry import method
from rvplat.api.schema import shown
from rvplat.arguments import text as text_argument
from rvplat.machine.running.stop import Stop
from rvplat.machine.snapshots.blocks import is_snapshot
from rvplat.machine.snapshots.file import read, write
from rvplat.machine.snapshots.snapshot import take

MOST_KEPT = 64


class SnapshotFacts(TypedDict):
    """A snapshot in memory."""

    name: str
    instructions: int


def _path(session: Session, name: str) -> Path | None:
    """The file that a name means; None for one in memory. A client gets at no other folder."""
    text_argument("name", name)
    if not name:
        raise BadParameter(f"name={shown(name)}: expected a name or the path of a file")
    if "/" not in name and "." not in name:
        return None
    folder = session.api.folder
    path = (folder / name).resolve()
    if folder not in path.parents:
        raise BadParameter(f"name={shown(name)}: expected a file in {folder}")
    return path


@method("still")
def snapshots_save(session: Session, name: str) -> None:
    """Save the machine's state. A name with a "." or "/" is a file in the folder that rvplat was
    started in, any other is kept in memory. A file that is no snapshot is not replaced. A machine
    that runs goes on."""
    path, kept = _path(session, name), session.api.snapshots
    if path is None and name not in kept and len(kept) >= MOST_KEPT:
        raise BadParameter(f"there are {MOST_KEPT} snapshots in memory already")
    if path is not None and path.exists() and not is_snapshot(path):
        raise BadParameter(f"name={shown(name)}: the file exists, and is no snapshot")
    machine = session.api.machine
    found = take(machine)
    if path is None:
        work = sum(one.retired_before + one.retired for one in machine.harts)
        kept[name] = found, work
    else:
        write(found, path)


@method("free")
def snapshots_load(session: Session, name: str) -> State:
    """Give a stopped machine the state of a snapshot."""
    control, path = session.api.control, _path(session, name)
    if path is None and name not in session.api.snapshots:
        raise LookupError(f"there is no snapshot {name!r}: snapshots.list lists them")

    def load() -> Stop:
        found = session.api.snapshots[name][0] if path is None else read(path)
        control.machine.load(found)
        return Stop("snapshot", detail=f"the machine is as in the snapshot {name}")

    control.moved(load)
    return state_of(control)


@method("free")
def snapshots_list(session: Session) -> list[SnapshotFacts]:
    """The snapshots in memory."""
    return [
        {"name": name, "instructions": work} for name, (_, work) in session.api.snapshots.items()
    ]
