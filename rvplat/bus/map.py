"""The address map: which device or RAM answers at a physical address."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from rvplat.bus.device import Device
from rvplat.bus.ram import Memory
from rvplat.errors import BusError, DeviceError


@dataclass(frozen=True, order=True)
class Range:
    """`size` bytes at `base`, and what they are."""

    base: int
    size: int
    name: str = field(compare=False)

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.base + self.size

    def overlaps(self, other: Range) -> bool:
        """Whether any byte is in both."""
        return self.base < other.end and other.base < self.end

    def __str__(self) -> str:
        return f"{self.name} ({self.base:#x} to {self.end - 1:#x})"


def overlaps(ranges: Iterable[Range]) -> list[tuple[Range, Range]]:
    """Every pair that overlaps, in order of address."""
    ordered = sorted(ranges)
    return [
        (one, two)
        for index, one in enumerate(ordered)
        for two in ordered[index + 1 :]
        if one.overlaps(two)
    ]


class DeviceRaised(BusError):
    """A device's own code raised in an access: the guest takes an access fault as for any
    BusError. `operation` and `device` say who did what; what was raised is the cause."""

    def __init__(self, operation: str, device: Device) -> None:
        super().__init__(f"{device.wiring.name} raised in {operation}")
        self.operation = operation
        self.device = device


class AddressMap:
    """Devices' windows and memory. `read` and `write` take the bus lock, then the device runs."""

    def __init__(self, memory: Memory, lock: threading.RLock | None = None) -> None:
        self.memory = memory
        self.lock = lock if lock is not None else threading.RLock()
        self.windows: list[tuple[Range, Device]] = []
        self._bases: list[int] = []
        self._ends: list[int] = []
        self._devices: list[Device] = []

    def attach(self, base: int, device: Device, size: int | None = None) -> Range:
        """Put a device's window at `base`: not on another one; RAM behind it is hidden."""
        size = device.window(device.settings) if size is None else size
        window = Range(base, size, device.wiring.name)
        for other, _ in self.windows:
            if window.overlaps(other):
                raise DeviceError(f"{window} overlaps {other}")
        self.windows = sorted([*self.windows, (window, device)], key=lambda entry: entry[0].base)
        self._bases = [entry.base for entry, _ in self.windows]
        self._ends = [entry.end for entry, _ in self.windows]
        self._devices = [entry for _, entry in self.windows]
        return window

    def window_at(self, pa: int) -> tuple[Range, Device] | None:
        """The window that holds `pa`, or None."""
        index = bisect_right(self._bases, pa) - 1
        return self.windows[index] if index >= 0 and pa < self._ends[index] else None

    def read(self, pa: int, size: int) -> int:
        """A load of 1, 2, 4 or 8 bytes; BusError if nothing answers."""
        index = bisect_right(self._bases, pa) - 1
        if index < 0 or pa + size > self._ends[index]:
            return self.memory.read_int(pa, size)
        with self.lock:
            try:
                return self._devices[index].read(pa - self._bases[index], size)
            except BusError:
                raise
            except (Exception, SystemExit) as error:
                raise DeviceRaised(f"a load of {size} at {pa:#x}", self._devices[index]) from error

    def write(self, pa: int, size: int, value: int) -> None:
        """A store of 1, 2, 4 or 8 bytes; BusError if nothing answers."""
        index = bisect_right(self._bases, pa) - 1
        if index < 0 or pa + size > self._ends[index]:
            self.memory.write_int(pa, size, value)
            return
        with self.lock:
            try:
                self._devices[index].write(pa - self._bases[index], size, value)
            except BusError:
                raise
            except (Exception, SystemExit) as error:
                operation = f"a store of {size} at {pa:#x}"
                raise DeviceRaised(operation, self._devices[index]) from error

    def reset(self) -> None:
        """Reset every device."""
        with self.lock:
            for device in self._devices:
                device.reset()

    def close(self) -> None:
        """Close every device."""
        for device in self._devices:
            device.close()
