"""What a machine says of its harts' traps. The modules that do so are imported when needed."""

from __future__ import annotations

from rvplat.machine.running.hart import Hart
from rvplat.machine.running.stop import Stop
from rvplat.machine.running.system import System


class TrapReports(System):
    """The part of a machine that tells of critical errors and of loops of traps."""

    def break_stop(self, hart: Hart) -> Stop:
        if hart.plain.critical:
            from rvplat.machine.inspection.critical_errors import critical_stop

            return critical_stop(self, hart)
        return super().break_stop(hart)

    def tell_of_trap_loops(self) -> None:
        """Warn of harts whose handler only raises the next trap."""
        from rvplat.machine.inspection.trap_loops import tell_of_trap_loops

        tell_of_trap_loops(self)
