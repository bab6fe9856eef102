"""`virtio-blk`: a disk.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.2. A thread of
the device does the requests, so that no hart waits for the host's disk. It runs definitions
(blk_requests.py), which take requests off the ring, read and write, and give them back, without
Python and without the bus lock. Python does the rare ones. If the clock is repeatable, the hart's
thread does all requests, at once.
"""

from __future__ import annotations

import ctypes
import logging
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rvplat_plugins.blk_requests import (
    CANCELLED,
    FOR_PYTHON,
    HEADER_BYTES,
    IDLE,
    IN,
    MORE,
    NO_REQUEST,
    NONE,
    OK,
    OUT,
    PAIR_BYTES,
    SHUT,
    BlkRequests,
)
from rvplat_plugins.disk_image import PREADV, PWRITEV, Buffers, Disk, open_disk
from rvplat_plugins.image_files import SECTOR
from rvplat_plugins.virtio_device import MOST_AT_ONCE
from rvplat_plugins.virtio_mmio import VirtioSettings
from rvplat_plugins.virtqueue import RingError, Virtqueue, fill, take

from rvplat.bus import Device, setting
from rvplat.errors import DeviceError
from rvplat.hookspecs import hookimpl
from rvplat.lang import u8, u32, u64

log = logging.getLogger("rvplat.virtio")

SEG_MAX, READ_ONLY, BLK_SIZE, FLUSH, WRITE_ZEROES = 1 << 2, 1 << 5, 1 << 6, 1 << 9, 1 << 14
T_FLUSH, GET_ID, T_WRITE_ZEROES = 4, 8, 13  # request types, besides IN and OUT
FLUSH_OUT, BARRIER = 5, 1 << 31  # legacy: another flush, and a flag in the type
IOERR, UNSUPP = 1, 2  # status, besides OK
RANGE = struct.Struct("<QII")  # sector, sectors, flags
UNMAP, SERIAL_BYTES = 1, 20
QUEUE_SIZE = 512
ZERO_SECTORS = 0x4000  # in a request at most
#: capacity, size_max, seg_max, geometry, blk_size, topology, writeback, num_queues, discard (three
#: words), max_write_zeroes_sectors, max_write_zeroes_seg, write_zeroes_may_unmap
LAYOUT = struct.Struct("<QII4xI8xBxH12xIIB3x")


@dataclass(frozen=True, kw_only=True)
class DiskSettings(VirtioSettings):
    """The keys of a disk on a board."""

    image: Path = setting("the raw image file")
    readonly: bool = setting("the guest may only read", False)
    overlay: Path | None = setting(
        "a file that takes what the guest writes; made if needed", None, may_be_new=True
    )
    snapshot: bool = setting("forget what the guest writes when the machine closes", False)
    raw: bool = setting("take the image as raw, also where it begins as another format does", False)
    serial: str = setting("the serial number, at most 20 bytes", "")


@dataclass
class Request:
    """A request that was taken off the queue. `generation` is that of the device at that time."""

    kind: int
    sector: int
    source: Buffers  #: data from the driver
    target: Buffers  #: room for data to the driver
    generation: int


