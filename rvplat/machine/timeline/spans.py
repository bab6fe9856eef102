"""From a hart's events to the spans of its tracks."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.hart.debugging.timeline_events import (
    ENTER,
    FALL,
    LOAD,
    RETURN,
    RISE,
    SLEEP,
    STORE,
    TRAP,
)
from rvplat.machine.inspection.profile_stacks import world_name
from rvplat.machine.inspection.trap_names import FIRST_INTERRUPT, INTERRUPT_NAMES, trap_name
from rvplat.machine.timeline.events import Event, HartEvents, Lost
from rvplat.machine.timeline.perfetto import Trace, Track

VIRTUAL = 4  # of a world: V
MOST_NESTED = 64  # traps whose returns are awaited
MASK64 = (1 << 64) - 1


class HartSpans:
    """Writes the tracks of a hart. `base` is the time of the trace's begin."""

    def __init__(
        self, trace: Trace, events: HartEvents, base: int, device_at: Callable[[int], str]
    ) -> None:
        self._trace = trace
        self._events = events
        self._base = base
        self._device_at = device_at
        self._top = trace.track(f"hart {events.hart.number}")
        self._tracks: dict[str, Track] = {}
        self._world: int | None = None  # of the span that is open
        self._since = events.began_retired  # `retired` when it began
        self._last = events.began
        self._last_retired = events.began_retired
        self._traps: list[tuple[int, int]] = []  # open spans: from which world, to which
        self._guest = False  # whether a span of a guest is open
        self._waiting: set[int] = set()  # interrupts whose spans are open
        self._lost = 0
        self._kinds = {
            ENTER: self._enter, TRAP: self._trap, RETURN: self._return, RISE: self._rise,
            FALL: self._fall, LOAD: self._access, STORE: self._access, SLEEP: self._sleep,
        }  # fmt: skip
        for name in ("worlds", "traps"):
            self._track(name)

    def write(self) -> None:
        """Write all of it."""
        for event in self._events:
            if isinstance(event, Lost):
                self._lost = event.count
                self._close(self._last, self._last_retired)
                continue
            if self._lost:
                self._show_lost(event)
            self._kinds[event[2] & 0xFF](event)
            self._last = event[0]
            self._last_retired = event[1]
        if self._lost:
            ns, retired = self._events.ended
            self._show_lost((ns, retired, 0, 0, 0))
        else:
            self._close(*self._events.ended)

    def _track(self, name: str) -> Track:
        """A track of the hart, made at first use."""
        found = self._tracks.get(name)
        if found is None:
            title = f"hart {self._events.hart.number} {name}"
            found = self._tracks[name] = self._trace.track(title, self._top)
        return found

    def _show_lost(self, event: Event) -> None:
        """Events are missing before this one."""
        worlds = self._track("worlds")
        worlds.begin(self._last - self._base, f"{self._lost} events lost", "lost")
        worlds.end(event[0] - self._base, _retired(event[1] - self._last_retired))
        self._lost = 0
        if event[2] & 0xFF not in (0, ENTER):
            self._change(event[0], event[1], event[2] >> 8 & 0xFFFFFF)

    # --- worlds ---

    def _change(self, ns: int, retired: int, world: int) -> None:
        """The hart is in a world from here on."""
        if world == self._world:
            return
        at = ns - self._base
        if self._world is not None:
            self._track("worlds").end(at, _retired(retired - self._since))
        self._track("worlds").begin(at, world_name(world), "world")
        if world & VIRTUAL and not self._guest:
            self._track("guests").begin(at, f"VMID {world >> 3}", "guest")
            self._guest = True
        self._world, self._since = world, retired

    def _close(self, ns: int, retired: int) -> None:
        """End all spans: the hart leaves native code, or what follows is not known."""
        at = ns - self._base
        if self._world is not None:
            self._track("worlds").end(at, _retired(retired - self._since))
            self._world = None
        for _ in self._traps:
            self._track("traps").end(at)
        self._traps.clear()
        self._leave_guest(at, "")
        for bit in self._waiting:
            self._interrupts(bit).end(at)
        self._waiting.clear()

    def _leave_guest(self, at: int, why: str) -> None:
        if self._guest:
            self._track("guests").end(at, {"exit": why} if why else {})
            self._guest = False

    def _enter(self, event: Event) -> None:
        """Native code was left for a while. What waits goes on waiting."""
        ns, retired, what, left_retired, left = event
        if self._world is not None:
            self._track("worlds").end(left - self._base, _retired(left_retired - self._since))
            self._world = None
        self._change(ns, retired, what >> 8 & 0xFFFFFF)

    def _sleep(self, event: Event) -> None:
        self._track("worlds").begin(event[4] - self._base, "WFI", "sleep")
        self._track("worlds").end(event[0] - self._base)

    # --- traps and interrupts ---

    def _trap(self, event: Event) -> None:
        ns, retired, what, epc, tval = event
        at, to, code = ns - self._base, what >> 8 & 0xFFFFFF, what >> 32
        before = self._world
        name = trap_name(code)
        category = "interrupt" if code >= FIRST_INTERRUPT else "exception"
        found: dict[str, int | str] = {"epc": epc}
        if tval:
            found["tval"] = tval
        if before is not None and before & VIRTUAL and not to & VIRTUAL:
            category += ",exit"
            found["vmid"] = before >> 3
            self._leave_guest(at, name)
        if len(self._traps) == MOST_NESTED:
            self._end_traps(at, MOST_NESTED - 1)
        self._track("traps").begin(at, name, category, found)
        self._traps.append((-1 if before is None else before, to))
        if code >= FIRST_INTERRUPT:
            self._deliver(at, code - FIRST_INTERRUPT, to)
        self._change(ns, retired, to)

    def _return(self, event: Event) -> None:
        """End the last trap that came from where the hart returns to, and those inside it. If there
        is none, end the traps that the handler's mode took from itself: Linux never returns from
        the page fault that turns on its page tables."""
        ns, retired, what, _, _ = event
        to, handler = what >> 8 & 0xFFFFFF, self._world
        for depth in range(len(self._traps) - 1, -1, -1):
            came, went = self._traps[depth]
            if handler is not None and _same(went, handler) and _same(came, to):
                break
        else:
            depth = len(self._traps)
            while depth and handler is not None and _within(self._traps[depth - 1], handler):
                depth -= 1
        self._end_traps(ns - self._base, depth)
        self._change(ns, retired, to)

    def _end_traps(self, at: int, depth: int) -> None:
        """End spans until so many are open."""
        while len(self._traps) > depth:
            self._traps.pop()
            self._track("traps").end(at)

    def _interrupts(self, bit: int) -> Track:
        return self._track(INTERRUPT_NAMES.get(bit, f"interrupt {bit}") if bit else "RNMI")

    def _rise(self, event: Event) -> None:
        bit = event[2] >> 32
        if bit not in self._waiting:
            self._interrupts(bit).begin(max(event[4] or event[0], self._base) - self._base,
                                        "pending", "pending")  # fmt: skip
            self._waiting.add(bit)

    def _fall(self, event: Event) -> None:
        bit = event[2] >> 32
        if bit in self._waiting:
            self._waiting.discard(bit)
            self._interrupts(bit).end(event[0] - self._base)

    def _deliver(self, at: int, bit: int, to: int) -> None:
        """An interrupt is taken. One that was taken before and is still pending has no span."""
        if bit in self._waiting:
            self._waiting.discard(bit)
            self._interrupts(bit).end(at, {"taken in": world_name(to)})
        else:
            self._interrupts(bit).instant(at, "taken again", "pending",
                                          {"taken in": world_name(to)})  # fmt: skip

    # --- devices ---

    def _access(self, event: Event) -> None:
        ns, _, what, pa, began = event
        verb = "read" if what & 0xFF == LOAD else "write"
        arguments: dict[str, int | str] = {"address": pa, "bytes": what >> 32}
        track = self._track("devices")
        track.begin(began - self._base, f"{verb} {self._device_at(pa)}", "mmio", arguments)
        track.end(ns - self._base)


def _retired(count: int) -> dict[str, int | str]:
    """The argument of a span of a world."""
    return {"instructions": count & MASK64}


def _within(trap: tuple[int, int], world: int) -> bool:
    """Whether a trap came from a world's mode, and was handled in it."""
    return all(_same(one, world) for one in trap)


def _same(one: int, other: int) -> bool:
    """Whether two worlds have the same mode: guests need not be the same."""
    return one >= 0 and one & 7 == other & 7
