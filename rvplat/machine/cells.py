"""The memory that native code works on: the machine's record, its harts', and the tables beside.

Everything is anonymous memory of the host, taken as it is touched, and stays at its address.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Iterable
from typing import Any

from rvplat.bus.ram import PRIVATE, Ram
from rvplat.engine.decode import Table
from rvplat.hart.state import PLAIN, ROM, SLOT_HEADER, SLOTS_SIZE, WATCHED, Hart, Machine
from rvplat.lang import Record

SLOT_POOL = 256 << 20  # bytes for decoded instructions, a hart; when full, it begins anew
PAGE = 4096


class Block:
    """Zeroed host memory at a fixed address."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._map = mmap.mmap(-1, max(size, PAGE), flags=PRIVATE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))


class Cell:
    """A record in a block of its own: `view` is it."""

    def __init__(self, record: Record) -> None:
        self._block = Block(record.size)
        self.address = self._block.address
        self.view: Any = record.view(self.address)


class MachineCell(Cell):
    """The machine's record, with its regions of RAM."""

    def __init__(self) -> None:
        super().__init__(Machine)
        self.blocks: list[Block] = []
        self.pages = 0

    def add_ram(self, ram: Ram, writable: bool, windows: Iterable[tuple[int, int]] = ()) -> None:
        """Make RAM known to native code. Pages that `windows` (address, bytes) touch are regions of
        their own, whose stores come to the host: devices are carved out of them.
        """
        kind = PLAIN if writable else ROM
        start = ram.base
        for first, last in sorted((a & -PAGE, a + n - 1 | PAGE - 1) for a, n in windows):
            if ram.base <= first < ram.end and last >= start:
                self._add_region(ram, start, first, kind)
                self._add_region(ram, max(start, first), min(last + 1, ram.end), WATCHED)
                start = last + 1
        self._add_region(ram, start, ram.end, kind)

    def _add_region(self, ram: Ram, start: int, end: int, kind: int) -> None:
        if start >= end:
            return
        count = int(self.view.ram_count)
        region = self.view.ram[count]
        pages = -(-(end - start) // PAGE)
        code, written = Block(8 * pages), Block(4 * pages)
        self.blocks += [code, written]
        region.base, region.size = start, end - start
        region.host = ram.address + start - ram.base
        region.code, region.written = code.address, written.address
        region.first_page, region.writable = self.pages, kind
        self.pages += pages
        self.view.ram_count = count + 1


class HartCell(Cell):
    """A hart's record, its slots and decoder, and what wakes its thread."""

    def __init__(self, number: int, machine: MachineCell, table: Table) -> None:
        super().__init__(Hart)
        self.number = number
        self.table = table
        self.wake = threading.Event()
        self._slots = Block(SLOT_POOL)
        self._pages = Block(8 * machine.pages)
        self._scratch = Block(SLOTS_SIZE)
        hart = self.view
        hart.hart_id = number
        hart.machine = machine.address
        hart.slot_pool, hart.slot_pool_size = self._slots.address, SLOT_POOL
        hart.slot_pages = self._pages.address
        self._fill_scratch(int(machine.view.page_end_handler))
        table.attach(hart)
        machine.view.harts[number] = self.address
        machine.view.hart_count = max(int(machine.view.hart_count), number + 1)
        self._attention = self._cell("attention", ctypes.c_uint32)
        self._resync = self._cell("resync", ctypes.c_uint8)
        self._lines = self._cell("irq_lines", ctypes.c_uint64)
        self.mmio_error = self._cell("mmio_error", ctypes.c_uint8)
        self.stop_request = self._cell("stop_request", ctypes.c_uint32)

    def _cell(self, name: str, kind: Any) -> Any:
        return kind.from_address(self.address + Hart.fields[name].offset)

    def _fill_scratch(self, page_end: int) -> None:
        first = self._scratch.address + SLOT_HEADER
        for index in range(2049):
            ctypes.c_uint64.from_address(first + 16 * index).value = page_end
        self.view.scratch_slots = first

    def set_line(self, bit: int, level: bool) -> None:
        """Drive a bit of mip, from any thread under the bus lock."""
        lines = self._lines.value
        self._lines.value = lines | 1 << bit if level else lines & ~(1 << bit)
        self.alert()

    def alert(self) -> None:
        """Let the hart look at its lines, timers and requests soon."""
        self._attention.value = 1
        self.wake.set()

    def after_device(self) -> None:
        """A device access by this hart ended: what it changed counts from the next instruction."""
        if self._attention.value:
            self._resync.value = 1

    def set_guest_line(self, number: int, level: bool) -> None:
        """Drive guest external interrupt `number`, a bit of hgeip, from any thread under the bus
        lock. ValueError outside 1 to GEILEN."""
        geilen = int(self.view.geilen)
        if not 1 <= number <= geilen:
            raise ValueError(f"guest external interrupt {number} of 1 to {geilen}")
        lines = int(self.view.guest_lines)
        self.view.guest_lines = lines | 1 << number if level else lines & ~(1 << number)
        self.alert()

    @property
    def interrupt_waiting(self) -> bool:
        """Whether an interrupt that mie enables is pending, timers aside."""
        hart = self.view
        return bool((int(hart.irq_lines) | int(hart.mip)) & int(hart.mie))
