"""Find every fault that keeps a board from running, for `rvplat check`.

The check builds the machine as `rvplat run` does, and discards it: both find the same faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rvplat.errors import BoardError, RvplatError
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.check import build_board
from rvplat.machine.boards.extensions import architecture_for, hart_extensions
from rvplat.machine.boards.plugin_clashes import bad_texts, clashes
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.loader import read_software
from rvplat.machine.machine import Machine
from rvplat.machine.open import open_source
from rvplat.pluginmanager import Plugins


def problems_of(
    name: str, overrides: Sequence[Override], plugins: Plugins,
    say: Callable[[str], None] = lambda text: None,
) -> list[str]:  # fmt: skip
    """Every fault of a board and of its plugins, one line each; an empty list if it can be built.

    The plugins that the board names are loaded into `plugins`. The check compiles code that the
    cache lacks; `say` gets a message before that.

    Raises:
        PluginError: a plugin that the board names can't be loaded.
    """
    source, catalogue = open_source(name, overrides, plugins)
    board, found = None, []
    try:
        board = build_board(source, catalogue)
    except BoardError as error:
        found += str(error).splitlines()
    extensions = tuple(plugins.extensions.values())
    harts = hart_extensions(board) if board is not None else []
    clashing = clashes(extensions, shipped_extensions(), harts) if extensions else []
    found += clashing
    if extensions and not clashing:
        found += bad_texts(architecture_for(extensions, compressed=True))
    if board is not None and not found:
        found += _of_building(board, plugins, say)
    return found


def _of_building(board: Board, plugins: Plugins, say: Callable[[str], None]) -> list[str]:
    """The errors that building the machine raises."""
    try:
        software = read_software(board, None, loaders=tuple(plugins.loaders.values()))
        Machine(board, software, None, plugins, say).close()
    except RvplatError as error:
        return str(error).splitlines()
    return []
