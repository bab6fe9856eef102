"""`virtio-blk`: a disk.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.2. A thread of
the device does the requests, so that no hart waits for the host's disk. If the clock is repeatable,
the hart's thread does them at once.
"""

from __future__ import annotations

import logging
import queue as queues
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rvplat_plugins.disk_image import SECTOR, Disk, open_disk
from rvplat_plugins.virtio_mmio import VirtioMmio, VirtioSettings
from rvplat_plugins.virtqueue import Chain, RingError, Views, Virtqueue, fill, length, take

from rvplat.bus import Device, setting
from rvplat.errors import DeviceError
from rvplat.hookspecs import hookimpl

log = logging.getLogger("rvplat.virtio")

SEG_MAX, READ_ONLY, BLK_SIZE, FLUSH, WRITE_ZEROES = 1 << 2, 1 << 5, 1 << 6, 1 << 9, 1 << 14
IN, OUT, T_FLUSH, GET_ID, T_WRITE_ZEROES = 0, 1, 4, 8, 13  # request types
FLUSH_OUT, BARRIER = 5, 1 << 31  # legacy: another flush, and a flag in the type
OK, IOERR, UNSUPP = 0, 1, 2  # status
HEADER = struct.Struct("<IIQ")  # type, reserved, sector
RANGE = struct.Struct("<QII")  # sector, sectors, flags
UNMAP = 1
SERIAL_BYTES = 20
QUEUE_SIZE = 256
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
    """A request that was taken off the queue, and its result."""

    queue: Virtqueue
    chain: Chain
    kind: int
    sector: int
    source: Views  #: data from the driver
    target: Views  #: room for data to the driver
    status: memoryview  #: the last byte
    written: int = field(default=0)


