"""The memory that native code uses: the records of the machine and its harts, and their tables.

All of it is anonymous memory of the host at fixed addresses. The host allocates pages at first use.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from rvplat.bus.fence import barrier
from rvplat.bus.natives.records import RNMI
from rvplat.bus.page_log import PRIVATE
from rvplat.bus.ram import Ram
from rvplat.engine.decode_table import Table
from rvplat.errors import DeviceError
from rvplat.hart.acceleration.young_pages import AWAY
from rvplat.hart.debugging.watchpoints import NOWHERE
from rvplat.hart.state import (
    MAX_RAM_REGIONS,
    PLAIN,
    ROM,
    SLOT_HEADER,
    SLOTS_SIZE,
    STOP_BREAK,
    STOP_LIMIT,
    STOP_REQUEST,
    WATCHED,
    HartState,
    MachineState,
)
from rvplat.isa.privileged import OFFSET_MASK, PAGE_BYTES, PAGE_MASK
from rvplat.lang import Record
from rvplat.machine.running.stop import Stop

SLOT_POOL = 256 << 20  # bytes per hart for decoded instructions; emptied when full
MASK64 = (1 << 64) - 1
#: What follows a stop at a stop point. The hart leaves native code and says why; it goes on; it
#: goes on past its instruction, without watchpoints; it leaves native code for a moment.
STOPS, GOES_ON, PASSES, LEAVES = range(4)


# PYFUNCTYPE keeps the GIL: this system call never blocks.
_WAKE: Any = ctypes.PYFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


def _do_nothing() -> None:
    """Replace a call that the machine sets."""


def _skip_nothing(past: int) -> None:
    """Replace `before_skip` if there are no hooks."""


def _nobody_sleeps(a: int, b: int, c: int, d: int) -> int:
    """Replace the host's `wake` if there is no native code."""
    return 0


