"""`virtio-mmio`: the transport of virtio devices, and an empty slot for one.

Manual: https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html, section 4.2 and chapter 2.
With `force_legacy` it is the legacy interface (section 4.2.4, version 1), which drivers from before
virtio 1.0 need: a queue is one block at a page number, and there is no VERSION_1. Configuration
space and rings have the guest's byte order, which is little-endian on RISC-V.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rvplat_plugins.rings import MOST_QUEUES
from rvplat_plugins.virtio_device import CONFIG, DRIVER_OK, NEEDS_RESET, VirtioDevice
from rvplat_plugins.virtqueue import RingError, Virtqueue

from rvplat.bus import Device, Hole, Line, Register, State, afterwards, native, setting
from rvplat.hookspecs import hookimpl
from rvplat.lang import u8, u32

log = logging.getLogger("rvplat.virtio")

ACKNOWLEDGE, FEATURES_OK = 1, 8  # device status, section 2.1
INDIRECT_DESC, EVENT_IDX, VERSION_1 = 1 << 28, 1 << 29, 1 << 32  # section 6
NOTIFY_ON_EMPTY, ANY_LAYOUT = 1 << 24, 1 << 27  # legacy only, section 6.3
QEMU_VENDOR = 0x554D4551  # "QEMU": drivers written for its `virt` look for it
ONES = 0xFFFF_FFFF


@dataclass(frozen=True)
class VirtioSettings:
    """The keys of every virtio device on a board. Classes of devices' own settings extend it."""

    force_legacy: bool = setting(
        "answer as version 1 of the transport (legacy), which older drivers expect", False
    )


