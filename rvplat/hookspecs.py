"""Every hook that a plugin may implement. They register; they are called when a machine is built,
never while it runs.

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
    """Device models: subclasses of `rvplat.bus.Device`. A board names one by its `model`."""


@hookspec
def rvplat_extensions() -> Sequence[Any]:  # type: ignore[empty-body]
    """ISA extensions: `rvplat.isa.Extension`. A hart's ISA string enables one."""


@hookspec
def rvplat_loaders() -> Sequence[Any]:  # type: ignore[empty-body]
    """Loaders of program files: `rvplat.machine.loading.program.Loader` objects. They are asked
    before the formats that rvplat reads itself.
    """


@hookspec
def rvplat_boards() -> Sequence[Path]:  # type: ignore[empty-body]
    """Boards: TOML files, or folders of them. A board's name is its file's, without `.toml`."""


@hookspec
def rvplat_commands() -> Sequence[Any]:  # type: ignore[empty-body]
    """Subcommands of `rvplat`. Each has `name`, `help`, `configure(argparse_parser)` and
    `run(arguments) -> exit status`.
    """


@hookspec
def rvplat_monitors() -> Sequence[Any]:  # type: ignore[empty-body]
    """gdb's monitor commands. Each has `name`, `help` (the first line is its summary) and
    `run(board, thread, words, say)`: `board.machine` is the `Machine`, the rest of it is in
    rvplat/gdb/monitor/command.py. What it raises is told to gdb's user.
    """
