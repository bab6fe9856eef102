"""`Machine`: a board with its software, running.

with Machine.open("virt", program="fw_jump.bin", kernel="Image") as machine:
    machine.console.sinks.append(sys.stdout.buffer.write)
    stop = machine.run(timeout_s=60)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rvplat.hart.state import STOP_BREAK
from rvplat.machine.assembly import assemble
from rvplat.machine.board import Board
from rvplat.machine.catalogue import shipped_extensions
from rvplat.machine.cells import MachineCell
from rvplat.machine.console import HostConsole
from rvplat.machine.extensions import core_for, hart_extensions
from rvplat.machine.hart import Hart
from rvplat.machine.loader import Software, plan_load, read_software
from rvplat.machine.mmio import Mmio
from rvplat.machine.open import open_board
from rvplat.machine.run import Runner
from rvplat.machine.source import Override
from rvplat.machine.stop import Stop
from rvplat.machine.system import System
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


class Machine(System):
    """A board assembled, its software loaded, its harts out of reset."""

    def __init__(
        self, board: Board, software: Software | None = None, console: HostConsole | None = None,
        plugins: Plugins | None = None, say: Say = say_nothing,
    ) -> None:  # fmt: skip
        super().__init__(board, software or Software())
        self.plugins = plugins
        self.wires = Wires(self)
        self.assembly = assemble(board, self.wires.ports, console, self.software.symbols)
        try:
            self._build(plugins, say)
        except BaseException:
            self.assembly.abandon()
            raise

    @classmethod
    def open(
        cls, board: str = "virt", program: str | Path | None = None,
        kernel: str | Path | None = None, initrd: str | Path | None = None,
        append: str | None = None, dtb: str | Path | None = None,
        overrides: Sequence[Override] = (), plugin_paths: Iterable[str | Path] = (),
        console: HostConsole | None = None, say: Say = say_nothing,
        settings: Mapping[str, object] | None = None, strict: bool | None = None,
    ) -> Machine:  # fmt: skip
        """Build a board by its name or file, with the software that these files hold.

        `settings` are keys of the board: `{"harts.count": 2, "memory": "2G"}`. `strict`: the first
        failure of a plugin ends the run, whatever the board says.

        Raises:
            RvplatError: the board, a plugin or a file is at fault.
        """
        changes = [
            Override(tuple(key.split(".")), value, f"settings[{key!r}]")
            for key, value in (settings or {}).items()
        ]
        if strict is not None:
            changes.append(Override(("strict",), strict, f"strict={strict}"))
        found, plugins = open_board(board, [*overrides, *changes], plugin_paths)
        software = read_software(
            found, _path(program), _path(kernel), _path(initrd), append, _path(dtb),
            tuple(plugins.loaders.values()),
        )  # fmt: skip
        return cls(found, software, console, plugins, say)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.close()
            return
        for failure in self.failures:  # perhaps why
            error.add_note(str(failure))
        self.close()

    def close(self) -> None:
        """Stop, and give back what the devices took from the host.

        Raises:
            RunFailed: plugin code raised, and nobody has taken note of it (`failures`).
        """
        if self.current is not None:
            self.current.cancel("pause")
        self.assembly.close()
        self.raise_failures()

    # --- running ---

    def run(
        self, timeout_s: float | None = None, max_instructions: int | None = None,
        restart: bool = True, trace: str | Path | None = None, ends_idle: bool = True,
    ) -> Stop:  # fmt: skip
        """Run until something stops the machine, and say what (`Stop`).

        `max_instructions` is for each hart. When the guest asks for a reset it is started again,
        or, without `restart`, the run ends. `trace` is a file for Spike's commit log. Where input
        may come from nowhere but other threads that wait for long, let it not be `ends_idle`.

        Raises:
            RunFailed: plugin code raised. The run went on to its end all the same, unless the board
                is `strict`; the error's `stop` says how it ended.
        """
        if trace is None:
            stop = Runner(self, timeout_s, max_instructions, ends_idle, restart).run()
        else:
            from rvplat.machine.trace import tracing

            with tracing(self, _path(trace)) as turns:
                stop = Runner(self, timeout_s, max_instructions, ends_idle, restart, turns).run()
        self.raise_failures(stop)
        return stop

    def start(self, timeout_s: float | None = None, max_instructions: int | None = None) -> None:
        """Run in the background, until `wait` or `pause`."""
        Runner(self, timeout_s, max_instructions).start()

    def wait(self, timeout_s: float | None = None) -> Stop:
        """Wait until a run that was started ends.

        Raises:
            TimeoutError: it has not ended in this time, and goes on.
            RunFailed: as `run`.
        """
        if self.last is None:
            raise RuntimeError("the machine was not started")
        stop = self.last.wait(timeout_s)
        self.raise_failures(stop)
        return stop

    def pause(self) -> Stop:
        """Stop the run that was started; `start` goes on from there. RunFailed as `run`."""
        current = self.current
        if current is not None:
            current.cancel("pause")
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
        self.raise_failures()
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

    # --- building ---

    def _build(self, plugins: Plugins | None, say: Say) -> None:
        self.extensions = hart_extensions(self.board)
        everything = {**shipped_extensions(), **(plugins.extensions if plugins else {})}
        compressed = any(e.name == "Zca" for e in self.extensions)
        self.core = core_for(tuple(everything.values()), compressed, say)
        self.cell = MachineCell()
        self._awaited = self.export("awaited_interrupts")
        self._set_up_memory()
        self.wires.connect_clock()
        self.turns = Turns(self)
        if self.turns.virtual is not None or self.board.harts.count == 1:
            self.cell.view.yield_fn = 0
        self.mmio = Mmio(self)
        harts = [self._new_hart(n) for n in range(self.board.harts.count)]
        with self.assembly.lock:  # a device's thread may drive a line just now
            self.harts += harts
            self.wires.connect_harts()
        for console in (self.console, *self.consoles.values()):
            console.failed = self.fail
        self.assembly.failures.on_failure = self.plugin_failed
        self.plan = plan_load(self.assembly, self.software)
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
        view.menvcfg_reset = self.board.menvcfg
        for extension in self.extensions:
            setattr(view, "has_" + extension.name.lower(), 1)
        return hart

    def _written(self, pa: int, size: int) -> None:
        self.bus.touched(pa, size)
        if self.harts:
            self._dma_written(self.harts[0].address, pa, size)
