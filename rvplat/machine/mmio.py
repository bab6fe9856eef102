"""Device accesses: what native code calls when a hart's load or store meets no RAM."""

from __future__ import annotations

import ctypes
import logging
import time
from typing import Any

from rvplat.errors import BusError
from rvplat.machine.system import System

log = logging.getLogger("rvplat.bus")
_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class Mmio:
    """The two host functions of a machine, (hart, pa, size, value) -> value."""

    def __init__(self, machine: System) -> None:
        self.machine = machine
        self._harts = machine.harts
        self._load, self._store = machine.bus.read, machine.bus.write
        self._virtual = machine.turns.virtual is not None
        self._functions = _CALL(self._read), _CALL(self._write)

    @property
    def addresses(self) -> tuple[int, int]:
        """The host addresses of the functions that read and write."""
        read, write = (ctypes.cast(one, ctypes.c_void_p).value or 0 for one in self._functions)
        return read, write

    def _read(self, number: int, pa: int, size: int, _: int) -> int:
        began = time.perf_counter_ns()
        hart = self._harts[number]
        value = 0
        try:
            if self._virtual:
                self.machine.turns.sync(hart)
            value = self._load(pa, size) & (1 << 8 * size) - 1
        except BusError:
            hart.mmio_error.value = 1
        except TypeError:
            log.error("a load at %#x was answered with something else than a number", pa)
            hart.mmio_error.value = 1
        except BaseException as error:
            self.machine.fail(error)
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
            self._store(pa, size, value & (1 << 8 * size) - 1)
        except BusError:
            hart.mmio_error.value = 1
        except BaseException as error:
            self.machine.fail(error)
        if hart.attention.value:
            hart.after_device()
        hart.device_ns += time.perf_counter_ns() - began
        return 0
