"""Going to places in the history of the board's run."""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.gdb.monitor.command import Say, command, number
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.backwards import Backwards
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.machine.history.history import History

_GOALS = "goto INSTRET, goto all N, goto checkpoint N, goto begin or goto end"
MIB = 1 << 20


@command
def when(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """when: where the run is, in instructions and time, and what the history has of it.

    Instructions that trap are counted in the first line, and are no part of instret. The last lines
    are the places that `checkpoint` has remembered.
    """
    history, machine = target.backwards.history, target.machine
    with target.control.quiet():
        here, end = history.work, history.end
        past = f"in the past, {end - here:,} before the end" if here < end else "at the end"
        say(f"{here:,} instructions of all harts: {past}\n")
        for hart in machine.harts:
            say(f"hart {hart.number}: instret {hart.retired:,}, pc {int(hart.plain.pc):#x}\n")
        clock = machine.assembly.clock
        say(f"time: {clock.now() / clock.frequency:.6f} s\n")
        used = f"{history.bytes_used / MIB:.1f} of {history.most_bytes / MIB:.0f} MiB"
        places = f"from {history.begin:,} to {end:,}, checkpoints: {len(history.places)}"
        say(f"history: {places}, {used}\n")
        for at, work in enumerate(target.backwards.checkpoints, 1):
            say(f"checkpoint {at}: at {work:,}\n")


@command
def checkpoint(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """checkpoint: remember this place of the run; goto checkpoint N goes back to it."""
    backwards = target.backwards
    backwards.move(lambda history: backwards.checkpoints.append(history.checkpoint()))
    say(f"checkpoint {len(backwards.checkpoints)}: at {backwards.checkpoints[-1]:,}\n")


@command
def goto(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """goto INSTRET | all N | checkpoint N | begin | end: go to a place of the run, back or forward.

    INSTRET     where the selected thread's hart has retired so many instructions
    all N       where all harts have executed so many together, as `when` shows it
    checkpoint  a place that `checkpoint` remembered

    What runs on from there repeats what was, up to the end of the history. gdb doesn't learn of it:
    it shows old registers and an old stack until it drops its caches.
    """
    backwards = target.backwards
    place = words[-1] if words else ""
    if place == "begin" and len(words) == 1:
        backwards.move(lambda history: history.go(history.begin))
    elif place == "end" and len(words) == 1:
        backwards.move(lambda history: history.go(history.end))
    elif len(words) == 1:
        backwards.move(lambda history: history.go_instret(thread.tid - 1, number(place)))
    elif len(words) == 2 and words[0] == "all":
        backwards.move(lambda history: history.go(number(place)))
    elif len(words) == 2 and words[0] == "checkpoint":
        backwards.move(lambda history: history.go(_checkpoint(backwards, number(place))))
    else:
        raise GdbError(f"{' '.join(words)!r}: expected {_GOALS}")
    _say_where(backwards.history, say)


def _checkpoint(backwards: Backwards, wanted: int) -> int:
    if not 0 < wanted <= len(backwards.checkpoints):
        raise GdbError(f"no checkpoint {wanted}: monitor when lists them")
    return backwards.checkpoints[wanted - 1]


def _say_where(history: History, say: Say) -> None:
    say(
        f"the board is after {history.work:,} instructions of all harts; to see its registers: "
        "maintenance flush register-cache\n"
    )
