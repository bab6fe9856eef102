"""What arrived from outside in a history, in order. In the past it is what the run gets again."""

from __future__ import annotations

from rvplat.frozen import frozen
from rvplat.machine.running.schedule import Place


@frozen
class Event:
    """Something that arrived: what it is for, and where it did (`Inbox`)."""

    place: Place
    name: str
    data: bytes


class Events:
    """The events. `given` is the number of those before the place where the machine is."""

    def __init__(self) -> None:
        self.given = 0
        self._all: list[Event] = []

    def __len__(self) -> int:
        return len(self._all)

    @property
    def at_end(self) -> bool:
        """Whether none is to come."""
        return self.given >= len(self._all)

    def is_late(self, work: int) -> bool:
        """Whether the next one should have come before."""
        return not self.at_end and self._all[self.given].place.work < work

    def append(self, place: Place, name: str, data: bytes) -> None:
        """Something arrives, for the first time."""
        self._all.append(Event(place, name, data))

    def forget_rest(self) -> None:
        """Drop those that are still to come."""
        del self._all[self.given :]

    def clear(self) -> None:
        """Drop all."""
        self._all.clear()
        self.given = 0

    # --- in the past: the replayer of the inbox ---

    def due(self, place: Place) -> list[tuple[str, bytes]]:
        """What arrives at a place."""
        found = []
        while not self.at_end and self._all[self.given].place == place:
            found.append((self._all[self.given].name, self._all[self.given].data))
            self.given += 1
        return found

    def next_work(self) -> int | None:
        """After how many instructions the next one is."""
        return None if self.at_end else self._all[self.given].place.work

    def next_tick(self, work: int) -> int | None:
        """The tick of the next one, if it comes before any instruction."""
        if self.at_end:
            return None
        place = self._all[self.given].place
        return place.ticks if place.work == work and place.hart is None else None
