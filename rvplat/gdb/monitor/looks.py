"""What a board is and does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rvplat.gdb.errors import GdbError
from rvplat.gdb.monitor.command import Board, Say, command, number, on_off
from rvplat.gdb.target import Thread
from rvplat.hart.worlds import HOST
from rvplat.machine.explain import Access, explain

_IRQS = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI",
         11: "MEI", 12: "SGEI", 13: "LCOFI"}  # fmt: skip


@command
def worlds(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """worlds: the host and the guests that were seen, and the harts in them."""
    for process in board.processes():
        harts = ", ".join(f"hart {n}" for n in process.cores) or "no hart"
        say(f"{process.pid}: {process.name}: {harts} in it now\n")


@command
def devices(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """devices [on|off]: the board's memory and devices; whether gdb may access device registers.

    Reading a device's register can change its state, so it is refused until `devices on`.
    """
    board.sight.devices = on_off(words, board.sight.devices)
    if words:
        return
    assembly = board.machine.assembly
    for ram in assembly.memory.regions:
        say(f"{ram.base:#018x} {ram.size:#12x} {ram.name}\n")
    for window, device in assembly.map.windows:
        say(f"{window.base:#018x} {window.size:#12x} {window.name} ({type(device).model})\n")
    say(f"device registers: {'on' if board.sight.devices else 'off'}\n")


@command
def interrupts(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """interrupts: for each hart what is pending, enabled and delegated."""
    for cell in board.machine.harts:
        read = board.registers.read
        if board.control.is_running(cell.number):
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
def stats(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stats: retired instructions, breakpoints, what the harts do."""
    for cell in board.machine.harts:
        hart = cell.plain
        retired = int(hart.instret_base) - int(hart.budget)
        say(f"hart {cell.number}: {retired} instructions retired\n")
    say(f"{int(board.machine.cell.plain.break_count)} breakpoints\n")


@command
def translate(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """translate ADDRESS: the physical address of a virtual one in the selected world."""
    if len(words) != 1:
        raise GdbError("expected translate ADDRESS")
    va = number(words[0])
    pa = board.look_up(thread, va)
    say(f"{va:#x}: {'not mapped' if pa is None else hex(pa)}\n")


@command
def walk(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """walk ADDRESS [load|store|fetch]: how the selected world gets from an address to memory.

    Both stages, entry by entry, and the fault that would come of the access, with its htval and
    htinst.
    """
    access = words[1] if len(words) == 2 else "load"
    if not 1 <= len(words) <= 2 or access not in ("load", "store", "fetch"):
        raise GdbError("expected walk ADDRESS [load|store|fetch]")
    world = board.worlds.get(thread.pid)
    with board.control.quiet():
        try:
            found = explain(
                board.machine, number(words[0]), cast("Access", access), thread.tid - 1,
                world="host" if world.number == HOST else world.number - 1,
            )  # fmt: skip
        except LookupError as error:
            raise GdbError(str(error)) from None
    say(f"{found}\n")
