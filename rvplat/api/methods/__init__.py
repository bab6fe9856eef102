"""The methods of the machine API, a file for each subject."""

from rvplat.api.methods import (
    code,
    consoles,
    devices,
    events,
    harts,
    history,
    interrupts,
    memory,
    points,
    registers,
    running,
    snapshots,
)

ALL = (running, harts, registers, memory, code, points, history, devices, interrupts, consoles,
       snapshots, events)  # fmt: skip
"""The modules, in the order of the documentation."""
