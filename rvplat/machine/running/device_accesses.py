"""Device accesses: host functions that native code calls for loads and stores outside RAM."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from rvplat.bus.device import Device
from rvplat.bus.failures import RAISED
from rvplat.bus.map import DeviceRaised
from rvplat.errors import BusError
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.host_calls import HostCallPort
from rvplat.machine.running.native_devices import NativeDevices
from rvplat.machine.running.system import System

_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class DeviceAccesses:
    """The host functions of a machine, (hart, pa, size, value) -> value. `models` are the device
    models that the machine's plugins brought."""

    def __init__(self, machine: System, models: Iterable[type[Device]]) -> None:
        self.machine = machine
        self._harts = machine.harts
        self._load, self._store = machine.bus.read, machine.bus.store
        self._virtual = machine.turns.virtual is not None
        self.devices = NativeDevices(machine, models)
        machine.stuck_in = self.devices.which
        self._calls = HostCallPort(machine)
        self._functions = {
            "mmio_read": _CALL(self._read),
            "mmio_write": _CALL(self._write),
            "mmio_touched": _CALL(self._touched),
            "mmio_asked": _CALL(self._asked),
            "mmio_delayed": _CALL(self._delayed),
        }

    def attach(self, hart: Hart) -> None:
        """Let a hart call the functions: read, write, notify a device of other changes in the part
        of RAM that it is carved out of, and run what native devices have asked for, at once or
        delayed."""
        for name, function in self._functions.items():
            setattr(hart.view, name, ctypes.cast(function, ctypes.c_void_p).value or 0)
        self._calls.attach(hart)
        hart.left_native = partial(self.devices.run_delayed, hart)

    def _read(self, number: int, pa: int, size: int, _: int) -> int:
        began = time.perf_counter_ns()
        hart = self._harts[number]
        value = 0
        try:
            if self._virtual:
                self.machine.turns.sync(hart)
            self.devices.run_delayed(hart)
            answer = self._load(pa, size)
            if not isinstance(answer, int):
                raise self._no_number(pa, size, answer)
            value = answer & (1 << 8 * size) - 1
        except BaseException as error:
            self._went_wrong(hart, error)
        if hart.attention.value:
            hart.after_device()
        hart.device_ns += time.perf_counter_ns() - began
        return value

    def _write(self, number: int, pa: int, size: int, value: int) -> int:
        began = time.perf_counter_ns()
        hart = self._harts[number]
        try:
            if self._virtual:
                self.machine.turns.sync(hart)
            self.devices.run_delayed(hart)
            self._store(pa, size, value & (1 << 8 * size) - 1)
        except BaseException as error:
            self._went_wrong(hart, error)
        if hart.attention.value:
            hart.after_device()
        hart.device_ns += time.perf_counter_ns() - began
        return 0

    def _touched(self, number: int, pa: int, size: int, _: int) -> int:
        """The hart has changed RAM that a device may be carved out of. This never faults."""
        hart = self._harts[number]
        try:
            if self._virtual:
                self.machine.turns.sync(hart)
            self.machine.bus.touched(pa, size)
        except BaseException as error:
            self._went_wrong(hart, error)
            hart.mmio_error.value = 0
        if hart.attention.value:
            hart.after_device()
        return 0

    def _asked(self, number: int, device: int, b: int, c: int) -> int:
        """An access of the hart is over, in which a native device has asked for Python."""
        began = time.perf_counter_ns()
        self._run(self._harts[number], device)
        self._harts[number].device_ns += time.perf_counter_ns() - began
        return 0

    def _delayed(self, number: int, a: int, b: int, c: int) -> int:
        """Native devices have delayed calls of Python."""
        self._run(self._harts[number], None)
        return 0

    def _run(self, hart: Hart, device: int | None) -> None:
        """Do what native devices have delayed, and then what one has asked for. What they raise is
        noted, and the guest goes on."""
        try:
            if self._virtual:
                self.machine.turns.sync(hart)
            self.devices.run_delayed(hart)
            if device is not None:
                self.devices.run_asked(device)
        except RAISED as error:
            owner = self.devices.devices[device] if device is not None else None
            failures = self.machine.assembly.failures
            failures.note("what an access asked for", error, owner, hart.number, int(hart.view.pc))
        except BaseException as error:
            self.machine.fail(error)
        if hart.attention.value:
            hart.after_device()

    def _went_wrong(self, hart: Hart, error: BaseException) -> None:
        """No device is at the address, or a device raised: the guest takes an access fault. Other
        errors end the run."""
        if not isinstance(error, BusError):
            self.machine.fail(error)
            return
        hart.mmio_error.value = 1
        if isinstance(error, DeviceRaised):
            cause, pc = error.__cause__ or error, int(hart.view.pc)
            failures = self.machine.assembly.failures
            failures.note(error.operation, cause, error.device, hart.number, pc)

    def _no_number(self, pa: int, size: int, answer: object) -> BusError:
        """The error for a device whose read returned something other than a number."""
        window = self.machine.bus.window_at(pa)
        if window is None:
            return BusError(f"no number at {pa:#x}")
        raised = DeviceRaised(f"a load of {size} at {pa:#x}", window[1])
        raised.__cause__ = TypeError(f"it answered {answer!r}, expected a number")
        return raised
