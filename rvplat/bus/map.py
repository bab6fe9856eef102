"""The address map: which device or RAM answers an access at a physical address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rvplat.bus.device import Device
from rvplat.bus.failures import RAISED
from rvplat.bus.lock import BusLock
from rvplat.bus.ram import Memory
from rvplat.errors import BusError, DeviceError


@dataclass(frozen=True, order=True)
class Range:
    """`size` bytes at `base`, with a name."""

    base: int
    size: int
    name: str = field(compare=False)

    @property
    def end(self) -> int:
        """The first address after the range."""
        return self.base + self.size

    def overlaps(self, other: Range) -> bool:
        """Whether the two ranges have a byte in common."""
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
    """A device's code raised an exception, which is the cause of this one. The guest takes an
    access fault, as for any BusError. `operation` is the access."""

    def __init__(self, operation: str, device: Device) -> None:
        super().__init__(f"{device.wiring.name} raised in {operation}")
        self.operation = operation
        self.device = device


SIZES = (1, 2, 4, 8)


class AddressMap:
    """Devices' windows, and memory. `read` and `write` take the bus lock and call the device.

    An access inside one window goes to its device (bus/registers.py says what devices answer). An
    access inside RAM goes to RAM. An access across the edge of a window is refused, except for a
    window inside RAM: then it goes to RAM, and a store calls the device's `touched`.
    """

    def __init__(self, memory: Memory, lock: BusLock | None = None) -> None:
        self.memory = memory
        memory.written = self.touched
        self.lock = lock if lock is not None else BusLock()
        self.on_change: Callable[[], None] = lambda: None  # Python is about to store something
        self.windows: list[tuple[Range, Device]] = []
        self._bases: list[int] = []
        self._ends: list[int] = []
        self._devices: list[Device] = []
        self._carved: list[tuple[Range, Device]] = []

    def attach(self, base: int, device: Device, size: int | None = None) -> Range:
        """Put a device's window at `base`. It hides RAM behind it, and may not overlap another."""
        size = device.window(device.settings) if size is None else size
        window = Range(base, size, device.wiring.name)
        for other, _ in self.windows:
            if window.overlaps(other):
                raise DeviceError(f"{window} overlaps {other}")
        self.windows = sorted([*self.windows, (window, device)], key=lambda entry: entry[0].base)
        self._bases = [entry.base for entry, _ in self.windows]
        self._ends = [entry.end for entry, _ in self.windows]
        self._devices = [entry for _, entry in self.windows]
        self._carved = [entry for entry in self.windows if entry[1].wiring.backing is not None]
        return window

    def window_at(self, pa: int) -> tuple[Range, Device] | None:
        """The window that holds `pa`, or None."""
        index = bisect_right(self._bases, pa) - 1
        return self.windows[index] if index >= 0 and pa < self._ends[index] else None

    def read(self, pa: int, size: int) -> int:
        """A load of 1, 2, 4 or 8 bytes; BusError if nothing answers."""
        index = bisect_right(self._bases, pa) - 1
        if index < 0 or pa + size > self._ends[index] or size not in SIZES:
            self._must_be_memory(pa, size)
            return self.memory.read_int(pa, size)
        device, lock = self._devices[index], self.lock
        lock.acquire()
        if device.layout is not None:
            lock.shut()
        try:
            return device.read(pa - self._bases[index], size)
        except BusError:
            raise
        except RAISED as error:
            raise DeviceRaised(f"a load of {size} at {pa:#x}", device) from error
        finally:
            self._leave(device)

    def write(self, pa: int, size: int, value: int) -> None:
        """A store of 1, 2, 4 or 8 bytes, by none of the harts; BusError if nothing answers."""
        self.on_change()
        self.store(pa, size, value)

    def store(self, pa: int, size: int, value: int) -> None:
        """As `write`, by a hart."""
        index = bisect_right(self._bases, pa) - 1
        if index < 0 or pa + size > self._ends[index] or size not in SIZES:
            self._must_be_memory(pa, size)
            self.memory.write_int(pa, size, value)
            return
        device, lock = self._devices[index], self.lock
        lock.acquire()
        if device.layout is not None:
            lock.shut()
        try:
            device.write(pa - self._bases[index], size, value)
        except BusError:
            raise
        except RAISED as error:
            raise DeviceRaised(f"a store of {size} at {pa:#x}", device) from error
        finally:
            self._leave(device)

    def _leave(self, device: Device) -> None:
        """Release the lock after an access."""
        lock = self.lock
        if device.layout is not None:
            lock.open()
        lock.release()
        if lock.put_off:
            lock.left()

    def _must_be_memory(self, pa: int, size: int) -> None:
        """BusError if an access touches a window that is not inside RAM, or has a size that no
        hart's access has."""
        if size not in SIZES:
            raise BusError(f"an access of {size} bytes, expected 1, 2, 4 or 8")
        first = max(bisect_right(self._bases, pa) - 1, 0)
        for window, device in self.windows[first : bisect_right(self._bases, pa + size - 1)]:
            if pa < window.end and device.wiring.backing is None:
                raise BusError(f"an access of {size} bytes at {pa:#x} is not whole in {window}")

    def touched(self, pa: int, size: int) -> None:
        """Call `touched` of the devices whose windows inside RAM were changed."""
        changed = Range(pa, size, "a change")
        for window, device in self._carved:
            if window.overlaps(changed):
                start = max(pa, window.base)
                with self.lock:
                    try:
                        device.touched(start - window.base, min(changed.end, window.end) - start)
                    except RAISED as error:
                        raise DeviceRaised(f"a change of {size} at {pa:#x}", device) from error

    def reset(self) -> None:
        """Reset every device."""
        with self.lock:
            for device in self._devices:
                device.reset()

    def close(self) -> None:
        """Close every device."""
        for device in self._devices:
            device.close()
