"""Every access to every device that ships: it has its effect, or it is an access fault."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rvplat_plugins.clint import Clint
from rvplat_plugins.examples.egg_timer import EggTimer
from rvplat_plugins.goldfish_rtc import GoldfishRtc
from rvplat_plugins.ns16550a import Ns16550a
from rvplat_plugins.plic import Plic
from rvplat_plugins.sifive_test import SifiveTest
from rvplat_plugins.virtio_blk import DiskSettings, VirtioBlk
from rvplat_plugins.virtio_console import VirtioConsole
from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtio_rng import VirtioRng

from rvplat import Machine
from rvplat.bus import AddressMap, Console, Device, Memory, Ram, Register, VirtualClock, Wiring
from rvplat.errors import BusError
from tests.machine.small_guests import guest

SIZES = (1, 2, 4, 8)
HARTS = 2


@dataclass(frozen=True)
class Answers:
    """What a device answers, as its manual has it: aligned accesses of these sizes, from an offset
    up to another one."""

    device: type[Device]
    ranges: tuple[tuple[int, int, tuple[int, ...]], ...]
    #: Registers whose store has an effect only at times: claims, acknowledgements, selectors.
    actions: tuple[str, ...] = ()

    def holds(self, offset: int, size: int) -> bool:
        return any(
            start <= offset and offset + size <= end and size in sizes and offset % size == 0
            for start, end, sizes in self.ranges
        )


VIRTIO = (
    (0, 0x100, (4,)), (0x100, 0x1000, SIZES),
    *((at, at + 8, (4, 8)) for at in (0x80, 0x90, 0xA0)),  # a queue's addresses, as on QEMU
)  # fmt: skip
VIRTIO_ACTIONS = (
    "DEVICE_FEATURES_SEL", "DRIVER_FEATURES", "DRIVER_FEATURES_SEL", "QUEUE_SEL", "QUEUE_SIZE",
    "QUEUE_READY", "QUEUE_NOTIFY", "INTERRUPT_ACK", "QUEUE_DESC", "QUEUE_DRIVER", "QUEUE_DEVICE",
    "SHM_SEL",
)  # fmt: skip
DEVICES = [
    Answers(Clint, ((0, 0x4000, (4,)), (0x4000, 0xC000, (4, 8)))),
    Answers(Plic, ((0, 0x600000, (4,)),), ("CLAIM", "ENABLE")),
    Answers(Ns16550a, ((0, 8, SIZES),), ("FCR", "THR")),
    Answers(
        GoldfishRtc, ((0, 0x20, (4,)),),
        ("TIME_LOW", "TIME_HIGH", "CLEAR_ALARM", "CLEAR_INTERRUPT"),
    ),
    Answers(SifiveTest, ((0, 4, (2, 4)),)),
    Answers(EggTimer, ((0, 0x10, (4,)),), ("TICKS", "RANG")),
    Answers(VirtioMmio, VIRTIO, VIRTIO_ACTIONS),
    Answers(VirtioBlk, VIRTIO, VIRTIO_ACTIONS),
    Answers(VirtioConsole, VIRTIO, VIRTIO_ACTIONS),
    Answers(VirtioRng, VIRTIO, VIRTIO_ACTIONS),
]  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Callable[[type[Device]], Device]:
    """A device of a model, connected to a clock, a console and a power switch that it may use."""
    (tmp_path / "disk").write_bytes(bytes(0x10000))

    def build(model: type[Device]) -> Device:
        console = Console()
        wiring = Wiring(name="it", clock=VirtualClock(10_000_000), console=console, harts=HARTS)
        seen: list[Any] = []
        console.sinks.append(seen.append)
        wiring.power = lambda *what: seen.append(what)
        settings = (
            DiskSettings(image=tmp_path / "disk", snapshot=True) if model is VirtioBlk else None
        )
        device = model(settings, wiring)
        device.seen = seen  # type: ignore[attr-defined]
        return device

    return build


def rows_of(device: Device) -> list[Register]:
    return [row for row in device.rows() if isinstance(row, Register)]


def offsets(device: Device) -> Iterator[int]:
    """All, of a large window those about registers, the edges and some between."""
    size = device.window(device.settings)
    if size <= 0x10000:
        yield from range(size)
        return
    places = {offset for row in rows_of(device) for offset in row.offsets}
    places |= {0, size, *range(0, size, 0x1234)}
    near = {place + n for place in places for n in range(-8, 9)}
    yield from sorted(offset for offset in near if 0 <= offset < size)


@pytest.mark.parametrize("answers", DEVICES, ids=lambda one: one.device.model)
def test_an_access_is_answered_or_a_fault(
    answers: Answers, make: Callable[[type[Device]], Device]
) -> None:
    device = make(answers.device)
    bus = AddressMap(Memory())
    bus.attach(0x1000_0000, device)
    wrong = []
    for offset in offsets(device):
        for size in SIZES:
            wanted = answers.holds(offset, size)
            for access in (bus.read, lambda pa, n: bus.write(pa, n, 0)):
                try:
                    access(0x1000_0000 + offset, size)
                    answered = True
                except BusError:
                    answered = False
                if answered is not wanted:
                    wrong.append((hex(offset), size, access.__name__))
    device.close()
    assert wrong == []


@pytest.mark.parametrize("answers", DEVICES, ids=lambda one: one.device.model)
def test_a_store_that_is_taken_has_an_effect_or_is_in_the_log(
    answers: Answers, make: Callable[[type[Device]], Device], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "rvplat.bus")
    device = make(answers.device)
    registers = {byte: row for row in rows_of(device) for byte in all_bytes(row)}
    swallowed = []
    beside = {start for start, _end, _sizes in answers.ranges} | {0x104, 0xFF8}
    for offset in sorted({n & -size for n in {*registers, *beside} for size in SIZES}):
        for size in SIZES:
            names = {registers[n].name for n in range(offset, offset + size) if n in registers}
            is_plain = answers.holds(offset, size) and not names & set(answers.actions)
            if is_plain and not has_effect(device, offset, size, caplog):
                swallowed.append((hex(offset), size, names))
    device.close()
    assert swallowed == []


def all_bytes(row: Register) -> Iterator[int]:
    return (start + n for start in row.offsets for n in range(row.width))


def has_effect(device: Device, offset: int, size: int, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether some store changes the device, or is told of."""
    device.reset()
    device._told.clear()
    caplog.clear()
    before = copy.deepcopy(device.save())
    for value in ((1 << 8 * size) - 1, 0x5555, 0x7777):
        try:
            device.write(offset, size, value & (1 << 8 * size) - 1)
        except BusError:
            return True
    seen = device.seen  # type: ignore[attr-defined]
    told = bool(caplog.records) or bool(seen) or device.save() != before
    seen.clear()
    return told


