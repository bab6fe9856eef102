"""Stores to devices, as by good and by bad drivers: (address, bytes, value)."""

from __future__ import annotations

import struct
from random import Random

from tests.fuzz.image import BASE, BYTES, DATA, PAGE

CLINT, PLIC, UART, RTC = 0x200_0000, 0xC00_0000, 0x1000_0000, 0x10_1000
VIRTIO = 0x1000_1000
QUEUE_SIZE = 8
NEXT, WRITE, INDIRECT = 1, 2, 4
STATUS, FEATURES_OK, RUNNING = 0x70, 0xB, 0xF
FEATURES = (1 << 28 | 1 << 29, 1)  # indirect descriptors, event indices; version 1

Store = tuple[int, int, int]


def stores(rng: Random) -> list[Store]:
    """Stores to a few devices."""
    found = [(UART + rng.randrange(8), 1, rng.getrandbits(8)) for _ in range(rng.choice([0, 4]))]
    found += [(PLIC + 4 * n, 4, rng.getrandbits(3)) for n in (1, 10, 11)]
    found += [(PLIC + 0x2000 + 0x80 * n, 4, rng.getrandbits(32)) for n in range(4)]
    found += [(CLINT + 4 * n, 4, rng.getrandbits(1)) for n in range(2)]
    found += [(CLINT + 0x4000 + 8 * n, 8, rng.getrandbits(rng.choice([8, 64]))) for n in range(2)]
    found += [(CLINT + 0xBFF8, 8, rng.getrandbits(rng.choice([8, 63, 64])))]
    found += [(RTC + 4 * n, 4, rng.getrandbits(rng.choice([4, 32]))) for n in rng.choices(range(8))]
    return rng.sample(found, rng.randrange(len(found)))


def ring(rng: Random) -> tuple[list[Store], list[tuple[int, bytes]]]:
    """Stores that make a virtqueue ready and notify the device; and the queue's memory."""
    table, driver, device = (address(rng) for _ in range(3))
    if rng.random() < 0.2:
        driver = device = table
    number = rng.randrange(2)
    found = [(STATUS, 0), (STATUS, 3)]
    for word, value in enumerate(FEATURES):
        found += [(0x24, word), (0x20, value if rng.random() < 0.9 else rng.getrandbits(32))]
    found += [(STATUS, FEATURES_OK), (0x30, number), (0x38, rng.choice([QUEUE_SIZE, 1, 64, 3]))]
    for offset, value in ((0x80, table), (0x90, driver), (0xA0, device)):
        found += [(offset, value & 0xFFFF_FFFF), (offset + 4, value >> 32)]
    found += [(0x44, 1), (STATUS, RUNNING), (0x50, number), (0x64, rng.getrandbits(2))]
    memory = [(table, descriptors(rng, table)), (driver, available(rng))]
    inside = [(at, data) for at, data in memory if at >= BASE and at + len(data) <= BASE + BYTES]
    return [(VIRTIO + offset, 4, value) for offset, value in found], inside


def address(rng: Random) -> int:
    """An address for a part of a queue or for a buffer."""
    if rng.random() < 0.05:
        return rng.getrandbits(64)
    return BASE + rng.choice(DATA) * PAGE + rng.randrange(PAGE // 16) * 16


def descriptors(rng: Random, table: int) -> bytes:
    """A table of descriptors: chains, loops, tables of tables."""
    data = b""
    for n in range(QUEUE_SIZE):
        at = rng.choice([address(rng), address(rng), table])
        size = rng.choice([16, 64, 600, PAGE, BYTES, rng.getrandbits(32)])
        flags = rng.choice([0, NEXT, NEXT, WRITE, WRITE | NEXT, INDIRECT, rng.getrandbits(4)])
        follow = rng.choice([n + 1, n, rng.getrandbits(3), rng.getrandbits(16)]) & 0xFFFF
        data += struct.pack("<QIHH", at, size, flags, follow)
    return data


def available(rng: Random) -> bytes:
    """An available ring."""
    entries = [rng.randrange(rng.choice([QUEUE_SIZE, QUEUE_SIZE, 1 << 16])) for _ in range(8)]
    return struct.pack("<2H8H", 0, rng.choice([1, 4, 8, rng.getrandbits(16)]), *entries)
