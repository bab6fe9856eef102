"""The state of a board: its worlds, devices, interrupts and statistics, and translations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rvplat.engine.agent import REG_CSR
from rvplat.gdb.monitor.command import Say, address, command, on_off, vmid
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.hart.debugging.worlds import HOST
from rvplat.machine.boards.listing import HARTS_HEAD, list_harts
from rvplat.machine.inspection.control_flow import control_flow
from rvplat.machine.inspection.explain import Access, World, explain
from rvplat.machine.inspection.run_statistics import statistics
from rvplat.tables import table

_IRQS = {1: "SSI", 2: "VSSI", 3: "MSI", 5: "STI", 6: "VSTI", 7: "MTI", 9: "SEI", 10: "VSEI",
         11: "MEI", 12: "SGEI", 13: "LCOFI"}  # fmt: skip
_IRQ_CSRS = {"pending": "mip", "enabled": "mie", "mideleg": "mideleg", "hideleg": "hideleg"}


@command
def worlds(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """worlds: the host and the guests that have run, and the harts in them."""
    for process in target.processes():
        harts = ", ".join(f"hart {n}" for n in process.cores) or "no hart"
        say(f"{process.pid}: {process.name}: {harts} in it now\n")


@command
def devices(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """devices [on|off]: the board's memory and devices; whether gdb may access device registers.

    A read of a device register can change the device's state. So it is refused until `devices on`.
    """
    target.world_memory.devices = on_off(words, target.world_memory.devices)
    if words:
        return
    assembly = target.machine.assembly
    for ram in assembly.memory.regions:
        say(f"{ram.base:#018x} {ram.size:#12x} {ram.name}\n")
    for window, device in assembly.map.windows:
        say(f"{window.base:#018x} {window.size:#12x} {window.name} ({type(device).model})\n")
    say(f"device registers: {'on' if target.world_memory.devices else 'off'}\n")


@command
def cfi(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """cfi: of each hart the landing pad expected now, the shadow stack, the last failed check.

    The lines are those of Zicfilp and Zicfiss: ELP, ssp and the return addresses at it, and which
    landing pad was missing, or which return address differed.
    """
    for hart in target.machine.harts:
        if target.control.is_running(hart.number):
            say(f"hart {hart.number}: running\n")
            continue
        lines = control_flow(hart) or ["nothing is expected, and no check has failed"]
        say("".join(f"hart {hart.number}: {line}\n" for line in lines))


@command
def rnmi(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """rnmi [CAUSE]: raise a resumable non-maskable interrupt of the thread's hart (Smrnmi), once.

    The hart takes it when it next runs, as soon as mnstatus.NMIE is set. CAUSE is 0 to 63.
    """
    hart = target.machine.harts[thread.tid - 1]
    if target.control.is_running(hart.number):
        raise GdbError(f"hart {hart.number} runs: stop it first")
    cause = address(target, words[0]) if words else 0
    if cause > 63:
        raise GdbError(f"CAUSE is 0 to 63, not {cause}")
    try:
        target.changes()
        hart.raise_rnmi(cause)
    except LookupError as error:
        raise GdbError(str(error)) from None


@command
def interrupts(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """interrupts: for each hart the interrupts that are pending or enabled, and who takes them."""
    present = {row.name: row.number for row in target.registers.names()}
    for hart in target.machine.harts:
        if target.control.is_running(hart.number):
            say(f"hart {hart.number}: running\n")
            continue
        bits = {
            key: target.registers.read(hart.number, REG_CSR + present[name])
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
            "\n  ".join([f"hart {hart.number}:{'' if lines else ' nothing is enabled'}", *lines])
            + "\n"
        )


def _interrupt(name: str, pending: int, enabled: int, mideleg: int, hideleg: int) -> str:
    """A line about one interrupt."""
    states = [word for word, bit in (("pending", pending), ("enabled", enabled)) if bit]
    mode = "M" if not mideleg else "VS" if hideleg else "S"
    return f"{name}: {' and '.join(states)}, for {mode} mode"


@command
def harts(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """harts: what each hart of the board has: ISA string, translation, VLEN, PMP entries, ASIDs."""
    board = target.machine.board
    say(table(HARTS_HEAD, list_harts(board, every=True)))


@command
def stats(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stats: of each hart the instructions, traps by cause and time in guests; breakpoints."""
    with target.control.quiet():
        found = statistics(target.machine)
    for number, one in enumerate(found.harts):
        say(f"hart {number}: {one.instructions} instructions\n")
        if one.traps:
            say(f"  traps: {', '.join(f'{name} {count}' for name, count in one.traps.items())}\n")
        if one.worlds.entries:
            say(f"  guests: {one.worlds}\n")
    points = target.machine.debugged
    say(
        f"{len(points.breakpoint_rows.places)} breakpoints, "
        f"{points.watchpoint_rows.count} watched pages\n"
    )


@command
def translate(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """translate ADDRESS: the physical address of an address in the selected world.

    ADDRESS may be a symbol of the world or of the board's program, or an expression of registers:
    $pc, $sp+8.
    """
    if len(words) != 1:
        raise GdbError("expected translate ADDRESS")
    va = address(target, words[0], thread)
    pa = target.translate_address(thread, va)
    say(f"{va:#x}: {'not mapped' if pa is None else f'{pa:#x}, {_place(target, pa)}'}\n")


def _place(target: MachineTarget, pa: int) -> str:
    """The memory or the device at a physical address."""
    assembly = target.machine.assembly
    window = assembly.map.window_at(pa)
    if window is not None:
        return window[0].name
    names = [ram.name for ram in assembly.memory.regions if ram.base <= pa < ram.end]
    return names[0] if names else "where nothing is"


def _world(target: MachineTarget, thread: Thread, vmids: Sequence[str]) -> World:
    """The guest of vmid=N, or else the thread's world."""
    if vmids:
        return vmid(vmids[0].removeprefix("vmid="))
    world = target.worlds.get(thread.pid)
    return "host" if world.number == HOST else world.vmid


@command
def walk(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """walk ADDRESS [load|store|fetch] [vmid=N]: the page walk of an access, step by step.

    ADDRESS may be a symbol of the world or of the board's program, or an expression of registers:
    $pc, $sp+8.
    Both stages, entry by entry, and the fault that the access would raise, with its htval and
    htinst. The world is the selected one, or the guest with a VMID. The first line says which one,
    because gdb 13 doesn't say which thread is selected after `info threads`.
    """
    vmids = [word for word in words[1:] if word.startswith("vmid=")]
    rest = [word for word in words if word not in vmids]
    access = rest[1] if len(rest) == 2 else "load"
    if not 1 <= len(rest) <= 2 or access not in ("load", "store", "fetch") or len(vmids) > 1:
        raise GdbError("expected walk ADDRESS [load|store|fetch] [vmid=N]")
    va = address(target, words[0], thread, vmid(vmids[0].removeprefix("vmid=")) if vmids else None)
    with target.control.quiet():
        try:
            found = explain(
                target.machine, va, cast("Access", access), thread.tid - 1,
                world=_world(target, thread, vmids),
            )  # fmt: skip
        except LookupError as error:
            raise GdbError(str(error)) from None
    say(f"{found}\n")
