"""In which worlds an ebreak instruction of the guest stops in the debugger before it traps."""

from __future__ import annotations

from collections.abc import Iterable

from rvplat.gdb.target.worlds import number_of
from rvplat.hart.debugging.worlds import HOST
from rvplat.machine.machine import Machine

TRAP, EVERYWHERE, THE_HOST, GUESTS = "trap", "all", "host", "guests"


class EbreakStops:
    """The worlds. With `trap` there are none: every ebreak traps at once."""

    def __init__(self, machine: Machine) -> None:
        self._harts = machine.harts
        self.begin(TRAP)

    def begin(self, what: str) -> None:
        """One of trap, all, host and guests."""
        self.choose([] if what == TRAP else [what])

    def choose(self, worlds: Iterable[str | int]) -> None:
        """`all`, `host`, `guests`, and guests by VMID."""
        self.worlds = list(worlds)
        for hart in self._harts:
            hart.plain.ebreak_stops = int(bool(self.worlds))

    def stops_in(self, world: int) -> bool:
        """Whether an ebreak stops in a world, by its number."""
        if EVERYWHERE in self.worlds or (THE_HOST if world == HOST else GUESTS) in self.worlds:
            return True
        return world in [number_of(one) for one in self.worlds if isinstance(one, int)]

    def __str__(self) -> str:
        named = [f"vmid={one}" if isinstance(one, int) else one for one in self.worlds]
        return ", ".join(named) or TRAP