class VirtioMmio(VirtioDevice):
    """With device ID 0, an empty slot. Devices are subclasses with ID, queues and features."""

    model = "virtio-mmio"
    compatible = ("virtio,mmio",)
    node_name = "virtio_mmio"
    size = 0x1000
    interrupts = ("irq",)
    settings_type = VirtioSettings
    virtio_id: ClassVar[int] = 0
    queue_sizes: ClassVar[tuple[int, ...]] = ()
    registers = (
        Register(0x000, "MAGIC",               "VALUE[31:0]",    "ro", reset=0x74726976),
        Register(0x004, "VERSION",             "VALUE[31:0]",    "ro"),
        Register(0x008, "DEVICE_ID",           "VALUE[31:0]",    "ro"),
        Register(0x00C, "VENDOR_ID",           "VALUE[31:0]",    "ro", reset=QEMU_VENDOR),
        Register(0x010, "DEVICE_FEATURES",     "BITS[31:0]",     "ro"),
        Register(0x014, "DEVICE_FEATURES_SEL", "WORD[31:0]",     "wo"),
        Register(0x020, "DRIVER_FEATURES",     "BITS[31:0]",     "wo"),
        Register(0x024, "DRIVER_FEATURES_SEL", "WORD[31:0]",     "wo"),
        Register(0x028, "GUEST_PAGE_SIZE",     "BYTES[31:0]",    "wo"),  # legacy
        Register(0x030, "QUEUE_SEL",           "QUEUE[31:0]",    "wo"),
        Register(0x034, "QUEUE_SIZE_MAX",      "ENTRIES[31:0]",  "ro"),
        Register(0x038, "QUEUE_SIZE",          "ENTRIES[31:0]",  "wo"),
        Register(0x03C, "QUEUE_ALIGN",         "BYTES[31:0]",    "wo"),  # legacy
        Register(0x040, "QUEUE_PFN",           "PAGE[31:0]"),  # legacy
        Register(0x044, "QUEUE_READY",         "-[31:1] READY[0]"),
        Register(0x050, "QUEUE_NOTIFY",        "QUEUE[31:0]",    "wo"),
        Register(0x060, "INTERRUPT_STATUS",    "-[31:2] CONFIG[1] USED[0]", "ro"),
        Register(0x064, "INTERRUPT_ACK",       "-[31:2] CONFIG[1] USED[0]", "wo"),
        Register(0x070, "STATUS",
            "-[31:8] FAILED[7] NEEDS_RESET[6] -[5:4] FEATURES_OK[3] DRIVER_OK[2] DRIVER[1] ACK[0]"),
        Register(0x080, "QUEUE_DESC",          "ADDRESS[63:0]",  "wo", width=8, widths=(4, 8)),
        Register(0x090, "QUEUE_DRIVER",        "ADDRESS[63:0]",  "wo", width=8, widths=(4, 8)),
        Register(0x0A0, "QUEUE_DEVICE",        "ADDRESS[63:0]",  "wo", width=8, widths=(4, 8)),
        Register(0x0AC, "SHM_SEL",             "REGION[31:0]",   "wo"),
        Register(0x0B0, "SHM",                 "NONE[31:0]",     "ro", count=4, reset=ONES),
        Register(0x0FC, "CONFIG_GENERATION",   "VALUE[31:0]",    "ro"),
        Hole(0x000, 0x100, widths=(4,)),
    )  # fmt: skip
    state: ClassVar[tuple[str | State, ...]] = (
        "accepted",
        State("notified", u32, saved=False),  # a bit for each queue in which the driver put buffers
        State("has_thread", u8, saved=False, lasting=True),  # 1: it serves the queues
    )

    settings: VirtioSettings
    irq: Line
    queue_sel: u32
    interrupt_status: u32
    notified: u32
    has_thread: u8
    device_features_sel: int
    driver_features_sel: int
    accepted: int  #: the features that the driver accepted

    # ---- interrupts and notifications

    @native
    def interrupt(self, cause: u32) -> None:
        """Raise the interrupt; it stays high until the driver acknowledges the cause."""
        self.interrupt_status |= cause
        self.irq.set(True)

    # ---- the registers

    @property
    def legacy(self) -> bool:
        """Whether it is version 1 of the transport."""
        return self.settings.force_legacy

    def is_in(self, version: int, register: str) -> bool:
        """Whether this is the version that has a register. If not, log the store to it."""
        if version != self.read_version():
            self.tell(f"a store to {register}, which version {version} has, has no effect")
        return version == self.read_version()

    @property
    def offered(self) -> int:
        """All feature bits that are offered; an empty slot offers none."""
        if not self.virtio_id:
            return 0
        version = NOTIFY_ON_EMPTY | ANY_LAYOUT if self.legacy else VERSION_1
        return self.features() | INDIRECT_DESC | EVENT_IDX | version

    @property
    def queue(self) -> Virtqueue | None:
        """The queue that QueueSel selects, or None."""
        return self.queues[self.queue_sel] if self.queue_sel < len(self.queues) else None

    def reset(self) -> None:
        self.settle()
        super().reset()
        self.accepted = 0
        self.guest_page_size = 1
        for queue in getattr(self, "queues", ()):
            self.wiring.clock.cancel(queue.pause)
        self.queues = [Virtqueue(self, n, size) for n, size in enumerate(self.queue_sizes)]

    def read_version(self) -> int:
        """1 for the legacy interface, else 2."""
        return 1 if self.legacy else 2

    def read_device_id(self) -> int:
        """The kind of device, section 5."""
        return self.virtio_id

    def read_device_features(self) -> int:
        """The word of features that DeviceFeaturesSel selects."""
        return self.offered >> 32 * self.device_features_sel & ONES

    def write_device_features_sel(self, value: int) -> None:
        """Select a word of features. Words beyond the second read as zero."""
        self.device_features_sel = min(value, 2)

    def write_driver_features(self, value: int) -> None:
        """Accept features in the word that DriverFeaturesSel selects, until FEATURES_OK is set. A
        legacy device can't refuse features; it ignores those not offered (section 2.2.3)."""
        if not self.status & FEATURES_OK and self.driver_features_sel < 4:
            shift = 32 * self.driver_features_sel
            self.accepted = self.accepted & ~(ONES << shift) | value << shift
            if self.legacy:
                self.accepted &= self.offered

    def read_queue_size_max(self) -> int:
        """The largest size of the selected queue; zero if there is no such queue."""
        return self.queue.size_max if self.queue else 0

    def write_queue_size(self, value: int) -> None:
        """Set the number of entries that the driver will use."""
        if self.queue and not self.queue.ready:
            self.queue.size = value

    def read_queue_ready(self) -> int:
        """Whether the device may use the queue, or still uses it."""
        return int(self.queue.ready or self.settling) if self.queue and not self.legacy else 0

    def write_queue_ready(self, value: int) -> None:
        """Start or stop a queue."""
        queue = self.queue
        if not self.is_in(2, "QueueReady") or queue is None or queue.ready == bool(value):
            return
        if value:
            self.start_queue(queue)
        else:
            self.stop_queue(queue)

    def start_queue(self, queue: Virtqueue) -> None:
        """Start a queue that the driver has placed."""
        queue.indirect = bool(self.accepted & INDIRECT_DESC)
        queue.event_index = bool(self.accepted & EVENT_IDX)
        queue.notify_on_empty = bool(self.accepted & NOTIFY_ON_EMPTY)
        try:
            queue.enable()
        except RingError as error:
            self.fail(str(error))

    def stop_queue(self, queue: Virtqueue) -> None:
        """Stop a queue: the driver takes it back."""
        self.settle()
        queue.disable()

    # ---- the legacy interface's registers (section 4.2.4), which version 2 doesn't have

    def write_guest_page_size(self, value: int) -> None:
        """Set the unit of QueuePFN in bytes, a power of 2."""
        if self.is_in(1, "GuestPageSize"):
            self.guest_page_size = value & -value or 1

    def write_queue_align(self, value: int) -> None:
        """Set the alignment of the used ring in bytes, a power of 2."""
        if self.is_in(1, "QueueAlign") and self.queue and value and not value & value - 1:
            self.queue.alignment = value

    def read_queue_pfn(self) -> int:
        """The number of the page at which the queue begins; zero if it was not placed."""
        queue = self.queue
        return queue.descriptors // self.guest_page_size if self.legacy and queue else 0

    def write_queue_pfn(self, value: int) -> None:
        """Place a queue and start it; zero stops it."""
        queue = self.queue
        if not self.is_in(1, "QueuePFN") or queue is None:
            return
        if queue.ready:
            self.stop_queue(queue)
        queue.place(value * self.guest_page_size)
        if value:
            self.start_queue(queue)

    @native
    def write_queue_notify(self, value: u32) -> None:
        """The driver has put buffers into a queue."""
        if value < MOST_QUEUES:
            self.notified |= u32(1) << value
            if self.has_thread != 0:
                self.call_thread()
            else:
                self.serve_notified()

    @afterwards
    def serve_notified(self) -> None:
        """Serve the queues of which the driver has notified the device."""
        notified, self.notified = self.notified, u32(0)
        for number, queue in enumerate(self.queues):
            if notified >> number & 1:
                self.serve_notification(queue)

    def serve_notification(self, queue: Virtqueue) -> None:
        """The driver has put buffers into this queue."""
        self.notify(queue)

    @native
    def write_interrupt_ack(self, value: u32) -> None:
        """The driver has handled these causes."""
        self.interrupt_status &= ~value
        self.irq.set(self.interrupt_status != 0)

    def read_status(self) -> int:
        """The device status; zero after a reset is complete (section 2.4)."""
        return self.status or (ACKNOWLEDGE if self.settling else 0)

    def write_status(self, value: int) -> None:
        """Zero resets. FEATURES_OK stays clear for features that can't be used (section 3.1.1). A
        driver may leave VERSION_1 out (section 6.2), as on QEMU."""
        if value == 0:
            page_size = self.guest_page_size  # Linux writes it once, before it resets the device
            self.reset()
            self.guest_page_size = page_size
            return
        started = value & ~self.status
        if started & FEATURES_OK and self.accepted & ~self.offered:
            value &= ~FEATURES_OK
        self.status = value | self.status & NEEDS_RESET
        if started & DRIVER_OK:
            for queue in self.queues:
                self.notify(queue)

    def read_queue_desc(self) -> int:
        """For the half that isn't written."""
        return self.queue.descriptors if self.queue else 0

    def write_queue_desc(self, value: int) -> None:
        """Set the address of the descriptor table."""
        if self.is_in(2, "QueueDesc") and self.queue and not self.queue.ready:
            self.queue.descriptors = value

    def read_queue_driver(self) -> int:
        """For the half that isn't written."""
        return self.queue.driver if self.queue else 0

    def write_queue_driver(self, value: int) -> None:
        """Set the address of the available ring."""
        if self.is_in(2, "QueueDriver") and self.queue and not self.queue.ready:
            self.queue.driver = value

    def read_queue_device(self) -> int:
        """For the half that isn't written."""
        return self.queue.device if self.queue else 0

    def write_queue_device(self, value: int) -> None:
        """Set the address of the used ring."""
        if self.is_in(2, "QueueDevice") and self.queue and not self.queue.ready:
            self.queue.device = value

    # ---- the configuration space, of any width

    def read_elsewhere(self, offset: int, size: int) -> int:
        if offset < CONFIG or offset % size:
            return super().read_elsewhere(offset, size)
        start = offset - CONFIG
        if start + size > len(self.config()):
            self.tell(f"a load of {size} bytes at {offset:#x}, beyond the configuration: zeros")
        return int.from_bytes(self.config()[start : start + size], "little")

    def write_elsewhere(self, offset: int, size: int, value: int) -> None:
        if offset < CONFIG or offset % size:
            super().write_elsewhere(offset, size, value)
        else:
            self.configure(offset - CONFIG, value.to_bytes(size, "little"))

    def save(self) -> dict[str, Any]:
        self.drain()
        return {**super().save(), "queues": [queue.save() for queue in self.queues]}

    def load(self, state: Mapping[str, Any]) -> None:
        self.settle()
        super().load(state)
        for queue, saved in zip(self.queues, state["queues"], strict=True):
            queue.load(saved, partial(self.go_on, queue))


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [VirtioMmio]
