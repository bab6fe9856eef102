"""`Machine`: a board with its software, running.

with Machine.open("virt", program="fw_jump.bin", kernel="Image") as machine:
    machine.console.sinks.append(sys.stdout.buffer.write)
    stop = machine.run(timeout_s=60)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from rvplat.arguments import choice, flag, hart_number, integer, optional_path, paths, word
from rvplat.bus.fence import use_fence
from rvplat.errors import RvplatError
from rvplat.hart.state import STOP_BREAK
from rvplat.isa.privileged import VMID
from rvplat.machine.backwards import Backwards
from rvplat.machine.boards.board import Board, OneHart
from rvplat.machine.boards.extensions import (
    compressed_of,
    core_of,
    hart_extensions,
    refuse_clashes,
)
from rvplat.machine.boards.toml_tree import Override
from rvplat.machine.loading.loader import Software, plan_load
from rvplat.machine.open import open_board
from rvplat.machine.open_arguments import OpenArguments, PathLike
from rvplat.machine.run_files import recording
from rvplat.machine.running.assembly import assemble
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.device_accesses import DeviceAccesses
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.hart_ports import HartPorts
from rvplat.machine.running.native_records import NativeMachine
from rvplat.machine.running.new_hart import build_hart
from rvplat.machine.running.ram_images import RamConnection
from rvplat.machine.running.region_manager import RegionManager
from rvplat.machine.running.round_robin import RoundRobin
from rvplat.machine.running.run import FOREVER, Runner
from rvplat.machine.running.seed_source import SeedSource
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.watchdog import Watchdog
from rvplat.pluginmanager import Plugins

if TYPE_CHECKING:
    from rvplat.machine.debugging.breakpoints import Breakpoints
    from rvplat.machine.debugging.stop_points import StopPoints
    from rvplat.machine.debugging.watchpoints import Watchpoints
    from rvplat.machine.inspection.explain import Access, Explanation, Mode, World
    from rvplat.machine.inspection.run_statistics import Statistics

__all__ = ["Machine", "Stop"]

Say = Callable[[str], None]


def say_nothing(text: str) -> None:
    """Discard a progress message."""


class Machine(Backwards):
    """A board with its software. `Machine.open` builds one, `with` closes it.

    While the machine is stopped, its registers, memory and devices can be read and changed. `run`
    runs it until something stops it. `start` runs it in the background; meanwhile the caller can
    write to its consoles and wait for their output.

    An argument of the wrong type raises TypeError, a value out of range ValueError, and an unknown
    name or number LookupError. A call that needs a stopped machine raises RuntimeError while the
    machine runs, and most calls do so after `close`. Addresses are physical unless a method says
    otherwise. Sizes are in bytes. Times are in seconds (`_s`).
    """

    public = (
        "open", "close", "run", "start", "wait", "pause", "step", "reset", "running", "closed",
        "harts", "memory", "bus", "devices", "console", "consoles", "symbols", "failures", "board",
        "breakpoints", "watchpoints", "statistics", "dump", "explain", "signature", *Backwards.added
    )  # fmt: skip

    def __init__(
        self, board: Board, software: Software | None = None, console: HostConsole | None = None,
        plugins: Plugins | None = None, say: Say = say_nothing,
    ) -> None:  # fmt: skip
        super().__init__(board, software or Software())
        self.plugins = plugins
        self.hart_ports = HartPorts(self)
        self.assembly = assemble(board, self.hart_ports.ports, console, self.software.symbols)
        try:
            self._build(plugins, say)
        except BaseException:
            self.assembly.abandon()
            raise

    @classmethod
    def open(
        cls, board: PathLike = "virt", program: PathLike | None = None,
        kernel: PathLike | None = None, initrd: PathLike | None = None, append: str | None = None,
        dtb: PathLike | None = None, overrides: Sequence[Override] = (),
        plugin_paths: Iterable[PathLike] = (), console: HostConsole | None = None,
        say: Say = say_nothing, settings: Mapping[str, object] | None = None,
        strict: bool | None = None, *, disk: PathLike | Iterable[PathLike] = (),
        harts: int | None = None, memory: int | str | None = None,
        load: Mapping[int, PathLike] | None = None,
        symbols: Mapping[int | None, PathLike] | None = None,
    ) -> Machine:  # fmt: skip
        """Build a board and load its software, as `rvplat run` does.

        Args:
            board: the name of a board, or the path of a TOML file.
            program: firmware or a bare program; "demo" and "hypervisor" are shipped guests.
            kernel, initrd, append: the kernel that firmware starts, its initial RAM disk and its
                command line.
            dtb: a device tree that replaces the board's.
            overrides, settings: changes to the board; `{"devices.uart0.base": 0x1000_0000}`.
            plugin_paths: Python files, or folders of packages.
            console: the host's side of the main console; None makes a new one.
            say: called with a message before slow work, such as compiling at the first start.
            strict: whether the first failure of a plugin ends the run; None: as the board says.
            disk: a raw image, or several, for virtio0, virtio1, ...
            harts, memory: the number of harts; the size of the main memory in bytes, or as "2G".
            load: files to load as they are, by physical address.
            symbols: ELF files with symbols for debuggers, by the guest's VMID; None is the host.

        Raises:
            RvplatError: the board, a plugin or a file has a fault.
        """
        arguments = OpenArguments(
            board, program, kernel, initrd, append, dtb, disk, harts, memory, load, symbols
        )
        changes = [*overrides, *arguments.overrides(settings, strict)]
        plugin_files = paths("plugin_paths", plugin_paths)
        found, plugins = open_board(arguments.board, changes, plugin_files, disks=arguments.disks)
        return cls(found, arguments.software(found, plugins), console, plugins, say)

    def __enter__(self) -> Machine:
        if self.closed:
            raise RuntimeError("the machine is closed: open another")
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.close()
            return
        for failure in self.failures:  # a failure may be the cause of the error
            error.add_note(str(failure))
        try:
            self.close()
        except RvplatError as late:  # must not take the place of a KeyboardInterrupt
            error.add_note(str(late))

    def close(self) -> None:
        """Stop, and release the host's resources that the devices use.

        Memory and registers can still be read; methods that run the machine raise RuntimeError. A
        second call does nothing.

        Raises:
            RunFailed: plugin code raised, and the caller has not acknowledged it (`failures`).
        """
        if self.closed:
            return
        if self.keeper:
            raise RuntimeError(f"{self.keeper} runs the machine: close it first")
        if self.current is not None:
            self.current.cancel("pause")
        self._closed = True
        self.end_recording()
        self.regions.close()
        if self.lost is None:  # a lost machine's device call never returns the bus lock
            self.assembly.close()
        self.raise_failures()

    # --- running ---

    def run(
        self, timeout_s: float | None = None, max_instructions: int | None = None,
        restart: bool = True, trace: PathLike | None = None, ends_idle: bool = True,
        profile: PathLike | None = None, timeline: PathLike | None = None,
    ) -> Stop:  # fmt: skip
        """Run until something stops the machine, and return the reason (`Stop`).

        Args:
            timeout_s: end after this many seconds of host time; None: no limit.
            max_instructions: end when a hart has executed this many, at least 1.
            restart: whether a reset by the guest restarts the machine; else it ends the run.
            trace: a file for Spike's commit log.
            ends_idle: end when every hart waits and nothing can wake one. Pass False if threads
                of the host may send input after a long wait.
            profile: a file for a sampling profile by world and call stack, in speedscope's format;
                with collapsed stacks if its name ends in .folded or .collapsed.
            timeline: a file for a timeline of worlds, traps and devices, in Perfetto's format.

        Raises:
            RuntimeError: the machine runs already, or is closed.
            RunFailed: plugin code raised. Unless the board is `strict`, the run still continued to
                its end; the error's `stop` says how it ended.
        """
        flag("restart", restart)
        flag("ends_idle", ends_idle)
        self.must_be_free()
        named = {"trace": trace, "profile": profile, "timeline": timeline}
        with recording(self, *(optional_path(*one) for one in named.items())) as turns:
            stop = Runner(self, timeout_s, max_instructions, ends_idle, restart, turns).run()
        self.raise_failures(stop)
        return stop

    def start(self, timeout_s: float | None = None, max_instructions: int | None = None) -> None:
        """Run in the background until something stops the machine: `wait` waits for that, `pause`
        stops it. Arguments and errors are those of `run`. An idle machine goes on waiting."""
        Runner(self, timeout_s, max_instructions).start()

    def wait(self, timeout_s: float | None = None) -> Stop:
        """Wait for the end of the background run, and return the reason.

        Raises:
            RuntimeError: it was never started.
            TimeoutError: the run has not ended in this time, and continues; the message shows where
                the harts are.
            RunFailed: as `run`.
        """
        if self.last is None:
            raise RuntimeError("the machine was not started")
        try:
            stop = self.last.wait(timeout_s)
        except TimeoutError as error:
            if timeout_s:  # a timeout of 0 only asks whether it still runs
                raise TimeoutError(f"{error}\n{self._whereabouts()}") from None
            raise
        self.raise_failures(stop)
        return stop

    def pause(self) -> Stop:
        """Stop the background run; `start` continues it. RunFailed as in `run`."""
        current = self.current
        if current is not None:
            current.cancel("pause")
        return self.wait()

    def step(self, count: int = 1, hart: int = 0) -> Stop:
        """Execute `count` instructions, at least 1, on one hart; the others stay stopped.

        An instruction that traps counts; a WFI ends at once. The reason of the `Stop` is "step",
        unless something else stopped the hart earlier.
        Ctrl-C (KeyboardInterrupt) ends it between two instructions.
        """
        integer("count", count, 1, FOREVER)
        stepped = self.harts[hart_number(hart, len(self.harts))]
        self.must_be_free()
        self.forget_requests()
        try:
            stepped.skip_nothing_else()
            reason = self.turns.step(stepped, count)
        finally:
            for other in self.harts:
                other.stop_request.value = 0
        if self.failure is not None:
            raise self.failure
        self.raise_failures()
        if self.requests:
            return self.requests[0]
        stop = self.break_stop(stepped) if reason == STOP_BREAK else Stop("step", hart=hart)
        self.run_ended(stop)
        return stop

    def reset(self) -> None:
        """Reset the devices and harts and load the software again, as at power-on. The rest of RAM
        keeps its contents."""
        self.must_be_free()
        self.power_on()
        self.state_replaced()

    def statistics(self) -> Statistics:
        """Instructions, seconds by activity, and traps by cause, since the machine was built."""
        from rvplat.machine.inspection.run_statistics import statistics

        self.must_stand_still()
        return statistics(self)

    def dump(self) -> str:
        """The pc and registers of every hart, as text."""
        from rvplat.machine.inspection.hart_report import dump

        self.must_stand_still()
        return dump(self)

    def explain(
        self, va: int, access: Access = "load", hart: int = 0, mode: Mode | None = None,
        world: World = "now",
    ) -> Explanation:  # fmt: skip
        """Explain an access: the page-table walk, entry by entry, and the fault. Changes nothing.

        Args:
            va: the virtual address, in the world and mode.
            access: "load", "store" or "fetch".
            hart: the hart whose CSRs apply.
            mode: "M", "HS", "U", "VS" or "VU"; None: the hart's mode.
            world: "now", the world that the hart is in; "host"; or the VMID of a guest.

        Raises:
            LookupError: there is no such hart, the guest has not run, or the world lacks the mode.
        """
        from rvplat.machine.inspection.explain import ACCESSES, MODES, explain

        word("va", va)
        choice("access", access, ACCESSES)
        hart_number(hart, len(self.harts))
        if mode is not None:
            choice("mode", mode, tuple(MODES))
        if isinstance(world, str):
            choice("world", world, ("now", "host"))
        else:
            integer("world", world, 0, VMID)
        self.must_stand_still()
        return explain(self, va, access, hart, mode, world)

    def signature(self) -> str:
        """Memory from `begin_signature` to `end_signature`, one hexadecimal word per line."""
        from rvplat.machine.inspection.signature import signature

        self.must_stand_still()
        return signature(self)

    def _whereabouts(self) -> str:
        from rvplat.machine.inspection.hart_report import whereabouts

        return whereabouts(self)

    # --- debugging ---

    @property
    def breakpoints(self) -> Breakpoints:
        """The breakpoints: `add`, `remove`, `clear`; iterating gives them by number."""
        return self.debugged.breakpoints

    @property
    def watchpoints(self) -> Watchpoints:
        """The watchpoints: `add`, `remove`, `clear`; iterating gives them by number."""
        return self.debugged.watchpoints

    @cached_property
    def debugged(self) -> StopPoints:
        """The stop points of the harts, made at first use."""
        from rvplat.machine.debugging.stop_points import StopPoints

        self.stop_points = found = StopPoints(self)
        return found

    def _build(self, plugins: Plugins | None, say: Say) -> None:
        self.extensions = hart_extensions(self.board)
        compressed = compressed_of(self.board)
        added = tuple(plugins.extensions.values()) if plugins else ()
        refuse_clashes(added, self.extensions)
        self.core = core_of(added, compressed, self.extensions, say)
        self.native = NativeMachine()
        self._awaited = self.export("awaited_interrupts")
        self._set_up_memory()
        self.hart_ports.connect_clock()
        self.turns = RoundRobin(self)
        if self.turns.virtual is not None or self.board.harts.count == 1:
            self.native.view.yield_fn = 0
        self.mmio = DeviceAccesses(self, plugins.devices.values() if plugins else ())
        self.seeds = SeedSource(self.board.seed)
        harts = [self._new_hart(one) for one in self.board.each]
        with self.assembly.lock:  # the thread of a device may drive an interrupt line meanwhile
            self._harts += harts
            self.hart_ports.connect_harts()
            self.mmio.devices.connect()
        self._connect_inbox()
        for console in (self.console, *self.consoles.values()):
            self.connect_console(console, self._whereabouts)
        self.assembly.failures.on_failure = self.plugin_failed
        self.watchdog = Watchdog(self, self.tell_of_trap_loops)
        self.regions = RegionManager(self, self.board.harts.regions)
        self.plan = plan_load(self.board, self.software, self.assembly.device_tree)
        self.power_on()

    def _connect_inbox(self) -> None:
        """With a virtual clock, what the host sends to consoles waits for its place."""
        if self.turns.virtual is None:
            return
        for name, console in self.consoles.items():
            self.turns.inbox.sources[name] = console.arrive
            console.post = partial(self.turns.inbox.post, name)

    def _set_up_memory(self) -> None:
        self.core.attach(self.native.view)
        use_fence(self.core.fence)
        windows = [(w.base, w.end - w.base) for w, d in self.bus.windows if not d.node_has_reg]
        for name, ram in zip(self.board.memory, self.memory.regions, strict=True):
            self.native.add_ram(ram, not self.board.memory[name].rom, windows)
        self.ram_connection = RamConnection(self)

    def _new_hart(self, own: OneHart) -> Hart:
        hart = build_hart(self, own)
        self.mmio.attach(hart)
        self.seeds.attach(hart.view)
        return hart
