"""Registers and memory of threads that are stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rvplat.engine.agent import REG_PC
from rvplat.gdb.protocol.errors import DeviceRefused, GdbError, Unavailable
from rvplat.gdb.protocol.interfaces import HOST_PID, STEP_BITS, Region, Thread
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.registers import PRIVS, Registers
from rvplat.gdb.target.world_memory import PHYSICAL, VIRTUAL, WorldMemory, region_around
from rvplat.gdb.target.worlds import WorldTable
from rvplat.isa.privileged import MACHINE
from rvplat.machine.inspection.mappings import Mapping, mappings


class Inspector:
    """The part of a target that reads and writes registers and memory (protocol/interfaces.py says
    what each method does). A thread whose hart is in another world shows the registers that the
    hart had when it left the thread's world.

    `masks_interrupts`: no interrupt is taken while the client steps. `lldb`: the client is LLDB.
    """

    single_process: bool

    def __init__(
        self,
        control: HartControl,
        registers: Registers,
        world_memory: WorldMemory,
        worlds: WorldTable,
    ) -> None:
        self.machine = control.machine
        self.control = control
        self.registers = registers
        self.world_memory = world_memory
        self.worlds = worlds
        self.masks_interrupts = False
        self.device_hint_given = False  # the user was told how to access device registers
        self.lldb = False

    def _still(self, thread: Thread) -> int:
        """The hart of a thread. Unavailable if it runs."""
        hart = thread.tid - 1
        if self.control.is_running(hart):
            raise Unavailable(f"hart {hart} is running")
        return hart

    def annexes(self, pid: int) -> dict[str, str]:
        layout = self.registers.layout
        return layout.lldb if self.lldb else layout.annexes

    def general(self, pid: int) -> Sequence[tuple[int, int]]:
        return self.registers.layout.general

    def register_size(self, pid: int, number: int) -> int:
        return self.registers.size(number)

    def read_register(self, thread: Thread, number: int) -> int:
        hart, guest = self._still(thread), thread.pid != HOST_PID
        if self.worlds.is_there(thread) or (not guest and self.registers.is_csr(number)):
            return self.registers.read(hart, number, guest)  # the host's CSRs are the hart's
        if number == REG_PC and self._has_no_pc(thread):
            return 0
        return self.registers.read_kept(*self._left(thread), number)

    def read_general(self, thread: Thread) -> list[int | None]:
        hart = self._still(thread)
        if self.worlds.is_there(thread):
            return [*self.registers.read_general(hart)]
        if self._has_no_pc(thread):
            return [0 if number == REG_PC else None for number, _ in self.general(thread.pid)]
        return self.registers.read_general_kept(*self._left(thread))

    def _has_no_pc(self, thread: Thread) -> bool:
        """Whether a thread's pc is unknown, so that 0 is shown. Without a pc gdb can't attach to
        the host, which a hart may have left before it was debugged, and it resumes nothing while
        a thread that was at a breakpoint has no pc."""
        unknown = thread.pid == HOST_PID and self.worlds.kept(thread) is None
        return unknown or self._is_over(thread)

    def _is_over(self, thread: Thread) -> bool:
        """Whether a thread's world has ended, or in the past has not begun."""
        return self.worlds.get(thread.pid).ended or not self.worlds.has_begun(thread.pid)

    def _left(self, thread: Thread) -> tuple[Any, dict[str, int]]:
        """What is known of a world that the thread's hart has left: (its registers then, the state
        for walks)."""
        if self._is_over(thread):
            return None, {}
        return self.worlds.kept(thread), self.worlds.state(thread)

    def expedited(self, thread: Thread) -> list[tuple[int, int, int]]:
        hart = thread.tid - 1
        still = not self.control.is_running(hart) and self.worlds.is_there(thread)
        return self.registers.frame(hart) if still else []

    def write_register(self, thread: Thread, number: int, value: int) -> None:
        hart, guest = self._still(thread), thread.pid != HOST_PID
        if not self.worlds.is_there(thread):
            raise GdbError(f"hart {hart} isn't in this world now: its registers can't be written")
        if number in PRIVS and not self.single_process and value >> 2 != int(guest):
            raise GdbError(
                f"priv {value} would put the hart into another process, "
                f"{'the host' if guest else 'a guest'}: that takes an xRET or a trap"
            )
        self.changes()
        self.registers.write(hart, number, value, guest)

    def read_memory(self, thread: Thread, address: int, length: int) -> bytes:
        with self.control.quiet(), self._hinting():
            return self.world_memory.read(thread.tid - 1, self._walking(thread), address, length)

    def write_memory(self, thread: Thread, address: int, data: bytes) -> None:
        with self.control.quiet(), self._hinting():
            self.changes()
            self.world_memory.write(thread.tid - 1, self._walking(thread), address, data)

    def _walking(self, thread: Thread) -> dict[str, int]:
        """The state for walks in the thread's world. Physical addresses need none, so the world may
        have ended."""
        return {} if self.world_memory.space == PHYSICAL else self.worlds.state(thread)

    @contextmanager
    def _hinting(self) -> Iterator[None]:
        """gdb doesn't show why memory can't be accessed. So the user is told once how to access
        device registers, by text that gdb shows when the board next runs."""
        try:
            yield
        except DeviceRefused as error:
            if not self.device_hint_given:
                self.device_hint_given = True
                self.say(f"{error}\n")
            raise

    def say(self, text: str) -> None:
        """Tell the client's user something."""
        raise NotImplementedError

    def changes(self) -> None:
        """The user is about to change the board's state. GdbError if that is refused."""
        raise NotImplementedError

    def translate_address(self, thread: Thread, va: int) -> int | None:
        with self.control.quiet():
            return self.world_memory.translate(thread.tid - 1, self.worlds.state(thread), va)

    def mappings(self, thread: Thread) -> list[Mapping]:
        state, view = self.worlds.state(thread), self.machine.harts[thread.tid - 1].plain
        root = "vsatp" if state.get("virt", int(view.virt)) else "satp"
        around = state.get("hgatp", int(view.hgatp)) if root == "vsatp" else None
        with self.control.quiet():
            found = state.get(root, int(getattr(view, root)))
            return mappings(self.machine, view, found, around)

    def region_at(self, thread: Thread, address: int) -> Region:
        if self.world_memory.space == VIRTUAL and not self._in_machine_mode(thread):
            found = self.mappings(thread)
            if any(one.flags or one.gpa is not None for one in found):
                regions = [Region(one.flags, one.va, one.size) for one in found]
                return region_around(regions, address)
        return region_around(self.world_memory.layout(), address)

    def _in_machine_mode(self, thread: Thread) -> bool:
        view = self.machine.harts[thread.tid - 1].plain
        return self.worlds.is_there(thread) and int(view.priv) == MACHINE

    def regions(self) -> Sequence[Region]:
        return self.world_memory.regions()

    # --- for QEMU's packets ---

    @property
    def physical(self) -> bool:
        """Whether clients give physical addresses."""
        return self.world_memory.space == PHYSICAL

    @physical.setter
    def physical(self, on: bool) -> None:
        self.world_memory.space = PHYSICAL if on else VIRTUAL

    @property
    def sstep(self) -> int:
        """What a step does, in STEP_BITS."""
        noirq = STEP_BITS["NOIRQ"] if self.masks_interrupts else 0
        return (
            STEP_BITS["ENABLE"]
            | noirq
            | (0 if self.control.time.in_steps else STEP_BITS["NOTIMER"])
        )

    @sstep.setter
    def sstep(self, bits: int) -> None:
        self.masks_interrupts = bool(bits & STEP_BITS["NOIRQ"])
        self.control.time.in_steps = not bits & STEP_BITS["NOTIMER"]