class VirtioBlk(BlkRequests):
    """`stale`: a cancelled request is being done. `waiting`: how many threads wait for requests to
    end."""

    model = "virtio-blk"
    virtio_id = 2
    queue_sizes = (QUEUE_SIZE,)
    settings_type = DiskSettings

    settings: DiskSettings
    disk: Disk
    worker: threading.Thread | None = None
    stale = 0
    waiting = 0
    closing = False

    def setup(self) -> None:
        settings = self.settings
        self.disk = open_disk(
            settings.image, settings.readonly, settings.overlay, settings.snapshot, settings.raw
        )
        self.idle = threading.Condition(self.wiring.lock)
        self.iov_at = u64(ctypes.addressof(self.iov))  # type: ignore[arg-type]
        self.sectors = u64(self.disk.size // SECTOR)

    def check_file(self) -> None:
        """Let definitions read and write the image's file, as long as it is whole. The driver's
        writes must be durable if it can't flush; then Python does them."""
        file = self.disk.host_file()
        self.file = u64(max(file, 0))
        may_write = not self.settings.readonly and self.accepted & FLUSH
        self.read_fn = u64(PREADV if file >= 0 else 0)
        self.write_fn = u64(PWRITEV if file >= 0 and may_write else 0)

    # ---- features and configuration (sections 5.2.3 and 5.2.4)

    def features(self) -> int:
        common = SEG_MAX | BLK_SIZE | FLUSH
        return common | (READ_ONLY if self.settings.readonly else WRITE_ZEROES)

    def config(self) -> bytes:
        capacity = self.disk.size // SECTOR
        return LAYOUT.pack(capacity, 0, QUEUE_SIZE - 2, SECTOR, 1, 1, ZERO_SECTORS, 1, 0)

    # ---- requests come and go

    def serve(self, queue: Virtqueue) -> None:
        if self.wiring.clock.repeatable:
            self.serve_at_once(queue)
            return
        self.notified |= u32(1)
        if self.worker is None:
            self.start_worker()
        self.call_thread()

    def serve_at_once(self, queue: Virtqueue) -> None:
        """Do all requests in this thread."""
        for _ in range(MOST_AT_ONCE):
            if self.take_next() == IDLE:
                return
            request = self.taken()
            self.finish(request, self.execute(request))
        self.signal()
        self.rest(queue)

    def start_worker(self) -> None:
        """Start the thread that does the requests."""
        self.has_thread = u8(1)
        name = f"rvplat-{self.wiring.name}"
        self.worker = threading.Thread(target=self.work, name=name, daemon=True)
        self.worker.start()

    def work(self) -> None:
        """The worker thread."""
        while True:
            self.wait_for_call()
            if self.closing:
                return
            self.check_file()
            while self.attend(self.do_requests()) != IDLE:
                self.check_file()
            self.tell_waiting()

    def attend(self, why: int) -> int:
        """Do in Python what `do_requests` left; IDLE if there is nothing to do."""
        if why == FOR_PYTHON:
            self.signal_early()
            request = self.taken()
            is_wanted = request.generation == self.generation
            status = self.execute(request) if is_wanted else OK
            with self.wiring.lock:
                self.finish_safely(request, status)
                return self.take_next()
        asked = self._plain.bus.asked | self._plain.bus.delayed
        if why in (IDLE, MORE) and not asked:
            return why
        with self.wiring.lock:
            self.run_asked()
            return why if why in (IDLE, MORE) else self.take_next(None if why == SHUT else why)

    def signal_early(self) -> None:
        """Interrupt the driver for what was given back before a request that may take long."""
        if self.unsignalled:
            with self.wiring.lock:
                self.signal()

    def take_next(self, found: int | None = None) -> int:
        """Go on with the queue, under the bus lock: `found` is what `advance` has returned already.
        TAKEN, or IDLE if there is no request: then the driver's next one is served anew."""
        try:
            found = self.advance() if found is None else found
            while found == CANCELLED:
                self.note_end()
                found = self.advance()
            if found == NO_REQUEST:
                raise RingError("a block request without a header or a status byte")
            if found != IDLE:
                self.queues[0].check(found)
        except RingError as error:
            self.fail(str(error))
            found = IDLE
        return found

    def taken(self) -> Request:
        """The request that was taken last."""
        kind, readable, data = self.request_kind, self.readable, self.request_data
        size, room = self.request_read, self.chain_bytes - HEADER_BYTES - self.request_read - 1
        if self.legacy:
            kind = u32(kind & ~BARRIER)
            kind = u32(T_FLUSH) if kind == FLUSH_OUT else kind
        source = Buffers(self.iov_at + PAIR_BYTES * data, readable - data, size)
        target = Buffers(self.iov_at + PAIR_BYTES * readable, self.spans - readable, room)
        return Request(kind, self.request_sector, source, target, self.request_generation)

    def finish_safely(self, request: Request, status: int) -> None:
        """As `finish`, unless the request was cancelled. The worker goes on if that raises."""
        try:
            if request.generation == self.generation:
                self.finish(request, status)
        except Exception as error:
            self.wiring.failures.note("a request", error, self)
        self.outstanding = u32(NONE)
        self.note_end()

    def finish(self, request: Request, status: int) -> None:
        """Give the buffer back to the driver."""
        room = request.target.size
        self.finish_request(status, room + 1 if status == OK or not room else 0)
        self.outstanding = u32(NONE)

    # ---- waiting for requests

    @property
    def is_working(self) -> bool:
        return self.outstanding != NONE or bool(self.has_thread and self.notified)

    def note_end(self) -> None:
        """Tell those who wait that a request has ended. Called under the bus lock."""
        self.stale = 0
        self.idle.notify_all()

    def tell_waiting(self) -> None:
        """Tell those who wait that there is no request. They wrote `waiting` before they looked."""
        if self.waiting:
            with self.wiring.lock:
                self.idle.notify_all()

    def wait_until(self, is_over: Callable[[], bool]) -> None:
        """Wait, under the bus lock, until no request keeps something from being over."""
        self.waiting += 1
        try:
            self.idle.wait_for(is_over)
        finally:
            self.waiting -= 1

    def settle(self) -> None:
        """Drop the queued requests. A request that the worker is doing goes on, with its DMA. Only
        the hart whose store stops the queue waits for that."""
        self.generation = u32(self.generation + 1)
        self.stale = int(self.outstanding != NONE)
        if self.stale:
            self.wiring.lock.after(self.wait)

    @property
    def settling(self) -> bool:
        return self.stale > 0

    def wait(self) -> None:
        """Wait until no cancelled request is being done: then its DMA has ended."""
        with self.wiring.lock:
            self.wait_until(lambda: self.stale == 0)

    def drain(self) -> None:
        self.wait_until(lambda: not self.is_working)

    # ---- the request types

    def execute(self, request: Request) -> int:
        """Do a request. Its status."""
        actions: dict[int, Callable[[Request], int]] = {
            IN: self.do_read,
            OUT: self.do_write,
            T_FLUSH: self.do_flush,
            GET_ID: self.do_get_id,
            T_WRITE_ZEROES: self.do_write_zeroes,
        }
        action = actions.get(request.kind)
        try:
            return UNSUPP if action is None else action(request)
        except OSError as error:
            log.error("%s: %s", self.wiring.name, error)
        except Exception as error:
            self.wiring.failures.note("a request", error, self)
        return IOERR

    def within(self, sector: int, size: int) -> bool:
        """Whether a range consists of whole sectors of the disk."""
        return size % SECTOR == 0 and sector * SECTOR + size <= self.disk.size

    def do_read(self, request: Request) -> int:
        """Read sectors."""
        if not self.within(request.sector, request.target.size):
            return IOERR
        self.disk.read_into(request.sector * SECTOR, request.target)
        return OK

    def do_write(self, request: Request) -> int:
        """Write sectors."""
        if self.settings.readonly or not self.within(request.sector, request.source.size):
            return IOERR
        self.disk.write_from(request.sector * SECTOR, request.source)
        return self.stable()

    def stable(self) -> int:
        """Flush if the driver can't: then completed writes must be durable (section 5.2.6.2)."""
        if not self.accepted & FLUSH:
            self.disk.flush()
        return OK

    def do_flush(self, request: Request) -> int:
        """Make all completed writes durable."""
        self.disk.flush()
        return OK

    def do_get_id(self, request: Request) -> int:
        """The serial number, padded with zeros."""
        serial = self.settings.serial.encode()[:SERIAL_BYTES]
        fill(request.target.views, serial.ljust(SERIAL_BYTES, b"\0"))
        return OK

    def do_write_zeroes(self, request: Request) -> int:
        """Write zeros to one range."""
        data = take(request.source.views, RANGE.size + 1)
        if self.settings.readonly or len(data) != RANGE.size:
            return IOERR
        sector, sectors, flags = RANGE.unpack(data)
        if flags & ~UNMAP:
            return UNSUPP
        if sectors > ZERO_SECTORS or not self.within(sector, sectors * SECTOR):
            return IOERR
        self.disk.write(sector * SECTOR, [memoryview(bytes(sectors * SECTOR))])
        return self.stable()

    # ---- saved state

    def host_files(self) -> Sequence[Path]:
        return [self.settings.image]

    def save(self) -> dict[str, Any]:
        return {**super().save(), "disk": self.disk.capture()}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.disk.restore(state["disk"])

    def close(self) -> None:
        with self.wiring.lock:
            self.drain()
        self.closing = True
        self.call_thread()
        if self.worker is not None:
            self.worker.join()
        try:
            self.disk.close()
        except OSError as error:
            raise DeviceError(
                f"devices.{self.wiring.name}: what the guest wrote could not be kept: {error}"
            ) from error


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [VirtioBlk]
