"""Build a board's devices, memory and interrupt wires: the machine without its harts."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rvplat.bus.clock import Clock, HostClock, VirtualClock
from rvplat.bus.device import Device, InterruptController, Power, Progress, Wiring
from rvplat.bus.failures import Failures, watch_threads
from rvplat.bus.interrupts import Input, Line
from rvplat.bus.lock import BusLock
from rvplat.bus.map import AddressMap
from rvplat.bus.ram import Memory, Ram
from rvplat.errors import BusError, DeviceError, RvplatError
from rvplat.frozen import frozen
from rvplat.machine.boards.board import Board, BoardDevice
from rvplat.machine.boards.model_errors import model_errors
from rvplat.machine.loading.devicetree import Chosen, device_tree
from rvplat.machine.loading.fdt import Node
from rvplat.machine.running.console import HostConsole

log = logging.getLogger("rvplat.machine")

WORD_BYTES = 8


@frozen
class Ports:
    """The functions of the machine that devices call: the harts' inputs and the power switch.

    `set_line(hart, bit, level)` drives a bit of `mip`, `set_timer(hart, mtimecmp)` arms a hart's
    timer, `power(what, code)` ends or restarts the run. All are called under the bus lock.
    `progress()` returns how far the harts have run.
    """

    set_line: Callable[[int, int, bool], None]
    set_timer: Callable[[int, int], None]
    power: Callable[[Power, int], None]
    progress: Callable[[], Progress]


@dataclass
class Assembly:
    """The result of `assemble`. `lock` is the bus lock, under which every device runs."""

    board: Board
    lock: BusLock
    clock: Clock
    memory: Memory
    map: AddressMap
    devices: dict[str, Device] = field(default_factory=dict)
    #: The errors that the devices' code raised while the machine ran.
    failures: Failures = field(default_factory=Failures)
    #: The terminal's console, and each device's console by the name of the device.
    console: HostConsole = field(default_factory=HostConsole)
    consoles: dict[str, HostConsole] = field(default_factory=dict)

    def device_tree(self, chosen: Chosen | None = None) -> Node:
        """The device tree, with the loader's values in `chosen`."""
        return device_tree(self.board, self.devices, chosen)

    def reset(self) -> None:
        """Reset every device as at power-on; memory keeps its contents. Interrupt controllers are
        reset first, so that they keep the levels that devices drive in their own resets."""
        with self.lock:
            controllers_first = sorted(
                self.devices.items(), key=lambda item: not isinstance(item[1], InterruptController)
            )
            for name, device in controllers_first:
                with model_errors(type(device), name, "resetting"):
                    device.reset()

    def close(self) -> None:
        """Release the host's resources of the devices and the clock, all of them even after errors.

        Raises:
            PluginError: a device's own code raised; the log has the errors of further devices.
            DeviceError: a device could not finish its work, for instance on a full disk.
        """
        failures: list[RvplatError] = []
        for console in (self.console, *self.consoles.values()):
            console.disconnect()
        with self.lock:
            for name, device in self.devices.items():
                try:
                    with model_errors(type(device), name, "closing"):
                        device.close()
                except RvplatError as error:
                    failures.append(error)
            self.devices.clear()
        self.clock.close()
        for other in failures[1:]:
            log.error("%s", other)
        if failures:
            raise failures[0]

    def abandon(self) -> None:
        """Close after another error, which the caller reports: errors of closing are only
        logged."""
        try:
            self.close()
        except RvplatError as error:
            log.error("%s", error)


def assemble(
    board: Board,
    ports: Ports,
    console: HostConsole | None = None,
    symbols: Mapping[str, int] | None = None,
) -> Assembly:
    """Build a board. `symbols` are those of the program, for devices carved out of RAM.

    Raises:
        HostError: the host lacks the memory.
        DeviceError: a device cannot get a resource of the host.
        PluginError: a device's own code raised.
    """
    lock = console.lock if console is not None else BusLock()
    hz = board.general.timebase_hz
    clock = HostClock(hz, lock) if board.general.clock == "host" else VirtualClock(hz, lock)
    memory = Memory()
    for name, region in board.memory.items():
        memory.add(Ram(region.base, region.size, name))
    assembly = Assembly(board, lock, clock, memory, AddressMap(memory, lock))
    assembly.console = console if console is not None else HostConsole(lock)
    assembly.console.failures = clock.failures = assembly.failures
    watch_threads()
    try:
        _build_devices(assembly, ports, symbols or {})
    except BaseException:
        assembly.abandon()
        raise
    return assembly


