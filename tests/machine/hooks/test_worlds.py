"""Hooks in the demo hypervisor: by world, at world switches, with every world's memory."""

from __future__ import annotations

from collections import Counter

import pytest

from rvplat import Machine
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.hooks.event import Event
from rvplat.machine.open_arguments import PathLike

FIBONACCI, SORT = 1, 2


def test_guests_switches_and_traps() -> None:
    guests: dict[int | None, PathLike] = {SORT: hypervisor_guest_elfs()["sort"]}
    settings = {"clock": "virtual"}
    with Machine.open("virt", hypervisor_elf(), settings=settings, symbols=guests) as machine:
        seen: Counter[object] = Counter()

        def note(event: Event) -> None:
            seen[event.came_from, event.world] += 1

        @machine.on("guest_sort", vmid=SORT)
        def sorts(event: Event) -> None:
            seen[event.world, event.mode] += 1
            sorts.enabled = sorts.hits < 20
            seen["numbers"] += len(event.guest(SORT)["numbers"])
            seen["read"] += machine.guest(SORT)["numbers"] == event.here["numbers"]
            seen["host"] += isinstance(event.host.read(machine.symbols["guests"], 8), bytes)

        switches = machine.on_world_switch(note)
        mine = machine.on_world_switch(vmid=SORT)
        calls = machine.on_trap(10, vmid=SORT)
        every = machine.on_trap(10)
        assert machine.run(timeout_s=10).reason == "off"
        statistics = machine.harts[0].plain
        assert switches.hits == 2 * int(statistics.world_entries)
        into = {vmid: seen["host", vmid] for vmid in (FIBONACCI, SORT)}
        assert sum(into.values()) == int(statistics.world_entries)
        assert seen[SORT, "host"] == into[SORT] and mine.hits == 2 * into[SORT]
        assert every.hits == int(statistics.exits[10]) > calls.hits > 0
        assert seen[SORT, "VS"] == sorts.hits == seen["read"] == seen["host"] == 20


def test_no_guests() -> None:
    with Machine.open("virt", program="demo", settings={"harts.isa": "rv64gc"}) as machine:
        with pytest.raises(ValueError, match="no H extension, and so no guests"):
            machine.on_world_switch()
        with pytest.raises(ValueError, match="no H extension, and so no guests"):
            machine.on_trap(vmid=1)
