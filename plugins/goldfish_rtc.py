"""`goldfish_rtc`: the time of day in nanoseconds, with an alarm.

Manual: https://android.googlesource.com/platform/external/qemu/+/master/docs/ (file
GOLDFISH-VIRTUAL-HARDWARE.TXT, "Goldfish real-time clock"); the names of the
registers from 0x10 on are those in Linux's include/clocksource/timer-goldfish.h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rvplat.bus import Alarm, Device, Register
from rvplat.hookspecs import hookimpl

NS = 1_000_000_000
LOW = 0xFFFF_FFFF
MASK64 = (1 << 64) - 1


class GoldfishRtc(Device):
    """The guest's time is the clock's time of day plus `offset`, which changes when the guest sets
    the time."""

    model = "goldfish_rtc"
    compatible = ("google,goldfish-rtc",)
    node_name = "rtc"
    size = 0x1000
    interrupts = ("irq",)
    registers = (
        Register(0x00, "TIME_LOW",        "NS[31:0]"),
        Register(0x04, "TIME_HIGH",       "NS[31:0]"),
        Register(0x08, "ALARM_LOW",       "NS[31:0]"),
        Register(0x0C, "ALARM_HIGH",      "NS[31:0]"),
        Register(0x10, "IRQ_ENABLED",     "-[31:1] ENABLED[0]"),
        Register(0x14, "CLEAR_ALARM",     "ANY[31:0]", "wo"),
        Register(0x18, "ALARM_STATUS",    "-[31:1] ARMED[0]", "ro"),
        Register(0x1C, "CLEAR_INTERRUPT", "ANY[31:0]", "wo"),
    )  # fmt: skip
    state = ("offset", "pending")

    time_high: int
    alarm_low: int
    alarm_high: int
    irq_enabled: int
    alarm_status: int
    offset: int = 0  #: survives a reset, as a battery-backed clock does
    pending: bool
    alarm: Alarm | None = None

    def reset(self) -> None:
        super().reset()
        self.pending = False
        self.wiring.clock.cancel(self.alarm)

    def now(self) -> int:
        """The guest's time: nanoseconds since 1970."""
        return self.wiring.clock.wall_ns() + self.offset & MASK64

    def read_time_low(self) -> int:
        """Reading the lower half latches the upper one."""
        now = self.now()
        self.time_high = now >> 32
        return now & LOW

    def write_time_low(self, value: int) -> None:
        """Set the lower half of the time."""
        self.set_time(self.now() & ~LOW | value)

    def write_time_high(self, value: int) -> None:
        """Set the upper half of the time."""
        self.set_time(self.now() & LOW | value << 32)

    def set_time(self, time: int) -> None:
        """Set the guest's time."""
        self.offset += time - self.now()
        if self.alarm_status:
            self.arm()

    def write_alarm_low(self, value: int) -> None:
        """Set the lower half of the alarm's time and arm the alarm. (The driver writes the upper
        half first.)"""
        self.alarm_low = value
        self.arm()

    def arm(self) -> None:
        """Let the alarm ring at its time, or at once if that is past."""
        clock = self.wiring.clock
        clock.cancel(self.alarm)
        self.alarm_status = 1
        left = (self.alarm_high << 32 | self.alarm_low) - self.now()
        if left <= 0:
            self.ring()
        else:
            ticks = -(-left * clock.frequency // NS)
            self.alarm = clock.call_at(clock.now() + ticks, self.ring)

    def ring(self) -> None:
        """Disarm the alarm and raise its interrupt: its time has come."""
        self.alarm_status = 0
        self.pending = True
        self.update()

    def write_irq_enabled(self, value: int) -> None:
        """Enable or disable the interrupt."""
        self.irq_enabled = value
        self.update()

    def write_clear_alarm(self, value: int) -> None:
        """Disarm the alarm."""
        self.wiring.clock.cancel(self.alarm)
        self.alarm_status = 0

    def write_clear_interrupt(self, value: int) -> None:
        """Acknowledge the interrupt."""
        self.pending = False
        self.update()

    def update(self) -> None:
        """Drive the interrupt line."""
        self.lines["irq"].set(self.pending and self.irq_enabled != 0)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if self.alarm_status:
            self.arm()


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [GoldfishRtc]
