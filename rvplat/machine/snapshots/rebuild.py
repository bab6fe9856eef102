"""The parts of a machine that is built from a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rvplat.errors import SnapshotError
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.loader import Software
from rvplat.machine.loading.program import Program
from rvplat.machine.snapshots.facts import check_plugins
from rvplat.machine.snapshots.plain_board import board_of
from rvplat.machine.snapshots.snapshot import Snapshot
from rvplat.pluginmanager import Plugins, load_plugins


def parts_of(
    snapshot: Snapshot, name: str, plugin_paths: Iterable[Path],
    settings: Mapping[str, object] | None, strict: bool | None,
) -> tuple[Board, Plugins, Software]:  # fmt: skip
    """The board, the plugins, and the software as far as the board needs it: its symbols. `name`
    is what messages call the snapshot."""
    plugins = load_plugins(plugin_paths)
    check_plugins(snapshot.facts, plugins)
    overrides = [
        Override(tuple(key.split(".")), value, f"settings[{key!r}]")
        for key, value in (settings or {}).items()
    ]
    if strict is not None:
        overrides.append(Override(("strict",), strict, f"strict={strict!r}"))
    facts = snapshot.facts
    board = _board(snapshot, plugins, overrides, name)
    bare = Program(Path(facts.board_name), "snapshot", (), snapshot.plan.entry,
                   symbols=snapshot.plan.symbols)  # fmt: skip
    return board, plugins, Software(program=bare)


def _board(snapshot: Snapshot, plugins: Plugins, overrides: list[Override], name: str) -> Board:
    facts = snapshot.facts
    try:
        return board_of(facts.board_name, facts.board, plugins, overrides, name)
    except (TypeError, AttributeError) as error:
        raise SnapshotError(f"{name}: its board is not as it was written: {error}") from None
