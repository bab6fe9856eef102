"""`Machine`: a board with its software, running.

with Machine.open("virt", program="fw_jump.bin", kernel="Image") as machine:
    machine.console.sinks.append(sys.stdout.buffer.write)
    stop = machine.run(timeout_s=60)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rvplat.bus.device import Device
from rvplat.bus.map import AddressMap
from rvplat.bus.ram import Memory
from rvplat.hart import reset as hart_reset
from rvplat.hart.state import STOP_BREAK
from rvplat.machine.assembly import assemble
from rvplat.machine.board import Board
from rvplat.machine.catalogue import shipped_extensions
from rvplat.machine.cells import MachineCell
from rvplat.machine.console import HostConsole
from rvplat.machine.extensions import core_for, hart_extensions
from rvplat.machine.hart import Hart
from rvplat.machine.loader import LoadPlan, Software, plan_load, read_software
from rvplat.machine.mmio import Mmio
from rvplat.machine.open import open_board
from rvplat.machine.run import Runner
from rvplat.machine.source import Override
from rvplat.machine.stop import Stop
from rvplat.machine.turns import Turns
from rvplat.machine.wires import Wires
from rvplat.pluginmanager import Plugins

if TYPE_CHECKING:
    from rvplat.machine.explain import Access, Explanation, Mode, World
    from rvplat.machine.stats import Statistics

__all__ = ["Machine", "Stop"]

Say = Callable[[str], None]


def say_nothing(text: str) -> None:
    """Nobody wants to know."""


def _path(name: str | Path | None) -> Path | None:
    return Path(name) if name is not None else None


class Machine:
    """A board assembled, its software loaded, its harts out of reset.

    `harts` are its harts, `memory` is RAM by physical address, `bus` all that answers at one,
    `devices` and `consoles` go by the devices' names, `console` is the one that a terminal would
    be on.
    """

    def __init__(
        self, board: Board, software: Software | None = None, console: HostConsole | None = None,
        plugins: Plugins | None = None, say: Say = say_nothing,
    ) -> None:  # fmt: skip
        self.built_at = time.perf_counter()
        self.started_s = 0.0  # what it took to be built and to begin its first run
        self.ran_s = 0.0  # how long it has run, all in all
        self._ran_at = 0.0
        self.board = board
        self.plugins = plugins
        self.software = software or Software()
        self.harts: list[Hart] = []
        self.requests: list[Stop] = []
        self.failure: BaseException | None = None
        self._lock = threading.Lock()
        self._runner: Runner | None = None  # while it runs
        self._last: Runner | None = None
        self.wires = Wires(self)
        self.assembly = assemble(board, self.wires.ports, console, self.software.symbols)
        try:
            self._build(plugins, say)
        except BaseException:
            self.assembly.close()
            raise

    @classmethod
    def open(
        cls, board: str = "virt", program: str | Path | None = None,
        kernel: str | Path | None = None, initrd: str | Path | None = None,
        append: str | None = None, dtb: str | Path | None = None,
        overrides: Sequence[Override] = (), plugin_paths: Iterable[str | Path] = (),
        console: HostConsole | None = None, say: Say = say_nothing,
        settings: Mapping[str, object] | None = None,
    ) -> Machine:  # fmt: skip
        """Build a board by its name or file, with the software that these files hold.

        `settings` are keys of the board: `{"harts.count": 2, "memory": "2G"}`.

        Raises:
            RvplatError: the board, a plugin or a file is at fault.
        """
        changes = [
            Override(tuple(key.split(".")), value, f"settings[{key!r}]")
            for key, value in (settings or {}).items()
        ]
        found, plugins = open_board(board, [*overrides, *changes], plugin_paths)
        software = read_software(
            found, _path(program), _path(kernel), _path(initrd), append, _path(dtb),
            tuple(plugins.loaders.values()),
        )  # fmt: skip
        return cls(found, software, console, plugins, say)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and give back what the devices took from the host."""
        if self.running:
            self.pause()
        self.assembly.close()

    # --- what it is made of ---

    @property
    def memory(self) -> Memory:
        """RAM by physical address; writing to code takes effect."""
        return self.assembly.memory

    @property
    def bus(self) -> AddressMap:
        """Everything by physical address, devices' registers too: `bus.read(0x1000_0005, 1)`."""
        return self.assembly.map

    @property
    def devices(self) -> Mapping[str, Device]:
        """The devices, by their names on the board."""
        return self.assembly.devices

    @property
    def console(self) -> HostConsole:
        """The console of the board's main serial line."""
        return self.assembly.console

    @property
    def consoles(self) -> Mapping[str, HostConsole]:
        """Every console, by the name of its device."""
        return self.assembly.consoles

    @property
    def symbols(self) -> Mapping[str, int]:
        """The symbols of the program; none, if its file has none."""
        return self.plan.symbols

    # --- running ---

    @property
    def running(self) -> bool:
        """Whether harts may be running."""
        return self._runner is not None

    def run(
        self, timeout_s: float | None = None, max_instructions: int | None = None,
        restart: bool = True, trace: str | Path | None = None, ends_idle: bool = True,
    ) -> Stop:  # fmt: skip
        """Run until something stops the machine, and say what (`Stop`).

        `max_instructions` is for each hart. When the guest asks for a reset it is started again,
        or, without `restart`, the run ends. `trace` is a file for Spike's commit log. Where input
        may come from nowhere but other threads that wait for long, let it not be `ends_idle`.
        """
        if trace is None:
            return Runner(self, timeout_s, max_instructions, ends_idle, restart).run()
        from rvplat.machine.trace import tracing

        with tracing(self, _path(trace)) as turns:
            return Runner(self, timeout_s, max_instructions, ends_idle, restart, turns).run()

    def start(self, timeout_s: float | None = None, max_instructions: int | None = None) -> None:
        """Run in the background, until `wait` or `pause`."""
        Runner(self, timeout_s, max_instructions).start()

    def wait(self, timeout_s: float | None = None) -> Stop:
        """Wait until a run that was started ends. TimeoutError if it goes on."""
        runner = self._last
        if runner is None:
            raise RuntimeError("the machine was not started")
        return runner.wait(timeout_s)

    def pause(self) -> Stop:
        """Stop the run that was started; `start` goes on from there."""
        runner = self._runner
        if runner is not None:
            runner.cancel("pause")
        return self.wait()

    def step(self, count: int = 1, hart: int = 0) -> Stop:
        """Execute so many instructions on one hart, the others standing still. One that traps
        counts; a WFI ends at once."""
        self.must_stand_still()
        self.requests.clear()
        self.failure = None
        reason = self.turns.step(self.harts[hart], count)
        for other in self.harts:
            other.stop_request.value = 0
        if self.failure is not None:
            raise self.failure
        if self.requests:
            return self.requests[0]
        return Stop("break" if reason == STOP_BREAK else "step", hart=hart)

    def reset(self) -> None:
        """Power-on: devices and harts reset, software loaded again. What was written to RAM
        elsewhere stays."""
        self.must_stand_still()
        self.power_on()

    def statistics(self) -> Statistics:
        """Instructions, seconds, where the time went, traps by cause: since it was built."""
        from rvplat.machine.stats import statistics

        self.must_stand_still()
        return statistics(self)

    def dump(self) -> str:
        """Where every hart is, with its registers, as text."""
        from rvplat.machine.dump import dump

        self.must_stand_still()
        return dump(self)

    def explain(
        self, va: int, access: Access = "load", hart: int = 0, mode: Mode | None = None,
        world: World = "now",
    ) -> Explanation:  # fmt: skip
        """Where an access would lead: the walk, entry by entry, and the fault (explain.py)."""
        from rvplat.machine.explain import explain

        self.must_stand_still()
        return explain(self, va, access, hart, mode, world)

    def signature(self) -> str:
        """Memory from `begin_signature` to `end_signature` in words of hex, a line each."""
        from rvplat.machine.signature import signature

        self.must_stand_still()
        return signature(self)

    def must_stand_still(self) -> None:
        """RuntimeError while it runs."""
        if self.running:
            raise RuntimeError("the machine runs: pause it first")

    def power_on(self) -> None:
        """As `reset`, also in the middle of a run: when no hart is in native code."""
        self.assembly.reset()
        self.plan.apply(self.memory)
        for hart in self.harts:
            hart.retired_before += hart.retired
            hart_reset.reset(hart.view, self.extensions, self.plan.entry)
            hart.waiting = False
            for register, value in self.plan.registers[hart.number].items():
                hart.view.x[register] = value

    # --- what runs tell each other ---

    def began(self, runner: Runner) -> None:
        """A run begins. RuntimeError if there is one."""
        with self._lock:
            self.must_stand_still()
            self._runner = self._last = runner
            self.requests.clear()
            self.failure = None
        for hart in self.harts:
            hart.stop_request.value = 0
        for console in (self.console, *self.consoles.values()):
            console.running(True)
        self._ran_at = time.perf_counter()
        self.started_s = self.started_s or self._ran_at - self.built_at

    def ended(self, runner: Runner) -> None:
        """A run has ended."""
        self.ran_s += time.perf_counter() - self._ran_at
        self._runner = None
        for console in (self.console, *self.consoles.values()):
            console.running(False)

    def request_stop(self, stop: Stop, at_once: bool = True) -> None:
        """Let the run end with this; `at_once`: let every hart leave native code."""
        with self._lock:
            self.requests.append(stop)
            if at_once:
                for hart in self.harts:
                    hart.request_stop()
        self.turns.wake.set()

    def take_resets(self) -> bool:
        """Whether the guest asked for a reset and nobody for anything else: then it may begin."""
        with self._lock:
            others = [stop for stop in self.requests if stop.reason != "reset"]
            self.requests[:] = others
            if not others:
                for hart in self.harts:
                    hart.stop_request.value = 0
            return not others

    def fail(self, error: BaseException) -> None:
        """An error of our own, in whatever thread: it ends the run and is raised there."""
        if self.failure is None:
            self.failure = error
        self.request_stop(Stop("error"))

    def awaited(self, address: int) -> int:
        """The interrupts that would end a hart's WFI, its timers looked at."""
        return int(self._awaited(address))

    @property
    def _requests(self) -> list[Stop]:
        return self.requests

    @_requests.setter
    def _requests(self, stops: list[Stop]) -> None:
        self.requests[:] = stops

    def export(self, name: str) -> Callable[..., Any]:
        """A definition as native code (`engine/exports.py`)."""
        if name not in self._exports:
            self._exports[name] = self.core.export(name)
        return self._exports[name]

    # --- building ---

    def _build(self, plugins: Plugins | None, say: Say) -> None:
        self.extensions = hart_extensions(self.board)
        everything = {**shipped_extensions(), **(plugins.extensions if plugins else {})}
        compressed = any(e.name == "Zca" for e in self.extensions)
        self.core = core_for(tuple(everything.values()), compressed, say)
        self.cell = MachineCell()
        self._exports: dict[str, Callable[..., Any]] = {}
        self._awaited = self.export("awaited_interrupts")
        self._set_up_memory()
        self.wires.connect_clock()
        self.turns = Turns(self)
        self.mmio = Mmio(self)
        self.harts += [self._new_hart(n) for n in range(self.board.harts.count)]
        for console in (self.console, *self.consoles.values()):
            console.failed = self.fail
        self.plan: LoadPlan = plan_load(self.assembly, self.software)
        self.power_on()

    def _set_up_memory(self) -> None:
        self.core.attach(self.cell.view)
        windows = [(w.base, w.end - w.base) for w, d in self.bus.windows if not d.node_has_reg]
        for name, ram in zip(self.board.memory, self.memory.regions, strict=True):
            self.cell.add_ram(ram, not self.board.memory[name].rom, windows)
        self._dma_written = self.export("dma_written")
        self.memory.written = self._written

    def _new_hart(self, number: int) -> Hart:
        table = self.core.decoder(self.extensions)
        hart = Hart(number, self.cell, table, self, self.extensions)
        view = hart.view
        view.mmio_read, view.mmio_write = self.mmio.addresses
        view.ialign_mask = self.core.constants["ialign_mask"]
        view.geilen = self.board.harts.geilen
        view.tinst_zero = int(self.board.harts.tinst == "zero")
        for extension in self.extensions:
            setattr(view, "has_" + extension.name.lower(), 1)
        return hart

    def _written(self, pa: int, size: int) -> None:
        if self.harts:
            self._dma_written(self.harts[0].address, pa, size)
