"""The virtio transport and its rings, by a driver that keeps the rules and one that breaks them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtqueue import Chain, Virtqueue, fill, length, take

from rvplat.errors import BusError
from tests.plugins.virtio_driver import (
    EVENT_IDX,
    INDIRECT,
    INDIRECT_DESC,
    NEXT,
    RAM_BASE,
    RAM_SIZE,
    VERSION_1,
    WRITE,
    Driver,
    wiring,
)

ALL = VERSION_1 | EVENT_IDX | INDIRECT_DESC


class Echo(VirtioMmio):
    """Writes what it read, and can be told to hold buffers back."""

    model = "echo"
    virtio_id = 42
    queue_sizes = (8, 16)
    holding = False

    def setup(self) -> None:
        self.held: list[tuple[Virtqueue, Chain]] = []
        self.settled = 0
        self.written = b""

    def features(self) -> int:
        return 1 << 5

    def config(self) -> bytes:
        return bytes(range(8))

    def configure(self, offset: int, data: bytes) -> None:
        self.written += data

    def settle(self) -> None:
        self.settled += 1

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        if self.holding:
            self.held.append((queue, chain))
            return
        data = take(queue.views(chain.readable), 1 << 20)
        self.give_back(queue, chain, fill(queue.views(chain.writable), data))


def echo(features: int = VERSION_1, sizes: tuple[int, ...] = (8,)) -> Driver:
    return Driver(Echo(wiring=wiring())).start(features, sizes)


def test_an_empty_slot_says_so() -> None:
    slot = VirtioMmio(wiring=wiring())
    assert [slot.read(offset, 4) for offset in (0, 4, 8)] == [0x74726976, 2, 0]


def test_registers_after_reset() -> None:
    driver = Driver(Echo(wiring=wiring()))
    assert (driver.get(0x8), driver.get(0xC)) == (42, 0x554D4551)
    assert driver.features() == ALL | 1 << 5
    for word in (2, 0xFFFF_FFFF):
        driver.put(0x14, word)
        assert driver.get(0x10) == 0
    for queue, size in ((0, 8), (1, 16), (2, 0), (0xFFFF_FFFF, 0)):
        driver.put(0x30, queue)
        assert (driver.get(0x34), driver.get(0x44)) == (size, 0)
    assert [driver.get(offset) for offset in (0x60, 0x70, 0xFC)] == [0, 0, 0]
    assert [driver.get(offset) for offset in (0xB0, 0xB4, 0xB8, 0xBC)] == [0xFFFF_FFFF] * 4
    assert [driver.get(offset) for offset in (0x14, 0x50, 0x80, 0xC0)] == [0] * 4


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0x70, 2), (0x70, 8), (0x72, 4)])
def test_control_registers_are_32_bits(offset: int, size: int) -> None:
    with pytest.raises(BusError):
        Echo(wiring=wiring()).read(offset, size)


def test_configuration_space_is_of_any_width() -> None:
    device = Echo(wiring=wiring())
    assert device.read(0x103, 1) == 3
    assert device.read(0x102, 2) == 0x0302
    assert device.read(0x100, 8) == 0x0706_0504_0302_0100
    assert device.read(0x108, 4) == 0
    device.write(0x104, 2, 0x6261)
    assert device.written == b"ab"
    with pytest.raises(BusError):
        device.read(0x101, 2)


@pytest.mark.parametrize(
    ("features", "taken"),
    [
        (VERSION_1, True),
        (ALL | 1 << 5, True),
        (0, True),  # a driver from before virtio 1.0, as QEMU takes it
        (EVENT_IDX, True),
        (1 << 24, False),
        (VERSION_1 | 1 << 6, False),
    ],
)
def test_features_are_negotiated(features: int, taken: bool) -> None:
    assert Driver(Echo(wiring=wiring())).accept(features) == taken


def test_features_are_fixed_by_features_ok() -> None:
    driver = echo()
    driver.put(0x24, 0)
    driver.put(0x20, 1 << 5)
    assert driver.device.accepted == VERSION_1


@pytest.mark.parametrize("indirect", [False, True])
def test_a_buffer_goes_and_comes_back(indirect: bool) -> None:
    driver = echo(ALL)
    buffer = driver.offer(0, b"hello ", b"world", 4, 20, indirect=indirect)
    assert driver.collect(0) == [(buffer.head, 11)]
    assert driver.data(buffer).rstrip(b"\0") == b"hello world"
    assert driver.line.level
    assert driver.acknowledge() == 1
    assert not driver.line.level


def test_direct_descriptors_may_end_in_an_indirect_table() -> None:
    """Section 2.7.5.3.2: zero or more normal descriptors, then one that is indirect."""
    driver = echo(VERSION_1 | INDIRECT_DESC)
    ring = driver.rings[0]
    (first, rest, room) = driver.place([b"ab", b"cd", 4])
    table = driver.allocate(32)
    driver.write_descriptor(table, rest[0], 2, NEXT, 1)
    driver.write_descriptor(table + 16, room[0], 4, WRITE)
    driver.write_descriptor(ring.table, first[0], 2, NEXT, 5)
    driver.write_descriptor(ring.table + 80, table, 32, INDIRECT | WRITE)
    driver.make_available(ring, 0)
    assert driver.memory.read(room[0], 4) == b"abcd"


def test_many_buffers_round_the_ring() -> None:
    driver = echo(ALL)
    ring, queue = driver.rings[0], driver.device.queues[0]
    for _ in range(20):
        buffer = driver.offer(0, b"x", 1)
        assert driver.collect(0) == [(buffer.head, 1)]
    ring.seen = ring.next = queue.seen = queue.used = queue.signalled = 65_530
    for at in (ring.available + 2, ring.used + 2, ring.used + 4 + 8 * ring.size):
        driver.memory.write_int(at, 2, 65_530)
    for _ in range(20):  # over the end of the 16-bit index
        buffer = driver.offer(0, b"y", 1)
        assert driver.collect(0) == [(buffer.head, 1)]
        assert driver.data(buffer) == b"y"


def test_a_queues_addresses_may_be_stored_whole() -> None:
    """Section 4.2.2.2 has drivers store halves; QEMU takes both ways, and so some drivers do."""
    driver = echo()
    driver.put(0x44, 0)
    ring = driver.rings[0]
    for offset, address in ((0x80, ring.table), (0x90, ring.available), (0xA0, ring.used)):
        driver.device.write(offset, 8, 0)
        driver.device.write(offset, 8, address)
    driver.put(0x44, 1)
    buffer = driver.offer(0, b"whole", 8)
    assert (buffer.head, 5) in driver.collect(0)


def test_buffers_made_available_before_driver_ok_wait_for_it() -> None:
    driver = Driver(Echo(wiring=wiring()))
    assert driver.accept(VERSION_1)
    driver.queue(0, 8)
    buffer = driver.offer(0, b"early", 8)
    assert driver.collect(0) == []
    driver.put(0x70, 15)
    assert driver.collect(0) == [(buffer.head, 5)]


def test_no_interrupt_if_the_driver_says_so() -> None:
    driver = echo()
    driver.memory.write_int(driver.rings[0].available, 2, 1)
    driver.offer(0, b"a", 1)
    assert not driver.line.level
    driver.memory.write_int(driver.rings[0].available, 2, 0)
    driver.offer(0, b"b", 1)
    assert driver.line.level


def test_event_index_says_when_to_interrupt() -> None:
    driver = echo(ALL)
    driver.memory.write_int(driver.rings[0].available, 2, 1)  # must be ignored
    driver.ask_event(0, 2)
    levels = []
    for _ in range(4):
        driver.offer(0, b"a", 1)
        levels.append(driver.line.level)
        driver.acknowledge()
        driver.collect(0)
    assert levels == [False, False, True, False]


def test_event_index_asks_for_the_next_notification() -> None:
    driver = echo(ALL)
    ring = driver.rings[0]
    event = ring.used + 4 + 8 * ring.size
    for number in range(1, 4):
        driver.offer(0, b"a", 1)
        driver.collect(0)
        assert driver.memory.read_int(event, 2) == number
    assert driver.memory.read_int(ring.used, 2) == 0  # flags


def test_spurious_notifications_do_nothing() -> None:
    driver = echo(sizes=(8, 8))
    for value in (0, 1, 2, 0xFFFF_FFFF):
        driver.put(0x50, value)
    assert driver.get(0x70) == 15
    assert not driver.line.level


def test_a_queue_that_is_not_ready_is_not_touched() -> None:
    driver = echo()
    driver.put(0x30, 0)
    driver.put(0x44, 0)
    assert driver.get(0x44) == 0
    driver.offer(0, b"a", 1)
    assert driver.collect(0) == []


def test_writing_zero_to_status_resets() -> None:
    driver = echo(ALL)
    driver.offer(0, b"a", 1)
    settled = driver.device.settled  # type: ignore[attr-defined]
    driver.put(0x70, 0)
    assert driver.device.settled == settled + 1  # type: ignore[attr-defined]
    assert [driver.get(offset) for offset in (0x60, 0x70, 0x44)] == [0, 0, 0]
    assert not driver.line.level
    buffer = Driver(driver.device).start().offer(0, b"again", 5)
    assert buffer.head == 7


def broken(driver: Driver, descriptors: list[tuple[int, int, int, int]], head: int = 0) -> None:
    """Offer a chain that breaks a rule; the device must ask for a reset and stop."""
    ring = driver.rings[0]
    for number, (address, size, flags, follow) in enumerate(descriptors):
        driver.write_descriptor(ring.table + 16 * number, address, size, flags, follow)
    driver.make_available(ring, head)
    assert driver.get(0x70) == 15 | 64
    assert driver.get(0x60) == 2
    assert driver.line.level
    assert driver.memory.read_int(ring.used + 2, 2) == 0
    driver.put(0x70, 15)
    assert driver.get(0x70) == 15 | 64  # only a reset clears it
    driver.put(0x70, 0)
    assert driver.get(0x70) == 0


DATA = RAM_BASE + 0x1000000


@pytest.mark.parametrize(
    "descriptors",
    [
        [(DATA, 1, NEXT, 1), (DATA, 1, NEXT, 0)],  # a loop
        [(DATA, 1, NEXT, 8)],  # beyond the table
        [(DATA, 1, WRITE | NEXT, 1), (DATA, 1, 0, 0)],  # readable after writable
        [(RAM_BASE + RAM_SIZE - 1, 2, 0, 0)],  # beyond RAM
        [(0x10, 4, 0, 0)],  # no memory
        [((1 << 64) - 1, 4, 0, 0)],
        [(DATA, 16, INDIRECT | NEXT, 1)],
        [(DATA, 17, INDIRECT, 0)],  # not whole descriptors
        [(DATA, 0, INDIRECT, 0)],
        [(0x10, 16, INDIRECT, 0)],
    ],
)
def test_broken_chains_need_a_reset(descriptors: list[tuple[int, int, int, int]]) -> None:
    broken(echo(ALL), descriptors)


def test_indirect_needs_its_feature() -> None:
    broken(echo(VERSION_1), [(DATA, 16, INDIRECT, 0)])


def test_an_indirect_table_holds_no_other() -> None:
    driver = echo(ALL)
    driver.write_descriptor(DATA, DATA + 64, 16, INDIRECT)
    broken(driver, [(DATA, 16, INDIRECT, 0)])


def test_a_head_beyond_the_table() -> None:
    broken(echo(), [], head=8)


def test_an_available_index_that_ran_away() -> None:
    driver = echo()
    driver.memory.write_int(driver.rings[0].available + 2, 2, 9)
    driver.put(0x50, 0)
    assert driver.get(0x70) == 15 | 64


@pytest.mark.parametrize(
    ("size", "shift"), [(3, 0), (0, 0), (16, 0), (8, 1)], ids=["odd", "zero", "large", "misaligned"]
)
def test_a_queue_that_is_not_well_formed(size: int, shift: int) -> None:
    driver = Driver(Echo(wiring=wiring()))
    assert driver.accept(VERSION_1)
    driver.put(0x30, 0)
    driver.put(0x38, size)
    for offset in (0x80, 0x90, 0xA0):
        driver.put(offset, RAM_BASE + shift)
        driver.put(offset + 4, 0)
    driver.put(0x44, 1)
    assert driver.get(0x44) == 0
    assert driver.get(0x70) == 11 | 64


def test_a_queue_outside_memory() -> None:
    driver = Driver(Echo(wiring=wiring()))
    assert driver.accept(VERSION_1)
    driver.put(0x30, 0)
    driver.put(0x38, 8)
    driver.put(0x44, 1)  # at address 0
    assert driver.get(0x70) == 11 | 64


@given(st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_framing(sources: list[bytes], rooms: list[int]) -> None:
    """Section 2.7.4: nothing depends on how a message is cut into descriptors."""
    if not sources and not rooms:
        return
    driver = echo(ALL, (8,))
    parts: list[bytes | int] = [*sources, *rooms]
    buffer = driver.offer(0, *parts, indirect=len(parts) > 8)
    text = b"".join(sources)[: sum(rooms)]
    assert driver.collect(0) == [(buffer.head, len(text))]
    assert driver.data(buffer)[: len(text)] == text


def test_writes_to_memory_are_told() -> None:
    driver = echo()
    told: list[tuple[int, int]] = []
    buffer = driver.offer(0, b"abc", 2, 5, kick=False)
    driver.memory.written = lambda pa, size: told.append((pa, size))
    driver.put(0x50, 0)
    used = driver.rings[0].used
    assert buffer.parts[1][0] + 2 == buffer.parts[2][0], "one span"
    assert told == [(buffer.parts[1][0], 3), (used, 70)]


def test_state_survives() -> None:
    driver = echo(ALL)
    driver.offer(0, b"a", 1)
    other = Echo(wiring=wiring())
    image = driver.memory.read(RAM_BASE, 0x10000)
    other.wiring.memory.write(RAM_BASE, image)
    other.load(driver.device.save())
    driver.device, driver.memory = other, other.wiring.memory
    buffer = driver.offer(0, b"after", 5)
    assert driver.collect(0)[-1] == (buffer.head, 5)
    assert driver.data(buffer) == b"after"
    assert other.lines["irq"].level


def test_take_and_fill() -> None:
    views = [memoryview(bytearray(b"abc")), memoryview(bytearray(b"defg"))]
    assert take(views, 4) == b"abcd"
    assert length(views) == 3
    assert fill(views, b"123456") == 3
    assert take(views, 9) == b"123"
