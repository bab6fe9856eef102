"""The whole state of a machine, to be compared."""

from __future__ import annotations

from typing import Any

from rvplat import Machine

#: Counts of what the host's caches did not know: they are empty after a snapshot was loaded.
CACHES = ("tlb_misses", "walks")
WORD = 8
SINK = 32 * WORD  # x[32] takes what is written to x0


def state_of(machine: Machine) -> dict[str, Any]:
    """Everything that a snapshot has, as values that can be compared."""
    found = machine.save()
    harts = [{k: v for k, v in hart.items() if k not in CACHES} for hart in found.harts]
    for hart in harts:
        hart["x"] = hart["x"][:SINK]
    return {
        "harts": harts,
        "devices": found.devices,
        "consoles": found.consoles,
        "clock": found.clock,
        "turns": found.turns,
        "memory": {pa: bytes(page) for pa, page in found.memory.pages()},
    }


def differences(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """The parts in which two states differ; for harts also the fields."""
    found = [name for name in one if name != "harts" and one[name] != two[name]]
    for number, (a, b) in enumerate(zip(one["harts"], two["harts"], strict=True)):
        found += [f"hart {number}: {name}" for name in a if a[name] != b[name]]
    return found
