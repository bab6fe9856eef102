"""Commands with the names that they have in QEMU's monitor and in OpenOCD."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rvplat.gdb.monitor import board_state, maps
from rvplat.gdb.monitor.command import Say, address, command
from rvplat.gdb.monitor.settings import reset
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.gdb.target.world_memory import PHYSICAL
from rvplat.machine.inspection.hart_report import dump, where

_FORMAT = re.compile(r"/(\d*)([xduoc]?)([bhwg]?)([xduoc]?)")
_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
_ROW_BYTES = 16
MOST = 4096  # words that x and xp show


@command
def system_reset(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """system_reset: the same as reset."""
    reset.run(target, thread, words, say)


@command
def halt(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """halt: whether every hart is stopped. gdb stops one that runs, by Ctrl-C or interrupt."""
    harts = [hart.number for hart in target.machine.harts]
    running = ", ".join(f"hart {n}" for n in harts if target.control.is_running(n))
    if running:
        raise GdbError(f"only gdb can stop what runs ({running}): type interrupt -a")
    say("every hart is stopped\n")


@command
def stop(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stop: the same as halt."""
    halt.run(target, thread, words, say)


@command
def resume(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """resume: refused, because gdb must know what runs; type continue instead."""
    raise GdbError("only gdb can let the board run, else it would not know: continue, or detach")


@command
def cont(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """cont: the same as resume."""
    resume.run(target, thread, words, say)


@command
def quit_(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """quit: power the board off; gdb is told when it next resumes the board, or ends.

    gdb 18 would crash if the connection were closed at once, as QEMU does.
    """
    target.power_off()
    say("the board is off\n")


@command
def targets(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """targets: the harts, and where each of them is."""
    for hart in target.machine.harts:
        running = target.control.is_running(hart.number)
        say(f"hart {hart.number}: running\n" if running else f"{where(target.machine, hart)}\n")


@command
def x(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """x [/COUNT FORMAT SIZE] ADDRESS: memory of the selected world, as in x /4xw $sp.

    FORMAT  x, d, u, o or c
    SIZE    b, h, w or g: 1, 2, 4 or 8 bytes
    """
    _show(target, words, thread, say, lambda at, n: target.read_memory(thread, at, n))


@command
def xp(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """xp [/COUNT FORMAT SIZE] ADDRESS: memory at a physical address, otherwise as x.

    Device registers are read only after `devices on`.
    """
    _show(target, words, thread, say, lambda at, n: _physical(target, thread, at, n))


def _physical(target: MachineTarget, thread: Thread, at: int, length: int) -> bytes:
    before, target.world_memory.space = target.world_memory.space, PHYSICAL
    try:
        return target.read_memory(thread, at, length)
    finally:
        target.world_memory.space = before


def _show(
    target: MachineTarget,
    words: Sequence[str],
    thread: Thread,
    say: Say,
    read: Callable[[int, int], bytes],
) -> None:
    """The words of memory, as QEMU shows them."""
    shape = _FORMAT.fullmatch(words[0]) if words and words[0].startswith("/") else None
    rest = words[1:] if shape is not None else words
    if len(rest) != 1:
        raise GdbError("expected [/COUNT FORMAT SIZE] ADDRESS, as in /4xw 0x80000000")
    count, first, size, last = shape.groups() if shape is not None else ("", "", "", "")
    number, kind, step = int(count or 1), first or last or "x", _SIZES[size or "w"]
    if not 0 < number <= MOST:
        raise GdbError(f"{number} words: expected 1 to {MOST}")
    at = address(target, rest[0], thread)
    data = read(at, number * step)
    for row in range(0, len(data) // step * step, _ROW_BYTES):
        part = data[row : row + _ROW_BYTES]
        parts = [part[n : n + step] for n in range(0, len(part) // step * step, step)]
        shown = " ".join(_word(one, kind) for one in parts)
        say(f"{at + row:016x}: {shown}\n")
    if len(data) < number * step:
        raise GdbError(f"{at + len(data):#x} can't be read")


def _word(data: bytes, kind: str) -> str:
    value = int.from_bytes(data, "little", signed=kind == "d")
    if kind == "x":
        return f"{value:#0{2 + 2 * len(data)}x}"
    if kind == "c":
        return repr(chr(value & 0xFF))
    return f"{value:#o}" if kind == "o" else str(value)


@command
def gva2gpa(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """gva2gpa ADDRESS: as translate, with QEMU's output."""
    if len(words) != 1:
        raise GdbError("expected gva2gpa ADDRESS")
    pa = target.translate_address(thread, address(target, words[0], thread))
    say("Unmapped\n" if pa is None else f"gpa: {pa:#x}\n")


@command
def info(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """info mem|registers|cpus|mtree|status: what QEMU's monitor shows under these names.

    mem         the selected world's mappings, as pwndbg and GEF read them; `maps` shows more
    registers   every hart's
    cpus        as targets
    mtree       as devices
    status      whether harts run
    """
    known: dict[str, Callable[[], None]] = {
        "mem": lambda: maps.brief(target, thread, say),
        "registers": lambda: say(_registers(target)),
        "cpus": lambda: targets.run(target, thread, (), say),
        "mtree": lambda: board_state.devices.run(target, thread, (), say),
        "status": lambda: say(f"VM status: {_status(target)}\n"),
    }
    if len(words) != 1 or words[0] not in known:
        raise GdbError(f"expected info {'|'.join(known)}")
    known[words[0]]()


def _registers(target: MachineTarget) -> str:
    with target.control.quiet():
        return dump(target.machine)


def _status(target: MachineTarget) -> str:
    harts = range(len(target.machine.harts))
    return "running" if any(target.control.is_running(n) for n in harts) else "paused"
