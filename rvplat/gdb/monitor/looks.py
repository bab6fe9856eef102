"""What a board is and does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rvplat.engine.agent import REG_CSR
from rvplat.gdb.monitor.command import Board, Say, address, command, on_off, vmid
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.interfaces import Thread
from rvplat.hart.debugging.worlds import HOST
from rvplat.machine.inspection.explain import Access, World, explain
from rvplat.machine.inspection.run_statistics import statistics

_IRQS = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI",
         11: "MEI", 12: "SGEI", 13: "LCOFI"}  # fmt: skip
_IRQ_CSRS = {"pending": "mip", "enabled": "mie", "mideleg": "mideleg", "hideleg": "hideleg"}


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
    """interrupts: for each hart what is pending or enabled, and the mode that takes it."""
    present = {row.name: row.number for row in board.registers.names()}
    for cell in board.machine.harts:
        if board.control.is_running(cell.number):
            say(f"hart {cell.number}: running\n")
            continue
        bits = {
            key: board.registers.read(cell.number, REG_CSR + present[name])
            if name in present
            else 0
            for key, name in _IRQ_CSRS.items()
        }
        lines = [
            _interrupt(name, **{key: value >> bit & 1 for key, value in bits.items()})
            for bit, name in _IRQS.items()
            if (bits["pending"] | bits["enabled"]) >> bit & 1
        ]
        say(
            "\n  ".join([f"hart {cell.number}:{'' if lines else ' nothing is enabled'}", *lines])
            + "\n"
        )


def _interrupt(name: str, pending: int, enabled: int, mideleg: int, hideleg: int) -> str:
    """A line about one interrupt."""
    states = [word for word, bit in (("pending", pending), ("enabled", enabled)) if bit]
    mode = "M" if not mideleg else "VS" if hideleg else "S"
    return f"{name}: {' and '.join(states)}, for {mode} mode"


@command
def stats(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stats: instructions, traps by cause, time in guests, of each hart; what is watched."""
    with board.control.quiet():
        found = statistics(board.machine)
    for number, one in enumerate(found.harts):
        say(f"hart {number}: {one.instructions} instructions\n")
        if one.traps:
            say(f"  traps: {', '.join(f'{name} {count}' for name, count in one.traps.items())}\n")
        if one.worlds.entries:
            say(f"  guests: {one.worlds}\n")
    say(f"{len(board.stops.points.spots)} breakpoints, {board.stops.watches.count} watched pages\n")


@command
def translate(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """translate ADDRESS: the physical address of one of the selected world, and what is there.

    ADDRESS may be a symbol of the world or of the board's program, or an expression of registers:
    $pc, $sp+8.
    """
    if len(words) != 1:
        raise GdbError("expected translate ADDRESS")
    va = address(board, words[0], thread)
    pa = board.look_up(thread, va)
    say(f"{va:#x}: {'not mapped' if pa is None else f'{pa:#x}, {_place(board, pa)}'}\n")


def _place(board: Board, pa: int) -> str:
    """What a physical address is in."""
    assembly = board.machine.assembly
    window = assembly.map.window_at(pa)
    if window is not None:
        return window[0].name
    names = [ram.name for ram in assembly.memory.regions if ram.base <= pa < ram.end]
    return names[0] if names else "where nothing is"


def _world(board: Board, thread: Thread, vmids: Sequence[str]) -> World:
    """The guest of vmid=N, or else the thread's world."""
    if vmids:
        return vmid(vmids[0].removeprefix("vmid="))
    world = board.worlds.get(thread.pid)
    return "host" if world.number == HOST else world.vmid


@command
def walk(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """walk ADDRESS [load|store|fetch] [vmid=N]: how a world gets from an address to memory.

    ADDRESS may be a symbol of the world or of the board's program, or an expression of registers:
    $pc, $sp+8.
    Both stages, entry by entry, and the fault that would come of the access, with its htval and
    htinst. The world is the selected one, or the guest with a VMID. After `info threads` gdb 13
    doesn't say which one is selected: the first line tells whose walk it is.
    """
    vmids = [word for word in words[1:] if word.startswith("vmid=")]
    rest = [word for word in words if word not in vmids]
    access = rest[1] if len(rest) == 2 else "load"
    if not 1 <= len(rest) <= 2 or access not in ("load", "store", "fetch") or len(vmids) > 1:
        raise GdbError("expected walk ADDRESS [load|store|fetch] [vmid=N]")
    va = address(board, words[0], thread, vmid(vmids[0].removeprefix("vmid=")) if vmids else None)
    with board.control.quiet():
        try:
            found = explain(
                board.machine, va, cast("Access", access), thread.tid - 1,
                world=_world(board, thread, vmids),
            )  # fmt: skip
        except LookupError as error:
            raise GdbError(str(error)) from None
    say(f"{found}\n")
