"""Alarms of native devices: definitions start and stop them, and the clock calls the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvplat.bus.natives.records import NEVER, AlarmState, Memory


class DeviceAlarm:
    """An alarm that calls a device's method when it rings. Its methods are called under the bus
    lock.

    A definition that native code runs sets only `due`. Python is asked to tell the clock if the
    clock would call too late; if the clock calls too early, the alarm goes on.
    """

    def __init__(self, device: Any, method: str) -> None:
        self.device = device
        self.method = method
        self.state = Memory(AlarmState, self)
        self.state.plain.due = self.state.plain.armed = NEVER
        self._pending: Any = None  # the clock's alarm

    @property
    def due(self) -> int | None:
        """When it rings, in ticks since power-on; None: it is off."""
        due = int(self.state.plain.due)
        return None if due == NEVER else due

    def start(self, ticks: int) -> None:
        """Ring in so many ticks."""
        self.state.plain.due = min(self.device.wiring.clock.elapsed() + ticks, NEVER - 1)
        self.arm()

    def stop(self) -> None:
        """Don't ring."""
        self.state.plain.due = NEVER
        self.arm()

    def arm(self) -> None:
        """Tell the clock when to call."""
        clock, state = self.device.wiring.clock, self.state.plain
        if state.armed != state.due:
            clock.cancel(self._pending)
            self._pending, state.armed = None, state.due
            if state.due != NEVER:
                left = state.due - clock.elapsed()
                self._pending = clock.call_at(clock.now() + left, self.ring)

    def save(self) -> dict[str, Any]:
        """When it rings, and when the clock calls."""
        pending = self.device.wiring.clock.save_alarm(self._pending)
        return {"due": int(self.state.plain.due), "pending": pending}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `save` returned."""
        clock, saved = self.device.wiring.clock, state["pending"]
        clock.cancel(self._pending)
        self._pending = clock.load_alarm(saved, self.ring)
        self.state.plain.due = int(state["due"])
        self.state.plain.armed = NEVER if saved is None else int(saved[0])

    def ring(self) -> None:
        """The clock calls: the alarm may have been stopped, or started for a later time."""
        state = self.state.plain
        self._pending, state.armed = None, NEVER
        if state.due > self.device.wiring.clock.elapsed():
            self.arm()
        else:
            state.due = NEVER
            getattr(self.device, self.method)()
