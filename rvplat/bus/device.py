"""The base of all device models. A device uses offsets, sizes, its interrupt lines, memory and the
clock. It never uses its address, a hart or the machine.

    class Lamp(Device):
        "A row of eight lamps."
        model = "lamp"
        compatible = ("example,lamp",)
        size = 0x100
        registers = (Register(0x0, "LAMPS", "ON[7:0]", width=1),)

A class declares the model. The machine makes each device with its settings and its `Wiring`.

- Every method runs under the bus lock. A thread that a device starts takes `self.wiring.lock`
  before it touches the device.
- No method waits for the host or releases the lock. Work that must wait goes to
  `self.wiring.lock.after`.
- A device overrides `setup` (called once: host files, consoles) and `reset` (all of the
  guest-visible state), not `__init__`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol

from rvplat.bus.clock import Clock, VirtualClock
from rvplat.bus.console import Console
from rvplat.bus.failures import Failures
from rvplat.bus.interrupts import Line
from rvplat.bus.lock import BusLock
from rvplat.bus.natives import NativeParts, State
from rvplat.bus.natives.records import is_saved, plain
from rvplat.bus.ram import Memory
from rvplat.bus.registers import SIZE_BITS, Hole, Register, build_tables, bytes_of, check_table
from rvplat.bus.saved_state import attributes, copied, load_alarms, save_alarms
from rvplat.bus.settings import NoSettings
from rvplat.errors import BusError

log = logging.getLogger("rvplat.bus")
MOST_TOLD = 1000  # different accesses of a device that are logged


class Power(Enum):
    """What a device may ask the machine to do."""

    OFF = "off"  # the guest is done; the code is its exit status
    FAIL = "fail"  # the guest says that it failed, with this code
    RESET = "reset"  # start again


class FdtNode(Protocol):
    """A device's node. `compatible`, `reg`, `interrupts` and `interrupt-parent` are set already."""

    @property
    def phandle(self) -> int:
        """This node's phandle. The first call gives the node one."""

    def set(self, name: str, *values: int | str | bytes) -> None:
        """Set a property to 32-bit cells, strings or bytes; without values it is a flag."""

    def child(self, name: str) -> FdtNode:
        """Add a node to this one."""

    def root_child(self, name: str) -> FdtNode:
        """Add a node to the root, for instance `poweroff`."""

    def hart_interrupts(self, *bits: int) -> Sequence[int]:
        """Cells of `interrupts-extended`: for each hart and each of `bits`, intc and bit."""


#: By hart: how many instructions it has executed, or None while it waits for an interrupt.
Progress = Sequence[int | None]


def _no_progress() -> Progress:
    """No hart is there."""
    return ()


def _no_power(action: Power, code: int) -> None:
    """Ignore the request."""


def _no_line(hart: int, bit: int, level: bool) -> None:
    """No hart is there."""


def _no_timer(hart: int, mtimecmp: int) -> None:
    """No hart is there."""


@dataclass
class Wiring:
    """Everything that a device is connected to. The defaults connect it to nothing, for tests."""

    name: str = "device"
    lock: BusLock = field(default_factory=BusLock)
    #: The device's own lines, by the names in `Device.interrupts`.
    lines: Mapping[str, Line] = field(default_factory=dict)
    #: For DMA.
    memory: Memory = field(default_factory=Memory)
    clock: Clock = field(default_factory=lambda: VirtualClock(10_000_000))
    console: Console = field(default_factory=Console)
    power: Callable[[Power, int], None] = _no_power
    harts: int = 1
    #: (hart index, bit of mip or RNMI + cause, level): for interrupt controllers.
    set_hart_line: Callable[[int, int, bool], None] = _no_line
    #: (hart index, mtimecmp): the hart compares `mtime` with the value.
    set_timer: Callable[[int, int], None] = _no_timer
    #: `note(operation, error)` keeps what the device's code raises outside of an access.
    failures: Failures = field(default_factory=Failures)
    #: The progress of the harts. A running hart may be some thousand instructions further.
    progress: Callable[[], Progress] = _no_progress
    #: The RAM behind the window, for a window inside RAM (htif).
    backing: memoryview | None = None


