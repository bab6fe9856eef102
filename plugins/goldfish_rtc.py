"""`goldfish_rtc`: the time of day in nanoseconds, with an alarm.

Manual: https://android.googlesource.com/platform/external/qemu/+/master/docs/ (file
GOLDFISH-VIRTUAL-HARDWARE.TXT, "Goldfish real-time clock"); those from 0x10 on are as Linux's
include/clocksource/timer-goldfish.h names them.
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
    """The guest may set the time; then it differs from the host's by `offset`."""

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
        """Nanoseconds since 1970 as the guest sees them."""
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
        """Make now be `time`."""
        self.offset += time - self.now()
        if self.alarm_status:
            self.arm()

    def write_alarm_low(self, value: int) -> None:
        """Writing the lower half, after the upper one, arms the alarm."""
        self.alarm_low = value
        self.arm()

    def arm(self) -> None:
        """Ring when the time comes; at once if it is past."""
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
        """The alarm's time has come."""
        self.alarm_status = 0
        self.pending = True
        self.update()

    def write_irq_enabled(self, value: int) -> None:
        """Let the alarm interrupt, or not."""
        self.irq_enabled = value
        self.update()

    def write_clear_alarm(self, value: int) -> None:
        """Disarm."""
        self.wiring.clock.cancel(self.alarm)
        self.alarm_status = 0

    def write_clear_interrupt(self, value: int) -> None:
        """Acknowledge the interrupt."""
        self.pending = False
        self.update()

    def update(self) -> None:
        """Drive the line."""
        self.lines["irq"].set(self.pending and self.irq_enabled != 0)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if self.alarm_status:
            self.arm()


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [GoldfishRtc]