class Block:
    """Zeroed host memory at a fixed address."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._map = mmap.mmap(-1, max(size, PAGE_BYTES), flags=PRIVATE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))


class NativeRecord:
    """A record in a block of its own.

    Definitions that CPython runs take its `view`. Python code that reads or writes often uses
    `plain`, or keeps single fields (`field`), which are much quicker.
    """

    def __init__(self, record: Record) -> None:
        self._block = Block(record.size)
        self.address = self._block.address
        self.view: Any = record.view(self.address)
        self._record = record

    @cached_property
    def plain(self) -> Any:
        """The record as plain ints (`Record.plain`), for frequent reads."""
        return self._record.plain(self.address)

    def field(self, name: str) -> Any:
        """One field, or one array, as an object of ctypes (`Record.field`)."""
        return self._record.field(name, self.address)


class NativeMachine(NativeRecord):
    """The machine's record, with its regions of RAM."""

    def __init__(self) -> None:
        super().__init__(MachineState)
        self.blocks: list[Block] = []
        self.pages = 0

    def add_ram(self, ram: Ram, writable: bool, windows: Iterable[tuple[int, int]] = ()) -> None:
        """Add RAM to native code's regions. Pages that overlap `windows` (address, bytes) become
        separate regions, whose stores call the host: devices are carved out of them.
        """
        kind = PLAIN if writable else ROM
        start = ram.base
        for first, last in sorted((a & PAGE_MASK, a + n - 1 | OFFSET_MASK) for a, n in windows):
            if ram.base <= first < ram.end and last >= start:
                self._add_region(ram, start, first, kind)
                self._add_region(ram, max(start, first), min(last + 1, ram.end), WATCHED)
                start = last + 1
        self._add_region(ram, start, ram.end, kind)

    def _add_region(self, ram: Ram, start: int, end: int, kind: int) -> None:
        if start >= end:
            return
        count = int(self.view.ram_count)
        if count == MAX_RAM_REGIONS:
            raise DeviceError(
                f"{ram.name}: memories, and the devices that are carved out of them, divide memory "
                f"into more than {MAX_RAM_REGIONS} regions: put such devices on pages side by side"
            )
        region = self.view.ram[count]
        pages = -(-(end - start) // PAGE_BYTES)
        code, written, regions = Block(8 * pages), Block(4 * pages), Block(8 * pages)
        self.blocks += [code, written, regions]
        region.base, region.size = start, end - start
        region.host = ram.address + start - ram.base
        region.code, region.written = code.address, written.address
        region.regions = regions.address
        region.first_page, region.writable = self.pages, kind
        self.pages += pages
        self.view.ram_count = count + 1


class NativeHart(NativeRecord):
    """A hart's record, its slots and decoder, and the wake-up of its thread."""

    def __init__(self, number: int, machine: NativeMachine, table: Table, layout: Record) -> None:
        super().__init__(layout)
        self.layout = layout
        self.number = number
        self.machine = machine
        self.table = table
        self.wake: threading.Event | None = None  # wakes the thread that gives turns
        self.retired_before = 0  # instructions, before the last reset
        self.ran_ns = 0
        self.device_ns = 0  # the part of ran_ns in device accesses
        self.meets: Callable[[], int] | None = None  # asked at stop points: STOPS, ... (if any)
        self.stop_asked: Stop | None = None  # what a hook's handler wants
        self.before_skip: Callable[[int], None] = _skip_nothing  # a debugger steps past an address
        self.left_native: Callable[[], None] = _do_nothing  # devices have delayed calls
        self.on_change: Callable[[], None] = _do_nothing  # Python is about to change a register
        self._reported_at = NOWHERE  # the pc of the last reported stop at a watchpoint
        self._slots = Block(SLOT_POOL)
        self._pages = Block(8 * machine.pages)
        self._scratch = Block(SLOTS_SIZE)
        hart = self.view
        hart.hart_id = number
        hart.young_passed = AWAY
        hart.break_skip = hart.watch_skip = hart.ebreak_skip = NOWHERE
        hart.machine = machine.address
        hart.slot_pool, hart.slot_pool_size = self._slots.address, SLOT_POOL
        hart.slot_pages = self._pages.address
        self._fill_scratch(int(machine.view.page_end_handler))
        table.attach(hart)
        machine.view.harts[number] = self.address
        machine.view.hart_count = max(int(machine.view.hart_count), number + 1)
        self._find_fields()
        self._attention_address = self.address + HartState.fields["attention"].offset
        wake = int(machine.view.wake_fn)
        self._wake = _WAKE(wake) if wake else _nobody_sleeps

    def _find_fields(self) -> None:
        """Make objects for fields that other threads write or that are read often."""
        self.attention = self.field("attention")
        self.stop_code = self.field("stop")
        self.stop_request = self.field("stop_request")
        self.abandon = self.field("abandon")
        self.timeline_ring = self.field("timeline_ring")
        self.mmio_error = self.field("mmio_error")
        self.delayed = self.field("delayed")
        self.hook_held = self.field("hook_held")
        self.budget = self.field("budget")
        self.yields = self.field("yields")
        self.limit = self.field("limit")
        self.instret_base = self.field("instret_base")
        self.deadline = self.field("deadline")
        self.slice_start = self.field("slice_start")
        self.sleeps = self.field("sleeps")
        self.idle_since = self.field("idle_since")
        self.nested_traps = self.field("nested_traps")
        self._waiting = self.field("waiting")
        self._asleep_ns = self.field("asleep_ns")
        self._resync = self.field("resync")
        self._lines = self.field("irq_lines")
        self._rnmi_lines = self.field("rnmi_lines")

    def _fill_scratch(self, page_end: int) -> None:
        first = self._scratch.address + SLOT_HEADER
        (ctypes.c_uint64 * (2 * 2049)).from_address(first)[::2] = [page_end] * 2049
        self.view.scratch_slots = first

    # --- from other threads ---

    def set_line(self, bit: int, level: bool) -> None:
        """Drive a bit of mip, or from RNMI on an RNMI, from any thread under the bus lock."""
        field = self._lines
        if bit >= RNMI:
            if not self.plain.has_smrnmi:
                return
            field, bit = self._rnmi_lines, bit - RNMI
        elif self.timeline_ring.value:
            self.plain.timeline_driven[bit] = time.monotonic_ns() if level else 0
        lines = field.value
        field.value = lines | 1 << bit if level else lines & ~(1 << bit)
        self.alert()

    def alert(self) -> None:
        """Make the hart check its lines, timers and requests soon (hart/sleep.py). The caller has
        changed them before: the fence makes the change visible before `attention`."""
        barrier()
        self.attention.value = 1
        self._wake(self._attention_address, 0, 0, 0)
        if self.wake is not None:
            self.wake.set()

    def request_stop(self) -> None:
        """Make the hart leave native code soon; after a device access in progress, at once."""
        self.stop_request.value = 1
        self.alert()

    # --- of its own thread ---

    def enter(self, run: Callable[[int], None]) -> int:
        """Run native code for the instructions that `allow` set; returns hart.stop."""
        began, slept = time.perf_counter_ns(), self.asleep_ns
        self.go(run)
        self.ran_ns += time.perf_counter_ns() - began - (self.asleep_ns - slept)
        return int(self.stop_code.value)

    def go(self, run: Callable[[int], None]) -> None:
        """Like `enter`, without measuring the time. It continues at watchpoints whose conditions
        don't hold or that were reported at this pc, and after the handlers of hooks."""
        self._go(run)
        if self.timeline_ring.value:
            self.plain.timeline_left_retired = self.retired
            self.plain.timeline_left = time.monotonic_ns()
        if self.meets is not None:
            self.hook_held.value = 0
        if self.delayed.value:
            self.left_native()

    def _go(self, run: Callable[[int], None]) -> None:
        reported_at, self._reported_at = self._reported_at, NOWHERE
        here = reported_at != NOWHERE and reported_at == int(self.plain.pc)
        goes_on = not here or self._pass_over(run)
        if goes_on:
            run(self.address)
        while self.stop_code.value == STOP_BREAK and self.meets is not None:
            verdict = self.meets()
            if verdict == STOPS:
                return
            if verdict == LEAVES:
                self.stop_code.value = STOP_LIMIT
                return
            if verdict == GOES_ON or self._pass_over(run):
                run(self.address)

    def _pass_over(self, run: Callable[[int], None]) -> bool:
        """Execute one instruction without its watchpoints and without taking an interrupt first;
        returns whether the hart can continue."""
        plain, left = self.plain, self.left
        plain.break_skip = plain.watch_skip = pc = int(plain.pc)
        plain.interrupts_held = 1
        self.allow(1)
        run(self.address)
        plain.interrupts_held = 0
        plain.break_skip = plain.watch_skip = NOWHERE
        done = 1 - self.left
        if not done:  # a request to stop came first
            self._reported_at = pc
        self.allow(left - done)
        return self.stop_code.value == STOP_LIMIT and self.left > 0

    def skip_here(self, watchpoints: bool) -> None:
        """Skip the breakpoints at hart.pc, and if `watchpoints` is set its watchpoints, until the
        instruction has run: a stop there was reported."""
        self.plain.break_skip = pc = int(self.plain.pc)
        if watchpoints:
            self._reported_at = pc

    def forget_reported(self) -> None:
        """The hart has gone to another place: nothing that it reported counts."""
        self.plain.break_skip = self.plain.ebreak_skip = self._reported_at = NOWHERE

    def skip_nothing_else(self) -> None:
        """Before a run, drop the skip of breakpoints unless the hart is still at that pc."""
        self.stop_asked = None
        if int(self.plain.break_skip) != int(self.plain.pc):
            self.plain.break_skip = NOWHERE

    def after_device(self) -> None:
        """End a device access by this hart: its changes take effect at the next instruction."""
        self._resync.value = 1
        if self.stop_request.value:
            self.stop_code.value = STOP_REQUEST

    def allow(self, count: int) -> None:
        """Limit the next run to `count` instructions, including the rest of the budget."""
        self.limit.value = count - self.budget.value

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
    def waiting(self) -> bool:
        """Whether the hart waits in WFI."""
        return bool(self._waiting.value)

    @waiting.setter
    def waiting(self, value: bool) -> None:
        self._waiting.value = int(value)
        self.idle_since.value = 0

    @property
    def asleep_ns(self) -> int:
        """The time that the hart's thread has slept in WFI since it was built."""
        return int(self._asleep_ns.value)

    @property
    def left(self) -> int:
        """The number of instructions left of those that `allow` set."""
        return int(self.limit.value + self.budget.value)

    @property
    def retired(self) -> int:
        """Retired instructions since the last reset."""
        return int(self.instret_base.value - self.budget.value) & MASK64
