"""What happens in a hart's thread when it meets hooks. Nothing is locked, and the thread does not
leave `Hart.enter`: the handlers run, and native code goes on."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from rvplat.bus.failures import RAISED
from rvplat.errors import HistoryError
from rvplat.hart.debugging.worlds import HOST, MET_SWITCH, MET_TRAP
from rvplat.machine.debugging.arguments import world_number
from rvplat.machine.debugging.stop_points import StopPoints
from rvplat.machine.hooks.event import Event
from rvplat.machine.hooks.hook import Hook
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.inbox import UNCHANGED
from rvplat.machine.running.native_records import GOES_ON, LEAVES, PASSES, STOPS
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System
from rvplat.machine.worlds.world import number_of

_get_ident = threading.get_ident


class HooksLike(Protocol):
    """The hooks of a machine (hooks.py)."""

    machine: System
    points: StopPoints
    is_alone: bool
    by_row: dict[int, Hook]
    by_watch_row: dict[int, Hook]
    traps: dict[int, Hook]
    switches: dict[int, Hook]

    def holds(self, hart: Hart, code: Any) -> bool: ...

    def at(self, hart: Hart) -> list[Hook]: ...

    def noticing(self, notice: Callable[[], None]) -> AbstractContextManager[None]: ...


class Meeting:
    """The meetings of one hart with hooks: it is the hart's `meets`."""

    def __init__(self, hooks: HooksLike, hart: Hart) -> None:
        self._hooks = hooks
        self._machine = hooks.machine
        self._hart = hart
        self._by_row = hooks.by_row
        self._looking = hooks.machine.lookers.threads
        self._me = hart, hooks.is_alone
        self._is_virtual = hooks.machine.turns.virtual is not None
        self._inbox = hooks.machine.turns.inbox
        self._changed = False
        self.called_at: tuple[int, int] | None = None  # pc and time of handlers before a stop
        for name in ("hook_met", "break_row", "switch_met", "critical", "met_count", "met_rows",
                     "pc", "break_skip", "hook_held"):  # fmt: skip
            setattr(self, f"_{name}", hart.field(name))

    if TYPE_CHECKING:
        _hook_met: Any
        _break_row: Any
        _switch_met: Any
        _critical: Any
        _met_count: Any
        _met_rows: Any
        _pc: Any
        _break_skip: Any
        _hook_held: Any

    def __call__(self) -> int:
        """What follows a stop by STOP_BREAK (`Hart.meets`)."""
        self._hook_held.value = 0
        if self._hook_met.value:
            return self._change()
        if self._switch_met.value or self._critical.value:
            return STOPS
        if not self._break_row.value:
            return self._access()
        count, by_row = self._met_count.value, self._by_row
        if count == 1:
            hook = by_row.get(self._met_rows[0])
            return STOPS if hook is None else self._call((hook,), False, GOES_ON)
        hooks = [by_row[row] for row in self._met_rows[:count] if row in by_row]
        return self._call(hooks, len(hooks) < count, GOES_ON) if hooks else STOPS

    # --- at an access, a trap, a switch ---

    def _access(self) -> int:
        """The hart is before an access to a watched range."""
        rows = self._met_rows[: self._met_count.value]
        mine = self._hooks.by_watch_row
        hooks = {mine[row].number: mine[row] for row in rows if row in mine}
        others = [row for row in rows if row not in mine]
        stays = bool(others) and not self._hooks.points.pass_watchpoints(self._hart, others)
        met = [one for _, one in sorted(hooks.items()) if self._holds(one)]
        if met:
            return self._call(met, stays, PASSES)
        return STOPS if stays else PASSES

    def _change(self) -> int:
        """A trap was taken, or the world has changed."""
        met, self._hook_met.value = self._hook_met.value, 0
        stays = bool(self._switch_met.value or self._critical.value)
        verdict = STOPS if stays else GOES_ON
        for bit, hooks in ((MET_TRAP, self._hooks.traps), (MET_SWITCH, self._hooks.switches)):
            if not met & bit:
                continue
            every = list(hooks.values())  # another hart's handler may remove one
            chosen = [one for one in every if self._is_for(one)]
            if chosen:
                found = self._call(chosen, stays, None)
                verdict = found if found != GOES_ON else verdict
        return verdict

    def _is_for(self, hook: Hook) -> bool:
        """Whether a hook is for the trap or the switch that the hart has made."""
        plain = self._hart.plain
        if hook.kind == "trap":
            cause = int(plain.hook_cause)
            mask = hook.rows[cause >> 63]
            if not mask >> (cause & 63) & 1:
                return False
        if hook.vmid is not None:
            wanted, before = world_number(hook.vmid), int(plain.hook_from)
            here = number_of(plain) if hook.kind == "switch" and wanted != HOST else before
            if wanted not in (before, here):
                return False
        return self._holds(hook)

    def _holds(self, hook: Hook) -> bool:
        return hook.armed and (hook.code is None or self._hooks.holds(self._hart, hook.code))

    # --- handlers ---

    def _call(self, hooks: Iterable[Hook], stays: bool, onward: int | None) -> int:
        """Call the handlers. `stays`: the hart has met a stop point of somebody else, too.
        `onward`: what follows, where the hart has not executed its instruction; None after a trap
        or switch."""
        history = self._inbox.history
        pc = self._pc.value
        if history is None and self._inbox.recorder is None and self._inbox.replayer is None:
            asked = None
            if self.called_at is None or not self._is_same_place(pc):
                asked = self._run(hooks)
        elif history is not None and history.is_past:
            asked = None
        else:
            asked = self._run_watched(hooks, pc)
        if self._pc.value != pc:
            stays = False  # another instruction is next
        elif onward is not None and (stays or asked is not None):
            self.called_at = pc, self._hart.retired
        return self._after(asked, stays, onward if self._pc.value == pc else None)

    def _after(self, asked: Stop | None, stays: bool, onward: int | None) -> int:
        """What follows the handlers."""
        hart = self._hart
        changed, self._changed = self._changed, False
        if asked is not None:
            if onward is not None:
                hart.skip_here(watchpoints=onward == PASSES)
            if asked.reason == "failure":
                self._machine.request_stop(asked)
                return LEAVES
            hart.stop_asked = asked
            return STOPS
        if stays:
            return STOPS
        if onward == GOES_ON:
            self._break_skip.value = self._pc.value
            if not self._is_virtual:
                self._hook_held.value = 1
        if changed:
            if onward == PASSES:
                hart.skip_here(watchpoints=True)
            return LEAVES
        return PASSES if onward == PASSES else GOES_ON

    def forget(self) -> None:
        """The state was replaced: what was met, called or changed before doesn't count."""
        self.called_at, self._changed, self._hook_met.value = None, False, 0

    def _is_same_place(self, pc: int) -> bool:
        """Whether the handlers have been called for this instruction, and a stop came."""
        called, self.called_at = self.called_at, None
        return called == (pc, self._hart.retired)

    def _run(self, hooks: Iterable[Hook]) -> Stop | None:
        """Call the handlers in order; how the run is to end, if it is. All are called, also after
        one that raised: none is called again for this instruction."""
        asked: Stop | None = None
        failed: Stop | None = None
        me = _get_ident()
        self._looking[me] = self._me
        try:
            for hook in hooks:
                if not hook.armed:
                    continue
                hook.hits += 1
                if hook.handler is None:
                    continue
                event = Event(self._machine, self._hart, hook)
                try:
                    hook.handler(event)
                except RAISED as error:
                    failed = failed or self._failed(hook, error)
                asked = asked or event.asked
        finally:
            del self._looking[me]
        return failed or asked

    def _failed(self, hook: Hook, error: BaseException) -> Stop:
        """A handler has raised: the run ends."""
        hart = self._hart
        file = getattr(getattr(hook.handler, "__code__", None), "co_filename", "")
        lines = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
        place = f"{file}:{lines[-1].lineno}, in {lines[-1].name}" if lines else ""
        failure = self._machine.assembly.failures.note(
            f"the handler of {hook}", error, hart=hart.number, pc=int(self._pc.value), place=place
        )
        if self._machine.current is None:  # a debugger's user sees where it is
            return Stop("hook", hart=hart.number, detail=str(failure))
        return Stop("failure", hart=hart.number)

    # --- in a run that is kept or recorded ---

    def _run_watched(self, hooks: Iterable[Hook], pc: int) -> Stop | None:
        """As `_run`, where changes are noted: they begin a new part of the history, and a run that
        is recorded or replayed refuses them."""
        if self.called_at is not None and self._is_same_place(pc):
            return None
        with self._hooks.noticing(self._on_change):
            return self._run(hooks)

    def _on_change(self) -> None:
        """A handler changes something."""
        if self._inbox.replayer is not None:
            raise HistoryError(UNCHANGED)
        if self._inbox.recorder is not None:
            self._inbox.recorder.hook_changes()
        if self._inbox.history is not None and not self._changed:
            self._inbox.history.change()
            self._changed = True

    def skipped(self, past: int) -> None:
        """A debugger is about to step past stop points at an address: if the hart is there, call
        the handlers that were not called yet."""
        if int(self._pc.value) != past or self.called_at == (past, self._hart.retired):
            return
        hooks = self._hooks.at(self._hart)
        if hooks:
            self._call(hooks, False, GOES_ON)
            self._hart.stop_asked = None  # it stops after the step anyway
