"""The disk's thread: native code beside harts, and the reference of it."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from rvplat_plugins.disk_image import RawImage
from rvplat_plugins.virtio_blk import VirtioBlk

from rvplat import Machine
from rvplat.bus import HostClock
from tests.plugins.test_virtio_blk import FLUSH, IN, OK, OUT, Disk
from tests.plugins.virtio_driver import EVENT_IDX, INDIRECT_DESC, VERSION_1, Driver, wiring

SECTORS = 64
KINDS = (IN, IN, OUT, OUT, FLUSH, 99)
FEATURES = VERSION_1 | EVENT_IDX | INDIRECT_DESC | 1 << 9


@pytest.fixture
def image(tmp_path: Path) -> Path:
    found = tmp_path / "disk.img"
    found.write_bytes(Random(1).randbytes(512 * SECTORS))
    return found


def reference(image: Path) -> VirtioBlk:
    """A disk whose thread CPython runs."""
    return VirtioBlk(VirtioBlk.settings_type(image=image), wiring(HostClock(10_000_000)))


@pytest.fixture(params=["reference", "native"])
def blk(image: Path, request: pytest.FixtureRequest) -> Iterator[VirtioBlk]:
    if request.param == "reference":
        found = reference(image)
        yield found
        found.close()
        return
    changes: dict[str, object] = {"devices.virtio0.image": str(image)}
    changes["devices.virtio0.model"] = "virtio-blk"
    changes["devices.virtio0.force_legacy"] = False
    with Machine.open("virt", program="demo", settings=changes) as machine:
        device = machine.devices["virtio0"]
        assert isinstance(device, VirtioBlk)
        assert device.bound["do_requests"].call is not None
        yield device


def started(blk: VirtioBlk) -> Disk:
    """A disk and its driver."""
    disk = Disk.__new__(Disk)
    disk.blk, disk.driver = blk, Driver(blk)
    blk.wiring.memory.write(disk.driver.top, bytes(0x1_0000))  # the program of the machine
    with blk.wiring.lock:
        disk.driver.start(FEATURES, (64,))
    return disk


def outcome(disk: Disk, seed: int) -> list[object]:
    """What random requests gave, offered some at a time."""
    rng = Random(seed)
    found: list[object] = []
    for _ in range(12):
        buffers = []
        with disk.blk.wiring.lock:
            for _ in range(rng.randrange(1, 16)):
                kind, sector = rng.choice(KINDS), rng.randrange(SECTORS + 2)
                size = 512 * rng.randrange(4) + rng.choice([0] * 9 + [7])
                part = rng.randbytes(size) if kind == OUT else size
                header = struct.pack("<IIQ", kind, 0, sector)
                buffers.append(
                    disk.driver.offer(0, header, part, 1, indirect=True, kick=rng.random() < 0.5)
                )
            disk.driver.put(0x50, 0)
        done = dict(disk.wait(len(buffers)))
        found += [(disk.driver.data(one), done[one.head]) for one in buffers]
        disk.driver.top = 0x8001_0000
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_requests_give_what_a_plain_file_gives(
    blk: VirtioBlk, image: Path, tmp_path: Path, seed: int
) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(image.read_bytes())
    ours = outcome(started(blk), seed)
    expected = reference(other)
    expected.disk.host_file = lambda: -1  # type: ignore[method-assign]  # Python does all
    assert ours == outcome(started(expected), seed)
    expected.close()
    assert image.read_bytes() == other.read_bytes()


def test_every_request_is_signalled(blk: VirtioBlk) -> None:
    """The driver asks for an interrupt at the last of several requests, and gets it."""
    disk = started(blk)
    for count in (1, 3, 40, 60):
        with blk.wiring.lock:
            disk.driver.acknowledge()
            disk.driver.ask_event(0, disk.driver.rings[0].seen + count - 1)
            for sector in range(count):
                header = struct.pack("<IIQ", IN, 0, sector)
                disk.driver.offer(0, header, 512, 1, indirect=True, kick=False)
            disk.driver.put(0x50, 0)
        assert len(disk.wait(count)) == count
        with blk.wiring.lock:
            blk.drain()
            assert disk.driver.line.level


def test_a_write_does_not_lengthen_an_image_that_was_cut(blk: VirtioBlk, image: Path) -> None:
    disk = started(blk)
    assert disk.ask(OUT, 0, bytes(512))[0] == OK
    with image.open("r+b") as file:
        file.truncate(512)
    assert disk.ask(OUT, 2, bytes(512))[0] != OK
    assert image.stat().st_size == 512


def test_a_reset_while_the_host_writes_drops_the_request(
    blk: VirtioBlk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is slow. The reset ends when its write has ended, and the next request is served."""
    disk = started(blk)
    begun, go_on = threading.Event(), threading.Event()
    write = RawImage.write_from

    def slow(*given: object) -> None:
        begun.set()
        assert go_on.wait(60)
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(RawImage, "host_file", lambda image: -1)
    monkeypatch.setattr(RawImage, "write_from", slow)
    with blk.wiring.lock:
        disk.driver.offer(0, struct.pack("<IIQ", OUT, 0, 0), bytes(512), 1, indirect=True)
    assert begun.wait(60)
    with blk.wiring.lock:
        disk.driver.put(0x70, 0)
        assert disk.driver.get(0x70) != 0
        go_on.set()
    monkeypatch.undo()
    assert disk.driver.get(0x70) == 0
    assert disk.driver.collect(0) == []
    with blk.wiring.lock:
        disk.driver.start(FEATURES, (64,))
    assert disk.ask(IN, 0, 512)[0] == OK
