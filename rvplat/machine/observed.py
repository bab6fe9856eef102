"""The worlds of a machine and their call stacks, as a machine's user sees them (worlds/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rvplat.arguments import hart_number, integer
from rvplat.isa.privileged import VMID
from rvplat.machine.running.hart import Hart
from rvplat.machine.trap_reports import TrapReports

if TYPE_CHECKING:
    from rvplat.machine.worlds.covering import Covering
    from rvplat.machine.worlds.stack import Backtrace
    from rvplat.machine.worlds.world import World


class Observed(TrapReports):
    """The part of a machine that shows the host and the guests by their own addresses and names."""

    observed = ("host", "guest", "backtrace", "cover")

    @property
    def host(self) -> World:
        """The host's world (V=0): `machine.host["state.count"]`, `.read(va, size)`."""
        from rvplat.machine.worlds.world import World

        return World(self, self._hart_here(), "host")

    def guest(self, vmid: int) -> World:
        """A guest's world: `machine.guest(2)["numbers[3]"]`, `.read(va, size)`. Its variables need
        the guest's ELF file, from `symbols` or `--symbols`.

        Raises:
            ValueError: the board's harts have no H extension.
        """
        from rvplat.machine.worlds.world import World

        number = integer("vmid", vmid, 0, VMID)
        if not any(one.name == "H" for one in self.extensions):
            raise ValueError("this board's harts have no H extension, and so no guests")
        return World(self, self._hart_here(), number)

    def backtrace(self, hart: int | None = None) -> Backtrace:
        """The call stack of a hart (None: the first one, in a hook's handler its own), innermost
        first: functions, files and lines of the world that it is in. If that is a guest, the stack
        of the host below it follows, as far as it is known: harts keep the registers of the worlds
        that they leave from the first call on, or the first hook.

        It needs symbols or DWARF (`-g`) for names, and call frame information or frame pointers for
        callers. Damaged debug information is left out, and named in `problems`.
        """
        from rvplat.machine.worlds.stack import backtrace

        asked = self._hart_here() if hart is None else self.harts[self._number(hart)]
        asked._still()
        found = backtrace(self, asked)
        for one in self.harts:
            one.plain.keep_worlds = 1
        return found

    def cover(self) -> Covering:
        """Note from here on which instructions the host and each guest begin, at full speed. The
        machine has not run yet. `coverage()` of the value has what ran so far.

        Raises:
            RuntimeError: the machine has run, or its coverage is collected already.
        """
        from rvplat.machine.worlds.covering import Covering

        return Covering(self)

    def _hart_here(self) -> Hart:
        """The hart of the hook whose handler calls, or the first one."""
        return self.lookers.hart or self.harts[0]

    def _number(self, hart: int) -> int:
        return hart_number(hart, len(self.harts))
