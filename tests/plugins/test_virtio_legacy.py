"""The legacy transport (version 1), by a driver that lays its queues out as virtio 0.9 does."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from rvplat_plugins.virtio_blk import VirtioBlk
from rvplat_plugins.virtio_mmio import VirtioMmio, VirtioSettings

from tests.plugins.test_virtio_mmio import Echo
from tests.plugins.virtio_driver import EVENT_IDX, INDIRECT_DESC, VERSION_1, Driver, Ring, wiring

NOTIFY_ON_EMPTY, ANY_LAYOUT = 1 << 24, 1 << 27
GUEST_PAGE_SIZE, QUEUE_ALIGN, QUEUE_PFN, QUEUE_READY = 0x28, 0x3C, 0x40, 0x44
PAGE = 4096
LEGACY = VirtioSettings(force_legacy=True)


class LegacyDriver(Driver):
    """Places each queue by its page number; `alignment` 0 leaves QueueAlign alone, as xv6 does."""

    alignment = 0

    def queue(self, index: int, size: int) -> Ring:
        alignment = self.alignment or PAGE
        first = self.allocate(2 * PAGE + 18 * size + 6 + alignment, PAGE)
        available = first + 16 * size
        used = -(-(available + 6 + 2 * size) // alignment) * alignment
        ring = Ring(index, size, first, available, used, free=list(range(size)))
        self.rings[index] = ring
        self.put(GUEST_PAGE_SIZE, PAGE)
        self.put(0x30, index)
        assert self.get(QUEUE_PFN) == 0
        assert self.get(0x34) >= size
        self.put(0x38, size)
        if self.alignment:
            self.put(QUEUE_ALIGN, self.alignment)
        self.put(QUEUE_PFN, first // PAGE)
        return ring


def legacy_echo(features: int = 0, sizes: Sequence[int] = (8,)) -> LegacyDriver:
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    driver.start(features, sizes)
    return driver


def test_registers() -> None:
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    assert [driver.get(offset) for offset in (0, 4, 8, 0xC)] == [0x74726976, 1, 42, 0x554D4551]
    offered = 1 << 5 | INDIRECT_DESC | EVENT_IDX | NOTIFY_ON_EMPTY | ANY_LAYOUT
    assert driver.features() == offered
    legacy_echo()
    assert [driver.get(offset) for offset in (QUEUE_PFN, QUEUE_READY, 0xFC)] == [0, 0, 0]


@pytest.mark.parametrize("alignment", [0, 64, PAGE, 2 * PAGE])
@pytest.mark.parametrize("features", [0, EVENT_IDX | INDIRECT_DESC])
def test_a_buffer_goes_and_comes_back(alignment: int, features: int) -> None:
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    driver.alignment = alignment
    driver.start(features, (8, 16))
    assert driver.get(QUEUE_PFN) == driver.rings[1].table // PAGE
    for _ in range(20):
        buffer = driver.offer(1, b"hello", 8)
        assert driver.collect(1) == [(buffer.head, 5)]
        assert driver.data(buffer) == b"hello\0\0\0"
    assert driver.acknowledge() == 1


def test_a_queue_may_come_after_driver_ok() -> None:
    """As in xv6 of 2020; legacy drivers need not keep the order of section 3.1.1."""
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    for status in (1, 3, 11, 15):
        driver.put(0x70, status)
    assert driver.get(0x70) == 15
    driver.queue(0, 8)
    buffer = driver.offer(0, b"late", 4)
    assert driver.collect(0) == [(buffer.head, 4)]


def test_the_page_size_outlasts_a_reset_by_the_driver() -> None:
    """Linux stores it when it finds the device, and resets the device then."""
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    driver.put(GUEST_PAGE_SIZE, PAGE)
    for status in (0, 1, 3, 15):
        driver.put(0x70, status)
    page = driver.allocate(3 * PAGE, PAGE)
    driver.put(0x38, 8)
    driver.put(QUEUE_PFN, page // PAGE)
    assert driver.device.queues[0].descriptors == page
    driver.device.reset()
    assert driver.device.guest_page_size == 1


def test_what_is_not_offered_is_left_out() -> None:
    driver = legacy_echo(0xFFFF_FFFF)
    offered = 1 << 5 | INDIRECT_DESC | EVENT_IDX | NOTIFY_ON_EMPTY | ANY_LAYOUT
    assert driver.device.accepted == offered
    assert legacy_echo(VERSION_1).device.accepted == 0


def test_page_zero_stops_the_queue() -> None:
    """Section 4.2.4: only this queue; QEMU resets the whole device."""
    driver = legacy_echo()
    driver.put(0x30, 0)
    driver.put(QUEUE_PFN, 0)
    assert driver.get(QUEUE_PFN) == 0
    driver.offer(0, b"lost", 4)
    assert driver.collect(0) == []
    assert driver.get(0x70) == 15
    driver.queue(0, 8)
    assert driver.collect(0) == []
    buffer = driver.offer(0, b"again", 5)
    assert driver.collect(0) == [(buffer.head, 5)]


def test_a_queue_outside_memory_needs_a_reset() -> None:
    driver = LegacyDriver(Echo(LEGACY, wiring()))
    driver.put(GUEST_PAGE_SIZE, PAGE)
    driver.put(QUEUE_PFN, 1)
    assert driver.get(0x70) & 64
    driver.put(0x70, 0)
    assert [driver.get(offset) for offset in (0x70, QUEUE_PFN)] == [0, 0]


def test_notify_on_empty_overrides_no_interrupt() -> None:
    for features, notified in ((0, False), (NOTIFY_ON_EMPTY, True)):
        driver = legacy_echo(features)
        driver.memory.write_int(driver.rings[0].available, 2, 1)  # NO_INTERRUPT
        driver.offer(0, b"x", 1)
        assert driver.line.level == notified


def test_each_version_ignores_the_others_registers() -> None:
    old = LegacyDriver(Echo(LEGACY, wiring()))
    old.put(0x38, 8)
    for offset in (0x80, 0x90, 0xA0):
        old.put(offset, 0x8000_0000)
    old.put(QUEUE_READY, 1)
    old.put(GUEST_PAGE_SIZE, PAGE)
    assert [old.get(offset) for offset in (QUEUE_PFN, QUEUE_READY)] == [0, 0]
    assert not old.device.queues[0].ready
    new = Driver(Echo(wiring=wiring()))
    new.put(GUEST_PAGE_SIZE, PAGE)
    new.put(QUEUE_PFN, 0x80000)
    assert new.get(QUEUE_PFN) == 0
    assert not new.device.queues[0].ready


def test_an_empty_slot_offers_nothing() -> None:
    for settings, version in ((LEGACY, 1), (VirtioSettings(), 2)):
        slot = VirtioMmio(settings, wiring())
        values = [slot.read(offset, 4) for offset in (0, 4, 8, 0xC, 0x10, 0x34)]
        assert values == [0x74726976, version, 0, 0x554D4551, 0, 0]


def test_state_survives() -> None:
    driver = legacy_echo(NOTIFY_ON_EMPTY)
    saved = driver.device.save()
    driver.put(0x70, 0)
    driver.device.load(saved)
    buffer = driver.offer(0, b"kept", 4)
    assert driver.collect(0) == [(buffer.head, 4)]
    assert driver.device.queues[0].notify_on_empty


@pytest.mark.parametrize("barrier", [0, 1 << 31])
def test_legacy_requests_of_a_disk(tmp_path: Path, barrier: int) -> None:
    """FLUSH_OUT is FLUSH, and the barrier bit is no part of the type (section 5.2.6)."""
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(4096))
    disk = VirtioBlk(VirtioBlk.settings_type(image=image, force_legacy=True), wiring())
    driver = LegacyDriver(disk)
    driver.start()
    for kind, sector, parts in ((1, 2, [b"A" * 512]), (5, 0, []), (0, 2, [512])):
        header = struct.pack("<IIQ", kind | barrier, 0, sector)
        buffer = driver.offer(0, header, *parts, 1)
        assert driver.collect(0)
        assert driver.data(buffer)[-1] == 0
    assert driver.data(buffer)[:-1] == b"A" * 512
    disk.close()
