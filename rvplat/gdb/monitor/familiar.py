"""Commands that users of QEMU's monitor and of OpenOCD are used to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rvplat.gdb.monitor import looks, maps
from rvplat.gdb.monitor.command import Board, Say, address, command
from rvplat.gdb.monitor.settings import reset
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.interfaces import Thread
from rvplat.gdb.target.world_memory import PHYSICAL
from rvplat.machine.inspection.hart_report import dump, where

_FORMAT = re.compile(r"/(\d*)([xduoc]?)([bhwg]?)([xduoc]?)")
_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
_ROW_BYTES = 16
MOST = 4096  # words that x and xp show


@command
def system_reset(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """system_reset: the same as reset."""
    reset.run(board, thread, words, say)


@command
def halt(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """halt: whether every hart is stopped; where one runs, gdb stops it, by Ctrl-C or interrupt."""
    harts = [cell.number for cell in board.machine.harts]
    running = ", ".join(f"hart {n}" for n in harts if board.control.is_running(n))
    if running:
        raise GdbError(f"gdb must stop what runs ({running}), or it would not know: interrupt -a")
    say("every hart is stopped\n")


@command
def stop(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stop: the same as halt."""
    halt.run(board, thread, words, say)


@command
def resume(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """resume: refused, because gdb must know what runs; its continue lets the board run."""
    raise GdbError("gdb must let the board run, or it would not know: continue, or detach")


@command
def cont(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """cont: the same as resume."""
    resume.run(board, thread, words, say)


@command
def quit_(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """quit: power the board off; gdb hears of it when it next lets the board run, or ends.

    To hang up at once, as QEMU does, makes gdb 18 crash.
    """
    board.power_off()
    say("the board is off\n")


@command
def targets(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """targets: the harts, and where each of them is."""
    for cell in board.machine.harts:
        running = board.control.is_running(cell.number)
        say(f"hart {cell.number}: running\n" if running else f"{where(board.machine, cell)}\n")


@command
def x(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """x [/COUNT FORMAT SIZE] ADDRESS: memory of the selected world, as in x /4xw $sp.

    FORMAT  x, d, u, o or c
    SIZE    b, h, w or g: 1, 2, 4 or 8 bytes
    """
    _show(board, words, thread, say, lambda at, n: board.read_memory(thread, at, n))


@command
def xp(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """xp [/COUNT FORMAT SIZE] ADDRESS: memory at a physical address, otherwise as x.

    Device registers are read only after `devices on`.
    """
    _show(board, words, thread, say, lambda at, n: _physical(board, thread, at, n))


def _physical(board: Board, thread: Thread, at: int, length: int) -> bytes:
    before, board.sight.space = board.sight.space, PHYSICAL
    try:
        return board.read_memory(thread, at, length)
    finally:
        board.sight.space = before


def _show(
    board: Board, words: Sequence[str], thread: Thread, say: Say, read: Callable[[int, int], bytes]
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
    at = address(board, rest[0], thread)
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
def gva2gpa(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """gva2gpa ADDRESS: the physical address of one of the selected world, as QEMU shows it."""
    if len(words) != 1:
        raise GdbError("expected gva2gpa ADDRESS")
    pa = board.look_up(thread, address(board, words[0], thread))
    say("Unmapped\n" if pa is None else f"gpa: {pa:#x}\n")


@command
def info(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """info mem|registers|cpus|mtree|status: what QEMU's monitor shows under these names.

    mem         the selected world's mappings, as pwndbg and GEF read them; `maps` shows more
    registers   every hart's
    cpus        as targets
    mtree       as devices
    status      whether harts run
    """
    known: dict[str, Callable[[], None]] = {
        "mem": lambda: maps.brief(board, thread, say),
        "registers": lambda: say(_registers(board)),
        "cpus": lambda: targets.run(board, thread, (), say),
        "mtree": lambda: looks.devices.run(board, thread, (), say),
        "status": lambda: say(f"VM status: {_status(board)}\n"),
    }
    if len(words) != 1 or words[0] not in known:
        raise GdbError(f"expected info {'|'.join(known)}")
    known[words[0]]()


def _registers(board: Board) -> str:
    with board.control.quiet():
        return dump(board.machine)


def _status(board: Board) -> str:
    harts = range(len(board.machine.harts))
    return "running" if any(board.control.is_running(n) for n in harts) else "paused"
