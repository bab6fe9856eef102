"""What guests cost on a hart: world switches by cause, instructions in each world, page walks."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from rvplat.machine.causes import FIRST_INTERRUPT, trap_name
from rvplat.machine.hart import Hart

_KINDS = {
    "hypercall": (10,),
    "guest-page fault": (20, 21, 23),
    "page fault": (12, 13, 15),
    "virtual instruction": (22,),
}


@dataclass(frozen=True)
class WorldStatistics:
    """Since the last reset. `exits` are traps out of guests, by name; `walks` are TLB misses that
    looked at page tables: of the host, of guests' first stage, of the second."""

    entries: int
    exits: dict[str, int]
    kinds: dict[str, int]
    instructions: dict[str, int]
    walks: dict[str, int]
    fences: dict[str, int]

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.exits.items()) or "none"
        walks = ", ".join(f"{name} {count}" for name, count in self.walks.items())
        return (
            f"{self.entries} entries, {self.instructions['guests']} instructions in guests; "
            f"exits: {counts}; walks: {walks}"
        )


def world_statistics(hart: Hart) -> WorldStatistics:
    """A hart that stands still."""
    exceptions = list(hart.field("exits", ctypes.c_uint64))
    interrupts = list(hart.field("interrupt_exits", ctypes.c_uint64))
    view: Any = hart.view
    exits = {trap_name(n): int(count) for n, count in enumerate(exceptions) if count}
    exits |= {trap_name(FIRST_INTERRUPT + n): c for n, c in enumerate(interrupts) if c}
    kinds = {kind: sum(exceptions[n] for n in codes) for kind, codes in _KINDS.items()}
    kinds["other exception"] = sum(exceptions) - sum(kinds.values())
    kinds["interrupt"] = sum(interrupts)
    retired = [int(view.world_retired[0]), int(view.world_retired[1])]
    retired[int(view.virt)] += hart.retired - int(view.world_since)
    host, first, second = hart.field("walks", ctypes.c_uint64)
    return WorldStatistics(
        int(view.world_entries), exits, kinds,
        {"host": retired[0], "guests": retired[1]},
        {"host": host, "guests' first stage": first, "second stage": second},
        {"first stage": int(view.virtual_fences), "second stage": int(view.guest_fences)},
    )  # fmt: skip
