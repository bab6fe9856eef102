"""`virtio-blk`: a disk.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.2. A thread of
the device does the requests, so that no hart waits for the host's disk. Only short reads of what
the host has in memory are done by the hart's thread. If the clock is repeatable, it does all
requests, at once.
"""

from __future__ import annotations

import ctypes
import logging
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rvplat_plugins.disk_image import SECTOR, Buffers, Disk, open_disk
from rvplat_plugins.rings import TAKEN
from rvplat_plugins.virtio_device import MOST_AT_ONCE, USED_BUFFER
from rvplat_plugins.virtio_mmio import VirtioMmio, VirtioSettings
from rvplat_plugins.virtqueue import RingError, Virtqueue, fill, take

from rvplat.bus import Device, State, native, setting
from rvplat.errors import DeviceError
from rvplat.hookspecs import hookimpl
from rvplat.lang import read_u8, relaxed_store_u8, u8, u32, u64

log = logging.getLogger("rvplat.virtio")

SEG_MAX, READ_ONLY, BLK_SIZE, FLUSH, WRITE_ZEROES = 1 << 2, 1 << 5, 1 << 6, 1 << 9, 1 << 14
IN, OUT, T_FLUSH, GET_ID, T_WRITE_ZEROES = 0, 1, 4, 8, 13  # request types
FLUSH_OUT, BARRIER = 5, 1 << 31  # legacy: another flush, and a flag in the type
OK, IOERR, UNSUPP = 0, 1, 2  # status
NO_REQUEST = 100  # `next_request` found a chain without header or status
HEADER_BYTES, PAIR_BYTES = 16, 16  # of a request's header, of an entry of `iov`
MOST_BY_HART, MOST_BYTES_BY_HART = 64, 1 << 21  # requests before the worker goes on; bytes of one
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


