"""What a run did: the state of every hart at places that are the same in each run, and the end."""

from __future__ import annotations

import hashlib
from typing import Any

from rvplat import Machine
from rvplat.machine.running.schedule import Place
from rvplat.machine.snapshots.hart_state import save_hart

SPACING = 1_000_000  # instructions from one place to the next
#: The hart's record is not the same in each run here: what the host's caches did not know, where
#: budgets end, and where the sink of x0 is.
HOSTS = ("tlb_misses", "walks", "budget", "instret_base", "x")
PART = 1 << 20
State = dict[str, Any]


def state_of(machine: Machine) -> State:
    """All that a snapshot has of the harts, but for HOSTS."""
    found: State = {}
    for hart in machine.harts:
        saved = save_hart(machine, hart)
        saved |= {"registers": list(hart.plain.x[1:32]), "instret": hart.retired}
        found |= {f"hart {hart.number}: {k}": v for k, v in saved.items() if k not in HOSTS}
    return found


class Trace:
    """The states of a run by the instructions of all harts so far. It takes the place of a
    recorder (running/inbox.py)."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.states: dict[int, State] = {}
        self.next = 0  # no state is noted before
        self.differs_from_itself: list[int] = []
        machine.turns.inbox.recorder = self

    def arrived(self, place: Place, name: str, data: bytes) -> None:
        """Input has arrived: these runs have none."""
        raise AssertionError(f"input at {place}")

    def passed(self, place: Place) -> None:
        """A round may begin here."""
        if place.hart is not None or place.work < self.next:
            return
        self.next = place.work + SPACING
        state = {"ticks": place.ticks, **state_of(self._machine)}
        if self.states.setdefault(place.work, state) != state:  # it came here before a `load`
            self.differs_from_itself.append(place.work)

    def hook_changes(self) -> None:
        """A hook changes the run: these runs have none."""
        raise AssertionError("a hook")

    def first_difference(self, other: Trace) -> str:
        """Where another run left this one, and what was different; empty if it did not."""
        for (here, one), (there, two) in zip(
            self.states.items(), other.states.items(), strict=False
        ):
            if here != there:
                return f"after {here:,} and {there:,} instructions"
            names = [name for name in one if one[name] != two[name]]
            if names:
                return f"after {here:,} instructions: {', '.join(names)}"
        return "at the end" if len(self.states) == len(other.states) else "in the length"

    def digest(self) -> str:
        """A digest of all that the run did. The machine stands still after its end."""
        machine = self._machine
        found = hashlib.blake2b(digest_size=8)
        found.update(repr(sorted(self.states.items())).encode())
        for address, page in machine.memory.capture().pages():
            found.update(address.to_bytes(8, "little") + page)
        found.update(machine.console.output)
        found.update(repr((machine.harts[0].csr("time"), state_of(machine))).encode())
        disks: list[Any] = [getattr(one, "disk", None) for one in machine.devices.values()]
        for disk in filter(None, disks):
            for offset in range(0, disk.size, PART):
                data = bytearray(min(PART, disk.size - offset))
                disk.read(offset, [memoryview(data)])
                found.update(data)
        return found.hexdigest()