def _build_devices(assembly: Assembly, ports: Ports, symbols: Mapping[str, int]) -> None:
    board = assembly.board
    lines: dict[str, dict[str, Line]] = {}
    for name, declared in board.devices.items():
        device = _at_symbols(declared, symbols) if declared.base is None else declared
        lines[name] = {line: Line(f"{name}.{line}") for line in device.model.interrupts}
        wiring = _wiring(assembly, device, ports, lines[name])
        with model_errors(device.model, name, "building"):
            built = device.model(device.settings, wiring)
        assembly.devices[name] = built
        if device.base is not None:
            assembly.map.attach(device.base, built, device.size)
    for name, device in board.devices.items():
        for line, number in zip(lines[name].values(), device.interrupts, strict=False):
            line.connect(Input(controller_of(assembly, device), number))


def _wiring(
    assembly: Assembly, device: BoardDevice, ports: Ports, lines: dict[str, Line]
) -> Wiring:
    return Wiring(
        name=device.name,
        lock=assembly.lock,
        lines=lines,
        memory=assembly.memory,
        clock=assembly.clock,
        console=_console(assembly, device),
        power=ports.power,
        harts=assembly.board.harts.count,
        set_hart_line=ports.set_line,
        set_timer=ports.set_timer,
        progress=ports.progress,
        failures=assembly.failures,
        backing=_backing(assembly, device),
    )


def _backing(assembly: Assembly, device: BoardDevice) -> memoryview | None:
    """The RAM that a device is carved out of.

    Raises:
        DeviceError: there is no RAM at its address.
    """
    if device.base is None or not device.carved:
        return None
    try:
        return assembly.memory.view(device.base, device.size)
    except BusError:
        raise DeviceError(_outside(assembly, device)) from None


def _outside(assembly: Assembly, device: BoardDevice) -> str:
    """The message for a carved device outside RAM: its place, where that was set, and a remedy."""
    assert device.base is not None
    regions = ", ".join(f"{one.base:#x} to {one.end - 1:#x}" for one in assembly.memory.regions)
    declared = assembly.board.devices[device.name].base
    who, change = f"devices.{device.name}.base", "change it"
    if declared is None:
        who = "what the program's symbols say"
        change = "link the program for this board's memory"
    return (
        f"devices.{device.name}: {device.model.model} is a part of RAM, and {device.base:#x} to "
        f"{device.base + device.size - 1:#x} ({who}) is not in RAM ({regions}): {change}"
    )


def _at_symbols(device: BoardDevice, symbols: Mapping[str, int]) -> BoardDevice:
    """Move a device to the program's symbols that have the names of its settings, which are
    offsets.

    The window is as small as possible: the program's data beside it stays plain RAM.
    """
    names = [one.name for one in dataclasses.fields(device.settings) if one.name in symbols]
    if not names or not device.model.has_window:
        return device
    base = min(symbols[name] for name in names)
    offsets = {name: symbols[name] - base for name in names}
    size = max(offsets.values()) + WORD_BYTES
    fields = {one.name for one in dataclasses.fields(device.settings)}
    rest = {"window": max(size, 2 * WORD_BYTES)} if "window" in fields else {}
    settings = dataclasses.replace(device.settings, **offsets, **rest)
    return dataclasses.replace(
        device, base=base, size=device.model.window(settings), settings=settings
    )


def console_device(board: Board) -> str | None:
    """The terminal's device: that of `chosen.stdout`, else the first that uses a console."""
    if board.chosen.stdout is not None:
        return board.chosen.stdout
    names = (name for name, device in board.devices.items() if device.model.uses_console)
    return next(names, None)


def _console(assembly: Assembly, device: BoardDevice) -> HostConsole:
    """The terminal's console for the terminal's device; a new console for any other."""
    main = device.name == console_device(assembly.board)
    console = assembly.console if main else HostConsole(assembly.lock)
    console.failures = assembly.failures
    console.name = device.name
    if device.model.uses_console:
        assembly.consoles[device.name] = console
    return console


def controller_of(assembly: Assembly, device: BoardDevice) -> InterruptController:
    """The interrupt controller of a device's lines. A checked board always has one."""
    names = [device.controller] if device.controller else list(assembly.devices)
    for name in names:
        found = assembly.devices[name]
        if isinstance(found, InterruptController):
            return found
    raise LookupError(f"devices.{device.name} has no interrupt controller")
