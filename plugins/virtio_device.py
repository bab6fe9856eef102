"""A virtio device's work on its queues, whatever its transport.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, chapter 2.
"""

from __future__ import annotations

import logging
from functools import partial

from rvplat_plugins.rings import Rings
from rvplat_plugins.virtqueue import Chain, RingError, Virtqueue

from rvplat.errors import BusError
from rvplat.lang import u32

log = logging.getLogger("rvplat.virtio")

DRIVER_OK, NEEDS_RESET = 4, 64  # device status, section 2.1
USED_BUFFER, CONFIG_CHANGE = 1, 2  # interrupt status
CONFIG = 0x100
MOST_AT_ONCE = 1024  # buffers that are served before a pause
PAUSES_A_SECOND = 1000  # the length of a pause is 1 s / this
MOST_TOLD = 20  # failures of a device that are logged: a guest can cause any number


class VirtioDevice(Rings):
    """The base of virtio devices. The transport has their registers."""

    failures = 0  #: how often the driver broke a rule
    status: u32
    queues: list[Virtqueue]

    def interrupt(self, cause: int) -> None:
        """Raise the interrupt; it stays high until the driver acknowledges the cause."""
        raise NotImplementedError

    # ---- what subclasses override

    def features(self) -> int:
        """The device's own feature bits."""
        return 0

    def config(self) -> bytes:
        """The device's configuration space."""
        return b""

    def configure(self, offset: int, data: bytes) -> None:
        """The driver wrote to the configuration space. Ignore fields that it may not write."""
        self.tell(f"a store of {len(data)} bytes at {CONFIG + offset:#x} has no effect")

    def take(self, queue: Virtqueue, chain: Chain) -> None:
        """Work on an available buffer and call `give_back`, now or later."""

    def settle(self) -> None:
        """Cancel work in flight: the queues are about to stop. `settling` is true until work that
        can't be cancelled at once, such as DMA, is done."""

    @property
    def settling(self) -> bool:
        """Whether cancelled work still goes on. Then a reset or the stop of a queue is not
        complete, and the driver reads that in Status and QueueReady."""
        return False

    def has_room(self, queue: Virtqueue) -> bool:
        """Whether the device takes another buffer now. If not, it calls `notify` later."""
        return True

    def drain(self) -> None:
        """Wait until all work in flight is done."""

    # ---- what subclasses call

    def give_back(self, queue: Virtqueue, chain: Chain, written: int) -> None:
        """Give a buffer back to the driver, with `written` bytes written to it."""
        queue.push(chain, written)
        if queue.wants_interrupt():
            self.interrupt(u32(USED_BUFFER))

    def serve(self, queue: Virtqueue) -> None:
        """Take every available buffer. After MOST_AT_ONCE buffers, pause: a device that writes to
        the ring itself could make buffers available for ever."""
        for _ in range(MOST_AT_ONCE):
            if not self.has_room(queue):
                return
            chain = queue.pop()
            if chain is not None:
                self.take(queue, chain)
            elif not queue.listen():
                return
        self.rest(queue)

    def rest(self, queue: Virtqueue) -> None:
        """Go on with a queue a little later, so that other devices and harts are not blocked."""
        if not queue.resting:
            queue.resting = True
            clock = self.wiring.clock
            later = clock.now() + clock.frequency // PAUSES_A_SECOND + 1
            queue.pause = clock.call_at(later, partial(self.go_on, queue))

    def go_on(self, queue: Virtqueue) -> None:
        """Serve a queue again, unless the device was reset meanwhile."""
        queue.resting = False
        if queue in self.queues:
            self.notify(queue)

    def notify(self, queue: Virtqueue) -> None:
        """Serve a queue if the driver has made it ready."""
        if self.is_usable(queue):
            try:
                self.serve(queue)
            except (RingError, BusError) as error:
                self.fail(str(error))

    def is_usable(self, queue: Virtqueue) -> bool:
        """Whether the device may take buffers off a queue (section 2.1: not before DRIVER_OK)."""
        return queue.ready and self.status & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK

    def fail(self, why: str) -> None:
        """The driver broke a rule: stop all work until it resets the device (section 2.1.2)."""
        self.failures += 1
        if self.failures <= MOST_TOLD:
            more = "; no more is told of it" if self.failures == MOST_TOLD else ""
            log.warning("%s: the driver must reset it: %s%s", self.wiring.name, why, more)
        self.status |= NEEDS_RESET
        if self.status & DRIVER_OK:
            self.interrupt(u32(CONFIG_CHANGE))