class VirtioBlk(VirtioMmio):
    """`outstanding` is the number of requests that the worker has. It drops those of an older
    `generation`."""

    model = "virtio-blk"
    virtio_id = 2
    queue_sizes = (QUEUE_SIZE,)
    settings_type = DiskSettings

    settings: DiskSettings
    disk: Disk
    worker: threading.Thread | None = None
    outstanding = 0
    stale = 0  #: how many of them were cancelled
    generation = 0

    def setup(self) -> None:
        settings = self.settings
        self.disk = open_disk(
            settings.image, settings.readonly, settings.overlay, settings.snapshot, settings.raw
        )
        self.jobs: queues.SimpleQueue[tuple[int, Request] | None] = queues.SimpleQueue()
        self.idle = threading.Condition(self.wiring.lock)

    @property
    def is_working(self) -> bool:
        return self.outstanding > 0

    # ---- features and configuration (sections 5.2.3 and 5.2.4)

    def features(self) -> int:
        common = SEG_MAX | BLK_SIZE | FLUSH
        return common | (READ_ONLY if self.settings.readonly else WRITE_ZEROES)

    def config(self) -> bytes:
        capacity = self.disk.size // SECTOR
        return LAYOUT.pack(capacity, 0, QUEUE_SIZE - 2, SECTOR, 1, 1, ZERO_SECTORS, 1, 0)

    # ---- requests come and go

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        request = self.parse(queue, chain)
        if self.wiring.clock.repeatable:
            self.execute(request)
            self.finish(request)
            return
        if self.worker is None:
            name = f"rvplat-{self.wiring.name}"
            self.worker = threading.Thread(target=self.work, name=name, daemon=True)
            self.worker.start()
        self.outstanding += 1
        self.jobs.put((self.generation, request))

    def parse(self, queue: Virtqueue, chain: Chain) -> Request:
        """Split a buffer into header, data and status (section 5.2.6). Descriptors may divide it
        anywhere."""
        source, target = queue.views(chain.readable), queue.views(chain.writable)
        header = take(source, HEADER.size)
        if len(header) < HEADER.size or not target:
            raise RingError("a block request without a header or a status byte")
        status = target[-1][-1:]
        target[-1] = target[-1][:-1]
        kind, _, sector = HEADER.unpack(header)
        if self.legacy:
            kind &= ~BARRIER
            kind = T_FLUSH if kind == FLUSH_OUT else kind
        return Request(queue, chain, kind, sector, source, target, status)

    def work(self) -> None:
        """The worker thread. It does I/O without the bus lock, and holds the lock for the rings."""
        while (job := self.jobs.get()) is not None:
            generation, request = job
            if generation == self.generation:
                self.execute(request)
            with self.wiring.lock:
                if generation == self.generation:
                    self.finish_safely(request)
                else:
                    self.stale -= 1
                self.outstanding -= 1
                self.idle.notify_all()

    def finish_safely(self, request: Request) -> None:
        """Finish a request. The worker goes on if that raises: other requests wait for it."""
        try:
            self.finish(request)
        except Exception as error:
            self.wiring.failures.note("a request", error, self)

    def finish(self, request: Request) -> None:
        """Give the buffer back to the driver."""
        try:
            self.give_back(request.queue, request.chain, request.written)
        except RingError as error:
            self.fail(str(error))

    def settle(self) -> None:
        """Drop the queued requests. A request that the worker is doing goes on, with its DMA. Only
        the hart whose store stops the queue waits for that."""
        self.generation += 1
        self.stale = self.outstanding
        if self.stale:
            self.wiring.lock.after(self.wait)

    @property
    def settling(self) -> bool:
        return self.stale > 0

    def wait(self) -> None:
        """Wait until no cancelled request is being done: then its DMA has ended."""
        with self.wiring.lock:
            self.idle.wait_for(lambda: self.stale == 0)

    def drain(self) -> None:
        self.idle.wait_for(lambda: self.outstanding == 0)

    # ---- the request types

    def execute(self, request: Request) -> None:
        """Do a request and set its status byte."""
        actions: dict[int, Callable[[Request], int]] = {
            IN: self.do_read,
            OUT: self.do_write,
            T_FLUSH: self.do_flush,
            GET_ID: self.do_get_id,
            T_WRITE_ZEROES: self.do_write_zeroes,
        }
        action = actions.get(request.kind)
        try:
            status = UNSUPP if action is None else action(request)
        except OSError as error:
            log.error("%s: %s", self.wiring.name, error)
            status = IOERR
        except Exception as error:
            self.wiring.failures.note("a request", error, self)
            status = IOERR
        request.status[0] = status
        if status == OK:
            request.written = length(request.target) + 1
        elif not length(request.target):
            request.written = 1

    def within(self, sector: int, size: int) -> bool:
        """Whether a range consists of whole sectors of the disk."""
        return size % SECTOR == 0 and sector * SECTOR + size <= self.disk.size

    def do_read(self, request: Request) -> int:
        """Read sectors."""
        if not self.within(request.sector, length(request.target)):
            return IOERR
        self.disk.read(request.sector * SECTOR, request.target)
        return OK

    def do_write(self, request: Request) -> int:
        """Write sectors."""
        if self.settings.readonly or not self.within(request.sector, length(request.source)):
            return IOERR
        self.disk.write(request.sector * SECTOR, request.source)
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
        fill(request.target, serial.ljust(SERIAL_BYTES, b"\0"))
        return OK

    def do_write_zeroes(self, request: Request) -> int:
        """Write zeros to one range."""
        data = take(request.source, RANGE.size + 1)
        if self.settings.readonly or len(data) != RANGE.size:
            return IOERR
        sector, sectors, flags = RANGE.unpack(data)
        if flags & ~UNMAP:
            return UNSUPP
        if sectors > ZERO_SECTORS or not self.within(sector, sectors * SECTOR):
            return IOERR
        self.disk.write(sector * SECTOR, [memoryview(bytes(sectors * SECTOR))])
        return self.stable()

    def close(self) -> None:
        with self.wiring.lock:
            self.drain()
        self.jobs.put(None)
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
