"""Clocks, lines and consoles."""

from __future__ import annotations

import logging
import threading

import pytest

from rvplat.bus import Console, HostClock, Line, VirtualClock


def test_virtual_clock_rings_each_alarm_at_its_tick() -> None:
    clock = VirtualClock(1000)
    rang = []
    for tick in (30, 10, 20):
        clock.call_at(tick, lambda: rang.append(clock.now()))
    clock.cancel(clock.call_at(15, lambda: rang.append(-1)))
    assert clock.next_alarm() == 10
    clock.advance(25)
    assert (rang, clock.now()) == ([10, 20], 25)
    clock.advance(5)
    assert rang == [10, 20, 30]
    assert clock.next_alarm() is None


@pytest.mark.parametrize("ticks", [0, 25, 10_000, (1 << 64) - 5])
def test_an_alarm_rings_after_its_ticks_whatever_the_clock_is_set_to(ticks: int) -> None:
    clock = VirtualClock(1000)
    rang = []
    clock.advance(20)
    clock.call_at(clock.now() + 10, lambda: rang.append(clock.elapsed()))
    clock.set(ticks)
    assert clock.next_alarm() == ticks + 10
    clock.advance(9)
    assert rang == []
    clock.advance(30)
    assert (rang, clock.now()) == ([30], (ticks + 39) & (1 << 64) - 1)


def test_an_alarm_after_the_last_tick() -> None:
    """After the last tick of 64 bits, the clock continues with 0."""
    clock = VirtualClock(1000)
    rang = []
    clock.set((1 << 64) - 5)
    clock.call_at(clock.now() + 10, lambda: rang.append(clock.now()))
    clock.advance(7)
    assert (rang, clock.now()) == ([], 2)
    clock.advance(7)
    assert (rang, clock.now()) == ([5], 9)


def test_setting_a_host_clock_does_not_delay_its_alarms() -> None:
    clock = HostClock(1_000_000)
    rang = threading.Event()
    clock.call_at(clock.now() + 50_000, rang.set)
    clock.set(0)
    clock.set((1 << 64) - 10)
    assert rang.wait(60)
    clock.close()


def test_an_alarm_may_set_another() -> None:
    clock = VirtualClock(1000)
    rang = []

    def again() -> None:
        rang.append(clock.now())
        clock.call_at(clock.now() + 10, again)

    clock.call_at(10, again)
    clock.advance(35)
    assert rang == [10, 20, 30]


def test_virtual_time_of_day_does_not_follow_set() -> None:
    clock = VirtualClock(1000, epoch_ns=5)
    clock.advance(1000)
    clock.set(0)
    assert (clock.now(), clock.wall_ns()) == (0, 1_000_000_005)


def test_an_alarm_that_raises_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock(1000)
    clock.call_at(1, lambda: [].pop())
    rang = []
    clock.call_at(1, lambda: rang.append(1))
    with caplog.at_level(logging.ERROR):
        clock.advance(1)
    assert rang == [1]
    (failure,) = clock.failures.all()
    assert failure.operation == "an alarm"
    assert isinstance(failure.error, IndexError)
    assert caplog.messages == [str(failure)]


def test_host_clock_rings() -> None:
    clock = HostClock(10_000_000)
    try:
        rang = threading.Event()
        clock.call_at(clock.now() + 10_000_000_000, rang.set)  # due after the next alarm
        clock.call_at(clock.now() + 10_000, rang.set)
        assert rang.wait(5)
    finally:
        clock.close()


def test_setting_a_host_clock_notifies_and_it_continues() -> None:
    clock = HostClock(10_000_000)
    told = []
    clock.on_set.append(lambda: told.append(True))
    clock.set(1 << 40)
    assert told == [True]
    assert 0 <= clock.now() - (1 << 40) < 10_000_000


@pytest.mark.parametrize("frequency", [32_768, 3_000_000, 24_000_000, 333_333_333, 1_000_000_000])
def test_host_clock_is_what_it_was_set_to(monkeypatch: pytest.MonkeyPatch, frequency: int) -> None:
    """This also holds at frequencies whose ticks aren't a whole number of nanoseconds."""
    clock = HostClock(frequency)
    monkeypatch.setattr("time.monotonic_ns", lambda: 123_456_789_012)
    for ticks in (0, 1, 2, 7, frequency - 1, frequency + 1, (1 << 40) + 1, (1 << 64) - 1):
        clock.set(ticks)
        assert clock.now() == ticks


def test_a_line_reports_changes_and_repeated_signals() -> None:
    """Raising a line that is high is a signal for an edge-triggered input. Lowering a low line is
    not reported."""
    line = Line("irq")
    line.set(True)
    heard: list[bool] = []
    line.connect(heard.append)
    for level in (True, False, False, True):
        line.set(level)
    assert heard == [True, True, False, True]


def test_console_keeps_unread_input() -> None:
    console = Console()
    console.feed(b"hello")
    assert (console.read(2), console.waiting, console.read(9)) == (b"he", 3, b"llo")


def test_console_is_read_under_the_lock() -> None:
    """A device that harts call does not hold it, and input may arrive at the same time."""
    console = Console()
    console.feed(b"hello")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(console.read(9)))
    with console.lock:
        reader.start()
        reader.join(0.2)
        assert got == []
    reader.join(60)
    assert got == [b"hello"]


def test_a_sink_that_leaves_costs_the_others_nothing() -> None:
    console = Console()
    shown: list[bytes] = []

    def once(data: bytes) -> None:
        console.sinks.remove(once)

    console.sinks += [once, shown.append]
    console.write(b"x")
    assert shown == [b"x"]


def test_console_notifies_both_ends() -> None:
    console = Console()
    shown: list[bytes] = []
    console.sinks.append(shown.append)
    console.write(b"x")
    got: list[bytes] = []
    console.on_input = lambda: got.append(console.read(10))
    console.feed(b"y")
    assert (shown, got) == ([b"x"], [b"y"])
    console.on_input = lambda: [].pop()
    console.feed(b"z")
    assert [one.operation for one in console.failures.all()] == ["taking console input"]


def test_cancelled_alarms_take_no_memory() -> None:
    """A guest may repeatedly set an alarm for the last tick."""
    clock = VirtualClock(1000)
    rung: list[int] = []
    clock.call_at(5, lambda: rung.append(5))
    for _ in range(1000):
        alarm = clock.call_at(1 << 60, lambda: rung.append(0))
        clock.cancel(alarm)
        clock.cancel(alarm)
    assert len(clock._alarms) == 1
    clock.advance(10)
    assert rung == [5]
