"""The monitor commands that ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rvplat.gdb.errors import GdbError
from rvplat.gdb.monitor import Say, command, commands, number, on_off
from rvplat.gdb.target import Thread
from rvplat.hart.worlds import HOST
from rvplat.machine.explain import Access, explain

if TYPE_CHECKING:
    from rvplat.gdb.board import BoardTarget

_IRQS = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI",
         11: "MEI", 12: "SGEI", 13: "LCOFI"}  # fmt: skip


@command
def help_(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """help [COMMAND]: the commands, or one of them."""
    known = commands(target)
    if words:
        if words[0] not in known:
            raise GdbError(f"there is no monitor command {words[0]!r}")
        say(known[words[0]].help.rstrip() + "\n")
        return
    for name in sorted(known):
        say(known[name].help.splitlines()[0] + "\n")


@command
def worlds(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """worlds: the host and the guests that were seen, and the harts in them."""
    for process in target.processes():
        harts = ", ".join(f"hart {n}" for n in process.cores) or "no hart"
        say(f"{process.pid}: {process.name}: {harts} in it now\n")


@command
def devices(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """devices [on|off]: the board's memory and devices; whether gdb may access device registers.

    Reading a device's register can change its state, so it is refused until `devices on`.
    """
    target.sight.devices = on_off(words, target.sight.devices)
    if words:
        return
    assembly = target.machine.assembly
    for ram in assembly.memory.regions:
        say(f"{ram.base:#018x} {ram.size:#12x} {ram.name}\n")
    for window, device in assembly.map.windows:
        say(f"{window.base:#018x} {window.size:#12x} {window.name} ({type(device).model})\n")
    say(f"device registers: {'on' if target.sight.devices else 'off'}\n")


@command
def interrupts(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """interrupts: for each hart what is pending, enabled and delegated."""
    for cell in target.machine.harts:
        read = target.registers.read
        if target.control.is_running(cell.number):
            say(f"hart {cell.number}: running\n")
            continue
        pending, enabled = (read(cell.number, 65 + n) for n in (0x344, 0x304))
        names = [
            f"{name}{' (enabled)' if enabled >> bit & 1 else ''}"
            for bit, name in _IRQS.items()
            if pending >> bit & 1
        ]
        say(f"hart {cell.number}: pending: {', '.join(names) or 'none'}; mie {enabled:#x}\n")


@command
def stats(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stats: retired instructions, breakpoints, what the harts do."""
    for cell in target.machine.harts:
        hart = cell.view
        retired = int(hart.instret_base) - int(hart.budget)
        say(f"hart {cell.number}: {retired} instructions retired\n")
    say(f"{int(target.machine.cell.view.break_count)} breakpoints\n")


@command
def reset(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """reset: power-on reset of the board, its software loaded again; every hart is stopped."""
    target.restart()
    say("the board is out of reset\n")


@command
def stepmask(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stepmask [on|off]: whether interrupts are masked while stepping."""
    target.masked = on_off(words, target.masked)
    say(f"interrupts while stepping: {'masked' if target.masked else 'taken'}\n")


@command
def translate(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """translate ADDRESS: the physical address of a virtual one in the selected world."""
    if len(words) != 1:
        raise GdbError("expected translate ADDRESS")
    va = number(words[0])
    pa = target.look_up(thread, va)
    say(f"{va:#x}: {'not mapped' if pa is None else hex(pa)}\n")


@command
def walk(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """walk ADDRESS [load|store|fetch]: how the selected world gets from an address to memory.

    Both stages, entry by entry, and the fault that would come of the access, with its htval and
    htinst.
    """
    access = words[1] if len(words) == 2 else "load"
    if not 1 <= len(words) <= 2 or access not in ("load", "store", "fetch"):
        raise GdbError("expected walk ADDRESS [load|store|fetch]")
    world = target.worlds.get(thread.pid)
    with target.control.quiet():
        try:
            found = explain(
                target.machine, number(words[0]), cast("Access", access), thread.tid - 1,
                world="host" if world.number == HOST else world.number - 1,
            )  # fmt: skip
        except LookupError as error:
            raise GdbError(str(error)) from None
    say(f"{found}\n")


@command
def space(target: BoardTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """space [virtual|physical]: what the addresses are that gdb reads and writes memory at."""
    if words:
        if list(words) not in (["virtual"], ["physical"]):
            raise GdbError(f"{' '.join(words)!r}: expected virtual or physical")
        target.sight.space = words[0]
    say(f"addresses are {target.sight.space}\n")
