"""The demo hypervisor with two guests that begin and end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rvplat.gdb.protocol.interfaces import Thread
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.machine import Machine

SRET = bytes.fromhex("73002010")
BOTH_HAVE_RUN = 6_500_000  # instructions
HOST, FIRST, SECOND = Thread(1, 1), Thread(2, 1), Thread(3, 1)
MODERN = frozenset({"multiprocess", "fork-events", "exec-events", "multi-wp-addr"})


def hypervisor(harts: int = 1) -> Machine:
    """The demo hypervisor, which runs on the first hart, and its guests' symbols."""
    settings: dict[str, object] = {"clock": "virtual", "harts.count": harts}
    found = Machine.open("virt", program=hypervisor_elf(), settings=settings)
    files: dict[int | None, Path] = dict(enumerate(hypervisor_guest_elfs().values(), 1))
    found.software = replace(found.software, symbol_files={**files})
    return found
