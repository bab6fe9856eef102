"""`goldfish_rtc`: the time of day in nanoseconds, with an alarm.

Manual: https://android.googlesource.com/platform/external/qemu/+/master/docs/ (file
GOLDFISH-VIRTUAL-HARDWARE.TXT, "Goldfish real-time clock"); the names of the
registers from 0x10 on are those in Linux's include/clocksource/timer-goldfish.h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rvplat.bus import Device, DeviceAlarm, Line, Register, State, native
from rvplat.hookspecs import hookimpl
from rvplat.lang import u8, u32, u64

NS = 1_000_000_000
LOW = 0xFFFF_FFFF


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
    state = (State("offset", u64), State("pending", u8), State("hz", u64, saved=False))
    alarms = {"alarm": "ring"}  # noqa: RUF012

    irq: Line
    alarm: DeviceAlarm
    time_high: u32
    alarm_low: u32
    alarm_high: u32
    irq_enabled: u32
    alarm_status: u32
    offset: u64  #: survives a reset, as a battery-backed clock does
    pending: u8
    hz: u64

    def reset(self) -> None:
        offset = self.offset
        super().reset()
        self.offset, self.hz = offset, u64(self.wiring.clock.frequency)

    @native
    def time(self) -> u64:
        """The guest's time: nanoseconds since 1970."""
        return self.wall_ns() + self.offset

    @native
    def read_time_low(self) -> u32:
        """Reading the lower half latches the upper one."""
        time = self.time()
        self.time_high = u32(time >> 32)
        return u32(time)

    @native
    def write_time_low(self, value: u32) -> None:
        """Set the lower half of the time."""
        self.set_time((self.time() & ~u64(LOW)) | u64(value))

    @native
    def write_time_high(self, value: u32) -> None:
        """Set the upper half of the time."""
        self.set_time((self.time() & LOW) | u64(value) << 32)

    @native
    def set_time(self, time: u64) -> None:
        """Set the guest's time."""
        self.offset += time - self.time()
        if self.alarm_status != 0:
            self.arm()

    @native
    def write_alarm_low(self, value: u32) -> None:
        """Set the lower half of the alarm's time and arm the alarm. (The driver writes the upper
        half first.)"""
        self.alarm_low = value
        self.arm()

    @native
    def arm(self) -> None:
        """Let the alarm ring at its time, or at once if that is past."""
        self.alarm_status = u32(1)
        due = u64(self.alarm_high) << 32 | u64(self.alarm_low)
        now = self.time()
        if due <= now:
            self.alarm.stop()
            self.ring()
        else:
            left = due - now
            self.alarm.start(left // NS * self.hz + (left % NS * self.hz + NS - 1) // NS)

    @native
    def ring(self) -> None:
        """Disarm the alarm and raise its interrupt: its time has come."""
        self.alarm_status = u32(0)
        self.pending = u8(1)
        self.update()

    @native
    def write_irq_enabled(self, value: u32) -> None:
        """Enable or disable the interrupt."""
        self.irq_enabled = value
        self.update()

    @native
    def write_clear_alarm(self, value: u32) -> None:
        """Disarm the alarm."""
        self.alarm.stop()
        self.alarm_status = u32(0)

    @native
    def write_clear_interrupt(self, value: u32) -> None:
        """Acknowledge the interrupt."""
        self.pending = u8(0)
        self.update()

    @native
    def update(self) -> None:
        """Drive the interrupt line."""
        self.irq.set(self.pending != 0 and self.irq_enabled != 0)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        if self.alarm_status and not self.wiring.clock.repeatable:
            self.arm()  # the time of day is the host's: it went on


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [GoldfishRtc]
