"""`egg-timer`: a worked example of a device. It counts down and interrupts.

    rvplat run board.toml --plugin plugins/examples/egg_timer.py

and in the board:

    [devices.timer]
    model = "egg-timer"
    base = 0x10010000
    interrupts = [20]
    rate_hz = 1000

The guest writes a number to TICKS. When so many ticks have passed, RANG is set, and the line is
high until the guest writes 1 to RANG. In gdb, `monitor eggs` prints the remaining time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat.bus import Alarm, Device, FdtNode, Register, setting
from rvplat.hookspecs import hookimpl


@dataclass(frozen=True)
class EggTimerSettings:
    """The keys that a board may set."""

    rate_hz: int = setting("ticks a second", 1000, minimum=1)


class EggTimer(Device):
    """It uses offsets, its line and the clock. It does not know its address or its readers."""

    model = "egg-timer"
    compatible = ("example,egg-timer",)
    size = 0x1000
    interrupts = ("irq",)
    settings_type = EggTimerSettings
    registers = (
        Register(0x0, "TICKS",  "TICKS[31:0]"),
        Register(0x4, "LEFT",   "TICKS[31:0]", "ro"),
        Register(0x8, "RANG",   "-[31:1] RANG[0]"),
        Register(0xC, "ENABLE", "-[31:1] IRQ[0]"),
    )  # fmt: skip

    settings: EggTimerSettings
    rang: int
    enable: int
    alarm: Alarm | None = None

    def reset(self) -> None:
        super().reset()
        self.wiring.clock.cancel(self.alarm)
        self.alarm = None

    def write_ticks(self, ticks: int) -> None:
        """Start the timer; zero stops it."""
        clock = self.wiring.clock
        clock.cancel(self.alarm)
        due = clock.now() + ticks * clock.frequency // self.settings.rate_hz
        self.alarm = clock.call_at(due, self.ring) if ticks else None

    def read_left(self) -> int:
        """The ticks that are left, rounded up."""
        if self.alarm is None:
            return 0
        clock = self.wiring.clock
        return -(-clock.left(self.alarm) * self.settings.rate_hz // clock.frequency)

    def ring(self) -> None:
        """The time is over: set RANG."""
        self.alarm = None
        self.rang = 1
        self.update()

    def write_rang(self, value: int) -> None:
        """Writing 1 clears RANG."""
        self.rang &= ~value
        self.update()

    def write_enable(self, value: int) -> None:
        """Enable or disable the interrupt."""
        self.enable = value
        self.update()

    def update(self) -> None:
        """Drive the interrupt line."""
        self.lines["irq"].set(bool(self.rang & self.enable))

    def fdt(self, node: FdtNode) -> None:
        node.set("clock-frequency", self.settings.rate_hz)


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """The devices of this plugin."""
    return [EggTimer]


class Eggs:
    """The monitor command. `board` is the board that gdb debugs."""

    name = "eggs"
    help = "eggs: the egg timers, and the ticks that they have left"

    def run(
        self, board: Any, thread: Any, words: Sequence[str], say: Callable[[str], None]
    ) -> None:
        timers = {n: d for n, d in board.machine.devices.items() if isinstance(d, EggTimer)}
        for name, timer in timers.items():
            say(f"{name}: {timer.read_left()}\n")
        if not timers:
            say("the board has no egg timer\n")


@hookimpl
def rvplat_monitors() -> Sequence[Eggs]:
    """The monitor commands of this plugin."""
    return [Eggs()]
