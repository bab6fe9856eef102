"""The disk: requests by a driver of real rings, in its thread and at once."""

from __future__ import annotations

import os
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rvplat_plugins.disk_image import Buffers, RawImage
from rvplat_plugins.virtio_blk import VirtioBlk

from rvplat.bus import HostClock, VirtualClock
from rvplat.errors import DeviceError
from tests.plugins.virtio_driver import EVENT_IDX, INDIRECT_DESC, VERSION_1, Buffer, Driver, wiring

READ_ONLY, FLUSH_FEATURE, WRITE_ZEROES = 1 << 5, 1 << 9, 1 << 14
IN, OUT, FLUSH, GET_ID, ZEROES = 0, 1, 4, 8, 13
OK, IOERR, UNSUPP = 0, 1, 2
SECTORS = 256


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(b"".join(struct.pack("<Q", number) * 64 for number in range(SECTORS)))
    return path


class Disk:
    """A disk and its driver."""

    def __init__(self, image: Path, *, threaded: bool = False, **values: Any) -> None:
        clock = HostClock(10_000_000) if threaded else VirtualClock(10_000_000)
        settings = VirtioBlk.settings_type(image=image, **values)
        self.blk = VirtioBlk(settings, wiring(clock))
        features = VERSION_1 | EVENT_IDX | INDIRECT_DESC
        self.driver = Driver(self.blk)
        features |= self.driver.features() & (READ_ONLY | FLUSH_FEATURE | WRITE_ZEROES)
        self.driver.start(features, (64,))

    def ask(self, kind: int, sector: int, *parts: bytes | int) -> tuple[int, bytes, int]:
        """One request: its status, the data that came back, the bytes that the device wrote."""
        header = struct.pack("<IIQ", kind, 0, sector)
        with self.blk.wiring.lock:
            buffer = self.driver.offer(0, header, *parts, 1, indirect=True)
        ((head, written),) = self.wait()
        assert head == buffer.head
        data = self.driver.data(buffer)
        return data[-1], data[:-1], written

    def wait(self, count: int = 1) -> list[tuple[int, int]]:
        done: list[tuple[int, int]] = []
        end = time.monotonic() + 10
        while len(done) < count and time.monotonic() < end:
            done += self.driver.collect(0)
        return done

    def read(self, sector: int, sectors: int = 1) -> bytes:
        status, data, written = self.ask(IN, sector, sectors * 512)
        assert (status, written) == (OK, sectors * 512 + 1)
        return data

    def write(self, sector: int, data: bytes) -> None:
        assert self.ask(OUT, sector, data) == (OK, b"", 1)

    def close(self) -> None:
        self.blk.close()