def test_an_access_across_an_edge_is_refused() -> None:
    """Also where RAM is behind the device: nothing of the store arrives there."""
    memory = Memory()
    memory.add(Ram(0x8000_0000, 0x10000))
    bus = AddressMap(memory)
    bus.attach(0x8000_1004, Ns16550a())
    for pa in (0x8000_1000, 0x8000_1100):
        with pytest.raises(BusError, match="is not whole in device"):
            bus.write(pa, 8, (1 << 64) - 1)
        with pytest.raises(BusError):
            bus.read(pa, 8)
    assert not any(memory.read(0x8000_0000, 0x10000))


@pytest.mark.parametrize("size", [0, 3, 16, 20])
def test_a_size_that_no_hart_has_is_refused(size: int) -> None:
    bus = AddressMap(Memory())
    bus.attach(0x1000, Ns16550a())
    with pytest.raises(BusError):
        bus.read(0x1000, size)


def test_a_guests_8_byte_store_to_msip_is_an_access_fault() -> None:
    program = guest("  li t0, CLINT\n  li t1, 1\n  sd t1, 0(t0)\n1: j 1b\n")
    with Machine.open("virt", program) as machine:
        hart = machine.harts[0]
        hart.pc = 0x8000_0000
        machine.step(3)
        assert (hart.csr("mcause"), hart.csr("mtval")) == (7, 0x200_0000)
