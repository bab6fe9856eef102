"""Drivers that want a device to work for ever, or to take all of the host's memory."""

from __future__ import annotations

import pytest
from rvplat_plugins.virtio_console import VirtioConsole
from rvplat_plugins.virtio_device import MOST_AT_ONCE, MOST_TOLD, PAUSES_A_SECOND
from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtqueue import MOST_DESCRIPTORS, Chain, Virtqueue

from tests.plugins.virtio_driver import (
    INDIRECT,
    INDIRECT_DESC,
    NEXT,
    RAM_BASE,
    RAM_SIZE,
    VERSION_1,
    Driver,
    wiring,
)

TRANSMIT = 1
BROKEN = 64  # NEEDS_RESET


class Fed(VirtioMmio):
    """Each buffer makes another available, as data that is written to the ring can."""

    model = "fed"
    virtio_id = 42
    queue_sizes = (8,)
    taken = 0

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        self.taken += 1
        self.give_back(queue, chain, 0)
        memory, index = self.wiring.memory, queue.driver + 2
        memory.write_int(index, 2, memory.read_int(index, 2) + 1 & 0xFFFF)


@pytest.mark.timeout(60)
def test_a_ring_that_feeds_itself_lets_others_have_their_turn() -> None:
    device = Fed(wiring=wiring())
    driver = Driver(device).start()
    driver.offer(0, b"x")
    clock = device.wiring.clock
    assert 0 < device.taken <= MOST_AT_ONCE
    before = device.taken
    clock.advance(clock.frequency // PAUSES_A_SECOND + 1)  # type: ignore[attr-defined]
    assert before < device.taken <= 2 * MOST_AT_ONCE
    driver.put(0x70, 0)
    before = device.taken
    clock.advance(clock.frequency)  # type: ignore[attr-defined]
    assert device.taken == before


@pytest.mark.timeout(60)
def test_an_indirect_table_is_followed_so_far() -> None:
    """All of memory is one table, whose descriptors all lead on."""
    device = Fed(wiring=wiring())
    driver = Driver(device).start(VERSION_1 | INDIRECT_DESC)
    ring, count = driver.rings[0], 60_000
    table = driver.allocate(16 * count)
    for n in range(MOST_DESCRIPTORS + 1):
        driver.write_descriptor(table + 16 * n, RAM_BASE, 1, NEXT, n + 1)
    driver.write_descriptor(ring.table, table, 16 * count, INDIRECT)
    driver.make_available(ring, 0)
    assert driver.get(0x70) & BROKEN
    assert device.taken == 0


@pytest.mark.timeout(60)
def test_a_chain_has_four_gibibytes_at_most() -> None:
    device = VirtioConsole(wiring=wiring())
    shown = []
    device.wiring.console.sinks.append(lambda data: shown.append(len(data)))
    driver = Driver(device).start(VERSION_1 | INDIRECT_DESC, (8, 8))
    ring, count = driver.rings[TRANSMIT], (1 << 32) // RAM_SIZE + 1
    table = driver.allocate(16 * count)
    for n in range(count):
        flags = NEXT if n + 1 < count else 0
        driver.write_descriptor(table + 16 * n, RAM_BASE, RAM_SIZE, flags, n + 1)
    driver.write_descriptor(ring.table, table, 16 * count, INDIRECT)
    driver.make_available(ring, 0)
    assert driver.get(0x70) & BROKEN
    assert shown == []


def test_console_output_comes_in_pieces() -> None:
    device = VirtioConsole(wiring=wiring())
    shown: list[bytes] = []
    device.wiring.console.sinks.append(shown.append)
    driver = Driver(device).start(VERSION_1, (8, 8))
    data = bytes(range(256)) * 1000
    driver.offer(TRANSMIT, data)
    assert b"".join(shown) == data
    assert max(map(len, shown)) == 1 << 16


def test_a_driver_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    device = Fed(wiring=wiring())
    for _ in range(100):
        driver = Driver(device).start()
        driver.make_available(driver.rings[0], 9)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == MOST_TOLD
    problem = "virtio: the driver must reset it: descriptor 9 is beyond its table"
    assert told[0] == problem
    assert told[-1] == f"{problem}; no more is told of it"
