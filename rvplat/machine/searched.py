"""Searches in time, as a machine's user asks for them. How they are done is in debugging/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rvplat.machine.hooked import Hooked
from rvplat.machine.running.stop import GuestOrHost

if TYPE_CHECKING:
    from rvplat.machine.debugging.when import When


class Searched(Hooked):
    """The part of a machine that finds the instruction after which a condition holds."""

    def when(
        self, condition: str, vmid: GuestOrHost | None = None, hart: int | None = None,
        timeout_s: float | None = None, max_instructions: int | None = None,
    ) -> When:  # fmt: skip
        """Run until a condition holds after an instruction, and return where; it needs a virtual
        clock. The place is that of any other run. What holds before the first instruction, or
        becomes true between two, is found after the next one. The run goes on from there.

        A condition that only reads memory costs little; others are evaluated after each
        instruction, five to ten million times a second. Devices' registers are not read.

        Args:
            condition: as for `breakpoints.add`: "$a0 == 3 && {u64} ($sp + 8) != counter". Where it
                can't be evaluated, it doesn't hold.
            vmid: only in the guest with this VMID, or only in the "host" (V=0).
            hart: only after instructions of this hart.
            timeout_s, max_instructions: limits of the run, as for `run`.

        Raises:
            TypeError, ValueError, LookupError: an argument can't be used; the message says why.
            RuntimeError, RunFailed: as `run`.
        """
        from rvplat.machine.debugging.searches import search

        self.must_be_free()
        return search(self, condition, vmid, hart, timeout_s, max_instructions)
