"""All hooks that a plugin may implement. They are called when a machine is built, never while it
runs: a hook returns what the plugin provides.

    from rvplat.hookspecs import hookimpl

    @hookimpl
    def rvplat_devices():
        return [Lamp]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from rvplat.bus.device import Device

PROJECT = "rvplat"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rvplat_devices() -> Sequence[type[Device]]:  # type: ignore[empty-body]
    """Return device models: subclasses of `rvplat.bus.Device`. A board names one by its `model`."""


@hookspec
def rvplat_extensions() -> Sequence[Any]:  # type: ignore[empty-body]
    """Return ISA extensions: `rvplat.isa.Extension` objects. A hart's ISA string enables them."""


@hookspec
def rvplat_loaders() -> Sequence[Any]:  # type: ignore[empty-body]
    """Return loaders of program files: `rvplat.machine.loading.program.Loader` objects. They are
    tried before the formats that rvplat reads itself.
    """


@hookspec
def rvplat_boards() -> Sequence[Path]:  # type: ignore[empty-body]
    """Return boards: paths of TOML files or of folders of them. A board has its file's name,
    without `.toml`.
    """


@hookspec
def rvplat_commands() -> Sequence[Any]:  # type: ignore[empty-body]
    """Return subcommands of `rvplat`. Each has `name`, `help`, `configure(argparse_parser)` and
    `run(arguments) -> exit status`.
    """


@hookspec
def rvplat_monitors() -> Sequence[Any]:  # type: ignore[empty-body]
    """Return monitor commands for gdb. Each has `name`, `help` (its first line is the summary) and
    `run(board, thread, words, say)`. `words` are what the user typed after the name, `say(text)`
    writes text to gdb's user, who sees a new line only where the text has one. `board.machine` is
    the `Machine`; for the rest see rvplat/gdb/monitor/command.py. gdb shows the error that `run`
    raises.
    """