class Device(NativeParts):
    """The base of every device model."""

    #: Its name in boards (`model`).
    model: ClassVar[str] = ""
    #: What its device-tree node is compatible with.
    compatible: ClassVar[tuple[str, ...]] = ()
    #: The name of its device-tree node before the "@".
    node_name: ClassVar[str] = ""
    #: Whether that node has `reg`. A node without it is a child of the root.
    node_has_reg: ClassVar[bool] = True
    #: Whether harts load from it and store to it. A device without a window has no address.
    has_window: ClassVar[bool] = True
    #: Bytes of its window, unless `window` says otherwise.
    size: ClassVar[int] = 0
    #: The names of the interrupt lines that it drives.
    interrupts: ClassVar[tuple[str, ...]] = ()
    #: A frozen dataclass of the keys that a board may set (`setting`).
    settings_type: ClassVar[type[Any]] = NoSettings
    #: The table of registers, unless `rows` says otherwise.
    registers: ClassVar[tuple[Register | Hole, ...]] = ()
    #: Attributes that `save` saves, besides the plain registers and those of its bases. A `State`
    #: row also makes the attribute a field of the device's record (rvplat/bus/natives).
    state: ClassVar[tuple[str | State, ...]] = ()
    #: Attributes that change but that the guest can't see: `save` doesn't save them. A snapshot of
    #: the machine is refused if others change that are neither registers nor in `state`, unless the
    #: class has a `save` of its own.
    unsaved: ClassVar[tuple[str, ...]] = ()
    #: Whether it has a console. (The board says which one the terminal is connected to.)
    uses_console: ClassVar[bool] = False

    wiring: Wiring
    lines: dict[str, Line]

    def __init_subclass__(cls) -> None:
        cls.node_name = cls.node_name or cls.model.replace("_", "-")
        if cls.rows is Device.rows:
            check_table(cls, cls.registers, cls.size)
        super().__init_subclass__()

    def __init__(self, settings: Any = None, wiring: Wiring | None = None) -> None:
        self.settings = settings if settings is not None else self.settings_type()
        self.wiring = wiring if wiring is not None else Wiring()
        self.lines = {
            name: self.wiring.lines.get(name) or Line(f"{self.wiring.name}.{name}")
            for name in self.interrupts
        }
        self.build_native()
        rows = self.rows()
        if rows is not self.registers:
            check_table(type(self), rows, self.window(self.settings))
        self._told: set[str] = set()
        self.setup()
        self.reset()
        self._readers, self._writers = build_tables(self, rows)
        self._holes = [row for row in rows if isinstance(row, Hole)]
        self._at_first = attributes(self)

    @classmethod
    def window(cls, settings: Any) -> int:
        """The size of the window with these settings."""
        return cls.size

    def rows(self) -> tuple[Register | Hole, ...]:
        """The register table, for a device whose table depends on its settings."""
        return self.registers

    def setup(self) -> None:
        """Open what the device needs of the host. DeviceError if that fails."""

    def reset(self) -> None:
        """Set the guest-visible state to its values after power-on. Overriders call this first."""
        self.reset_native()
        for row in self.rows():
            if isinstance(row, Register):
                setattr(self, row.attribute, row.initial())
        for line in self.lines.values():
            line.set(False)

    def read(self, offset: int, size: int) -> int:
        """A load of 1, 2, 4 or 8 bytes; BusError if no register answers it."""
        reader = self._readers.get(offset << SIZE_BITS | size)
        if reader is not None:
            return reader()
        return self.read_elsewhere(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """A store of 1, 2, 4 or 8 bytes; BusError if no register takes it."""
        writer = self._writers.get(offset << SIZE_BITS | size)
        if writer is not None:
            writer(value)
        else:
            self.write_elsewhere(offset, size, value)

    def read_elsewhere(self, offset: int, size: int) -> int:
        """A load that no row answers: zero if it is write-only or reserved."""
        access = f"a load of {size} bytes at {offset:#x}"
        if offset << SIZE_BITS | size in self._writers:
            self.tell(f"{access}, which is write-only, gives zero")
        elif self._in_hole(offset, size):
            self.tell(f"{access}, which is reserved, gives zero")
        else:
            self.refuse(access)
        return 0

    def write_elsewhere(self, offset: int, size: int, value: int) -> None:
        """A store that no row takes: dropped if it is read-only or reserved."""
        access = f"a store of {size} bytes at {offset:#x}"
        if offset << SIZE_BITS | size in self._readers:
            self.tell(f"{access}, which is read-only, has no effect")
        elif self._in_hole(offset, size):
            self.tell(f"{access}, which is reserved, has no effect")
        else:
            self.refuse(access)

    def touched(self, offset: int, size: int) -> None:
        """For a window inside RAM: something other than `write` changed its bytes, such as an
        atomic instruction, a store across the window's edge, DMA or a debugger."""

    def refuse(self, access: str) -> NoReturn:
        """Raise BusError, an access fault, and log it once."""
        text = f"{self.wiring.name}: no register for {access}"
        self.tell(f"no register for {access}: an access fault")
        raise BusError(text)

    def tell(self, text: str) -> None:
        """Log that an access had no effect: each text once, up to a limit."""
        if text not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(text)
            log.debug("%s: %s", self.wiring.name, text)

    def _in_hole(self, offset: int, size: int) -> bool:
        if self._taken.isdisjoint(range(offset, offset + size)):
            return any(hole.holds(offset, size) for hole in self._holes)
        return False

    @cached_property
    def _taken(self) -> frozenset[int]:
        """The offsets that registers have."""
        rows = [row for row in self.rows() if isinstance(row, Register)]
        return frozenset(offset for row in rows for offset in bytes_of(row))

    @property
    def is_working(self) -> bool:
        """Whether a thread of the device works and will change something. While it does, a machine
        whose harts all wait is not idle."""
        return False

    def drain(self) -> None:
        """Wait until no thread of the device works. The caller holds the bus lock; to wait, use
        `threading.Condition(self.wiring.lock)`, which releases it. Called before `save` and
        `load`, while no hart runs."""

    def host_files(self) -> Sequence[Path]:
        """The host's files that the saved state builds on, such as the image under a disk: a
        snapshot is refused if one has changed since."""
        return ()

    def fdt(self, node: FdtNode) -> None:
        """Add to the node what is particular to this device."""

    def save(self) -> dict[str, Any]:
        """The guest-visible state: numbers, strings, bytes, lists and dicts. Alarms are in it if
        attributes hold them: `self.alarm = self.wiring.clock.call_at(tick, self.ring)`.

        Raises:
            DeviceError: it can't be saved.
        """
        lines = {name: line.level for name, line in self.lines.items()}
        state = {name: copied(plain(getattr(self, name))) for name in self.state_names()}
        return {"lines": lines, "alarms": save_alarms(self), **state}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `save` returned."""
        for name in self.state_names():
            setattr(self, name, copied(state[name]))
        for name, level in state["lines"].items():
            self.lines[name].set(level)
        load_alarms(self, state["alarms"])

    def state_names(self) -> list[str]:
        """The attributes that `save` saves: registers, and the rows of `state`."""
        rows = [row.attribute for row in self.rows() if isinstance(row, Register)]
        stated = (row for one in type(self).__mro__ for row in vars(one).get("state", ()))
        others = [row if isinstance(row, str) else row.name for row in stated if is_saved(row)]
        return [*dict.fromkeys([*rows, *others])]

    def close(self) -> None:
        """Close what `setup` opened. Called once, when the machine closes."""


@dataclass(frozen=True)
class RouteOutput:
    """A way out of an interrupt controller, to `bit` of a hart's mip. `enabled`: a source may use
    it; `passes`: its priority is above the `threshold`; `level`: what the controller drives."""

    hart: int
    bit: int
    enabled: bool
    passes: bool
    threshold: int
    level: bool


@dataclass(frozen=True)
class Route:
    """What an interrupt controller does with one source. `outputs` are its ways out."""

    pending: bool
    claimed: bool
    priority: int
    outputs: tuple[RouteOutput, ...]


class InterruptController(Device):
    """A device with inputs for other devices' lines. It drives interrupts of harts."""

    #: `#interrupt-cells` of its node.
    interrupt_cells: ClassVar[int] = 1

    @classmethod
    def sources(cls, settings: Any) -> range:
        """The numbers that a board may connect lines to."""
        raise NotImplementedError

    def set_input(self, number: int, level: bool) -> None:
        """The line at input `number` changed to `level`, or a high line was driven high again."""
        raise NotImplementedError

    def route(self, number: int) -> Route | None:
        """What it does with the line at input `number`, for people who look on; None: it does not
        say. It changes nothing."""
        return None
