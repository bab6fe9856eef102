"""Breakpoints that gdb can't ask for: by address space, privilege, physical address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rvplat.engine.breakpoints import ANY_ASID, GUEST_PHYSICAL, PHYSICAL, VIRTUAL
from rvplat.gdb.evaluation.expressions import compile_expression
from rvplat.gdb.monitor.command import (
    Board,
    Say,
    address,
    command,
    number,
    symbols_for,
    vmid,
    within,
)
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.target import target_description
from rvplat.gdb.target.breakpoint_table import ALL_MODES, Spot
from rvplat.gdb.target.interfaces import Thread
from rvplat.hart.debugging.worlds import ANYWHERE

SPACES = {"virtual": VIRTUAL, "guest-physical": GUEST_PHYSICAL, "physical": PHYSICAL}
MODES = {"HS": 1, **{name: n for n, name in target_description.MODES.items()}}
GUEST_MODES = 0xF0
M_MODE = 1 << 3
MOST_ASID = 0xFFFF
_EXPECTED = "expected break ADDRESS [space=SPACE] [vmid=N] [asid=N] [mode=MODE,...] [if EXPRESSION]"


@dataclass(frozen=True)
class Wanted:
    """What the words after an address say."""

    space: int = VIRTUAL
    vmid: int | None = None
    asid: int = ANY_ASID
    modes: int = ALL_MODES


@command
def break_(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """break ADDRESS [space=SPACE] [vmid=N] [asid=N] [mode=MODE,...] [if EXPRESSION]: stop there.

    ADDRESS     a number, or a symbol of the guest or of the board's program; nothing needs to be
                mapped there
    SPACE       virtual (where it isn't said), guest-physical or physical
    vmid        in the guest with this VMID only
    asid        in this address space only: by satp, in a guest by vsatp
    MODE        in these modes only: M, S (or HS), U, VS, VU
    EXPRESSION  as in C: $a0 == 3 && {u64} ($sp + 8) != 0 && $vsatp.ASID == 7;
                {u8} to {u64} and {s8} to {s64} are memory, as the hart sees it there

    What isn't said counts everywhere. gdb, which doesn't know of the breakpoint, shows a stop by
    SIGTRAP after a line that says which one it is. All are gone when gdb detaches from the host.
    """
    if not words or words[0] == "if":
        raise GdbError(_EXPECTED)
    said = list(words)
    expression = " ".join(said[said.index("if") + 1 :]) if "if" in said else None
    options = said[1 : said.index("if")] if "if" in said else said[1:]
    wanted = _wanted(options)
    at = address(board, words[0], thread, wanted.vmid)
    if at & 1:
        raise GdbError(f"a breakpoint at {at:#x}: instructions begin at even addresses")
    _check(board, wanted)
    conditions: tuple[bytes, ...] = ()
    if expression is not None:
        symbols = symbols_for(board, thread, wanted.vmid)
        conditions = (compile_expression(expression, board.registers.named, symbols),)
        options.append(f"if {expression}")
    world = ANYWHERE if wanted.vmid is None else wanted.vmid + 1
    spot = Spot(at, world, wanted.space, wanted.asid, wanted.modes)
    with board.control.quiet():
        one = board.stops.breaks.add(spot, conditions, " ".join([f"{at:#x}", *options]))
    say(f"monitor breakpoint {one.number}: {one.text}\n")


@command
def breaks(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """breaks: the breakpoints that `break` has set, and how often each was hit."""
    known = board.stops.breaks
    for one in known.all():
        hits = known.hits(one)
        say(f"{one.number}: {one.text}: {hits} hit{'' if hits == 1 else 's'}\n")
    if not known.all():
        say("no monitor breakpoints\n")


@command
def delete(board: Board, thread: Thread, words: Sequence[str], say: Say) -> None:
    """delete NUMBER...: take breakpoints away that `break` has set; `delete all`: all of them."""
    known = board.stops.breaks
    if not words:
        raise GdbError("expected delete NUMBER..., or delete all")
    numbers = [one.number for one in known.all()] if words[0] == "all" else map(number, words)
    with board.control.quiet():
        for n in numbers:
            known.delete(n)


# --- the words ----------------------------------------------------------------------------------


def _wanted(options: Sequence[str]) -> Wanted:
    """KEY=VALUE..."""
    found: dict[str, int] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in _KEYS:
            raise GdbError(f"{option!r}: {_EXPECTED}")
        field, reader = _KEYS[key]
        if field in found:
            raise GdbError(f"{option!r}: {key} is there twice")
        found[field] = reader(value)
    return Wanted(**found)


def _space(text: str) -> int:
    if text not in SPACES:
        raise GdbError(f"space={text}: expected {', '.join(SPACES)}")
    return SPACES[text]


def _asid(text: str) -> int:
    return within("asid", text, MOST_ASID)


def _modes(text: str) -> int:
    """Bits by what gdb shows as priv."""
    bits = 0
    for name in text.split(","):
        if name not in MODES:
            raise GdbError(f"mode={text}: expected some of {', '.join(MODES)}")
        bits |= 1 << MODES[name]
    return bits


_KEYS = {"space": ("space", _space), "vmid": ("vmid", vmid), "asid": ("asid", _asid),
         "mode": ("modes", _modes)}  # fmt: skip


def _check(board: Board, wanted: Wanted) -> None:
    """GdbError for what no hart of this board ever meets."""
    in_guest = wanted.vmid is not None or wanted.space == GUEST_PHYSICAL
    has_guests = any(extension.name == "H" for extension in board.machine.extensions)
    if not has_guests and (in_guest or not wanted.modes & ~GUEST_MODES):
        raise GdbError("this board's harts have no H extension, and so no guests")
    if in_guest and not wanted.modes & GUEST_MODES:
        raise GdbError("none of these modes is a guest's: VS and VU are")
    if wanted.modes == M_MODE and wanted.asid != ANY_ASID:
        raise GdbError("M mode has no address space: asid is for the others")
