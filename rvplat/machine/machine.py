"""`Machine`: a board with its software, running.

    with Machine.open("virt", program="fw_jump.bin", kernel="Image") as machine:
        machine.console.sinks.append(sys.stdout.buffer.write)
        stop = machine.run(timeout_s=60)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rvplat.bus.clock import HostClock
from rvplat.bus.console import Console
from rvplat.bus.device import Power
from rvplat.engine.native import Core
from rvplat.errors import BusError
from rvplat.hart import reset as hart_reset
from rvplat.isa.extension import Extension
from rvplat.machine.assembly import Assembly, Ports, assemble
from rvplat.machine.board import Board
from rvplat.machine.catalogue import shipped_extensions
from rvplat.machine.cells import HartCell, MachineCell
from rvplat.machine.loader import LoadPlan, Software, plan_load, read_software
from rvplat.machine.open import open_board
from rvplat.machine.source import Override
from rvplat.pluginmanager import Plugins

_CALL = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64
)
_MMU = {"bare": ("Svbare",), "sv39": ("Sv39",), "sv48": ("Sv48",), "sv57": ("Sv57",)}
Say = Callable[[str], None]


def say_nothing(text: str) -> None:
    """Nobody wants to know."""


@lru_cache(maxsize=8)
def core_for(extensions: tuple[Extension, ...], compressed: bool, say: Say) -> Core:
    """Native code for these extensions, made once a process."""
    return Core(extensions, say, compressed)


def hart_extensions(board: Board) -> list[Extension]:
    """What every hart of the board has: its ISA string's, and what its other keys say."""
    known = shipped_extensions()
    names = ["I", "Sm", "U", "S", *_MMU[board.harts.mmu]]
    if board.harts.pmp_entries:
        names.append("Smpmp")
    found: dict[str, Extension] = {}

    def take(extension: Extension) -> None:
        if extension.name not in found:
            for name in extension.requires:
                if name in known:
                    take(known[name])
            found[extension.name] = extension

    for extension in [*(known[name] for name in names), *board.extensions]:
        take(extension)
    return list(found.values())


@dataclass(frozen=True)
class Stop:
    """Why a run ended: "off", "fail" (both with the guest's code), "reset", "timeout", "limit",
    "idle" (nothing can ever wake a hart), "request", "break"."""

    reason: str
    code: int = 0
    hart: int = 0


