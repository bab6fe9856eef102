"""Connect devices to the harts: interrupt lines, timers, the power switch; and the clock."""

from __future__ import annotations

from rvplat.bus.clock import HostClock
from rvplat.bus.device import Power, Progress
from rvplat.hart.counters import NEVER
from rvplat.machine.running.assembly import Ports
from rvplat.machine.running.native_devices import clock_epoch
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System

_REASONS = {Power.OFF: "off", Power.FAIL: "fail", Power.RESET: "reset"}


class HartPorts:
    """The ports of all harts. Any thread may call them, under the bus lock."""

    def __init__(self, machine: System) -> None:
        self.machine = machine
        self.ports = Ports(self._set_line, self._set_timer, self._power, self._progress)
        # Levels by (hart, bit) and mtimecmp by hart that devices set before the harts exist.
        self._early_lines: dict[tuple[int, int], bool] = {}
        self._early_timers: dict[int, int] = {}

    def connect_clock(self) -> None:
        """Set native code's time from the clock, now and whenever the clock is set."""
        native, clock = self.machine.native, self.machine.assembly.clock
        view = native.view
        view.timebase_hz = clock.frequency
        view.epoch_ns = clock_epoch(clock)
        view.clock_virtual = int(not isinstance(clock, HostClock))
        if isinstance(clock, HostClock):  # while it is paused, instructions take no time
            view.instructions_per_tick = NEVER
        else:
            view.instructions_per_tick = self.machine.board.general.instructions_per_tick
            view.exact = 1
            view.shared = int(self.machine.board.harts.count > 1)
        # Each step of a debugger sets the clock twice. Fields are faster than the view.
        self._offset, self._now = native.field("time_offset"), native.field("time_now")
        self._base_ns, self._virtual = native.field("clock_base_ns"), native.field("clock_virtual")
        self._clock_was_set()
        clock.on_set.append(self._clock_was_set)

    def _clock_was_set(self) -> None:
        clock = self.machine.assembly.clock
        self._offset.value = clock.ahead  # a single store, because harts read the clock meanwhile
        if not isinstance(clock, HostClock):
            self._now.value = clock.now()
            return
        if clock.paused:  # no hart runs
            self._now.value, self._virtual.value = clock.now(), 1
        else:
            self._base_ns.value, self._virtual.value = clock.origin_ns, 0
        for hart in self.machine.harts:
            hart.alert()

    def connect_harts(self) -> None:
        """Pass on the lines and timers that devices set before the harts existed. Call it under the
        bus lock."""
        for (hart, bit), level in self._early_lines.items():
            self._set_line(hart, bit, level)
        for hart, mtimecmp in self._early_timers.items():
            self._set_timer(hart, mtimecmp)

    def _set_line(self, hart: int, bit: int, level: bool) -> None:
        if self.machine.harts:
            lock = self.machine.assembly.lock
            lock.shut()  # native devices change the lines too
            self.machine.harts[hart].set_line(bit, level)
            lock.open()
        else:
            self._early_lines[hart, bit] = level

    def _set_timer(self, hart: int, mtimecmp: int) -> None:
        if self.machine.harts:
            self.machine.harts[hart].view.mtimecmp = mtimecmp
            self.machine.harts[hart].alert()
        else:
            self._early_timers[hart] = mtimecmp

    def _progress(self) -> Progress:
        return [
            None if hart.waiting else hart.retired_before + hart.retired
            for hart in self.machine.harts
        ]

    def _power(self, what: Power, code: int) -> None:
        self.machine.request_stop(Stop(_REASONS[what], code))