class VirtioBlk(VirtioMmio):
    """One request at a time is taken off the queue and done, without the bus lock: by the hart's
    thread, as long as they are reads that need not wait for the host's disk; then by the worker,
    until the queue is empty. `outstanding`: one of them does. A request of an older `generation` is
    dropped."""

    model = "virtio-blk"
    virtio_id = 2
    queue_sizes = (QUEUE_SIZE,)
    settings_type = DiskSettings
    state = (
        State("request_kind", u32, saved=False),
        State("request_sector", u64, saved=False),
        State("request_status", u64, saved=False),  # host address of the status byte
        State("request_data", u32, saved=False),  # the first readable span with data
        State("request_read", u64, saved=False),  # bytes of data from the driver
    )

    settings: DiskSettings
    request_kind: u32
    request_sector: u64
    request_status: u64
    request_data: u32
    request_read: u64
    disk: Disk
    worker: threading.Thread | None = None
    outstanding = 0
    stale = 0  #: how many requests were cancelled and are being done
    generation = 0
    closing = False
    job: Request | None = None  #: the request with which the worker goes on

    def setup(self) -> None:
        settings = self.settings
        self.disk = open_disk(
            settings.image, settings.readonly, settings.overlay, settings.snapshot, settings.raw
        )
        self.wanted = threading.Lock()  # the worker waits for its release
        self.wanted.acquire()
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

    # ---- requests on the queue, as definitions

    @native
    def next_request(self) -> u64:
        """Take the next request, and split it into header, data and status (section 5.2.6).
        Descriptors may divide it anywhere."""
        found = self.next_chain(u64(0))
        if found != TAKEN:
            return found
        self.request_data = u32(0)
        self.request_kind = u32(self.header_word())
        self.header_word()
        low = self.header_word()
        self.request_sector = low | self.header_word() << 32
        if self.request_data > self.readable or self.readable == self.spans:
            return u64(NO_REQUEST)
        last = u64(self.spans) * 2 - 1
        self.iov[last] -= 1
        self.request_status = self.iov[last - 1] + self.iov[last]
        self.request_read = u64(0)
        for n in range(self.request_data, self.readable):
            self.request_read += self.iov[n * 2 + 1]
        return u64(TAKEN)

    @native
    def header_word(self) -> u64:
        """Take four bytes of the data from the driver."""
        word = u64(0)
        for n in range(4):
            word |= u64(self.header_byte()) << n * 8
        return word

    @native
    def header_byte(self) -> u8:
        """Take a byte of the data from the driver. `request_data` is beyond `readable` without."""
        while self.request_data < self.readable and self.iov[self.request_data * 2 + 1] == 0:
            self.request_data += 1
        if self.request_data >= self.readable:
            self.request_data = self.readable + 1
            return u8(0)
        at = u64(self.request_data) * 2
        host = self.iov[at]
        self.iov[at] += 1
        self.iov[at + 1] -= 1
        return u8(read_u8(host))

    @native
    def finish_request(self, status: u8, written: u64) -> None:
        """Set the status byte, give the buffer back to the driver, and interrupt it."""
        relaxed_store_u8(self.request_status, status)
        self.give_last(u64(0), written)
        if self.driver_wants_interrupt(u64(0)):
            self.interrupt(u32(USED_BUFFER))

    # ---- requests come and go

    def serve(self, queue: Virtqueue) -> None:
        if self.wiring.clock.repeatable:
            self.serve_at_once(queue)
        elif not self.outstanding:
            self.outstanding = 1
            self.wiring.lock.after(self.begin)

    def serve_at_once(self, queue: Virtqueue) -> None:
        """Do all requests in this thread."""
        for _ in range(MOST_AT_ONCE):
            request = self.take_request()
            if request is None:
                return
            self.finish(request, self.execute(request))
        self.rest(queue)

    def begin(self) -> None:
        """Do requests in the hart's thread as long as none has to wait for the host."""
        with self.wiring.lock:
            request = self.take_request()
        left = MOST_BY_HART
        while request is not None and left and self.quick_read(request):
            left -= 1
            with self.wiring.lock:
                self.finish_safely(request, OK)
                request = self.take_request()
        if request is not None:
            self.go_on_with(request)

    def go_on_with(self, request: Request) -> None:
        """Let the worker do a request, and those after it."""
        self.job = request
        if self.worker is None:
            name = f"rvplat-{self.wiring.name}"
            self.worker = threading.Thread(target=self.work, name=name, daemon=True)
            self.worker.start()
        self.wanted.release()

    def work(self) -> None:
        """The worker thread. It does I/O without the bus lock, and holds the lock for the rings."""
        while True:
            self.wanted.acquire()
            if self.closing:
                return
            request, self.job = self.job, None
            while request is not None:
                is_wanted = request.generation == self.generation
                status = self.execute(request) if is_wanted else OK
                with self.wiring.lock:
                    self.finish_safely(request, status)
                    request = self.take_request()

    def take_request(self) -> Request | None:
        """Take a request off the queue. None if there is none: then the driver's next one is
        served anew."""
        queue = self.queues[0]
        if self.outstanding:  # the request before is done
            self.stale = 0
            self.idle.notify_all()
        try:
            while self.is_usable(queue):
                found = self.next_request()
                if found == TAKEN:
                    return self.taken()
                if found == NO_REQUEST:
                    raise RingError("a block request without a header or a status byte")
                queue.check(found)
                if not queue.listen():
                    break
        except RingError as error:
            self.fail(str(error))
        self.outstanding = 0
        return None

    def taken(self) -> Request:
        """The request that was taken last."""
        kind, readable, data = self.request_kind, self.readable, self.request_data
        size, room = self.request_read, self.chain_bytes - HEADER_BYTES - self.request_read - 1
        if self.legacy:
            kind = u32(kind & ~BARRIER)
            kind = u32(T_FLUSH) if kind == FLUSH_OUT else kind
        first = ctypes.addressof(self.iov)  # type: ignore[arg-type]
        source = Buffers(first + PAIR_BYTES * data, readable - data, size)
        target = Buffers(first + PAIR_BYTES * readable, self.spans - readable, room)
        return Request(kind, self.request_sector, source, target, self.generation)

    def finish_safely(self, request: Request, status: int) -> None:
        """As `finish`, unless the request was cancelled. The worker goes on if that raises."""
        try:
            if request.generation == self.generation:
                self.finish(request, status)
        except Exception as error:
            self.wiring.failures.note("a request", error, self)

    def finish(self, request: Request, status: int) -> None:
        """Give the buffer back to the driver."""
        room = request.target.size
        self.finish_request(status, room + 1 if status == OK or not room else 0)

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

    def quick_read(self, request: Request) -> bool:
        """Do a request if it is a short read of data that the host has in memory."""
        target = request.target
        is_short = request.kind == IN and target.size <= MOST_BYTES_BY_HART
        if not is_short or not self.within(request.sector, target.size):
            return False
        try:
            return self.disk.read_cached(request.sector * SECTOR, target)
        except OSError:  # the worker tries again, and reports it
            return False

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

    def close(self) -> None:
        with self.wiring.lock:
            self.drain()
        self.closing = True
        self.wanted.release()
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
