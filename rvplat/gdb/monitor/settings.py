"""Settings for later steps and accesses; reset; the trace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rvplat.gdb.monitor.command import Say, command, on_off, vmid
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.ebreak_stops import EVERYWHERE, GUESTS, THE_HOST, TRAP
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.gdb.target.world_memory import SPACES


@command
def reset(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """reset [halt|init|run]: power-on reset of the board, its software loaded again.

    Every hart is stopped afterwards, with each of the words; gdb's continue lets them run. gdb
    doesn't learn of the reset: it shows old registers until it drops its register cache.
    """
    if words and list(words) not in (["halt"], ["init"], ["run"]):
        raise GdbError(f"{' '.join(words)!r}: expected reset, or reset halt, init or run")
    target.restart()
    if list(words) == ["run"]:
        say("only gdb can let the board run, else it would not know: type continue\n")
    say("the board is reset; to see its registers: maintenance flush register-cache\n")


@command
def trace(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """trace [on FILE|off]: write every instruction of every hart to a file, as Spike's commit log.

    FILE must be new. It is on the machine that runs the board. During the trace the harts execute
    one instruction at a time, thousands of times slower. The trace ends when gdb detaches.
    """
    now = target.control.trace
    if words[:1] == ["on"] and len(words) > 1:
        if now is not None:
            raise GdbError(f"{now.path} is being written: monitor trace off ends it")
        from rvplat.gdb.target.tracing import Trace  # a slow import

        path = Path(" ".join(words[1:])).expanduser().resolve()
        now = Trace(target.control, target.machine, path, target.say)
        target.control.trace = now
    elif list(words) == ["off"]:
        if now is None:
            raise GdbError("nothing is traced: monitor trace on FILE begins")
        target.control.end_trace()
        say(f"trace: {now.problem or f'{now.path} is written'}\n")
        return
    elif words:
        raise GdbError(f"{' '.join(words)!r}: expected trace on FILE, or trace off")
    say(f"trace: {'off' if now is None else now.problem or f'into {now.path}'}\n")


@command
def stepmask(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """stepmask [on|off]: whether interrupts are masked while stepping."""
    target.masks_interrupts = on_off(words, target.masks_interrupts)
    say(f"interrupts while stepping: {'masked' if target.masks_interrupts else 'taken'}\n")


@command
def time(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """time [still|runs]: whether the guest's time passes while every hart is stopped.

    If it stands still, the guest doesn't notice how long it was stopped, and a step doesn't end in
    the handler of a timer that came due meanwhile. The first value is the board's key debug.time.
    It matters only if the board's clock is the host's.
    """
    if words and list(words) not in (["still"], ["runs"]):
        raise GdbError(f"{' '.join(words)!r}: expected still or runs")
    if words:
        target.control.time.runs_on = words[0] == "runs"
    does = "runs on" if target.control.time.runs_on else "stands still"
    say(f"while every hart is stopped, time {does}\n")


@command
def ebreak(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """ebreak [trap|all|host|guests|vmid=N...]: the worlds whose own ebreak stops in gdb.

    trap     none: every ebreak traps at once
    all      every world
    host     the host; guests: every guest; vmid=N: the guest with this VMID

    gdb shows SIGTRAP with the pc at the ebreak. When the hart goes on, the ebreak traps. To skip
    it: set $pc += 4, or 2 for c.ebreak. The first value is the board's key debug.ebreak.
    """
    if list(words) == [TRAP]:
        target.breakpoints.ebreak_stops.begin(TRAP)
    elif words:
        target.breakpoints.ebreak_stops.choose([_ebreak_world(word) for word in words])
    where = (
        "nowhere" if not target.breakpoints.ebreak_stops.worlds else target.breakpoints.ebreak_stops
    )
    say(f"ebreak stops in gdb: {where}\n")


def _ebreak_world(word: str) -> str | int:
    if word.startswith("vmid="):
        return vmid(word.removeprefix("vmid="))
    if word not in (EVERYWHERE, THE_HOST, GUESTS):
        raise GdbError(f"{word!r}: expected trap, all, host, guests or vmid=N")
    return word


@command
def space(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """space [virtual|guest-physical|physical]: the kind of addresses that gdb uses for memory.

    A guest-physical address is translated by the second stage alone.
    """
    if words:
        if len(words) != 1 or words[0] not in SPACES:
            expected = f"{', '.join(SPACES[:-1])} or {SPACES[-1]}"
            raise GdbError(f"{' '.join(words)!r}: expected {expected}")
        target.world_memory.space = words[0]
    say(f"addresses are {target.world_memory.space}\n")