class Machine:
    """A board assembled, its software loaded, its harts out of reset."""

    def __init__(
        self, board: Board, software: Software | None = None, console: Console | None = None,
        plugins: Plugins | None = None, say: Say = say_nothing,
    ) -> None:  # fmt: skip
        self.board = board
        self.software = software or Software()
        self.stop: Stop | None = None
        self.harts: list[HartCell] = []
        self._requests: list[Stop] = []
        ports = Ports(self._set_line, self._set_timer, self._power)
        self.assembly: Assembly = assemble(board, ports, console, self.software.symbols)
        self.console = self.assembly.console
        self.extensions = hart_extensions(board)
        everything = {**shipped_extensions(), **(plugins.extensions if plugins else {})}
        compressed = any(e.name == "Zca" for e in self.extensions)
        self.core = core_for(tuple(everything.values()), compressed, say)
        self.cell = MachineCell()
        self._set_up_machine()
        self.harts = [self._new_hart(n) for n in range(board.harts.count)]
        self.plan: LoadPlan = plan_load(self.assembly, self.software)
        self.reset()

    @classmethod
    def open(
        cls, board: str = "virt", program: str | Path | None = None,
        kernel: str | Path | None = None, initrd: str | Path | None = None,
        append: str | None = None, dtb: str | Path | None = None,
        overrides: Sequence[Override] = (), plugin_paths: Iterable[str | Path] = (),
        console: Console | None = None, say: Say = say_nothing,
    ) -> Machine:  # fmt: skip
        """Build a board by its name or file, with the software that these files hold.

        Raises:
            RvplatError: the board, a plugin or a file is at fault.
        """
        found, plugins = open_board(board, overrides, plugin_paths)
        files = [Path(f) if f is not None else None for f in (program, kernel, initrd)]
        software = read_software(
            found, *files, append, Path(dtb) if dtb is not None else None,
            tuple(plugins.loaders.values()),
        )  # fmt: skip
        return cls(found, software, console, plugins, say)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the devices took from the host."""
        self.assembly.close()

    # --- building ---

    def _set_up_machine(self) -> None:
        view: Any = self.cell.view
        self.core.attach(view)
        windows = [(w.base, w.end - w.base) for w, d in self.assembly.map.windows
                   if not d.node_has_reg]  # fmt: skip
        for name, ram in zip(self.board.memory, self.assembly.memory.regions, strict=True):
            self.cell.add_ram(ram, not self.board.memory[name].rom, windows)
        clock = self.assembly.clock
        view.ns_per_tick = max(1, 1_000_000_000 // clock.frequency)
        view.instructions_per_tick = self.board.general.instructions_per_tick
        view.clock_virtual = int(not isinstance(clock, HostClock))
        self._clock_was_set()
        clock.on_set.append(self._clock_was_set)
        self._reader, self._writer = _CALL(self._mmio_read), _CALL(self._mmio_write)
        self._dma_written = self.core.export("dma_written")
        self._update_deadline = self.core.export("update_deadline")
        self.assembly.memory.written = self._written

    def _clock_was_set(self) -> None:
        clock = self.assembly.clock
        if isinstance(clock, HostClock):
            self.cell.view.clock_base_ns = clock.origin_ns
        else:
            self.cell.view.time_now = clock.now()

    def _new_hart(self, number: int) -> HartCell:
        cell = HartCell(number, self.cell, self.core.decoder(self.extensions))
        hart = cell.view
        hart.mmio_read = ctypes.cast(self._reader, ctypes.c_void_p).value
        hart.mmio_write = ctypes.cast(self._writer, ctypes.c_void_p).value
        hart.ialign_mask = self.core.constants["ialign_mask"]
        hart.geilen = self.board.harts.geilen
        hart.tinst_zero = int(self.board.harts.tinst == "zero")
        for extension in self.extensions:
            setattr(hart, "has_" + extension.name.lower(), 1)
        return cell

    def reset(self) -> None:
        """Power-on: devices and harts reset, software loaded again."""
        self.stop = None
        self._requests.clear()
        self.assembly.reset()
        self.plan.apply(self.assembly.memory)
        for cell in self.harts:
            hart_reset.reset(cell.view, self.extensions, self.plan.entry)
            for register, value in self.plan.registers[cell.number].items():
                cell.view.x[register] = value

    # --- what devices and native code call ---

    def _set_line(self, hart: int, bit: int, level: bool) -> None:
        if hart < len(self.harts):  # devices drive their lines before there are harts
            self.harts[hart].set_line(bit, level)

    def _set_timer(self, hart: int, mtimecmp: int) -> None:
        if hart < len(self.harts):
            cell = self.harts[hart]
            cell.view.mtimecmp = mtimecmp
            cell.alert()

    def _power(self, what: Power, code: int) -> None:
        reason = {Power.OFF: "off", Power.FAIL: "fail", Power.RESET: "reset"}[what]
        self.request_stop(Stop(reason, code))

    def request_stop(self, stop: Stop) -> None:
        """Let every hart leave native code soon, and the run end with this."""
        self._requests.append(stop)
        for cell in self.harts:
            cell.stop_request.value = 1
            cell.alert()

    def _mmio_read(self, hart: int, pa: int, size: int, _: int) -> int:
        cell = self.harts[hart]
        try:
            value = self.assembly.map.read(pa, size)
        except BusError:
            cell.mmio_error.value = 1
            value = 0
        cell.after_device()
        return value

    def _mmio_write(self, hart: int, pa: int, size: int, value: int) -> int:
        cell = self.harts[hart]
        try:
            self.assembly.map.write(pa, size, value & (1 << 8 * size) - 1)
        except BusError:
            cell.mmio_error.value = 1
        cell.after_device()
        return 0

    def _written(self, pa: int, size: int) -> None:
        if self.harts:
            self._dma_written(self.harts[0].address, pa, size)
