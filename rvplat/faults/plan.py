"""Faults: what each does, and where. The faults of a campaign follow from its seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Literal

from rvplat.errors import BusError, RvplatError, did_you_mean, nearest
from rvplat.frozen import frozen
from rvplat.isa.machinery.disassemble import X_NAMES, instruction_length
from rvplat.machine.machine import Machine
from rvplat.machine.worlds.debug_files import debug_files, function_range

LARGEST_FUNCTION = 1 << 16  # a symbol farther away is not what follows a function
ANY = "any"
Kind = Literal["skip", "flip", "flip-memory"]
_BIT = r"(?:(?<!:):(\d+|any))?"
_FORMS = {"flip": r"([^:\s]+)" + _BIT, "flip-memory": r"(\S+?)" + _BIT}


@frozen
class Flip:
    """What `--flip` or `--flip-memory` names: a register or an address, and a bit; ANY is chosen
    for each fault."""

    target: str
    bit: str

    @classmethod
    def parse(cls, text: str, kind: Kind = "flip") -> Flip:
        """TARGET:BIT, or TARGET for any bit. The path of a variable may have colons too, such as
        main.c:state or work::calls. ValueError if it is malformed."""
        found = re.fullmatch(_FORMS[kind], text)
        if found is None:
            raise ValueError(f"{text!r}: expected TARGET:BIT, such as a0:3, any:any or counter:7")
        return cls(found[1], found[2] or ANY)


@frozen
class Fault:
    """One fault of a campaign. It comes before the next instruction after `after` instructions of
    the only hart, or before the first execution of the instruction at `address`, on the hart that
    is there. `kind` is "skip", "flip" (of bit `bit` of register x`register`) or "flip-memory" (of
    bit `bit`, 0 to 7, of the byte at `memory`)."""

    number: int
    kind: Kind
    after: int | None = None
    address: int | None = None
    register: int = 0
    memory: int = 0
    bit: int = 0

    def __str__(self) -> str:
        if self.kind == "skip":
            return "skip"
        what = X_NAMES[self.register] if self.kind == "flip" else f"{self.memory:#x}"
        return f"{self.kind} {what}:{self.bit}"


@frozen
class Wanted:
    """What a campaign is to do: how many faults of which kind, in which functions ("": anywhere),
    and the seed that chooses."""

    kind: Kind
    count: int | None
    functions: tuple[str, ...]
    flip: Flip | None
    seed: int


def faults_of(wanted: Wanted, machine: Machine, instructions: int) -> list[Fault]:
    """The faults of a campaign on a machine whose run without a fault has so many instructions.

    Raises:
        RvplatError: the program has no such function, register or address, or there are several
            harts, so that a number of instructions says no place.
    """
    dice = random.Random(f"{wanted.seed}")
    places: list[tuple[int | None, int | None]]
    if wanted.functions:
        found = [at for name in wanted.functions for at in instructions_of(machine, name)]
        if wanted.count is not None and wanted.count < len(found):
            found = sorted(dice.sample(found, wanted.count))
        places = [(None, at) for at in found]
    else:
        if len(machine.harts) > 1:
            raise RvplatError(
                f"--count without --at needs a board with one hart, found {len(machine.harts)}: "
                "name a function with --at"
            )
        count = min(wanted.count or 0, instructions)
        places = [(after, None) for after in sorted(dice.sample(range(instructions), count))]
    flips = _Flips(wanted, machine)
    return [
        Fault(number, wanted.kind, after, at, *flips.choose(dice))
        for number, (after, at) in enumerate(places)
    ]


def instructions_of(machine: Machine, name: str) -> list[int]:
    """The addresses of a function's instructions."""
    symbols = machine.symbols
    if name not in symbols:
        hint = did_you_mean(nearest(name, symbols))
        raise RvplatError(f"--at {name}: the program has no such symbol{hint}")
    at, found = symbols[name], []
    end = _end(machine, at)
    if end is None or at & 1:
        raise RvplatError(
            f"--at {name}: it is not known where this ends; build the program with -g, and name a "
            "function"
        )
    while at < end:
        found.append(at)
        try:
            low = machine.host.read(at, 2)
        except BusError as error:
            raise RvplatError(f"--at {name}: no code when the runs begin: {error}") from None
        at += instruction_length(int.from_bytes(low, "little"))
    return found


def _end(machine: Machine, at: int) -> int | None:
    """The end of a function: by DWARF, or the next symbol that no assembler has made. None: it is
    not known."""
    known = function_range(debug_files(machine.software, None), at)
    if known is not None and known[0] == at:
        return known[1]
    names = machine.symbols.items()
    after = [one for name, one in names if one > at and name[0] not in ".$"]
    return min(after) if after and min(after) <= at + LARGEST_FUNCTION else None


class _Flips:
    """Chooses what each fault flips."""

    def __init__(self, wanted: Wanted, machine: Machine) -> None:
        self._kind = wanted.kind
        self._flip = flip = wanted.flip or Flip(ANY, ANY)
        self._bits = 8 if wanted.kind == "flip-memory" else machine.board.harts.xlen
        self._registers: Sequence[int] = range(1, 32)
        self._memory = 0
        if wanted.kind == "flip" and flip.target != ANY:
            if flip.target not in X_NAMES[1:]:
                raise RvplatError(f"--flip {flip.target}: expected any, or one of {_NAMES}")
            self._registers = [X_NAMES.index(flip.target)]
        if wanted.kind == "flip-memory":
            self._memory = _address(machine, flip.target)
        if flip.bit != ANY and wanted.kind == "flip" and int(flip.bit) >= self._bits:
            raise RvplatError(f"--flip {flip.target}:{flip.bit}: a register has {self._bits} bits")

    def choose(self, dice: random.Random) -> tuple[int, int, int]:
        """Register, address, bit."""
        if self._kind == "skip":
            return 0, 0, 0
        register = dice.choice(self._registers)
        bit = dice.randrange(self._bits) if self._flip.bit == ANY else int(self._flip.bit)
        if self._kind == "flip":
            return register, 0, bit
        return register, self._memory + bit // 8, bit % 8


_NAMES = ", ".join(X_NAMES[1:])


def _address(machine: Machine, text: str) -> int:
    """An address: a number, a symbol, or a variable."""
    if re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", text):
        return int(text, 16 if text[:2] in ("0x", "0X") else 10)
    if text in machine.symbols:
        return machine.symbols[text]
    try:
        return machine.host.variable(text).address
    except (BusError, LookupError, RvplatError) as error:
        raise RvplatError(f"--flip-memory {text}: {error}") from None
