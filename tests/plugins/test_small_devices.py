"""The CLINT, the test finisher, the clock of the day."""

from __future__ import annotations

import pytest
from rvplat_plugins.clint import Clint
from rvplat_plugins.goldfish_rtc import GoldfishRtc
from rvplat_plugins.sifive_test import SifiveTest

from rvplat.bus import Line, MipBit, Power, VirtualClock, Wiring
from rvplat.errors import BusError

NEVER = (1 << 64) - 1


class ClintBench:
    """A CLINT of two harts."""

    def __init__(self) -> None:
        self.lines: dict[tuple[int, int], bool] = {}
        self.timers: dict[int, int] = {}
        self.clock = VirtualClock(10_000_000)
        self.clint = Clint(
            wiring=Wiring(
                harts=2,
                clock=self.clock,
                set_hart_line=lambda hart, bit, level: self.lines.update({(hart, bit): level}),
                set_timer=lambda hart, value: self.timers.update({hart: value}),
            )
        )


def test_clint_software_interrupts() -> None:
    bench = ClintBench()
    bench.clint.write(4, 4, 0xFFFF_FFFF)
    assert bench.clint.read(4, 4) == 1
    assert bench.lines == {(0, MipBit.MSIP): False, (1, MipBit.MSIP): True}
    bench.clint.write(4, 4, 0)
    assert not any(bench.lines.values())


def test_clint_timer_goes_to_the_hart() -> None:
    bench = ClintBench()
    assert bench.timers == {0: NEVER, 1: NEVER}
    bench.clint.write(0x4008, 8, 1234)
    bench.clint.write(0x4004, 4, 0)
    assert bench.timers == {0: 0xFFFF_FFFF, 1: 1234}


def test_clint_time() -> None:
    bench = ClintBench()
    bench.clock.advance(0x1_2345_6789)
    assert bench.clint.read(0xBFF8, 8) == 0x1_2345_6789
    assert (bench.clint.read(0xBFF8, 4), bench.clint.read(0xBFFC, 4)) == (0x2345_6789, 1)
    bench.clint.write(0xBFF8, 8, 5)
    assert bench.clock.now() == 5


def test_clint_harts_that_are_not_there_read_zero() -> None:
    bench = ClintBench()
    bench.clint.write(8, 4, 1)
    assert (bench.clint.read(8, 4), bench.clint.read(0x4010, 8)) == (0, 0)
    with pytest.raises(BusError):
        bench.clint.read(0, 1)


def test_clint_state_survives() -> None:
    bench, other = ClintBench(), ClintBench()
    bench.clock.advance(99)
    bench.clint.write(0, 4, 1)
    bench.clint.write(0x4000, 8, 200)
    other.clint.load(bench.clint.save())
    assert other.clock.now() == 99
    assert (other.lines[0, MipBit.MSIP], other.timers[0]) == (True, 200)


@pytest.mark.parametrize(
    ("size", "value", "asked"),
    [
        (4, 0x5555, [(Power.OFF, 0)]),
        (4, 0x2A_3333, [(Power.FAIL, 0x2A)]),
        (4, 0x7777, [(Power.RESET, 0)]),
        (2, 0x5555, [(Power.OFF, 0)]),
        (4, 0x1234, []),
    ],
)
def test_sifive_test(size: int, value: int, asked: list[tuple[Power, int]]) -> None:
    heard: list[tuple[Power, int]] = []
    device = SifiveTest(wiring=Wiring(power=lambda action, code: heard.append((action, code))))
    device.write(0, size, value)
    assert heard == asked
    assert device.read(0, 4) == 0


class RtcBench:
    """An RTC that starts at second 5 of 1970."""

    def __init__(self) -> None:
        self.line = Line("irq")
        self.clock = VirtualClock(1_000_000, epoch_ns=5_000_000_000)
        self.rtc = GoldfishRtc(wiring=Wiring(lines={"irq": self.line}, clock=self.clock))

    def time(self) -> int:
        low = self.rtc.read(0, 4)
        return self.rtc.read(4, 4) << 32 | low

    def alarm(self, time: int) -> None:
        self.rtc.write(0x0C, 4, time >> 32)
        self.rtc.write(0x08, 4, time & 0xFFFF_FFFF)


def test_rtc_time_is_latched() -> None:
    bench = RtcBench()
    low = bench.rtc.read(0, 4)
    bench.clock.advance(10_000_000)
    assert bench.rtc.read(4, 4) << 32 | low == 5_000_000_000
    assert bench.time() == 15_000_000_000


def test_rtc_can_be_set_and_keeps_its_time_over_a_reset() -> None:
    bench = RtcBench()
    time = 1_700_000_000_123_456_789
    bench.rtc.write(4, 4, time >> 32)
    bench.rtc.write(0, 4, time & 0xFFFF_FFFF)
    assert bench.time() == time
    bench.rtc.reset()
    bench.clock.advance(1)
    assert bench.time() == time + 1000


def test_rtc_alarm() -> None:
    bench = RtcBench()
    bench.rtc.write(0x10, 4, 1)
    bench.alarm(5_000_001_500)
    assert bench.rtc.read(0x18, 4) == 1
    bench.clock.advance(1)
    assert not bench.line.level
    bench.clock.advance(1)
    assert bench.line.level
    assert bench.rtc.read(0x18, 4) == 0
    bench.rtc.write(0x1C, 4, 1)
    assert not bench.line.level


def test_rtc_alarm_in_the_past_rings_at_once_but_only_if_enabled() -> None:
    bench = RtcBench()
    bench.alarm(1)
    assert not bench.line.level
    bench.rtc.write(0x10, 4, 1)
    assert bench.line.level


def test_rtc_alarm_can_be_cleared() -> None:
    bench = RtcBench()
    bench.rtc.write(0x10, 4, 1)
    bench.alarm(6_000_000_000)
    bench.rtc.write(0x14, 4, 1)
    bench.clock.advance(2_000_000)
    assert not bench.line.level


def test_rtc_state_survives() -> None:
    bench, other = RtcBench(), RtcBench()
    bench.rtc.write(0x10, 4, 1)
    bench.alarm(5_000_002_000)
    other.rtc.load(bench.rtc.save())
    other.clock.advance(2)
    assert other.line.level
