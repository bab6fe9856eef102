"""A small virtio driver: real split rings in real RAM, as the driver's side of the spec says."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from rvplat_plugins.virtio_mmio import VirtioMmio

from rvplat.bus import Line, Memory, Ram, VirtualClock, Wiring
from rvplat.bus.clock import Clock

RAM_BASE, RAM_SIZE = 0x8000_0000, 0x200_0000
INDIRECT_DESC, EVENT_IDX, VERSION_1 = 1 << 28, 1 << 29, 1 << 32
NEXT, WRITE, INDIRECT = 1, 2, 4


def wiring(clock: Clock | None = None) -> Wiring:
    """RAM, a line and a clock for a device."""
    memory = Memory()
    memory.add(Ram(RAM_BASE, RAM_SIZE))
    clock = clock if clock is not None else VirtualClock(10_000_000)
    return Wiring(name="virtio", memory=memory, lines={"irq": Line("irq")}, clock=clock)


@dataclass
class Ring:
    """One queue as the driver sees it."""

    index: int
    size: int
    table: int
    available: int
    used: int
    seen: int = 0
    next: int = 0
    free: list[int] = field(default_factory=list)


@dataclass
class Buffer:
    """A buffer that was offered: its head and where each part lies."""

    head: int
    parts: list[tuple[int, int, bool]]


class Driver:
    """Drives one device through its registers and its rings."""

    def __init__(self, device: VirtioMmio) -> None:
        self.device = device
        self.memory = device.wiring.memory
        self.line = device.lines["irq"]
        self.top = RAM_BASE + 0x1000
        self.rings: dict[int, Ring] = {}
        self.events = False

    def get(self, offset: int) -> int:
        return self.device.read(offset, 4)

    def put(self, offset: int, value: int) -> None:
        self.device.write(offset, 4, value)

    def allocate(self, size: int, alignment: int = 16) -> int:
        at = -(-self.top // alignment) * alignment
        self.top = at + size
        return at

    def features(self) -> int:
        value = 0
        for word in (0, 1):
            self.put(0x14, word)
            value |= self.get(0x10) << 32 * word
        return value

    def accept(self, features: int) -> bool:
        """Negotiate; whether the device took the features (section 3.1.1)."""
        self.put(0x70, 0)
        self.put(0x70, 1)
        self.put(0x70, 3)
        for word in (0, 1):
            self.put(0x24, word)
            self.put(0x20, features >> 32 * word & 0xFFFF_FFFF)
        self.put(0x70, 11)
        self.events = bool(features & EVENT_IDX)
        return self.get(0x70) == 11

    def start(self, features: int = VERSION_1, sizes: Sequence[int] = (8,)) -> Driver:
        """Negotiate, make the queues and set DRIVER_OK."""
        assert self.accept(features)
        for index, size in enumerate(sizes):
            self.queue(index, size)
        self.put(0x70, 15)
        return self

    def queue(self, index: int, size: int) -> Ring:
        ring = Ring(
            index, size, self.allocate(16 * size), self.allocate(6 + 2 * size),
            self.allocate(6 + 8 * size), free=list(range(size)),
        )  # fmt: skip
        self.rings[index] = ring
        self.put(0x30, index)
        assert self.get(0x44) == 0
        assert self.get(0x34) >= size
        self.put(0x38, size)
        for offset, address in ((0x80, ring.table), (0x90, ring.available), (0xA0, ring.used)):
            self.put(offset, address & 0xFFFF_FFFF)
            self.put(offset + 4, address >> 32)
        self.put(0x44, 1)
        return ring

    def write_descriptor(
        self, at: int, address: int, size: int, flags: int, follow: int = 0
    ) -> None:
        self.memory.write(at, struct.pack("<QIHH", address, size, flags, follow))

    def place(self, parts: Sequence[bytes | int]) -> list[tuple[int, int, bool]]:
        """Put data (bytes) and room (a size) into memory."""
        placed = []
        for part in parts:
            size = len(part) if isinstance(part, bytes) else part
            at = self.allocate(max(size, 1), 1)
            if isinstance(part, bytes):
                self.memory.write(at, part)
            placed.append((at, size, not isinstance(part, bytes)))
        return placed

    def chain(self, ring: Ring, placed: Sequence[tuple[int, int, bool]], indirect: bool) -> int:
        """Write descriptors for a buffer; its head."""
        if indirect:
            table = self.allocate(16 * len(placed))
            numbers = list(range(len(placed)))
        else:
            table = ring.table
            numbers = [ring.free.pop() for _ in placed]
        for position, (at, size, writable) in enumerate(placed):
            last = position == len(placed) - 1
            flags = (WRITE if writable else 0) | (0 if last else NEXT)
            follow = 0 if last else numbers[position + 1]
            self.write_descriptor(table + 16 * numbers[position], at, size, flags, follow)
        if not indirect:
            return numbers[0]
        head = ring.free.pop()
        self.write_descriptor(ring.table + 16 * head, table, 16 * len(placed), INDIRECT)
        return head

    def offer(
        self, index: int, *parts: bytes | int, indirect: bool = False, kick: bool = True
    ) -> Buffer:
        """Make a buffer available and, if the device asks for it, notify."""
        ring = self.rings[index]
        placed = self.place(parts)
        head = self.chain(ring, placed, indirect)
        self.make_available(ring, head, kick)
        return Buffer(head, placed)

    def make_available(self, ring: Ring, head: int, kick: bool = True) -> None:
        self.memory.write_int(ring.available + 4 + 2 * (ring.next % ring.size), 2, head)
        old, ring.next = ring.next, ring.next + 1 & 0xFFFF
        self.memory.write_int(ring.available + 2, 2, ring.next)
        wanted = True
        if self.events:
            wanted = self.memory.read_int(ring.used + 4 + 8 * ring.size, 2) == old
        if kick and wanted:
            self.put(0x50, ring.index)

    def collect(self, index: int) -> list[tuple[int, int]]:
        """Take what the device has used: (head, bytes written)."""
        ring = self.rings[index]
        done = []
        while ring.seen != self.memory.read_int(ring.used + 2, 2):
            at = ring.used + 4 + 8 * (ring.seen % ring.size)
            head, written = struct.unpack("<II", self.memory.read(at, 8))
            done.append((head, written))
            ring.seen = ring.seen + 1 & 0xFFFF
            self.release(ring, head)
        return done

    def release(self, ring: Ring, head: int) -> None:
        while True:
            _, _, flags, follow = struct.unpack(
                "<QIHH", self.memory.read(ring.table + 16 * head, 16)
            )
            ring.free.append(head)
            if not flags & NEXT:
                return
            head = follow

    def ask_event(self, index: int, used: int) -> None:
        """Ask for an interrupt when used entry number `used` is written."""
        ring = self.rings[index]
        self.memory.write_int(ring.available + 4 + 2 * ring.size, 2, used & 0xFFFF)

    def data(self, buffer: Buffer) -> bytes:
        """What is in the parts that the device may write."""
        return b"".join(
            self.memory.read(at, size) for at, size, writable in buffer.parts if writable
        )

    def acknowledge(self) -> int:
        status = self.get(0x60)
        self.put(0x64, status)
        return status
