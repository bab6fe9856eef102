"""`Snapshot`: the state of a machine at one moment, and how it is taken and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvplat.bus.images import MemoryImage
from rvplat.errors import BusError, SnapshotError
from rvplat.frozen import frozen
from rvplat.machine.loading.loader import LoadPlan
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.device_state import (
    consoles_of,
    load_devices,
    save_devices,
    standing,
)
from rvplat.machine.snapshots.facts import Facts, check_facts, facts_of
from rvplat.machine.snapshots.hart_state import check_hart, load_hart, save_hart


@frozen
class Snapshot:
    """The state of a machine at one moment. It never changes, and any number of machines can begin
    from it. Snapshots of a run share the memory that did not change between them.

    `facts` say what it is of: rvplat's version, the board, the plugins, the disks' images.
    """

    facts: Facts
    harts: tuple[Mapping[str, Any], ...]
    devices: Mapping[str, Any]
    consoles: Mapping[str, Any]
    clock: Mapping[str, Any]
    turns: Mapping[str, Any]
    memory: MemoryImage
    plan: LoadPlan

    @property
    def pcs(self) -> list[int]:
        """The pc of each hart."""
        return [int.from_bytes(hart["pc"], "little") for hart in self.harts]

    def __repr__(self) -> str:
        return f"<snapshot of {self.facts.board_name}>"


def take(machine: System, facts: Facts | None = None) -> Snapshot:
    """The state of a machine whose harts don't run. `facts` are those of the machine, if they are
    known.

    Raises:
        SnapshotError: a device can't be saved.
    """
    for console in consoles_of(machine).values():
        console.flush()
    with standing(machine):
        devices = save_devices(machine)
        return Snapshot(
            facts if facts is not None else facts_of(machine),
            tuple(save_hart(machine, hart) for hart in machine.harts),
            devices,
            {name: one.save() for name, one in consoles_of(machine).items()},
            machine.assembly.clock.save(),
            machine.turns.save(),
            machine.memory.capture(),
            machine.plan,
        )


def put_back(machine: System, snapshot: Snapshot) -> None:
    """Give a machine whose harts don't run the state of a snapshot.

    Raises:
        SnapshotError: it is of another board, or a device can't take its state.
    """
    check_facts(machine, snapshot.facts)
    _check_parts(machine, snapshot)
    put_state(machine, snapshot)


def put_state(machine: System, snapshot: Snapshot) -> None:
    """As `put_back`, of a snapshot of the same machine."""
    with standing(machine):
        machine.assembly.clock.load(snapshot.clock)
        machine.memory.restore(snapshot.memory)
        load_devices(machine, snapshot.devices)
        for name, console in consoles_of(machine).items():
            console.load(snapshot.consoles[name])
        for hart, state in zip(machine.harts, snapshot.harts, strict=True):
            load_hart(machine, hart, state)
        machine.turns.load(snapshot.turns)
    machine.plan = snapshot.plan


def load_whole(machine: System, snapshot: Snapshot) -> None:
    """As `put_back`, of a snapshot that may be damaged: after an error the state is as before."""
    before = take(machine)
    try:
        put_back(machine, snapshot)
    except SnapshotError:
        put_back(machine, before)
        raise


def _check_parts(machine: System, snapshot: Snapshot) -> None:
    """SnapshotError if a part is missing: a file that somebody else wrote may lack any."""
    parts = (
        ("hart", range(len(machine.harts)), range(len(snapshot.harts))),
        ("device", machine.devices, snapshot.devices),
        ("console", consoles_of(machine), snapshot.consoles),
    )
    for what, wanted, found in parts:
        if odd := sorted({str(one) for one in wanted} ^ {str(one) for one in found}):
            raise SnapshotError(f"the snapshot and the board differ in the {what} {odd[0]}")
    for hart, state in zip(machine.harts, snapshot.harts, strict=True):
        check_hart(hart, state)
    try:
        for segment in snapshot.plan.segments:
            machine.memory.look(segment.address, segment.size)
    except (BusError, TypeError, ValueError):
        raise SnapshotError("the snapshot's software does not fit into the board's RAM") from None
