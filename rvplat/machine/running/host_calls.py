"""Semihosting calls: what a hart does at the ebreak of the sequence that the specification gives.

    slli x0, x0, 0x1f     ebreak     srai x0, x0, 7

The ebreak is not retired, as any other. Other ebreaks never come here if no device takes calls.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from rvplat.bus.failures import RAISED
from rvplat.bus.host_calls import HostCalls
from rvplat.errors import BusError, RecordingError
from rvplat.hart.host_calls import CALL_AGAIN, CALL_DONE, NO_CALL
from rvplat.isa.privileged import MACHINE, PAGE_BYTES, SUPERVISOR, USER
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.schedule import Place
from rvplat.machine.running.system import System

SEQUENCE = b"".join(word.to_bytes(4, "little") for word in (0x01F01013, 0x00100073, 0x40705013))
A0, A1 = 10, 11
FAILED = -1
WAIT_S = 0.01  # of a call that waits for input, before the hart looks around and calls again
#: The bit of a mode in `hart.calls_from`.
MODE_BITS = {"M": MACHINE, "S": SUPERVISOR, "U": USER, "VS": SUPERVISOR + 4, "VU": USER + 4}
_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


class HartCaller:
    """A hart at an ebreak, for a device."""

    def __init__(self, machine: System, hart: Hart, device: HostCalls) -> None:
        self._machine = machine
        self._hart = hart
        self._device = device
        self._mask = (1 << machine.board.harts.xlen) - 1
        self.width = machine.board.harts.xlen // 8
        self.operation = int(hart.view.x[A0]) & self._mask
        self.parameter = int(hart.view.x[A1]) & self._mask

    def is_call(self) -> bool:
        """Whether the ebreak stands in the sequence. It is in one page where pages are mapped, so
        that no other page is needed to see it."""
        start = int(self._hart.view.pc) - 4 & self._mask
        try:
            return self.read(start, len(SEQUENCE)) == SEQUENCE
        except BusError:
            return False

    def answer(self, value: int) -> None:
        """Set a0."""
        self._hart.view.x[A0] = value & self._mask

    def read(self, address: int, size: int) -> bytes:
        found = bytearray()
        with self._machine.assembly.lock:
            for pa, length in self._parts(address, size):
                found += self._machine.memory.read(pa, length)
        return bytes(found)

    def write(self, address: int, data: bytes) -> None:
        at = 0
        with self._machine.assembly.lock:
            for pa, length in self._parts(address, len(data)):
                self._machine.memory.write(pa, data[at : at + length])
                at += length

    def _parts(self, address: int, size: int) -> list[tuple[int, int]]:
        """(physical address, number of bytes) in each page. All are translated first."""
        translate = self._machine.export("debug_translate")
        found = []
        while size > 0:
            at = address & self._mask
            length = min(size, PAGE_BYTES - at % PAGE_BYTES)
            place = translate(self._hart.address, at)
            if not place.mapped:
                raise BusError(f"virtual address {at:#x} is not mapped")
            found.append((int(place.pa), length))
            address, size = at + length, size - length
        return found

    def from_host(self, ask: Callable[[], bytes]) -> bytes:
        turns = self._machine.turns
        if turns.virtual is None:
            return ask()
        if turns.inbox.replays:
            if not self._device.answers:
                raise RecordingError(
                    "the replay makes a call to the host that the recorded one did not make"
                )
            return self._device.answers.pop(0)
        found = ask()
        work = turns.schedule.work + turns.schedule.chunk - self._hart.left
        turns.inbox.note(Place(work, 0, self._hart.number), source_of(self._device), found)
        return found


def source_of(device: HostCalls) -> str:
    """The name under which the inbox knows what a device gets from the host."""
    return f"{device.wiring.name}: host"


def called_devices(machine: System) -> list[str]:
    """The names of the devices that harts call."""
    return [name for name, one in machine.devices.items() if isinstance(one, HostCalls)]


class HostCallPort:
    """Lets harts call the device that takes calls, if the board has one. (It has no second one: the
    board was checked.)"""

    def __init__(self, machine: System) -> None:
        self._machine = machine
        found = [machine.devices[name] for name in called_devices(machine)]
        self._device = found[0] if found and isinstance(found[0], HostCalls) else None
        self._function = _CALL(self._call)
        self._busy = threading.Lock()
        self._input = threading.Event()
        if self._device is not None:
            self._device.wiring.console.on_input = self._input.set
            machine.native.view.host_call_fn = ctypes.cast(self._function, ctypes.c_void_p).value
            if machine.turns.virtual is not None:
                machine.turns.inbox.sources[source_of(self._device)] = self._arrived

    def attach(self, hart: Hart) -> None:
        """Let a hart call from the modes that may."""
        if self._device is not None:
            hart.view.calls_from = sum(1 << MODE_BITS[mode] for mode in set(self._device.modes))

    def _arrived(self, data: bytes) -> None:
        assert self._device is not None
        self._device.answers.append(data)

    def _call(self, number: int, a: int, b: int, c: int) -> int:
        machine, device = self._machine, self._device
        assert device is not None
        hart = machine.harts[number]
        try:
            caller = HartCaller(machine, hart, device)
            if not caller.is_call():
                return int(NO_CALL)
            if machine.turns.virtual is not None:
                machine.turns.sync(hart)
            return self._serve(hart, caller, device)
        except BaseException as error:
            machine.fail(error)
            return int(CALL_DONE)

    def _serve(self, hart: Hart, caller: HartCaller, device: HostCalls) -> int:
        self._input.clear()
        try:
            with self._busy:
                value = device.call(caller)
        except RecordingError:
            raise
        except RAISED as error:
            pc = int(hart.view.pc)
            what = f"the call {caller.operation:#x}"
            self._machine.assembly.failures.note(what, error, device, hart.number, pc)
            value = FAILED
        if value is None:
            if not self._machine.turns.inbox.replays and not self._machine.requests:
                self._input.wait(WAIT_S)
            return int(CALL_AGAIN)
        caller.answer(value)
        return int(CALL_DONE)
