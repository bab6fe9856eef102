"""All hooks of a machine: what `machine.on` and its like set."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rvplat.arguments import choice, flag, integer
from rvplat.engine.exports import Raised
from rvplat.hart.debugging.watchpoints import NOWHERE
from rvplat.machine.debugging.arguments import HOST_WORLD, modes_of, world_number
from rvplat.machine.debugging.breakpoint_table import encode
from rvplat.machine.debugging.stop_points import StopPoints, met_rows
from rvplat.machine.debugging.watchpoints import KINDS, MOST_BYTES
from rvplat.machine.hooks.hook import Handler, Hook, Kind
from rvplat.machine.hooks.meeting import Meeting
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.ram_images import RamConnection
from rvplat.machine.running.stop import Access, GuestOrHost, Space
from rvplat.machine.running.system import System

ALL = (1 << 64) - 1
LAST_CODE = 63


class Hooks:
    """The hooks. `is_alone`: while a handler runs, no hart does."""

    def __init__(self, machine: System, points: StopPoints, ram: RamConnection) -> None:
        self.machine = machine
        self.points = points
        self.is_alone = machine.turns.virtual is not None or len(machine.harts) == 1
        self.by_row: dict[int, Hook] = {}
        self.by_watch_row: dict[int, Hook] = {}
        self.traps: dict[int, Hook] = {}
        self.switches: dict[int, Hook] = {}
        self._ram = ram
        self._numbers = itertools.count(1)
        self._condition_holds: Callable[..., Any] = machine.export("condition_holds")
        self._masks = threading.Lock()
        self._left: list[Hook] = []  # removed while harts ran: their rows are still there
        self.meetings = [Meeting(self, hart) for hart in machine.harts]
        for hart, meeting in zip(machine.harts, self.meetings, strict=True):
            hart.meets = meeting
            hart.before_skip = meeting.skipped
            hart.plain.keep_worlds = 1

    # --- setting ---

    def _may_arm(self) -> None:
        """RuntimeError unless every hart stands still."""
        if self.machine.lookers.hart is not None and self.is_alone:
            return
        self.machine.must_be_free()
        self._take_left()

    def _made(
        self, kind: Kind, place: str, vmid: GuestOrHost | None, when: str | None,
        handler: Handler | None,
    ) -> tuple[Hook, bytes | None]:  # fmt: skip
        """A hook that is not armed yet, and the bytecode of its condition."""
        arguments = self.points.arguments
        if vmid is not None and vmid != HOST_WORLD:
            world_number(vmid)
            arguments.refuse_guests()
        code = arguments.condition(when, arguments.symbols(vmid))
        hook = Hook(self, 0, kind, place, vmid, when, handler)
        if code is not None and kind != "instruction":
            hook.code = ctypes.create_string_buffer(encode((code,)))
        return hook, code

    def on(
        self, address: int | str, handler: Handler | None, vmid: GuestOrHost | None,
        when: str | None, asid: int | None, privilege: str | Iterable[str] | None, space: Space,
    ) -> Hook:  # fmt: skip
        """As `Machine.on`."""
        self._may_arm()
        place = self.points.arguments.place(address, space, vmid, asid, modes_of(privilege)[1])
        hook, code = self._made("instruction", _shown(address), vmid, when, handler)
        row = self.points.breakpoint_rows.add(place, () if code is None else (code,))
        hook.rows, hook.number = (row,), next(self._numbers)
        self.by_row[row] = hook
        return hook

    def on_access(
        self, address: int | str, size: int, access: Access, handler: Handler | None,
        vmid: GuestOrHost | None, when: str | None,
    ) -> Hook:  # fmt: skip
        """As `Machine.on_write`."""
        self._may_arm()
        at = self.points.arguments.address(address, vmid)
        length = integer("size", size, 1, MOST_BYTES)
        if at + length > 1 << 64:
            raise ValueError(f"{length} bytes from {at:#x} go beyond the address space")
        kinds = KINDS[choice("access", access, tuple(KINDS))]
        text = f"{'any access' if access == 'access' else f'a {access}'} of {_shown(address)}"
        hook, _ = self._made("access", text, vmid, when, handler)
        hook.rows = self.points.watchpoint_rows.add(at, length, kinds, world_number(vmid))
        hook.number, hook.kinds = next(self._numbers), kinds
        self.by_watch_row.update(dict.fromkeys(hook.rows, hook))
        return hook

    def on_trap(
        self, cause: int | None, interrupt: bool | None, handler: Handler | None,
        vmid: GuestOrHost | None, when: str | None,
    ) -> Hook:  # fmt: skip
        """As `Machine.on_trap`."""
        self._may_arm()
        if interrupt is not None:
            interrupt = flag("interrupt", interrupt)
        if cause is None:
            masks = (ALL if interrupt is not True else 0, ALL if interrupt is not False else 0)
            text = {None: "traps", True: "interrupts", False: "exceptions"}[interrupt]
        else:
            bit = 1 << integer("cause", cause, 0, LAST_CODE)
            masks = (0, bit) if interrupt else (bit, 0)
            text = f"{'interrupt' if interrupt else 'exception'} {cause}"
        hook, _ = self._made("trap", text, vmid, when, handler)
        hook.rows, hook.number = masks, next(self._numbers)
        self.traps[hook.number] = hook
        self._set_masks()
        return hook

    def on_world_switch(
        self, handler: Handler | None, vmid: GuestOrHost | None, when: str | None
    ) -> Hook:
        """As `Machine.on_world_switch`."""
        self._may_arm()
        self.points.arguments.refuse_guests()
        hook, _ = self._made("switch", "world switches", vmid, when, handler)
        hook.number = next(self._numbers)
        self.switches[hook.number] = hook
        self._set_masks()
        return hook

    def _set_masks(self) -> None:
        """Let native code stop for the traps and switches that hooks are for. Harts may run, and
        handlers of several may call this at once."""
        with self._masks:
            traps = [one for one in list(self.traps.values()) if one.armed]
            masks = [0, 0]
            for hook in traps:
                masks = [a | b for a, b in zip(masks, hook.rows, strict=True)]
            switches = int(any(one.armed for one in list(self.switches.values())))
            for hart in self.machine.harts:
                plain = hart.plain
                plain.hook_exceptions, plain.hook_interrupts = masks
                plain.hook_traps, plain.hook_switches = int(bool(traps)), switches

    # --- enabling and removing ---

    def enable(self, hook: Hook, on: bool) -> None:
        """Let harts meet a hook, or not. Harts may run."""
        if hook.kind == "instruction":
            table = self.points.breakpoint_rows
            (table.rearm if on else table.disarm)(hook.rows[0])
        elif hook.kind == "access":
            rows = self.points.watchpoint_rows
            rows.rearm(hook.rows, hook.kinds) if on else rows.disarm(hook.rows)
        else:
            self._set_masks()

    def remove(self, hook: Hook) -> None:
        """Remove a hook. While other harts run, its row stays, disarmed, until they stand still."""
        self.enable(hook, False)
        self.traps.pop(hook.number, None)
        self.switches.pop(hook.number, None)
        self._left.append(hook)
        if self.machine.current is None and not self.machine.keeper and not self.machine.closed:
            self._take_left()

    def _take_left(self) -> None:
        """Remove the rows of removed hooks; every hart stands still."""
        for hook in self._left:
            if hook.kind == "instruction":
                del self.by_row[hook.rows[0]]
                self.points.breakpoint_rows.remove(hook.rows[0])
            elif hook.kind == "access":
                for row in hook.rows:
                    del self.by_watch_row[row]
                self.points.watchpoint_rows.remove(hook.rows)
        self._left.clear()

    def forget(self) -> None:
        """The state was replaced: what was called before doesn't count."""
        for meeting in self.meetings:
            meeting.forget()

    # --- for meetings ---

    def holds(self, hart: Hart, code: Any) -> bool:
        """Whether a condition holds for a hart, or can't be evaluated."""
        return bool(self._condition_holds(hart.address, ctypes.addressof(code)))

    def at(self, hart: Hart) -> list[Hook]:
        """The hooks that a hart meets here."""
        hart.plain.break_skip = NOWHERE
        try:
            if not self.machine.export("met_here")(hart.address):
                return []
        except Raised:  # nothing is mapped here
            return []
        rows = met_rows(hart)
        for row in rows:
            if row not in self.by_row:
                self.points.breakpoint_rows.take_back_hit(row)
        return [self.by_row[row] for row in rows if row in self.by_row]

    @contextmanager
    def noticing(self, notice: Callable[[], None]) -> Iterator[None]:
        """Inside, changes of harts, RAM and devices by Python call `notice` first."""
        owners: list[Any] = [*self.machine.harts, self._ram, self.machine.bus]
        before = [one.on_change for one in owners]
        for one in owners:
            one.on_change = notice
        try:
            yield
        finally:
            for one, was in zip(owners, before, strict=True):
                one.on_change = was


def _shown(address: int | str) -> str:
    return address if isinstance(address, str) else f"{address:#x}"
