"""The event index (section 2.7.7 and 2.7.10 of virtio 1.2): who tells whom, at any index."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtio_rng import VirtioRng

from rvplat import Machine
from tests.plugins.virtio_driver import EVENT_IDX, VERSION_1, Driver, wiring

SIZE = 8
INDICES = st.one_of(st.integers(0, 0xFFFF), st.integers(0xFFF0, 0xFFFF), st.integers(0, 16))


def needs_event(event: int, new: int, old: int) -> bool:
    """The specification's vring_need_event: whether `event` is one of old, ... new - 1."""
    return new - event - 1 & 0xFFFF < new - old & 0xFFFF


@pytest.fixture(scope="module", params=["reference", "native"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A driver of a random number device, whose definitions CPython runs, or native code."""
    if request.param == "reference":
        yield Driver(VirtioRng(wiring=wiring()))
        return
    changes: dict[str, object] = {"devices.virtio0.model": "virtio-rng", "clock": "virtual"}
    changes["devices.virtio0.force_legacy"] = False
    with Machine.open("virt", program="demo", settings=changes) as machine:
        device = machine.devices["virtio0"]
        assert isinstance(device, VirtioMmio)
        yield Driver(device)


def started(driver: Driver, index: int) -> None:
    """Start the device with all indices of the ring at a value."""
    driver.top = 0x8000_1000
    driver.memory.write(driver.top, bytes(0x1000))
    driver.start(VERSION_1 | EVENT_IDX, (SIZE,))
    ring, queue = driver.rings[0], driver.device.queues[0]
    ring.seen = ring.next = queue.seen = queue.used = queue.signalled = index
    for at in (ring.available + 2, ring.used + 2, ring.used + 4 + 8 * ring.size):
        driver.memory.write_int(at, 2, index)


@settings(max_examples=200, deadline=None)
@given(INDICES, st.integers(0, SIZE), INDICES)
def test_the_rule_for_interrupts(driver: Driver, old: int, given: int, event: int) -> None:
    started(driver, old)
    queue = driver.device.queues[0]
    queue.used = old + given & 0xFFFF
    driver.ask_event(0, event)
    assert queue.wants_interrupt() == needs_event(event, queue.used, old)
    assert not queue.wants_interrupt(), "nothing was given since"


@settings(max_examples=60, deadline=None)
@given(INDICES, st.lists(st.tuples(st.integers(1, SIZE), st.integers(-2, SIZE)), max_size=12))
def test_nobody_waits_for_ever(driver: Driver, first: int, rounds: list[tuple[int, int]]) -> None:
    """A driver that offers some buffers, notifies by the rule, and asks for an interrupt after
    some of them: all come back, and the interrupt comes exactly when it should."""
    started(driver, first)
    ring = driver.rings[0]
    for count, wanted in rounds:
        driver.acknowledge()
        driver.ask_event(0, ring.seen + wanted)
        buffers = [driver.offer(0, 4, kick=False) for _ in range(count)]
        event = driver.memory.read_int(ring.used + 4 + 8 * ring.size, 2)
        assert needs_event(event, ring.next, ring.next - count & 0xFFFF)
        driver.put(0x50, 0)
        before = ring.seen
        assert driver.collect(0) == [(buffer.head, 4) for buffer in buffers]
        assert driver.line.level == needs_event(before + wanted & 0xFFFF, ring.seen, before)
