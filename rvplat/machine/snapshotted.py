"""Snapshots, as a machine's user takes and loads them. What they are made of is in snapshots/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rvplat.machine.trap_reports import TrapReports

if TYPE_CHECKING:
    from rvplat.machine.snapshots.snapshot import Snapshot


class Snapshots(TrapReports):
    """The part of a machine that saves and loads its state."""

    def save(self) -> Snapshot:
        """Take a snapshot of the stopped machine: harts, RAM, devices, disks, consoles, clock."""
        from rvplat.machine.snapshots.snapshot import take

        self.must_be_free()
        return take(self)

    def load(self, snapshot: Snapshot) -> None:
        """Give the stopped machine the state of a snapshot."""
        from rvplat.machine.snapshots.snapshot import put_back

        self.must_be_free()
        put_back(self, snapshot)
