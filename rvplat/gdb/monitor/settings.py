"""What later steps and accesses of memory do; power."""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.gdb.errors import GdbError
from rvplat.gdb.memory import SPACES
from rvplat.gdb.monitor.command import Board, Say, command, on_off
from rvplat.gdb.target import Thread


@command
def reset(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """reset: power-on reset of the board, its software loaded again; every hart is stopped."""
    board.restart()
    say("the board is out of reset\n")


@command
def stepmask(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stepmask [on|off]: whether interrupts are masked while stepping."""
    board.masked = on_off(words, board.masked)
    say(f"interrupts while stepping: {'masked' if board.masked else 'taken'}\n")


@command
def space(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """space [virtual|guest-physical|physical]: what the addresses are that gdb reads and writes
    memory at. A guest's physical addresses go through the second stage alone."""
    if words:
        if len(words) != 1 or words[0] not in SPACES:
            expected = f"{', '.join(SPACES[:-1])} or {SPACES[-1]}"
            raise GdbError(f"{' '.join(words)!r}: expected {expected}")
        board.sight.space = words[0]
    say(f"addresses are {board.sight.space}\n")
