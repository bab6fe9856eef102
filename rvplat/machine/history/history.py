"""Goes back and forth in a history: to a place, by steps, and to the last stop before one.

To be at a place, the machine takes the state of the checkpoint before it and repeats the run up to
there. Stop points don't count meanwhile, except in a search.

A hart can take an interrupt between two instructions. A step back from the first instruction of its
handler leads to the place before the interrupt was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rvplat.bus.natives.image_log import MOST_LOOKED
from rvplat.errors import HistoryError
from rvplat.frozen import frozen
from rvplat.machine.history.checkpoints import Checkpoint
from rvplat.machine.history.keeper import Keeper
from rvplat.machine.running.run import FOREVER
from rvplat.machine.running.stop import MET, Stop

NEAR = 3_000  # instructions before a place where a checkpoint is made, for more steps back
MOST_HITS = 300  # in one piece of a search; else it is halved
STOPS = (*MET, "switch")

Counts = Callable[[Stop], bool]


__all__ = ["MOST_LOOKED", "Cancelled", "History"]


class Cancelled(Exception):
    """Another thread has ended a search. The machine is somewhere in the past."""


@frozen
class Hit:
    """A stop in the past: the `nth` that counts after `work` instructions."""

    work: int
    nth: int
    stop: Stop


class History(Keeper):
    """The history of a machine. Going somewhere needs a machine that stands still.

    A place is a number of instructions that all harts have executed, with those that trapped.
    """

    public = (
        "go", "go_instret", "checkpoint", "work", "begin", "end", "places", "bytes_used",
    )  # fmt: skip

    #: Another thread sets it, to end a search.
    cancel = False
    _interrupted: int | None = None  # the hart that has just taken an interrupt, by a step back

    # --- to a place ---

    def go(self, work: int) -> None:
        """Go to the place after so many instructions of all harts.

        Raises:
            LookupError: it is not in the history.
            HistoryError: the run does not repeat.
        """
        self.settle()
        if not self.begin <= work <= self.end:
            raise LookupError(f"the history has the instructions {self.begin} to {self.end}")
        with self._travelling():
            self._go(work)

    def go_instret(self, hart: int, instret: int) -> None:
        """Go to the first place where a hart has retired so many instructions since its reset.

        Raises:
            LookupError: it is not in the history.
            HistoryError: the run does not repeat.
        """
        self.settle()
        with self._travelling():
            self._leave_present()
            present = self._present
            assert present is not None
            start = self._checkpoints.before_instret(hart, instret)
            if start is None or instret > present.retired[hart]:
                first = self._checkpoints[0].retired[hart]
                raise LookupError(
                    f"the history has the instructions {first} to {present.retired[hart]} of "
                    f"hart {hart}"
                )
            self._put(start)
            self._repeat(self.end, hart, instret)

    def checkpoint(self) -> int:
        """Keep a checkpoint here, which is not dropped before older ones. Returns its `work`."""
        self.settle()
        self._checkpoints.add(self._checkpoint(is_kept=True), not self.is_past)
        return self.work

    def reverse_step(self, hart: int, count: int = 1) -> int:
        """Go back by instructions of one hart; the others go back as far as they were then. Returns
        how many instructions that were: fewer if the hart has executed no more in the history."""
        self.settle()
        with self._travelling():
            done = 0
            while done < count:
                steps = self._step_back(hart, count - done)
                if steps == 0:
                    break
                done += steps
        return done

    def search_back(self, counts: Counts) -> Stop | None:
        """Go back to the last stop at a breakpoint, watchpoint or ebreak that `counts`, or where a
        hart has changed its world, if a debugger lets it stop there. `counts` is asked while the
        hart stands there. None: there is no such stop; the machine is at its start.

        Raises:
            Cancelled: `cancel` was set.
            HistoryError: the run does not repeat.
        """
        self.settle()
        with self._travelling():
            for start, end in self._pieces():
                hit = self._last_hit(start, end, counts)
                if hit is not None:
                    self._arrive(start, hit, counts)
                    return hit.stop
            self._put(self._checkpoints[0])
        return None

    def last_change(self, pa: int, size: int) -> int | None:
        """Go back to the place before the last instruction that has changed bytes of RAM, in one
        page, whichever hart or device wrote them. Returns `work`; None: nothing has in this
        history, and the machine is at its start.

        Raises:
            Cancelled: `cancel` was set.
            HistoryError: the run does not repeat.
        """
        self.settle()
        with self._travelling():
            for start, end in self._pieces():
                work = self._change_in(start, end, pa, size)
                if work is not None:
                    self._go(work)
                    return work
            self._put(self._checkpoints[0])
        return None

    def met_by_step(self, hart: int, counts: Counts) -> Stop | None:
        """The stop that counts of a hart's next instruction, which it has stepped back from. The
        machine stays, or goes back to the same place."""
        with self._travelling():
            here, found, interrupted = self.work, None, self._interrupted
            self._interrupted = None
            self.inbox.limit = here + 1
            while self.work == here and found is None:
                for stop in self._round():
                    found = found or (stop if stop.hart == hart and counts(stop) else None)
                    self._pass(stop)
            if self.work != here:
                self._step_back(hart, 1)
            else:
                self._interrupted = interrupted
            for one in self.machine.harts:
                one.forget_reported()
        return found

    # --- how ---

    @contextmanager
    def _travelling(self) -> Iterator[None]:
        """Inside, the run repeats what was, and nothing from outside reaches it. Afterwards runs
        end where their part of the history ends, whatever limit was set inside."""
        machine, was_running = self.machine, self.inbox.running
        machine.forget_requests()
        machine.watchdog.begin()
        self.cancel = False
        try:
            self.is_travelling = self.inbox.running = self.inbox.holds = True
            yield
        finally:
            machine.native.plain.points_off = 0
            if self.is_past:
                self._set_limit()
            machine.watchdog.end()
            machine.forget_requests()
            self.is_travelling = self.inbox.holds = False
            self.inbox.running = was_running

    def _go(self, work: int, anew: bool = False) -> None:
        """Go to a place. `anew`: what a hart has done there since does not count."""
        self._leave_present()
        present = self._present
        assert present is not None
        self._interrupted = None
        if work == present.work:
            self._put(present)
            self._go_live()
            return
        start = self._start(work)
        is_on_the_way = start.work <= self.work <= work and not anew
        if not is_on_the_way or self._part is not self._checkpoints.part_of(start):
            self._put(start)
        if work - self.work > 2 * NEAR:
            self._repeat(work - NEAR)
            self._near = self._checkpoint()
        self._repeat(work)

    def _start(self, work: int) -> Checkpoint:
        """The checkpoint from which a place is reached soonest."""
        start, near = self._checkpoints.at(work), self._near
        if start is None:
            raise LookupError(f"the history begins at {self.begin}")
        if near is not None and start.work < near.work <= work:
            return near
        return start

    def _repeat(self, work: int, hart: int | None = None, instret: int = 0) -> None:
        """Repeat the run up to a place; or until a hart has retired so many instructions."""
        self.machine.native.plain.points_off = 1
        self.inbox.limit = work
        harts = self.machine.harts
        while self.work < work:
            if hart is not None and harts[hart].retired >= instret:
                break
            self._round(None if hart is None else {hart: instret - harts[hart].retired})
        self.machine.native.plain.points_off = 0

    def _round(self, left: Mapping[int, int] | None = None) -> list[Stop]:
        """Let the harts go on, up to the limit or a stop; those in `left` for at most so many
        instructions. Returns the stops."""
        machine, turns = self.machine, self.machine.turns
        for hart in machine.harts:
            hart.wake = turns.wake
            hart.stop_request.value = 0
        before = turns.place()
        went = turns.round(
            {one.number: FOREVER for one in machine.harts} | dict(left or {})
        ) or turns.wait(False)
        stops, machine.requests[:] = machine.requests[:], []
        if machine.failure is not None:
            raise machine.failure
        if self.cancel:
            raise Cancelled
        if any(stop.reason == "reset" for stop in stops):
            machine.power_on()
        elif not stops and (not went or before == turns.place()):
            raise HistoryError(
                f"the run does not repeat: after {before.work:,} instructions no hart goes on"
            )
        return [stop for stop in stops if stop.reason in STOPS]

    def _step_back(self, number: int, most: int) -> int:
        """Go back by an interrupt, or by one or more instructions that the hart has executed in its
        turn. Returns how many that were; 0 at the start of the history."""
        hart, turns = self.machine.harts[number], self.machine.turns
        if self._interrupted == number:
            self._go(self.work, anew=True)
            return 1
        last = turns.last_of(number)
        steps = min(most, max(turns.done_by(number), 1), last - self.begin)
        if steps <= 0:
            return 0
        self._go(last - steps)
        turns.begin(hart)
        if not hart.waiting and self.machine.export("take_interrupts")(hart.address):
            self._interrupted = number
        return steps

    # --- searching ---

    def _pieces(self) -> Iterator[tuple[Checkpoint, int]]:
        """The pieces of the history before this place, the last one first: where each begins, and
        the `work` at its end."""
        end = self.work
        self._leave_present()
        while (start := self._checkpoints.before(end)) is not None:
            yield start, end
            end = start.work

    def _last_hit(self, start: Checkpoint, end: int, counts: Counts) -> Hit | None:
        """The last stop that counts, of a piece of the history."""
        hits = self._hits(start, end, counts)
        if hits is not None:
            return hits[-1] if hits else None
        middle = (start.work + end) // 2
        self._put(start)
        self._repeat(middle)
        half = self._checkpoint()
        return self._last_hit(half, end, counts) or self._last_hit(start, middle, counts)

    def _hits(self, start: Checkpoint, end: int, counts: Counts) -> list[Hit] | None:
        """All stops that count from a checkpoint up to a place. None: there are too many."""
        found: list[Hit] = []
        self._put(start)
        self.inbox.limit = end
        while self.work < end:
            for stop in self._round():
                if self.work < end and counts(stop):
                    nth = 1 + sum(hit.work == self.work for hit in found)
                    found.append(Hit(self.work, nth, stop))
                self._pass(stop)
            if len(found) > MOST_HITS and end - start.work > 2 * MOST_HITS:
                return None
        return found

    def _change_in(self, start: Checkpoint, end: int, pa: int, size: int) -> int | None:
        """The `work` before the last change, of a piece of the history."""
        machine = self.machine
        self._put(start)
        host = machine.memory.host_address(pa, size)
        page = machine.memory.images.numbering.number(pa)
        hart = machine.harts[0].address
        machine.export("begin_looking")(hart, page, host, size)
        try:
            self._repeat(end)
        finally:
            changer = int(machine.export("end_looking")(hart))
        return changer - 1 if changer else None

    def _pass(self, stop: Stop) -> None:
        """Nobody is told of a stop: the hart goes past it."""
        points = self.machine.stop_points
        if points is not None:
            for point in stop.hits:
                points.take_back(point)
        self._skip(stop)

    def _skip(self, stop: Stop) -> None:
        if stop.reason not in MET:
            return
        hart = self.machine.harts[stop.hart]
        hart.skip_here(watchpoints=stop.reason == "watch")
        if stop.reason == "ebreak":
            hart.plain.ebreak_skip = int(hart.plain.pc)

    def _arrive(self, start: Checkpoint, hit: Hit, counts: Counts) -> None:
        """Go to a stop that was found, and count it as met."""
        self._put(start)
        self._repeat(hit.work)
        self._interrupted = None
        self.inbox.limit = hit.work + 1
        nth = 0
        while self.work == hit.work:
            for stop in self._round():
                nth += counts(stop)
                if nth == hit.nth:
                    self._skip(stop)
                    return
                self._pass(stop)
        raise HistoryError(f"the run does not repeat: no stop after {hit.work:,} instructions")