@pytest.fixture(params=[False, True], ids=["at-once", "threaded"])
def disk(image: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    disk = Disk(image, threaded=request.param, serial="rv-001")
    yield disk
    disk.close()


def test_configuration(disk: Disk) -> None:
    blk = disk.blk
    assert blk.read(0x100, 8) == SECTORS
    assert [blk.read(offset, 4) for offset in (0x108, 0x10C, 0x114)] == [0, 510, 512]
    assert blk.read(0x130, 4) == 0x4000
    assert blk.read(0x134, 4) == 1


def test_read_and_write(disk: Disk, image: Path) -> None:
    assert disk.read(5) == struct.pack("<Q", 5) * 64
    disk.write(7, b"\x5a" * 1024)
    assert disk.read(6, 4) == (
        struct.pack("<Q", 6) * 64 + b"\x5a" * 1024 + struct.pack("<Q", 9) * 64
    )
    assert image.read_bytes()[7 * 512 : 9 * 512] == b"\x5a" * 1024


NOTHING: dict[str, object] = {}


def test_a_worker_that_fails_is_kept_and_goes_on(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RawImage, "host_file", lambda image: -1)  # Python reads
    disk = Disk(image, threaded=True)
    good, noted = disk.blk.finish, threading.Event()
    disk.blk.wiring.failures.on_failure = lambda failure: noted.set()
    monkeypatch.setattr(disk.blk, "finish", lambda *of: NOTHING["broken"])
    with disk.blk.wiring.lock:
        disk.driver.offer(0, struct.pack("<IIQ", IN, 0, 0), 512, 1, indirect=True)
    assert noted.wait(60)
    monkeypatch.setattr(disk.blk, "finish", good)
    assert disk.read(5) == struct.pack("<Q", 5) * 64
    (failure,) = disk.blk.wiring.failures.all()
    assert (failure.operation, type(failure.error)) == ("a request", KeyError)
    disk.close()


def test_any_framing(disk: Disk) -> None:
    header = struct.pack("<IIQ", IN, 0, 3)
    with disk.blk.wiring.lock:
        buffer = disk.driver.offer(0, header[:5], header[5:], 100, 400, 13, indirect=True)
    assert disk.wait() == [(buffer.head, 513)]
    assert disk.driver.data(buffer) == struct.pack("<Q", 3) * 64 + b"\0"


def test_many_at_once(disk: Disk) -> None:
    buffers: list[Buffer] = []
    with disk.blk.wiring.lock:
        for sector in range(60):
            header = struct.pack("<IIQ", IN, 0, sector)
            buffers.append(disk.driver.offer(0, header, 512, 1, indirect=True, kick=False))
        disk.driver.put(0x50, 0)
    assert len(disk.wait(60)) == 60
    for sector, buffer in enumerate(buffers):
        assert disk.driver.data(buffer) == struct.pack("<Q", sector) * 64 + b"\0"


@pytest.mark.parametrize("kind", [IN, OUT])
@pytest.mark.parametrize(
    ("sector", "size"), [(SECTORS, 512), (SECTORS - 1, 1024), (1 << 63, 512), (0, 511)]
)
def test_beyond_the_disk_is_an_error(disk: Disk, kind: int, sector: int, size: int) -> None:
    part = size if kind == IN else bytes(size)
    status, _, written = disk.ask(kind, sector, part)
    assert (status, written) == (IOERR, 0 if kind == IN else 1)


def test_serial_number(disk: Disk) -> None:
    assert disk.ask(GET_ID, 0, 20) == (OK, b"rv-001".ljust(20, b"\0"), 21)


def test_unknown_requests(disk: Disk) -> None:
    assert disk.ask(99, 0) == (UNSUPP, b"", 1)
    assert disk.ask(11, 0, bytes(16)) == (UNSUPP, b"", 1)  # discard is not offered


def test_write_zeroes(disk: Disk, image: Path) -> None:
    assert disk.ask(ZEROES, 0, struct.pack("<QII", 2, 3, 1))[0] == OK
    assert image.read_bytes()[1024:2560] == bytes(1536)
    assert disk.ask(ZEROES, 0, struct.pack("<QII", 2, 3, 2))[0] == UNSUPP
    assert disk.ask(ZEROES, 0, struct.pack("<QII", SECTORS - 1, 2, 0))[0] == IOERR
    assert disk.ask(ZEROES, 0, bytes(32))[0] == IOERR
    assert disk.ask(ZEROES, 0, bytes(8))[0] == IOERR


def test_a_request_without_a_status_byte_needs_a_reset(disk: Disk) -> None:
    with disk.blk.wiring.lock:
        disk.driver.offer(0, struct.pack("<IIQ", IN, 0, 0))
        disk.blk.drain()
    assert disk.driver.get(0x70) & 64


def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the calls that make data durable."""
    calls: list[int] = []
    monkeypatch.setattr("rvplat_plugins.disk_image._sync", calls.append)
    return calls


def test_flush_makes_durable(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = syncs(monkeypatch)
    disk.write(0, bytes(512))
    assert calls == []
    assert disk.ask(FLUSH, 0) == (OK, b"", 1)
    assert len(calls) == 1


def test_without_flush_every_write_is_durable(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = syncs(monkeypatch)
    disk = Disk(image)
    disk.driver.start(VERSION_1 | INDIRECT_DESC, (64,))
    disk.write(0, bytes(512))
    assert len(calls) == 1
    disk.close()


def test_read_only(image: Path) -> None:
    image.chmod(0o444)
    disk = Disk(image, readonly=True)
    before = image.read_bytes()
    assert disk.driver.features() & (READ_ONLY | WRITE_ZEROES) == READ_ONLY
    assert disk.read(1) == struct.pack("<Q", 1) * 64
    assert disk.ask(OUT, 0, bytes(512))[0] == IOERR
    assert disk.ask(ZEROES, 0, struct.pack("<QII", 0, 1, 0))[0] == IOERR
    assert disk.ask(FLUSH, 0)[0] == OK
    disk.close()
    assert image.read_bytes() == before


def test_an_image_that_is_cut_short_or_vanishes_is_an_io_error(disk: Disk, image: Path) -> None:
    os.truncate(image, 512)
    assert disk.ask(IN, 1, 512)[0] == IOERR
    assert disk.ask(OUT, 1, bytes(512))[0] == IOERR
    assert image.stat().st_size == 512
    assert disk.ask(IN, 0, 512)[0] == OK
    image.unlink()
    assert disk.ask(FLUSH, 0)[0] == IOERR


def test_overlay_keeps_the_base_and_survives(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    overlay = tmp_path / "changes"
    disk = Disk(image, overlay=str(overlay))
    disk.write(9, b"\x11" * 512)
    assert disk.ask(FLUSH, 0)[0] == OK
    os.close(disk.blk.disk.fd)  # type: ignore[attr-defined]  # as if the process were killed
    os.close(disk.blk.disk.base.fd)  # type: ignore[attr-defined]
    again = Disk(image, overlay=str(overlay))
    assert again.read(8, 3) == before[8 * 512 : 9 * 512] + b"\x11" * 512 + before[5120:5632]
    again.close()
    assert image.read_bytes() == before


def test_snapshot_forgets(image: Path) -> None:
    before = image.read_bytes()
    disk = Disk(image, snapshot=True)
    disk.write(0, b"\x22" * 512)
    assert disk.read(0) == b"\x22" * 512
    disk.close()
    assert image.read_bytes() == before


def test_a_reset_waits_for_the_request_in_flight_and_drops_the_rest(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store to Status is whole: nobody else gets the lock in its middle. Afterwards the hart
    waits, and who looks at Status meanwhile sees that the reset is not complete."""
    monkeypatch.setattr(RawImage, "host_file", lambda image: -1)  # Python reads
    disk = Disk(image, threaded=True)
    started, go_on = threading.Event(), threading.Event()
    read = disk.blk.disk.read_into

    def slow(offset: int, buffers: Buffers) -> None:
        started.set()
        assert go_on.wait(10)
        read(offset, buffers)

    monkeypatch.setattr(disk.blk.disk, "read_into", slow)
    with disk.blk.wiring.lock:
        for sector in (1, 2):
            disk.driver.offer(0, struct.pack("<IIQ", IN, 0, sector), 512, 1, indirect=True)
    assert started.wait(60)

    def when_the_lock_is_free() -> None:
        with disk.blk.wiring.lock:
            go_on.set()

    with disk.blk.wiring.lock:
        other = threading.Thread(target=when_the_lock_is_free)
        other.start()
        disk.driver.put(0x70, 0)
        assert not go_on.is_set()
        assert disk.driver.get(0x70) != 0
        assert not disk.blk.queues[0].ready
    other.join(10)
    assert disk.blk.outstanding == 0
    assert disk.driver.get(0x70) == 0
    assert disk.driver.collect(0) == []
    assert not disk.driver.line.level
    disk.close()


def test_a_late_signal_lets_the_thread_wait_and_not_spin(image: Path) -> None:
    """A second call may come between the two steps that end a wait: its signal is left over."""
    disk = Disk(image)
    disk.blk._called.set()
    waiting = threading.Thread(target=disk.blk.wait_for_call)
    waiting.start()
    end = time.monotonic() + 60
    while disk.blk._called.is_set() and time.monotonic() < end:
        time.sleep(0)
    assert not disk.blk._called.is_set()
    assert waiting.is_alive()
    disk.blk.call_thread()
    waiting.join(60)
    assert not waiting.is_alive()
    disk.close()


def test_close_under_the_bus_lock_finishes_what_was_asked(image: Path) -> None:
    disk = Disk(image, threaded=True)
    with disk.blk.wiring.lock:
        for sector in range(20):
            header = struct.pack("<IIQ", OUT, 0, sector)
            disk.driver.offer(0, header, b"\x33" * 512, 1, indirect=True)
        disk.close()
    assert image.read_bytes()[: 20 * 512] == b"\x33" * 512 * 20


def test_state_waits_for_what_is_in_flight(image: Path) -> None:
    disk = Disk(image, threaded=True, snapshot=True)
    with disk.blk.wiring.lock:
        disk.driver.offer(0, struct.pack("<IIQ", IN, 0, 1), 512, 1, indirect=True)
        state = disk.blk.save()
        assert state["queues"][0]["used"] == 1
    disk.close()


def message(image: Path, **values: Any) -> str:
    with pytest.raises(DeviceError) as caught:
        Disk(image, **values)
    return str(caught.value)


def test_what_cannot_be_opened_is_one_line(image: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.img"
    assert message(missing) == f"disk image {missing}: no such file or directory"
    folder = f"disk image {tmp_path}: it is a folder; expected a raw image, a file"
    assert message(tmp_path) == folder
    odd = tmp_path / "odd.img"
    odd.write_bytes(bytes(1000))
    expected = f"disk image {odd}: 1000 bytes, expected a positive multiple of 512"
    assert message(odd) == expected
    both = f"disk image {image}: set overlay or snapshot, not both"
    assert message(image, overlay="x", snapshot=True) == both


def test_an_image_that_may_only_be_read_is_no_riddle() -> None:
    """Whoever may do everything becomes somebody who may not, for a moment."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "disk.img"
        image.write_bytes(bytes(1024))
        image.chmod(0o444)
        Path(folder).chmod(0o755)
        user = os.geteuid()
        try:
            os.seteuid(user or 65534)
            said = message(image)
            Disk(image, readonly=True).close()
            Disk(image, snapshot=True).close()
        finally:
            os.seteuid(user)
    assert said == (
        f"disk image {image}: permission denied; set readonly = true for the disk, or snapshot = "
        "true, which keeps what the guest writes until the machine closes (--set "
        "devices.virtio0.readonly=true)"
    )


def test_an_image_is_locked_while_it_is_used(image: Path, tmp_path: Path) -> None:
    first = Disk(image)
    locked = f"disk image {image}: locked: another machine uses it"
    assert message(image) == locked
    assert message(image, readonly=True) == locked
    first.close()
    readers = [Disk(image, readonly=True), Disk(image, snapshot=True)]
    assert message(image) == locked
    for reader in readers:
        reader.close()
    Disk(image).close()


def test_an_overlay_of_another_image_is_refused(image: Path, tmp_path: Path) -> None:
    overlay, other = tmp_path / "overlay", tmp_path / "other.img"
    Disk(image, overlay=str(overlay)).close()
    other.write_bytes(bytes(512))
    expected = f"overlay {overlay}: not made for this image of 512 bytes"
    assert message(other, overlay=str(overlay)) == expected
    Disk(image, overlay=str(overlay)).close()  # and nothing is left locked
