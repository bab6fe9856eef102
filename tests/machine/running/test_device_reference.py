"""Native devices against their reference: a hart makes random accesses, with the definitions as
native code and under CPython. All shipped devices with definitions are on the board.

RVPLAT_DEVICE_EXAMPLES sets how many examples are tried, for a long run."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvplat import Machine
from rvplat.machine.running.native_devices import NativeDevices
from tests.fuzz import devices as drivers
from tests.fuzz.image import BASE, BYTES, DATA, HTIF, PAGE
from tests.machine.small_guests import POWER_OFF, guest

TABLE = 0x8020_0000
ENTRY = struct.Struct("<QQQQ")  # address, value, operation, result
LOADS, STORES = (1, 2, 4, 8), (1, 2, 4, 8)
UART, PLIC, CLINT, RTC, FINISHER = 0x1000_0000, 0x0C00_0000, 0x200_0000, 0x10_1000, 0x10_0000
VIRTIO = (0x1000_1000, 0x1000_2000, 0x1000_3000, 0x1000_4000)  # a device of each model
POWER, FAIL = 0x5555, 0x3333
SECTORS = 64
EXAMPLES = int(os.environ.get("RVPLAT_DEVICE_EXAMPLES", "30"))

#: Makes the accesses of a table and stores what they gave: a value, or bit 63 and the cause.
DO_ALL = (
    """
.option norvc
  la t0, handler
  csrw mtvec, t0
  li s0, 0x80200000
  ld s1, 0(s0)
  addi s0, s0, 8
loop: beqz s1, done
  ld a0, 0(s0)
  ld a1, 8(s0)
  ld a2, 16(s0)
  li a3, 0
  la t1, operations
  slli a2, a2, 3
  add t1, t1, a2
  jr t1
operations:
  lbu a3, 0(a0)
  j next
  lhu a3, 0(a0)
  j next
  lwu a3, 0(a0)
  j next
  ld a3, 0(a0)
  j next
  sb a1, 0(a0)
  j next
  sh a1, 0(a0)
  j next
  sw a1, 0(a0)
  j next
  sd a1, 0(a0)
next: sd a3, 24(s0)
  addi s0, s0, 32
  addi s1, s1, -1
  j loop
  .balign 4
handler: csrr t2, mepc
  addi t2, t2, 4
  csrw mepc, t2
  csrr a3, mcause
  li t3, 1
  slli t3, t3, 63
  or a3, a3, t3
  mret
done:"""
    + POWER_OFF
)


Access = tuple[int, int, int, int]  # address, size, 1: a store, value
Step = tuple[list[Access], list[tuple[int, bytes]]]  # accesses, and the memory that they need


def _one(access: Access) -> Step:
    return [access], []


def _accesses() -> st.SearchStrategy[Step]:
    plic = (
        *range(4, 64, 4), 0x1000, 0x2000, 0x2004, 0x2080, 0x3000,
        *range(0x20_0000, 0x20_4000, 0x800), 0x20_0004, 0x20_1004, 0x20_2004,
    )  # fmt: skip
    clint = (0, 4, 8, 0x4000, 0x4004, 0x4008, 0x400C, 0xBFF8, 0xBFFC, 0xC000)
    offsets = {UART: range(0x10), PLIC: plic, CLINT: clint, RTC: range(0, 0x24, 4)}
    offsets |= {HTIF: range(0, 24, 4), FINISHER: (0, 2, 4, 8)}
    offsets |= {base: (*range(0, 0x100, 4), 0x104, 0x81) for base in VIRTIO}
    at = st.sampled_from([base + offset for base, found in offsets.items() for offset in found])
    values = st.one_of(st.integers(0, 15), st.integers(0, 255), st.integers(0, (1 << 64) - 1))
    return st.tuples(at, st.sampled_from([1, 2, 4, 4, 8]), st.integers(0, 1), values).map(_one)


def _rings() -> st.SearchStrategy[Step]:
    """A driver that makes a queue ready and notifies a device."""

    def made(seed: int, base: int) -> Step:
        stores, memory = drivers.ring(Random(seed))
        return [(at - drivers.VIRTIO + base, size, 1, value) for at, size, value in stores], memory

    return st.builds(made, st.integers(0, 1 << 32), st.sampled_from(VIRTIO))


def _endings() -> st.SearchStrategy[Step]:
    return st.sampled_from([POWER, FAIL]).map(lambda value: _one((FINISHER, 4, 1, value)))


@contextmanager
def reference() -> Iterator[None]:
    """Machines whose devices CPython runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NativeDevices, "connect", lambda devices: None)
        patch.setattr(NativeDevices, "run_delayed", lambda devices, hart: None)
        yield


