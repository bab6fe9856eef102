"""Randomness and the console over virtio."""

from __future__ import annotations

from rvplat_plugins.virtio_console import VirtioConsole
from rvplat_plugins.virtio_rng import RngSettings, VirtioRng

from rvplat.bus import HostClock
from tests.plugins.virtio_driver import EVENT_IDX, VERSION_1, Driver, wiring

RECEIVE, TRANSMIT = 0, 1


def random_bytes(device: VirtioRng, *sizes: int) -> bytes:
    driver = Driver(device).start()
    buffer = driver.offer(0, *sizes)
    assert driver.collect(0) == [(buffer.head, sum(sizes))]
    return driver.data(buffer)


def test_rng_fills_buffers() -> None:
    device = VirtioRng(wiring=wiring(HostClock(10_000_000)))
    one, other = random_bytes(device, 30, 34), random_bytes(device, 30, 34)
    assert len(set(one)) > 8
    assert one != other


def test_rng_repeats_where_time_does_and_with_a_seed() -> None:
    def repeatable() -> bytes:
        return random_bytes(VirtioRng(wiring=wiring()), 64)

    def seeded(seed: int) -> bytes:
        device = VirtioRng(RngSettings(seed=seed), wiring(HostClock(10_000_000)))
        return random_bytes(device, 64)

    assert repeatable() == repeatable()
    assert seeded(1) == seeded(1) != seeded(2)


def console(features: int = VERSION_1) -> tuple[Driver, bytearray]:
    device = VirtioConsole(wiring=wiring())
    shown = bytearray()
    device.wiring.console.sinks.append(shown.extend)
    return Driver(device).start(features, (8, 8)), shown


def test_console_output() -> None:
    driver, shown = console()
    buffer = driver.offer(TRANSMIT, b"hello ", b"world\n")
    assert driver.collect(TRANSMIT) == [(buffer.head, 0)]
    assert shown == b"hello world\n"


def test_console_input_fills_waiting_buffers() -> None:
    driver, _ = console(VERSION_1 | EVENT_IDX)
    first, second = driver.offer(RECEIVE, 4), driver.offer(RECEIVE, 8)
    assert driver.collect(RECEIVE) == []
    driver.device.wiring.console.feed(b"abcdef")
    assert driver.collect(RECEIVE) == [(first.head, 4), (second.head, 2)]
    assert driver.data(first) + driver.data(second)[:2] == b"abcdef"
    assert driver.line.level


def test_console_input_waits_for_buffers() -> None:
    driver, _ = console(VERSION_1 | EVENT_IDX)
    feed = driver.device.wiring.console.feed
    feed(b"early")
    buffer = driver.offer(RECEIVE, 8)
    assert driver.collect(RECEIVE) == [(buffer.head, 5)]
    feed(b"more")
    assert driver.collect(RECEIVE) == []
    buffer = driver.offer(RECEIVE, 8)
    assert driver.collect(RECEIVE) == [(buffer.head, 4)]


def test_console_input_before_the_driver_is_there() -> None:
    device = VirtioConsole(wiring=wiring())
    device.wiring.console.feed(b"typed early")
    driver = Driver(device).start(VERSION_1, (8, 8))
    buffer = driver.offer(RECEIVE, 64)
    assert driver.data(buffer).rstrip(b"\0") == b"typed early"


def test_console_emergency_write_needs_no_driver() -> None:
    device = VirtioConsole(wiring=wiring())
    shown = bytearray()
    device.wiring.console.sinks.append(shown.extend)
    for char in b"oops":
        device.write(0x108, 4, char)
    assert shown == b"oops"
