"""Hooks, as a machine's user sets them. What they are is in hooks/."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from rvplat.machine.observed import Observed
from rvplat.machine.running.stop import Access, GuestOrHost, Space

if TYPE_CHECKING:
    from rvplat.machine.debugging.stop_points import StopPoints
    from rvplat.machine.hooks.hook import Handler, Hook
    from rvplat.machine.hooks.hooks import Hooks
    from rvplat.machine.running.ram_images import RamConnection


class Hooked(Observed):
    """The part of a machine that calls Python where the guest does something.

    Hooks may be set while the machine stands still, and by a handler if no other hart runs
    meanwhile: on the virtual clock, or with one hart.
    """

    hooking = ("on", "on_write", "on_trap", "on_world_switch", *Observed.observed)

    if TYPE_CHECKING:
        ram_connection: RamConnection

        @cached_property
        def debugged(self) -> StopPoints: ...

    def on(
        self, address: int | str, handler: Handler | None = None, *,
        vmid: GuestOrHost | None = None, when: str | None = None, asid: int | None = None,
        privilege: str | Iterable[str] | None = None, space: Space = "virtual",
    ) -> Hook:  # fmt: skip
        """Call `handler(event)` (`Event`) before the instruction at an address, in the hart's
        thread; then the hart goes on. Without a handler the hook counts its `hits`, and can be
        called as a decorator. Pages of code without hooks run at full speed.

        Args:
            address: an even address, or a symbol of the program or of the guest.
            vmid: only in the guest with this VMID, or only in the "host" (V=0).
            when: only where this holds, as for `breakpoints.add`: "$a0 > 3".
            asid, privilege, space: as for `breakpoints.add`.

        If a handler raises, the run ends and raises RunFailed, which names the hook.

        Raises:
            TypeError, ValueError, LookupError, RuntimeError: as `breakpoints.add`.
        """
        return self.hooks.on(address, handler, vmid, when, asid, privilege, space)

    def on_write(
        self, address: int | str, size: int = 8, handler: Handler | None = None, *,
        access: Access = "write", vmid: GuestOrHost | None = None, when: str | None = None,
    ) -> Hook:  # fmt: skip
        """Call `handler(event)` before an instruction writes any of `size` bytes at a virtual
        address; see `on`. `access` may be "read" or "access" (both) instead. Accesses of the same
        page of 4 KiB take longer, some 50 ns."""
        return self.hooks.on_access(address, size, access, handler, vmid, when)

    def on_trap(
        self, cause: int | None = None, handler: Handler | None = None, *,
        interrupt: bool | None = None, vmid: GuestOrHost | None = None, when: str | None = None,
    ) -> Hook:  # fmt: skip
        """Call `handler(event)` after a hart has taken a trap, before its handler's first
        instruction; see `on`. Resumable non-maskable interrupts don't count.

        Args:
            cause: the code of the exception, or with `interrupt=True` of the interrupt, 0 to 63;
                None: every one.
            interrupt: True: interrupts; False: exceptions; None: both, or the exception `cause`.
            vmid: only traps that were taken in this guest, or in the "host", whoever handles them.
        """
        return self.hooks.on_trap(cause, interrupt, handler, vmid, when)

    def on_world_switch(
        self, handler: Handler | None = None, *, vmid: GuestOrHost | None = None,
        when: str | None = None,
    ) -> Hook:  # fmt: skip
        """Call `handler(event)` after a hart has entered or left a guest; see `on`. `vmid`: only
        this guest, or "host" for every one.

        Raises:
            ValueError: the board's harts have no H extension.
        """
        return self.hooks.on_world_switch(handler, vmid, when)

    @cached_property
    def hooks(self) -> Hooks:
        """All hooks, made at first use."""
        from rvplat.machine.hooks.hooks import Hooks

        return Hooks(self, self.debugged, self.ram_connection)

    def state_replaced(self) -> None:
        """The state is another, which no run has led to."""
        if "hooks" in vars(self):
            self.hooks.forget()
