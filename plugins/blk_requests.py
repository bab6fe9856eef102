"""The requests of a virtio disk as definitions: harts, Python and the device's thread run them.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.2.6.
"""

from __future__ import annotations

from rvplat_plugins.rings import EMPTY, TAKEN
from rvplat_plugins.virtio_device import DRIVER_OK, NEEDS_RESET, USED_BUFFER
from rvplat_plugins.virtio_mmio import VirtioMmio

from rvplat.bus import State, native, unlocked
from rvplat.lang import call_host, read_u8, relaxed_store_u8, u8, u32, u64

SECTOR_BITS = 9
IN, OUT = 0, 1  # request types
OK = 0  # status
HEADER_BYTES, PAIR_BYTES = 16, 16  # of a request's header, of an entry of `iov`
MOST_REQUESTS = 256  # by one call of `do_requests`
#: The driver is interrupted for requests of this weight together; one weighs 1, and 1 for each
#: 16 KiB. It is also interrupted when there is no other request.
MOST_UNSIGNALLED, WEIGHT_BITS = 16, 14

#: What `advance` and `do_requests` return, besides what `next_chain` found: the chain has no header
#: or no status; nothing is left to do; Python has to do the request; Python has to advance; the
#: request was cancelled; there is more to do.
NO_REQUEST, IDLE, FOR_PYTHON, SHUT, CANCELLED, MORE = range(100, 106)
#: Values of `outstanding`.
NONE, BEGUN, DONE = range(3)


class BlkRequests(VirtioMmio):
    """Takes one request at a time off the queue and does it. Until it is given back, it is
    `outstanding`. A request whose generation is not the device's `generation` was cancelled. A
    reset does not change the state that the thread uses (`lasting`)."""

    state = (
        State("request_kind", u32, saved=False, lasting=True),
        State("request_sector", u64, saved=False, lasting=True),
        State("request_status", u64, saved=False, lasting=True),  # host address of the status byte
        State("request_data", u32, saved=False, lasting=True),  # the first readable span with data
        State("request_read", u64, saved=False, lasting=True),  # bytes of data from the driver
        State("request_generation", u32, saved=False, lasting=True),
        State("outstanding", u32, saved=False, lasting=True),
        State("generation", u32, saved=False, lasting=True),
        State("unsignalled", u64, saved=False),  # weight of what was given back since an interrupt
        State("iov_at", u64, saved=False, lasting=True),  # the host address of `iov`
        State("read_fn", u64, saved=False, lasting=True),  # the host's preadv; 0: Python reads
        State("write_fn", u64, saved=False, lasting=True),  # the host's pwritev; 0: Python writes
        State("file", u64, saved=False, lasting=True),  # the image's file
        State("sectors", u64, saved=False, lasting=True),  # of the disk
    )

    request_kind: u32
    request_sector: u64
    request_status: u64
    request_data: u32
    request_read: u64
    request_generation: u32
    outstanding: u32
    generation: u32
    unsignalled: u64
    iov_at: u64
    read_fn: u64
    write_fn: u64
    file: u64
    sectors: u64

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
    def request_room(self) -> u64:
        """Bytes of room for data to the driver."""
        return self.chain_bytes - HEADER_BYTES - self.request_read - 1

    @native
    def finish_request(self, status: u8, written: u64) -> None:
        """Set the status byte and give the buffer back. `signal` tells the driver."""
        relaxed_store_u8(self.request_status, status)
        self.give_last(u64(0), written)
        self.unsignalled += 1 + (self.chain_bytes >> WEIGHT_BITS)
        if self.unsignalled >= MOST_UNSIGNALLED:
            self.signal()

    @native
    def signal(self) -> None:
        """Interrupt the driver for what was given back, if it wants that."""
        if self.unsignalled != 0:
            self.unsignalled = u64(0)
            if self.driver_wants_interrupt(u64(0)):
                self.interrupt(u32(USED_BUFFER))

    @native
    def advance(self) -> u64:
        """Give the request back that is done, and take the next one."""
        self.notified = u32(0)
        if self.outstanding == DONE:
            self.outstanding = u32(NONE)
            if self.request_generation != self.generation:
                return u64(CANCELLED)
            room = self.request_room()
            self.finish_request(u8(OK), room + 1)
        is_running = self.status & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK
        while is_running and self.q_ready[0] != 0:
            found = self.next_request()
            if found == TAKEN:
                self.outstanding = u32(BEGUN)
                self.request_generation = self.generation
                return u64(TAKEN)
            self.signal()
            if found != EMPTY:
                return found
            if not self.listen_for_more(u64(0)):
                break
        return u64(IDLE)

    @native
    def transfer(self) -> bool:
        """Read or write sectors, if that is all that the request needs. Whether it was done."""
        if self.request_kind == IN:
            function = self.read_fn
            first = u64(self.readable)
            count = u64(self.spans) - first
            size = self.request_room()
        else:
            function = self.write_fn
            first = u64(self.request_data)
            count = u64(self.readable) - first
            size = self.request_read
        sectors = size >> SECTOR_BITS
        is_whole = size == sectors << SECTOR_BITS and sectors <= self.sectors
        if self.request_kind > OUT or function == 0 or not is_whole:
            return False
        if self.request_sector > self.sectors - sectors:
            return False
        iov = self.iov_at + first * PAIR_BYTES
        at = self.request_sector << SECTOR_BITS
        return u64(call_host(function, self.file, iov, count, at)) == size

    @unlocked
    def do_requests(self) -> u64:
        """Do requests in the device's thread. The rings are held, but not while the host reads or
        writes. Why it ends."""
        for _n in range(MOST_REQUESTS):
            if self.outstanding == BEGUN:
                if not self.transfer():
                    return u64(FOR_PYTHON)
                self.outstanding = u32(DONE)
            if not self.hold():
                return u64(SHUT)
            found = self.advance()
            self.release()
            if found != TAKEN:
                return found
        return u64(MORE)
