"""From a line to the command that it names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from rvplat.errors import PluginError
from rvplat.gdb.monitor import breaks, familiar, looks, maps, settings
from rvplat.gdb.monitor.command import BUILT_IN, Board, Command, Say, command
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.interfaces import Thread
from rvplat.machine.machine import Machine

SUBJECTS = (breaks, familiar, looks, maps, settings)  # importing them enters their commands


def commands(board: Board) -> dict[str, Command]:
    """Every command by name: ours, then the plugins'."""
    return {**BUILT_IN, **board.commands}


def added(machine: Machine) -> Mapping[str, Command]:
    """The commands of plugins. PluginError for one that has the name of ours."""
    plugins = machine.plugins
    if plugins is None:
        return {}
    for name in plugins.monitors:
        if name in BUILT_IN:
            hook = "rvplat_monitors", name
            owner = next(one.name for one in plugins.plugins if hook in one.registered)
            raise PluginError(owner, f"monitor command {name!r} is rvplat's own")
    return plugins.monitors


def find(board: Board, name: str) -> Command:
    """A command. GdbError with the nearest name if there is none."""
    known = commands(board)
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise GdbError(f"unknown monitor command {name!r}{hint} (monitor help lists them)")
    return known[name]


@command
def help_(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """help [COMMAND]: the commands, or one of them."""
    if words:
        say(find(board, words[0]).help.rstrip() + "\n")
        return
    for _, known in sorted(commands(board).items()):
        say(known.help.splitlines()[0] + "\n")


def run(board: Board, thread: Thread, line: str, say: Say) -> None:
    """Do what a line says. GdbError if it can't be done."""
    words = line.split() or ["help"]
    if words[0].startswith(("x/", "xp/")):  # as gdb writes it
        name, _, shape = words[0].partition("/")
        words[:1] = [name, f"/{shape}"]
    chosen = find(board, words[0])
    if words[1:] and chosen.help.startswith(f"{words[0]}:") and words[0] in BUILT_IN:
        raise GdbError(f"{' '.join(words[1:])!r}: {words[0]} takes nothing")
    try:
        chosen.run(board, thread, words[1:], say)
    except GdbError:
        raise
    except Exception as error:
        if words[0] in BUILT_IN:
            raise
        board.machine.assembly.failures.note(f"monitor {words[0]}", error)
        raise GdbError(f"monitor {words[0]} raised {type(error).__name__}: {error}") from error
