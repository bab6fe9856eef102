"""`Event`: what the handler of a hook gets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rvplat.arguments import integer, text
from rvplat.isa.machinery.disassemble import instruction_length
from rvplat.isa.privileged import INTERRUPT, VMID
from rvplat.machine.debugging.arguments import named_world
from rvplat.machine.debugging.stop_points import ACCESSES
from rvplat.machine.hooks.hook import Hook
from rvplat.machine.running.hart import Hart, RegisterFile
from rvplat.machine.running.public_names import PublicNames
from rvplat.machine.running.stop import Access, GuestOrHost, Stop
from rvplat.machine.worlds.world import World, number_of

if TYPE_CHECKING:
    from rvplat.bus.ram import Memory
    from rvplat.machine.running.system import System
    from rvplat.machine.worlds.stack import Backtrace

log = logging.getLogger("rvplat.hooks")


class Event(metaclass=PublicNames):
    """A hart has met a hook. It stands still before the instruction at `pc`, until the handler
    returns; after a trap or a world switch that is the first instruction there. What the handler
    changes is as if the guest had changed it.

    It can be used only while the handler runs.
    """

    public = (
        "hook", "machine", "hart", "pc", "x", "f", "csr", "set_csr", "world", "mode", "memory",
        "here", "host", "guest", "backtrace", "address", "access", "cause", "is_interrupt", "tval",
        "epc", "came_from", "skip", "return_from", "stop", "log",
    )  # fmt: skip

    __slots__ = ("_kind", "asked", "hart", "hook", "machine")

    def __init__(self, machine: System, hart: Hart, hook: Hook) -> None:
        self.machine = machine
        """The machine."""
        self.hart = hart
        """The hart: registers, CSRs, memory by its translation."""
        self.hook = hook
        """The hook that was met."""
        self.asked: Stop | None = None
        self._kind = hook.kind

    # --- registers ---

    @property
    def pc(self) -> int:
        """The address of the next instruction. A write makes the hart go on there."""
        return int(self.hart.plain.pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self.hart.pc = value

    @property
    def x(self) -> RegisterFile:
        """The integer registers: `event.x["a0"] = 5`."""
        return self.hart.x

    @property
    def f(self) -> RegisterFile:
        """The floating-point registers."""
        return self.hart.f

    def csr(self, name: str | int) -> int:
        """A CSR or a field of it, as `Hart.csr`."""
        return self.hart.csr(name)

    def set_csr(self, name: str | int, value: int) -> None:
        """Write a CSR or a field of it, as `Hart.set_csr`."""
        self.hart.set_csr(name, value)

    # --- where ---

    @property
    def world(self) -> GuestOrHost:
        """The world that the hart is in: "host", or the guest's VMID."""
        return named_world(number_of(self.hart.plain))

    @property
    def mode(self) -> str:
        """The mode that the hart is in: "M", "S", "U", "VS" or "VU"."""
        return self.hart.mode

    @property
    def memory(self) -> Memory:
        """RAM by physical address."""
        return self.machine.memory

    @property
    def here(self) -> World:
        """The world that the hart is in: `event.here["numbers[3]"]`, `event.here.read(va, 8)`."""
        return World(self.machine, self.hart, self.world)

    @property
    def host(self) -> World:
        """The host's world."""
        return World(self.machine, self.hart, "host")

    def guest(self, vmid: int) -> World:
        """A guest's world."""
        return World(self.machine, self.hart, integer("vmid", vmid, 0, VMID))

    def backtrace(self) -> Backtrace:
        """The call stack here, as `Machine.backtrace`."""
        from rvplat.machine.worlds.stack import backtrace

        return backtrace(self.machine, self.hart)

    # --- what ---

    def _must_be(self, kind: str, what: str) -> Any:
        if self._kind != kind:
            raise ValueError(f"{what}: {self.hook} is for no such event")
        return self.hart.plain

    @property
    def address(self) -> int:
        """The first byte of the access that the hook is for. ValueError for other hooks."""
        return int(self._must_be("access", "address").watch_address)

    @property
    def access(self) -> Access:
        """What the instruction does there: "read", "write" or "access". ValueError for others."""
        return ACCESSES[int(self._must_be("access", "access").watch_kind)]

    @property
    def cause(self) -> int:
        """The exception or interrupt code of the trap. ValueError for other hooks."""
        return int(self._must_be("trap", "cause").hook_cause) & 63

    @property
    def is_interrupt(self) -> bool:
        """Whether the trap is an interrupt. ValueError for other hooks."""
        return bool(int(self._must_be("trap", "is_interrupt").hook_cause) & INTERRUPT)

    @property
    def tval(self) -> int:
        """What the trap has written to mtval, stval or vstval. ValueError for other hooks."""
        return int(self._must_be("trap", "tval").hook_tval)

    @property
    def epc(self) -> int:
        """Where the trap was taken: the instruction of an exception, or the one that an interrupt
        came before. ValueError for other hooks."""
        return int(self._must_be("trap", "epc").hook_pc)

    @property
    def came_from(self) -> GuestOrHost:
        """The world before the trap or the switch. ValueError for other hooks."""
        if self._kind not in ("trap", "switch"):
            raise ValueError(f"came_from: {self.hook} is for no such event")
        return named_world(int(self.hart.plain.hook_from))

    # --- what to do ---

    def skip(self) -> None:
        """Don't execute the instruction; the hart goes on with the next one. ValueError after a
        trap or a world switch, which has been executed."""
        if self._kind not in ("instruction", "access"):
            raise ValueError(f"skip: {self.hook} is for no instruction")
        pc = self.pc
        low = int.from_bytes(self.hart.read(pc, 2), "little")
        self.hart.pc = pc + instruction_length(low)

    def return_from(self, value: int | None = None) -> None:
        """Return from the function whose first instruction this is, without executing it: pc
        becomes ra. `value` is for a0."""
        if value is not None:
            self.hart.x["a0"] = value
        self.hart.pc = self.hart.x["ra"]

    def stop(self, reason: str = "") -> None:
        """End the run when the handlers of this place have returned. The `Stop` has the reason
        "hook", and this text."""
        said = text("reason", reason)
        self.asked = Stop("hook", 0, self.hart.number, self.world, self.pc, detail=said)

    def log(self, message: str) -> None:
        """Write a line to the logger "rvplat.hooks" (INFO): the message, the hook and the place."""
        log.info("%s (%s, hart %d, pc %#x)", message, self.hook, self.hart.number, self.pc)
