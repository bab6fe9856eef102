"""Statistics of guests on a hart: world switches by cause, instructions by world, page walks."""

from __future__ import annotations

from typing import Any

from rvplat.frozen import frozen
from rvplat.hart.debugging.world_switches import GUESTS
from rvplat.isa.privileged import VMID, VMID_SHIFT
from rvplat.machine.inspection.trap_names import FIRST_INTERRUPT, trap_name
from rvplat.machine.running.hart import Hart

_KINDS = {
    "hypercall": (10,),
    "guest-page fault": (20, 21, 23),
    "page fault": (12, 13, 15),
    "virtual instruction": (22,),
}


@frozen
class WorldStatistics:
    """Counts since the last reset. `exits` are traps out of guests, by name. `walks` are TLB misses
    that read page tables of the host, of guests' first stage and of the second stage. `guests` are
    the instructions of each guest that ran recently, by VMID."""

    entries: int
    exits: dict[str, int]
    kinds: dict[str, int]
    instructions: dict[str, int]
    guests: dict[int, int]
    walks: dict[str, int]
    fences: dict[str, int]

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.exits.items()) or "none"
        walks = ", ".join(f"{name} {count}" for name, count in self.walks.items())
        guests = ", ".join(f"VMID {vmid} {count}" for vmid, count in self.guests.items())
        return (
            f"{self.entries} entries, {self.instructions['guests']} instructions in guests"
            f" ({guests}); "
            f"exits: {counts}; walks: {walks}"
        )


def world_statistics(hart: Hart) -> WorldStatistics:
    """The statistics of a stopped hart."""
    exceptions = list(hart.field("exits"))
    interrupts = list(hart.field("interrupt_exits"))
    view: Any = hart.view
    exits = {trap_name(n): int(count) for n, count in enumerate(exceptions) if count}
    exits |= {trap_name(FIRST_INTERRUPT + n): c for n, c in enumerate(interrupts) if c}
    kinds = {kind: sum(exceptions[n] for n in codes) for kind, codes in _KINDS.items()}
    kinds["other exception"] = sum(exceptions) - sum(kinds.values())
    kinds["interrupt"] = sum(interrupts)
    retired = [int(view.world_retired[0]), int(view.world_retired[1])]
    since_switch = (hart.retired - int(view.world_since)) % (1 << 64)
    retired[int(view.virt)] += since_switch
    host, first, second = hart.field("walks")
    return WorldStatistics(
        int(view.world_entries), exits, kinds,
        {"host": retired[0], "guests": retired[1]}, _guests(hart, since_switch),
        {"host": host, "guests' first stage": first, "second stage": second},
        {"first stage": int(view.virtual_fences), "second stage": int(view.guest_fences)},
    )  # fmt: skip


def _guests(hart: Hart, since_switch: int) -> dict[int, int]:
    """Instructions by VMID, for the current guest including those since the last switch."""
    view: Any = hart.view
    known = min(int(view.guest_count), GUESTS)
    tables, retired = (list(hart.field(name))[:known] for name in ("guest_hgatp", "guest_retired"))
    found = {at >> VMID_SHIFT & VMID: count for at, count in zip(tables, retired, strict=True)}
    if view.virt != 0:
        now = int(view.hgatp) >> VMID_SHIFT & VMID
        found[now] = found.get(now, 0) + since_switch
    return dict(sorted(found.items()))
