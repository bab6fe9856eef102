"""From a line to the command that it names; help."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rvplat.errors import PluginError
from rvplat.gdb.monitor import (
    board_state,
    breakpoints,
    history,
    maps,
    qemu_and_openocd,
    settings,
    snapshots,
)
from rvplat.gdb.monitor.command import BUILT_IN, Command, Say, command
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.machine.machine import Machine

#: Importing them enters their commands.
SUBJECTS = (board_state, breakpoints, history, maps, qemu_and_openocd, settings, snapshots)


def commands(target: MachineTarget) -> dict[str, Command]:
    """Every command by name: the built-in ones and the plugins'."""
    plugins = target.machine.plugins
    return {**BUILT_IN, **(plugins.monitors if plugins is not None else {})}


def refuse_clashes(machine: Machine) -> None:
    """PluginError if the command of a plugin has the name of a built-in one."""
    plugins = machine.plugins
    if plugins is None:
        return
    for name in plugins.monitors:
        if name in BUILT_IN:
            hook = "rvplat_monitors", name
            owner = next(one.name for one in plugins.plugins if hook in one.registered)
            raise PluginError(owner, f"monitor command {name!r} is rvplat's own")


def find(target: MachineTarget, name: str) -> Command:
    """The command of a name. GdbError, with the nearest name, if there is none."""
    known = commands(target)
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise GdbError(f"unknown monitor command {name!r}{hint} (monitor help lists them)")
    return known[name]


@command
def help_(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """help [COMMAND]: the commands, or one of them."""
    if words:
        say(find(target, words[0]).help.rstrip() + "\n")
        return
    for _, known in sorted(commands(target).items()):
        say(known.help.splitlines()[0] + "\n")


def run(target: MachineTarget, thread: Thread, line: str, say: Say) -> None:
    """Execute a line. GdbError if it can't be done."""
    words = line.split() or ["help"]
    if words[0].startswith(("x/", "xp/")):  # as gdb writes it
        name, _, shape = words[0].partition("/")
        words[:1] = [name, f"/{shape}"]
    chosen = find(target, words[0])
    if words[1:] and chosen.help.startswith(f"{words[0]}:") and words[0] in BUILT_IN:
        raise GdbError(f"{' '.join(words[1:])!r}: {words[0]} takes nothing")
    try:
        chosen.run(target, thread, words[1:], say)
    except GdbError:
        raise
    except Exception as error:
        if words[0] in BUILT_IN:
            raise
        target.machine.assembly.failures.note(f"monitor {words[0]}", error)
        raise GdbError(f"monitor {words[0]} raised {type(error).__name__}: {error}") from error
