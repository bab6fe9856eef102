"""`virtio-console`: a console of one port.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtqueue import Chain, Views, Virtqueue, fill, length, take

from rvplat.bus import Device
from rvplat.hookspecs import hookimpl

EMERG_WRITE = 1 << 2
EMERG_WRITE_OFFSET = 8
LAYOUT = struct.Struct("<HHII")  # cols, rows, max_nr_ports, emerg_wr
RECEIVE, TRANSMIT = 0, 1
PIECE = 1 << 16  # bytes written at once: a guest can send all of its memory many times
MOST_PIECES = 1024  # written for one notification before the device pauses


class VirtioConsole(VirtioMmio):
    """The guest's receive buffers stay in the ring until there is input for them. A buffer to send
    is given back when its last piece was written. The next piece or buffer is written when the host
    has taken the last piece."""

    model = "virtio-console"
    virtio_id = 3
    queue_sizes = (64, 64)
    uses_console = True
    state = ("pieces",)

    sending: tuple[Chain, Views] | None = None  #: a buffer, and the part that is not written yet
    pieces = 0  #: written since the last notification

    def setup(self) -> None:
        self.wiring.console.on_input = self.give
        self.wiring.console.on_sent = self.go_on_sending

    def features(self) -> int:
        return EMERG_WRITE

    def config(self) -> bytes:
        return LAYOUT.pack(0, 0, 0, 0)

    def configure(self, offset: int, data: bytes) -> None:
        if offset == EMERG_WRITE_OFFSET:
            self.wiring.console.write(data[:1])
        else:
            super().configure(offset, data)

    def give(self) -> None:
        """Put input into receive buffers."""
        self.notify(self.queues[RECEIVE])

    def settle(self) -> None:
        self.sending = None

    def drain(self) -> None:
        """Write all buffers that the guest has given."""
        while self.sending is not None:
            self.send_piece()

    def serve_notification(self, queue: Virtqueue) -> None:
        self.pieces = 0
        super().serve_notification(queue)

    def go_on(self, queue: Virtqueue) -> None:
        self.pieces = 0
        super().go_on(queue)

    def go_on_sending(self) -> None:
        """Write the next piece: the host has taken all that was written."""
        queue = self.queues[TRANSMIT]
        if not queue.resting and self.pieces < MOST_PIECES:
            self.notify(queue)
        elif self.sending is not None or not queue.resting:
            self.rest(queue)

    def has_room(self, queue: Virtqueue) -> bool:
        while self.sending is not None and not self.wiring.console.backlog:
            self.send_piece()
        return self.sending is None and not self.wiring.console.backlog

    def send_piece(self) -> None:
        """Write the next piece of the buffer that is being sent. After the last, give it back."""
        assert self.sending is not None
        chain, views = self.sending
        piece = take(views, PIECE)
        self.pieces += 1
        if not views:
            self.sending = None
            self.give_back(self.queues[TRANSMIT], chain, 0)
        self.wiring.console.write(piece)

    def serve(self, queue: Virtqueue) -> None:
        if queue is self.queues[TRANSMIT]:
            super().serve(queue)
            return
        while self.wiring.console.waiting:
            chain = queue.pop()
            if chain is not None:
                self.take(queue, chain)
            elif not queue.listen():
                return

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        if queue is self.queues[TRANSMIT]:
            self.sending = chain, queue.read_views(chain.readable)
            self.has_room(queue)
        else:
            views = queue.views(chain.writable)
            data = self.wiring.console.read(length(views))
            self.give_back(queue, chain, fill(views, data))


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [VirtioConsole]
