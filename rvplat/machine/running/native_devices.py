"""Native devices of a machine: their code, their registers' rows (hart/ports.py), and the calls
between them and Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rvplat.bus.clock import VirtualClock
from rvplat.bus.device import Device
from rvplat.bus.interrupts import Input
from rvplat.bus.map import Range
from rvplat.bus.natives.methods import NativeMethod
from rvplat.bus.registers import Register, writable_mask
from rvplat.engine.device_code import DeviceClass, load_devices
from rvplat.errors import BusError, DefinitionError
from rvplat.frozen import frozen
from rvplat.hart.ports import (
    INDEXED,
    PLAIN_READ,
    READABLE,
    READS_TIME,
    WRITABLE,
    WRITES_TIME,
    PortRow,
)
from rvplat.hart.sleep import LONGEST_NS
from rvplat.lang import LanguageError
from rvplat.machine.running.native_records import NativeHart
from rvplat.machine.running.system import System

if TYPE_CHECKING:
    from rvplat.lang.native.native_code import NativeCode

SHIPPED = "rvplat_plugins."
_ARGUMENTS = [ctypes.c_uint64] * 4
_KEEPS_GIL: Any = ctypes.PYFUNCTYPE(ctypes.c_uint64, *_ARGUMENTS)
_FREES_GIL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *_ARGUMENTS)


@frozen
class _Way:
    """How native code reads or writes a register: a function, 0 for an access to the field."""

    function: int = 0
    tells_time: bool = False


class NativeDevices:
    """The native devices of a machine, in the order of their numbers."""

    def __init__(self, machine: System, models: Iterable[type[Device]]) -> None:
        self.machine = machine
        found = machine.devices.values()
        self.devices = [device for device in found if device.layout is not None]
        self._codes: dict[type[Device], tuple[DeviceClass, NativeCode]] = {}
        self._rows: Any = None
        self._load(models)

    # --- code ---

    def _load(self, models: Iterable[type[Device]]) -> None:
        """Load the code of the classes of the devices. That of all shipped classes is one part, so
        that it is the same for every board."""
        used = dict.fromkeys(type(device) for device in self.devices)
        shipped = [one for one in models if one.layout is not None and _is_shipped(one)]
        shipped += [one for one in used if _is_shipped(one) and one not in shipped]
        if any(one in used for one in shipped):
            shipped.sort(key=lambda one: one.model)
            self._load_part("devices", shipped, "the devices")
        for kind in used:
            if not _is_shipped(kind):
                self._load_part(f"device-{kind.__name__}", [kind], f"the device {kind.model}")

    def _load_part(self, name: str, kinds: list[type[Device]], what: str) -> None:
        classes = [_described(kind) for kind in kinds]
        try:
            code = load_devices(self.machine.core, name, classes, what)
        except (LanguageError, RecursionError) as error:
            raise DefinitionError(str(error)) from error
        self._codes |= {k: (c, code) for k, c in zip(kinds, classes, strict=True)}

    def _address(self, kind: type[Device], what: str, name: str) -> int:
        """The host address of a function of a class; 0 if there is none."""
        described, code = self._codes[kind]
        symbol = described.symbol(what, name)
        return code.address(symbol) if symbol in code else 0

    # --- connections ---

    def connect(self) -> None:
        """Let harts and Python use the native code. Called under the bus lock, with the harts."""
        native = self.machine.native.view
        native.gate = self.machine.assembly.lock.gate.address
        for number, device in enumerate(self.devices):
            bus = device.native_state.plain.bus
            bus.machine, bus.number = self.machine.native.address, number
            self._connect_methods(device)
        for device in self.devices:
            self._connect_lines(device)
        rows = [
            row for window, device in self.machine.bus.windows for row in self._of(window, device)
        ]
        self._rows = (PortRow.structure() * max(len(rows), 1))(*rows)
        native.port_rows, native.port_count = ctypes.addressof(self._rows), len(rows)

    def _connect_methods(self, device: Device) -> None:
        kind = type(device)
        keeps_gil = _is_shipped(kind)
        for name, bound in device.bound.items():
            address = self._address(kind, "call", name)
            if address and bound.method.unlocked:
                bound.call = self._unlocked_caller(device, _FREES_GIL(address))
            elif address:
                make = _KEEPS_GIL if keeps_gil else _FREES_GIL
                bound.call = self._caller(device, make(address))
        device.ran = self._wake
        native = self.machine.native.view
        sleep, wake = _FREES_GIL(int(native.wait_fn)), _KEEPS_GIL(int(native.wake_fn))
        device.sleep_on = lambda address: sleep(address, 0, LONGEST_NS, 0)
        device.wake_on = lambda address: wake(address, 0, 0, 0)

    def _unlocked_caller(self, device: Device, function: Callable[..., int]) -> Callable[..., int]:
        """A Python function that calls native code of a device beside the harts."""
        address, where = device.native_state.address, self.machine.harts[0].address
        return lambda a=0, b=0: function(address, a, b, where)

    def _caller(self, device: Device, function: Callable[..., int]) -> Callable[..., int]:
        """A Python function that calls native code of a device while harts are kept out."""
        bus, clock = device.native_state.plain.bus, device.wiring.clock
        address, hart = device.native_state.address, self.machine.harts[0]
        where, error = hart.address, hart.field("port_error")

        def call(a: int = 0, b: int = 0) -> int:
            bus.ticks = clock.now()
            value = function(address, a, b, where)
            if error.value:
                error.value = 0
                raise BusError(f"{device.wiring.name} refused")
            return value

        return call

    def _wake(self) -> None:
        """A definition that Python ran may have raised an interrupt of a hart that waits."""
        if not self.machine.turns.wake.is_set():
            self.machine.turns.wake.set()

    def _connect_lines(self, device: Device) -> None:
        """Let definitions drive lines to controllers whose `set_input` is native."""
        for line in device.lines.values():
            sink = line.sink
            controller = sink.controller if isinstance(sink, Input) else None
            if isinstance(controller, Device) and controller.layout is not None:
                state = line.state.plain
                state.sink = self._address(type(controller), "call", "set_input")
                state.controller, state.number = controller.native_state.address, sink.number

    # --- rows ---

    def _of(self, window: Range, device: Device) -> Iterator[Any]:
        """The rows of a device's registers that native code can access."""
        if device.layout is None:
            return
        rows = [row for row in device.rows() if isinstance(row, Register)]
        for row in rows:
            read, write = self._way(device, row, "read"), self._way(device, row, "write")
            flags = INDEXED if row.count else 0
            if read is not None and (read.function if row.behind else row.readable):
                flags |= READABLE
            if write is not None and (write.function if row.behind else row.writable):
                flags |= WRITABLE
            if not flags & (READABLE | WRITABLE):
                continue
            flags |= READS_TIME if read and read.tells_time else 0
            flags |= WRITES_TIME if write and write.tells_time else 0
            flags |= PLAIN_READ if read and not read.function else 0
            widths = [w for w in row.widths if w >= row.width or (read and write)]
            field, address = device.layout.fields.get(row.attribute), device.native_state.address
            place, size = (address + field.offset, field.stride) if field else (0, 0)
            yield PortRow.structure()(
                window.base + row.offset, row.stride, max(row.count, 1), row.width, sum(widths),
                writable_mask(rows, row), address, read.function if read else 0,
                write.function if write else 0, place, size, flags,
            )  # fmt: skip

    def _way(self, device: Device, row: Register, way: str) -> _Way | None:
        """How native code reads or writes a register; None if Python does it."""
        kind, name = type(device), f"{way}_{row.attribute}"
        method = getattr(kind, name, None)
        if isinstance(method, NativeMethod):
            function = self._address(kind, "call", name)
            return _Way(function, self._address(kind, "time", name) != 0) if function else None
        assert device.layout is not None
        is_field = method is None and row.attribute in device.layout.fields
        return _Way() if is_field else None

    def which(self, hart: NativeHart) -> Device | None:
        """The device in whose definition a loop was ended for a hart. None if it was an
        instruction's."""
        address, hart.view.in_device = int(hart.view.in_device), 0
        found = (one for one in self.devices if one.native_state.address == address)
        return next(found, None)

    # --- calls from harts ---

    def run_asked(self, number: int) -> None:
        """Run what the definitions of a device have asked for."""
        with self.machine.assembly.lock:
            self.devices[number].run_asked()

    def run_delayed(self, hart: NativeHart) -> None:
        """Run what devices that a hart has accessed have delayed."""
        if not hart.delayed.value:
            return
        hart.delayed.value = 0
        for device in self.devices:
            if device.native_state.plain.bus.delayed:
                with self.machine.assembly.lock:
                    device.run_asked()


