"""Breakpoints of the machine (`machine.breakpoints`), which limit what gdb's own can't: to an
address space, to privilege modes, to a physical address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rvplat.gdb.monitor.command import (
    Say,
    address,
    command,
    number,
    symbols_for,
    vmid,
    within,
)
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.machine.debugging.arguments import MODES, MOST_ASID, SPACES
from rvplat.machine.running.stop import StopPoint

_EXPECTED = "expected break ADDRESS [space=SPACE] [vmid=N] [asid=N] [mode=MODE,...] [if EXPRESSION]"


@command
def break_(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """break ADDRESS [space=SPACE] [vmid=N] [asid=N] [mode=MODE,...] [if EXPRESSION]: stop there.

    ADDRESS     a number, or a symbol of the guest or of the board's program; nothing needs to be
                mapped there
    SPACE       virtual (where it isn't said), guest-physical or physical
    vmid        in the guest with this VMID only
    asid        in this address space only: by satp, in a guest by vsatp
    MODE        in these modes only: M, S (or HS), U, VS, VU
    EXPRESSION  as in C: $a0 == 3 && {u64} ($sp + 8) != 0 && $vsatp.ASID == 7;
                {u8} to {u64} and {s8} to {s64} are memory, as the hart sees it there

    What is left out does not limit the breakpoint. gdb doesn't know of it: a stop is shown as
    SIGTRAP, and a line before says which breakpoint it is. When gdb detaches from the host, the
    breakpoints that it has set by `break` are removed.
    """
    if not words or words[0] == "if":
        raise GdbError(_EXPECTED)
    said = list(words)
    expression = " ".join(said[said.index("if") + 1 :]) if "if" in said else None
    wanted = _wanted(said[1 : said.index("if")] if "if" in said else said[1:])
    at = address(target, words[0], thread, wanted.get("vmid"))
    symbols = symbols_for(target, thread, wanted.get("vmid"))
    with target.control.quiet():
        try:
            point = target.machine.breakpoints.insert(
                at, **wanted, condition=expression, symbols=symbols
            )
        except ValueError as error:
            raise GdbError(str(error)) from None
    target.breakpoints.note_commanded(point.number)
    say(f"monitor breakpoint {point.number}: {point}\n")


def _points(target: MachineTarget) -> dict[int, StopPoint]:
    """The machine's breakpoints and watchpoints, by number."""
    machine = target.machine
    return {point.number: point for point in sorted(
        [*machine.breakpoints, *machine.watchpoints], key=lambda point: point.number)}  # fmt: skip


@command
def breaks(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """breaks: the machine's breakpoints and watchpoints, and how often each was hit.

    They are those that `break` has set and those of a Python program. gdb's own are not listed.
    """
    points = _points(target)
    for n, point in points.items():
        hits = point.hits
        say(f"{n}: {point}: {hits} hit{'' if hits == 1 else 's'}\n")
    if not points:
        say("no monitor breakpoints\n")


@command
def delete(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """delete NUMBER...: remove breakpoints or watchpoints that `breaks` lists; `delete all`."""
    if not words:
        raise GdbError("expected delete NUMBER..., or delete all")
    points = _points(target)
    numbers = [*points] if words[0] == "all" else [number(word) for word in words]
    with target.control.quiet():
        for n in numbers:
            if n not in points:
                known = ", ".join(map(str, points)) or "there are none"
                raise GdbError(f"there is no monitor breakpoint {n}: {known}")
            target.machine.debugged.delete(points.pop(n))


# --- the words ----------------------------------------------------------------------------------


def _wanted(options: Sequence[str]) -> dict[str, Any]:
    """The arguments of `machine.breakpoints.add` that KEY=VALUE... stand for."""
    found: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in _KEYS:
            raise GdbError(f"{option!r}: {_EXPECTED}")
        name, reader = _KEYS[key]
        if name in found:
            raise GdbError(f"{option!r}: {key} is there twice")
        found[name] = reader(value)
    return found


def _space(text: str) -> str:
    if text not in SPACES:
        raise GdbError(f"space={text}: expected {', '.join(SPACES)}")
    return text


def _asid(text: str) -> int:
    return within("asid", text, MOST_ASID)


def _modes(text: str) -> list[str]:
    for name in text.split(","):
        if name not in MODES:
            raise GdbError(f"mode={text}: expected some of {', '.join(MODES)}")
    return text.split(",")


_KEYS = {"space": ("space", _space), "vmid": ("vmid", vmid), "asid": ("asid", _asid),
         "mode": ("privilege", _modes)}  # fmt: skip
