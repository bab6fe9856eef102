"""`virtio-console`: a console of one port.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 5.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rvplat_plugins.virtio_mmio import VirtioMmio
from rvplat_plugins.virtqueue import Chain, Virtqueue, fill, length

from rvplat.bus import Device
from rvplat.hookspecs import hookimpl

EMERG_WRITE = 1 << 2
EMERG_WRITE_OFFSET = 8
LAYOUT = struct.Struct("<HHII")  # cols, rows, max_nr_ports, emerg_wr
RECEIVE, TRANSMIT = 0, 1
PIECE = 1 << 16  # bytes written at once: a guest can offer all of its memory, many times over


class VirtioConsole(VirtioMmio):
    """The guest's receive buffers stay in the ring until there is input for them."""

    model = "virtio-console"
    virtio_id = 3
    queue_sizes = (64, 64)
    uses_console = True

    def setup(self) -> None:
        self.wiring.console.on_input = self.give

    def features(self) -> int:
        return EMERG_WRITE

    def config(self) -> bytes:
        return LAYOUT.pack(0, 0, 0, 0)

    def configure(self, offset: int, data: bytes) -> None:
        if offset == EMERG_WRITE_OFFSET:
            self.wiring.console.write(data[:1])

    def give(self) -> None:
        """There is input."""
        self.notify(self.queues[RECEIVE])

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
            for view in queue.views(chain.readable):
                for start in range(0, len(view), PIECE):
                    self.wiring.console.write(bytes(view[start : start + PIECE]))
            self.give_back(queue, chain, 0)
        else:
            views = queue.views(chain.writable)
            data = self.wiring.console.read(length(views))
            self.give_back(queue, chain, fill(views, data))


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [VirtioConsole]
