"""`rvplat completion`: prints the shell's side of completion; and answers the shell.

The shell starts `rvplat` with variables that argcomplete defines. Only then is it imported.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rvplat.cli.commands import Command

if TYPE_CHECKING:
    from rvplat.machine.boards.board import Board

SHELLS = ("bash", "zsh", "fish")
Completer = Callable[..., Any]


class Completion:
    """Prints what a shell needs to complete the words of `rvplat`."""

    name = "completion"
    help = "print a script that lets a shell complete commands, options, boards and settings"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("shell", choices=SHELLS, help="the shell")

    def run(self, arguments: argparse.Namespace) -> int:
        from argcomplete.shell_integration import shellcode

        print(shellcode(["rvplat"], shell=arguments.shell))
        return 0


def wanted_command(commands: Mapping[str, Command]) -> str | None:
    """The command among the words that the shell completes."""
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0") or 0)]
    try:
        words = shlex.split(line)
    except ValueError:  # a quote that is not closed yet
        words = line.split()
    return next((word for word in words[1:] if word in commands), None)


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end the process."""
    import argcomplete
    from argcomplete.completers import DirectoriesCompleter

    completers: dict[str, Completer] = {
        "words": _boards, "board": _boards, "settings": _settings, "consoles": _consoles,
        "semihosting_files": DirectoriesCompleter(),
    }  # fmt: skip
    for one in _actions(parser):
        if one.dest in completers:
            one.completer = completers[one.dest]  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long")


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The actions of a parser and of its commands."""
    for one in parser._actions:
        yield one
        if isinstance(one, argparse._SubParsersAction):
            for inner in one.choices.values():
                yield from _actions(inner)


def _boards(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of boards and shipped programs, and files."""
    from argcomplete.completers import FilesCompleter

    from rvplat.machine.boards.catalogue import Catalogue
    from rvplat.machine.boards.toml_tree import board_names
    from rvplat.pluginmanager import load_plugins

    paths = Catalogue.of(load_plugins([])).boards
    files = FilesCompleter()(prefix)
    return [*board_names(paths), "demo", "hypervisor", *files]


def _board_of(parsed: argparse.Namespace) -> str:
    words = getattr(parsed, "words", None) or [getattr(parsed, "board", None) or "virt"]
    return str(words[0])


def _consoles(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """NAME= of the consoles of the named board, and the places."""
    name, equals, _place = prefix.partition("=")
    if equals:
        places = ("unix:", "tcp:", "pty", "file:", "stdio", "none")
        return [f"{name}={place}" for place in places]
    board = _opened(parsed_args)
    found = [one for one, device in board.devices.items() if device.model.uses_console]
    return [f"{one}=" for one in found]


def _settings(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """KEY= of all keys of the named board."""
    from rvplat.machine.boards import board as tables

    board = _opened(parsed_args)
    found = [*_fields(tables.General)]
    for name in ("harts", "chosen", "boot", "debug"):
        found += [f"{name}.{key}" for key in _fields(type(getattr(board, name)))]
    for name in board.memory:
        found += [f"memory.{name}.{key}" for key in _fields(tables.BoardMemory)]
    for name, device in board.devices.items():
        keys = [*_fields(tables.Connection), *_fields(device.model.settings_type)]
        found += [f"devices.{name}.{key}" for key in keys]
    return [f"{key}=" for key in found]


def _fields(kind: type) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        yield from (one.name for one in dataclasses.fields(kind))


def _opened(parsed: argparse.Namespace) -> Board:
    from rvplat.machine.open import open_board

    return open_board(_board_of(parsed))[0]
