"""The part of `Device` that makes a device native."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import rvplat.bus.natives.words  # noqa: F401 (adds the methods of records)
from rvplat.bus.natives.alarms import DeviceAlarm
from rvplat.bus.natives.layout import build_layout
from rvplat.bus.natives.methods import Bound, NativeMethod
from rvplat.bus.natives.records import ALARMS, LINES, BusState, DeviceState, Memory, State
from rvplat.lang import Record, u64


class NativeParts:
    """The record of a native device, and its definitions for Python."""

    #: Whether it is native although it has neither a definition nor a `State` row: harts then read
    #: and write its plain registers without Python.
    is_native: ClassVar[bool] = False
    #: The alarms of a native device, each with the name of the method that is called when it rings.
    alarms: ClassVar[Mapping[str, str]] = {}
    #: The record of a native device's class. None if it is not native.
    layout: ClassVar[Record | None] = None
    #: The Python methods that its definitions can ask for, with their bits in `BusState`.
    later: ClassVar[dict[str, int]] = {}

    lines: Any
    wiring: Any
    native_state: Memory
    bound: dict[str, Bound]
    #: Called after a definition that Python has run: harts may have to look.
    ran: Callable[[], None] | None = None
    #: Sleep while the word at a host address is 0, and wake who sleeps so (futexes). None without a
    #: machine.
    sleep_on: Callable[[int], object] | None = None
    wake_on: Callable[[int], object] | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.layout = build_layout(cls)

    def build_native(self) -> None:
        """Make the device's record, and connect its lines and alarms to it."""
        layout = self.layout
        if layout is None:
            return
        self.native_state = Memory(layout, self)
        self._plain = self.native_state.plain
        bus_at = self.native_state.address + DeviceState.fields["bus"].offset
        self._called_at = bus_at + BusState.fields["called"].offset
        self._depth = 0
        self.timers = {name: DeviceAlarm(self, method) for name, method in self.alarms.items()}
        for name, owned in {**self.lines, **self.timers}.items():
            owned.state.plain.owner = self.native_state.address
            setattr(self._plain, name, owned.state.address)
            setattr(self, name, owned)
        self._called = threading.Event()
        methods = layout.methods.items()
        self.bound = {n: Bound(self, m) for n, m in methods if isinstance(m, NativeMethod)}

    def reset_native(self) -> None:
        """Set the fields that are no registers to zero, and switch the alarms off."""
        if self.layout is None:
            return
        for row in (row for one in type(self).__mro__ for row in vars(one).get("state", ())):
            if isinstance(row, State) and not row.lasting:
                setattr(self, row.name, [0] * row.count if row.count else 0)
        for timer in self.timers.values():
            timer.stop()

    # ---- the words of definitions, for Python

    def now(self) -> u64:
        """The platform's time in ticks."""
        return u64(self.wiring.clock.now())

    def wall_ns(self) -> u64:
        """The time of day: nanoseconds since 1970-01-01 UTC."""
        return u64(self.wiring.clock.wall_ns())

    def set_hart_line(self, hart: int, bit: int, level: bool) -> None:
        """For interrupt controllers: drive a bit of a hart's `mip`, or from RNMI on an RNMI."""
        self.wiring.set_hart_line(hart, bit, level)

    def set_timer(self, hart: int, mtimecmp: int) -> None:
        """Set what a hart compares `mtime` with."""
        self.wiring.set_timer(hart, mtimecmp)

    def ram(self, pa: int, size: int) -> u64:
        """The host address of RAM, for writing; 0 if the bytes are not all in RAM."""
        found = self.ram_to_read(pa, size)
        if int(found):
            self.wiring.memory.will_write(pa, size)
        return found

    def ram_to_read(self, pa: int, size: int) -> u64:
        """The host address of RAM, for reading; 0 if the bytes are not all in RAM."""
        return u64(self.wiring.memory.host_address(pa, size))

    def ram_written(self, pa: int, size: int) -> bool:
        """Tell the harts, and devices in that memory, that RAM was written."""
        self.wiring.memory.written(pa, size)
        return False

    def call_thread(self) -> None:
        """Wake the device's own thread. Any thread may call it."""
        self._plain.bus.called = 1
        self._called.set()
        if self.wake_on is not None:
            self.wake_on(self._called_at)

    def hold(self) -> bool:
        """Keep harts and other threads out until `release`."""
        self.wiring.lock.__enter__()
        return True

    def release(self) -> None:
        """Undo `hold`."""
        self.wiring.lock.__exit__()

    # ---- for the device's own thread

    def wait_for_call(self) -> None:
        """Wait until a definition or Python has called `call_thread` since the last wait."""
        bus = self._plain.bus
        while not bus.called:
            if self.sleep_on is not None:
                self.sleep_on(self._called_at)
            else:
                self._called.wait()
                self._called.clear()  # else a call between two waits would let this one spin
        bus.called = 0

    # ---- running definitions

    def begin_definition(self) -> None:
        """Keep harts out while Python runs a definition."""
        self.wiring.lock.shut()
        self._depth += 1

    def end_definition(self) -> None:
        """Do what the definition has asked for, unless another one is still running."""
        try:
            self._depth -= 1
            if not self._depth:
                self.run_asked()
        finally:
            self.wiring.lock.open()
        if self.ran is not None:
            self.ran()

    def run_asked(self) -> None:
        """Run the Python methods that definitions have asked for. Called under the bus lock."""
        bus = self._plain.bus
        while asked := bus.asked | bus.delayed:
            bus.asked = bus.delayed = 0
            if asked & LINES:
                for line in self.lines.values():
                    line.pass_on()
            if asked & ALARMS:
                for alarm in self.timers.values():
                    alarm.arm()
            for name, bit in self.later.items():
                if asked >> bit & 1:
                    getattr(self, name)()