def _described(kind: type[Device]) -> DeviceClass:
    """A class for the engine. DefinitionError if harts can't call a register's definition."""
    assert kind.layout is not None
    for row in (one for one in kind.registers if isinstance(one, Register)):
        for way, others in (("read", []), ("write", ["value"])):
            wanted = ["self", *(["index"] if row.count else []), *others]
            method = getattr(kind, f"{way}_{row.attribute}", None)
            if not isinstance(method, NativeMethod):
                continue
            if way == "read" and method.signature.returns is None:
                raise DefinitionError(
                    f"{method.place}: {method.name} returns nothing; a definition that reads "
                    f"{row.name} returns a number, as in -> u{8 * row.width}"
                )
            if len(method.signature.names) != len(wanted):
                raise DefinitionError(
                    f"{method.place}: {method.name} takes ({', '.join(method.signature.names)}); a "
                    f"definition that {way}s {row.name} takes ({', '.join(wanted)})"
                )
    return DeviceClass(kind.__qualname__, kind.__module__, kind.layout)


def _is_shipped(kind: type) -> bool:
    return kind.__module__.startswith(SHIPPED)


def clock_epoch(clock: object) -> int:
    """The record's `epoch_ns` for a clock."""
    return clock.epoch_ns + 1 if isinstance(clock, VirtualClock) else 0
