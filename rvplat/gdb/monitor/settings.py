"""What later steps and accesses of memory do; power."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rvplat.gdb.monitor.command import Board, Say, command, on_off, vmid
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target.ebreaks import EVERYWHERE, GUESTS, THE_HOST, TRAP
from rvplat.gdb.target.interfaces import Thread
from rvplat.gdb.target.world_memory import SPACES


@command
def reset(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """reset [halt|init|run]: power-on reset of the board, its software loaded again.

    Every hart is stopped afterwards, whatever the word; gdb's continue lets them run. gdb isn't
    told of the reset: it shows old registers until it is made to forget them.
    """
    if words and list(words) not in (["halt"], ["init"], ["run"]):
        raise GdbError(f"{' '.join(words)!r}: expected reset, or reset halt, init or run")
    board.restart()
    if list(words) == ["run"]:
        say("gdb must let the board run, or it would not know: continue\n")
    say("the board is out of reset; gdb sees it after: maintenance flush register-cache\n")


@command
def trace(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """trace [on FILE|off]: every instruction of every hart, as Spike's commit log, into a file.

    FILE is a new one, on the machine that the board runs on. Meanwhile harts run one instruction at
    a time, thousands of times slower. The trace ends when gdb detaches.
    """
    now = board.control.trace
    if words[:1] == ["on"] and len(words) > 1:
        if now is not None:
            raise GdbError(f"{now.path} is being written: monitor trace off ends it")
        from rvplat.gdb.target.tracing import Trace  # only who traces waits for its imports

        path = Path(" ".join(words[1:])).expanduser().resolve()
        now = Trace(board.control, board.machine, path, board.say)
        board.control.trace = now
    elif list(words) == ["off"]:
        if now is None:
            raise GdbError("nothing is traced: monitor trace on FILE begins")
        board.control.end_trace()
        say(f"trace: {now.problem or f'{now.path} is written'}\n")
        return
    elif words:
        raise GdbError(f"{' '.join(words)!r}: expected trace on FILE, or trace off")
    say(f"trace: {'off' if now is None else now.problem or f'into {now.path}'}\n")


@command
def stepmask(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stepmask [on|off]: whether interrupts are masked while stepping."""
    board.masked = on_off(words, board.masked)
    say(f"interrupts while stepping: {'masked' if board.masked else 'taken'}\n")


@command
def time(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """time [still|runs]: what the guest's time does while every hart is stopped.

    Where it stands still, a guest doesn't notice how long it was stopped: steps don't land in the
    handler of a timer that came due meanwhile. It is the board's key debug.time at first, and
    counts where the board's clock is the host's.
    """
    if words and list(words) not in (["still"], ["runs"]):
        raise GdbError(f"{' '.join(words)!r}: expected still or runs")
    if words:
        board.control.time.runs_on = words[0] == "runs"
    does = "runs on" if board.control.time.runs_on else "stands still"
    say(f"while every hart is stopped, time {does}\n")


@command
def ebreak(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """ebreak [trap|all|host|guests|vmid=N...]: where the guest's own ebreak stops in gdb.

    trap     nowhere: it is the guest's business
    all      in every world; host, guests: there; vmid=N: in the guest with this VMID

    gdb shows SIGTRAP with the pc at the ebreak. Where the hart goes on from there the ebreak traps,
    as it would have; to pass over it: set $pc += 4, or 2 for c.ebreak. It is the board's key
    debug.ebreak at first.
    """
    if list(words) == [TRAP]:
        board.stops.ebreaks.begin(TRAP)
    elif words:
        board.stops.ebreaks.choose([_ebreak_world(word) for word in words])
    where = "nowhere" if not board.stops.ebreaks.worlds else board.stops.ebreaks
    say(f"ebreak stops in gdb: {where}\n")


def _ebreak_world(word: str) -> str | int:
    if word.startswith("vmid="):
        return vmid(word.removeprefix("vmid="))
    if word not in (EVERYWHERE, THE_HOST, GUESTS):
        raise GdbError(f"{word!r}: expected trap, all, host, guests or vmid=N")
    return word


@command
def space(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """space [virtual|guest-physical|physical]: what addresses gdb reads and writes memory at.

    A guest's physical addresses go through the second stage alone.
    """
    if words:
        if len(words) != 1 or words[0] not in SPACES:
            expected = f"{', '.join(SPACES[:-1])} or {SPACES[-1]}"
            raise GdbError(f"{' '.join(words)!r}: expected {expected}")
        board.sight.space = words[0]
    say(f"addresses are {board.sight.space}\n")