def board(image: Path, legacy: bool) -> dict[str, Any]:
    """Settings of a board with all models."""
    found: dict[str, Any] = {"clock": "virtual", "harts.count": 2, "memory": "8M"}
    models = ("virtio-rng", "virtio-console", "virtio-blk", "virtio-mmio")
    for n, model in enumerate(models):
        found[f"devices.virtio{n}.model"] = model
        found[f"devices.virtio{n}.force_legacy"] = legacy
    found["devices.virtio2.image"] = str(image)
    found["devices.virtio2.snapshot"] = True
    return found | {"devices.htif.model": "htif", "devices.htif.base": HTIF}


def outcome(steps: list[Step], typed: bytes, changes: dict[str, Any]) -> dict[str, Any]:
    """What the accesses gave, and how they left the devices."""
    accesses = [access for some, _ in steps for access in some]
    with Machine.open("virt", guest(DO_ALL), settings=changes) as machine:
        words = bytearray(struct.pack("<Q", len(accesses)))
        for address, size, is_store, value in accesses:
            operation = LOADS.index(size) + 4 * is_store
            words += ENTRY.pack(address, value, operation, 0)
        for at, data in [(TABLE, bytes(words)), *(one for _, some in steps for one in some)]:
            machine.memory.write(at, data)
        machine.console.feed(typed)
        stop = machine.run(timeout_s=60, max_instructions=50_000)
        found = machine.memory.read(TABLE + 8, ENTRY.size * len(accesses))
        queues = machine.memory.read(BASE + DATA.start * PAGE, BYTES - DATA.start * PAGE)
        return {
            "stop": str(stop),
            "results": [entry[3] for entry in ENTRY.iter_unpack(found)],
            "devices": {n: d.save() for n, d in machine.devices.items() if n != "flash"},
            "memory": hashlib.sha256(queues).hexdigest(),
            "output": machine.console.output,
            "lines": [int(hart.view.irq_lines) for hart in machine.harts],
            "timers": [int(hart.view.mtimecmp) for hart in machine.harts],
            "done": [hart.instret for hart in machine.harts],
        }


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("disks") / "disk.img"
    found.write_bytes(Random(1).randbytes(512 * SECTORS))
    return found


STEPS = st.builds(
    list.__add__,
    st.lists(st.one_of(*[_accesses()] * 9, _rings()), min_size=20, max_size=120),
    st.lists(_endings(), max_size=1),
)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS, st.binary(max_size=40), st.booleans())
def test_devices_agree_with_their_reference(
    image: Path, steps: list[Step], typed: bytes, legacy: bool
) -> None:
    changes = board(image, legacy)
    ours = outcome(steps, typed, changes)
    with reference():
        assert ours == outcome(steps, typed, changes)


def test_every_shipped_device_with_definitions_is_on_the_board(image: Path) -> None:
    with Machine.open("virt", guest(DO_ALL), settings=board(image, False)) as machine:
        there = {type(device) for device in machine.devices.values()}
        assert machine.plugins is not None
        native = {one for one in machine.plugins.devices.values() if one.layout is not None}
    assert native and native <= there
