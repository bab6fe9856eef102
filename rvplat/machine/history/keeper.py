"""Keeps the history of a run with a virtual clock: checkpoints, and what arrived from outside.

The harts take turns, so a run is one line of instructions: `work` counts those of all harts. A
checkpoint is made between two rounds of turns (`passed`); what arrives is noted with its place
(`arrived`). While the machine is in the past, its runs repeat what was (running/inbox.py) and its
consoles are silent. At the end of the history the run goes on as before. A change by the user in
the past forgets what came later.
"""

from __future__ import annotations

import logging
import time

from rvplat.errors import HistoryError, SnapshotError
from rvplat.machine.history.checkpoints import Checkpoint, Checkpoints
from rvplat.machine.history.events import Events
from rvplat.machine.running.ram_images import RamConnection
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.device_state import consoles_of
from rvplat.machine.snapshots.facts import facts_of
from rvplat.machine.snapshots.snapshot import put_state, take

log = logging.getLogger("rvplat.machine")

SHORTEST_S = 0.1  # between two checkpoints
COST = 20  # the time between two checkpoints is so many times that of making one


class Keeper:
    """The history of a machine, which may take about `most_bytes` of the host's memory.

    Only the run calls `passed`, `arrived` and `goes_on`. The machine stands still for the rest.
    """

    _near: Checkpoint | None = None  # just before the place of the last step back
    problem = ""  # why it keeps nothing any more; the run goes on

    def __init__(self, machine: System, ram: RamConnection, most_bytes: int) -> None:
        self.machine = machine
        self.inbox = machine.turns.inbox
        self.is_past = False
        self.is_travelling = False  # it goes to another place: what comes from outside waits
        self._events = Events()
        self._checkpoints = Checkpoints(most_bytes, lambda: self.bytes_used)
        self._facts = facts_of(machine)
        self._present: Checkpoint | None = None
        self._altered = True  # a user has changed the state
        self._next_at = 0.0
        self._live = self.inbox.recorder, self.inbox.replayer
        self.inbox.history = self
        ram.on_change = machine.bus.on_change = self._user_changes
        for hart in machine.harts:
            hart.on_change = self._user_changes

    # --- what there is ---

    @property
    def work(self) -> int:
        """The instructions that all harts have executed, here."""
        return self.machine.turns.place().work

    @property
    def begin(self) -> int:
        """The `work` at which the history begins."""
        return self._checkpoints[0].work if len(self._checkpoints) else self.work

    @property
    def end(self) -> int:
        """The `work` at which the history ends: the present."""
        return self._present.work if self._present is not None else self.work

    @property
    def places(self) -> list[int]:
        """The `work` of each checkpoint."""
        return [self._checkpoints[n].work for n in range(len(self._checkpoints))]

    @property
    def most_bytes(self) -> int:
        """The memory of the host that it may take."""
        return self._checkpoints.most_bytes

    @property
    def bytes_used(self) -> int:
        """The memory of the host that the checkpoints' RAM takes."""
        return self.machine.memory.images.bytes_used

    # --- as the run goes ---

    def passed(self, place: Place) -> None:
        """The run is at a place where it can be saved."""
        if self.is_past:
            return
        try:
            if self._altered:
                self.settle()
            elif place.hart is None and time.perf_counter() >= self._next_at:
                self._keep(False)
        except SnapshotError as error:
            self._give_up(error)

    def _give_up(self, error: SnapshotError) -> None:
        """The state can't be saved: keep nothing from here on."""
        self.problem = f"no history is kept: {error}"
        log.warning("%s", self.problem)
        self.inbox.history = None
        self._checkpoints.clear()

    def arrived(self, place: Place, name: str, data: bytes) -> None:
        """Something arrives from outside."""
        if not self.is_past:
            self._events.append(place, name, data)

    def goes_on(self) -> None:
        """The run goes on from a place in the past. Where a part of the history ends, the next one
        begins: with what a user has changed there, or the present."""
        if self.is_travelling or not self.inbox.is_at_limit(self.work):
            return
        following = self._checkpoints.next_begin(self._part)
        if following is not None:
            self._put(following)
        elif self._events.at_end:
            self._go_live()
        elif self._events.is_late(self.work):
            raise HistoryError(f"the run does not repeat: input is left after {self.work:,}")

    def settle(self) -> None:
        """Make a checkpoint, if the user has changed something here."""
        if self._altered and not self.is_past:
            self._altered = False
            self._keep(True)

    def _keep(self, begins: bool) -> None:
        began = time.perf_counter()
        self._checkpoints.add(self._checkpoint(begins))
        now = time.perf_counter()
        self._next_at = now + max(SHORTEST_S, COST * (now - began))

    def _checkpoint(self, begins: bool = False, is_kept: bool = False) -> Checkpoint:
        events = self._events.given if self.is_past else len(self._events)
        retired = tuple(hart.retired for hart in self.machine.harts)
        snapshot = take(self.machine, self._facts)
        return Checkpoint(self.work, events, retired, snapshot, begins, is_kept)

    # --- the past and the present ---

    def _leave_present(self) -> None:
        """From here on the machine may be put into the past."""
        if self.is_past:
            return
        self.settle()
        self._events.given = len(self._events)
        self._present = self._checkpoint()
        self._part = self._checkpoints.part_of(self._present)
        self._live = self.inbox.recorder, self.inbox.replayer
        self.inbox.recorder, self.inbox.replayer = None, self._events
        self.inbox.limit = self._present.work
        self.is_past = True
        self._silence(True)

    def _go_live(self) -> None:
        """The machine is at the present."""
        self.inbox.recorder, self.inbox.replayer = self._live
        self.inbox.limit = None
        self.is_past, self._present = False, None
        self._silence(False)

    def _silence(self, on: bool) -> None:
        for console in consoles_of(self.machine).values():
            console.is_silent = on

    def _put(self, one: Checkpoint) -> None:
        """Let the machine be at a checkpoint."""
        put_state(self.machine, one.snapshot)
        self._events.given = one.events
        self._part = self._checkpoints.part_of(one)
        for hart in self.machine.harts:
            hart.forget_reported()
        self._set_limit()

    def _set_limit(self) -> None:
        """Let runs end where this part of the history ends."""
        following = self._checkpoints.next_begin(self._part)
        self.inbox.limit = self.end if following is None else following.work

    # --- changes ---

    def changed(self) -> bool:
        """The user changes something here. In the past, what came later is forgotten, and the
        result is True.

        Raises:
            HistoryError: the run is recorded, or repeats a recording.
        """
        if self.is_past and not self.may_change:
            raise HistoryError("a run that is recorded or replayed can't be changed in the past")
        self._altered = True
        if not self.is_past:
            return False
        self._near = None
        self._events.forget_rest()
        self._checkpoints.forget_after(self.work, self._events.given)
        self._go_live()
        return True

    @property
    def may_change(self) -> bool:
        """Whether the past can be changed: no file of the run is written or replayed."""
        return self._live == (None, None)

    def begin_again(self) -> None:
        """The state was replaced: the history begins here."""
        if self.is_past:
            self._go_live()
        self._near = None
        self._checkpoints.clear()
        self._events.clear()
        self._altered = True

    def _user_changes(self) -> None:
        """Python changes a register or RAM."""
        if not self.inbox.running and not self.is_travelling:
            self.change()

    def change(self) -> None:
        """As `changed`, for who can't tell the user: the log does."""
        if self.changed():
            log.warning("a new future begins after %s instructions", f"{self.work:,}")
