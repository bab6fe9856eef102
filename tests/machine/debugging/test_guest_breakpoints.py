"""Breakpoints' rows on the demo hypervisor: two guests that have code at the same addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.engine.breakpoints import GUEST_PHYSICAL, PHYSICAL
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.hart.debugging.watchpoints import NOWHERE
from rvplat.machine.debugging.breakpoint_table import Place
from rvplat.machine.loading.elf import read_elf
from rvplat.machine.machine import Machine

OFFSET = 0xFFFF_FFC0_0000_0000  # from guest-physical addresses to virtual ones
FIBONACCI, SORT = 2, 3  # worlds: VMID + 1
HS, VS = 1 << 1, 1 << 5


def symbol(path: Path, name: str) -> int:
    """An address of an ELF file."""
    return int(read_elf(path, path.read_bytes()).symbols[name])


class Bench:
    """The hypervisor, before its first instruction."""

    def __init__(self) -> None:
        self.machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
        self.hart = self.machine.harts[0]
        self.points = self.machine.debugged.breakpoint_rows
        self.work = symbol(hypervisor_guest_elfs()["sort"], "guest_sort")

    def stop(self) -> str:
        """Go on, past a breakpoint here; why it stopped."""
        return self.machine.run(timeout_s=60).reason

    def world(self) -> int:
        """The guest that the hart is in."""
        assert self.hart.virt == 1
        return 1 + (self.hart.csr("hgatp.VMID"))


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.machine.close()


def test_a_guest_physical_address_of_each_guest(bench: Bench) -> None:
    row = bench.points.add(Place(bench.work - OFFSET, space=GUEST_PHYSICAL))
    worlds: set[object] = set()
    while worlds != {FIBONACCI, SORT}:
        assert bench.stop() == "break"
        assert bench.hart.pc == bench.work
        worlds.add(bench.world())
    bench.points.remove(row)
    assert int(bench.machine.native.view.break_guest) == 0
    assert bench.stop() == "off"


def test_a_guest_physical_address_of_one_guest(bench: Bench) -> None:
    bench.points.add(Place(bench.work - OFFSET, world=SORT, space=GUEST_PHYSICAL))
    for _ in range(20):
        assert bench.stop() == "break"
        assert (bench.hart.pc, bench.world()) == (bench.work, SORT)


def test_set_while_the_guests_code_is_decoded(bench: Bench) -> None:
    first = bench.points.add(Place(bench.work, world=SORT))
    for _ in range(3):
        assert bench.stop() == "break"
    bench.points.add(Place(bench.work - OFFSET, world=SORT, space=GUEST_PHYSICAL))
    bench.points.remove(first)
    for _ in range(3):
        assert bench.stop() == "break"
        assert (bench.hart.pc, bench.world()) == (bench.work, SORT)


def test_a_physical_address_of_a_guests_memory(bench: Bench) -> None:
    virtual = bench.points.add(Place(bench.work, world=SORT))
    assert bench.stop() == "break"
    pa = bench.hart.translate(bench.work)
    assert pa is not None
    assert pa != bench.work - OFFSET
    bench.points.remove(virtual)
    bench.points.add(Place(pa, space=PHYSICAL))
    for _ in range(5):
        assert bench.stop() == "break"
        assert (bench.hart.pc, bench.world()) == (bench.work, SORT)


def test_the_host_has_no_guest_physical_addresses(bench: Bench) -> None:
    bench.points.add(Place(bench.machine.symbols["run_guest"], space=GUEST_PHYSICAL))
    assert bench.stop() == "off"


def test_modes_tell_the_host_from_its_guests(bench: Bench) -> None:
    host = bench.points.add(Place(bench.machine.symbols["run_guest"], modes=VS))
    guest = bench.points.add(Place(bench.work, modes=HS))
    assert bench.stop() == "off"
    assert [int(bench.points.row(n).hits) for n in (host, guest)] == [0, 0]


def test_modes_of_guests(bench: Bench) -> None:
    bench.points.add(Place(bench.work, modes=VS, world=FIBONACCI))
    assert bench.stop() == "break"
    assert (bench.hart.pc, bench.world()) == (bench.work, FIBONACCI)


def test_every_row_that_holds_is_hit(bench: Bench) -> None:
    places = [
        Place(bench.work, world=SORT), Place(bench.work, modes=VS),
        Place(bench.work, world=FIBONACCI),
        Place(bench.work - OFFSET, world=SORT, space=GUEST_PHYSICAL),
        Place(bench.work - OFFSET, world=FIBONACCI, space=GUEST_PHYSICAL),
    ]  # fmt: skip
    rows = [bench.points.add(place) for place in places]
    while int(bench.points.row(rows[0]).hits) < 4:
        assert bench.stop() == "break"
    hits = [int(bench.points.row(n).hits) for n in rows]
    assert hits[0] == hits[3] == 4
    assert hits[2] == hits[4] > 0
    assert hits[1] == hits[0] + hits[2]


def test_one_instruction_at_a_time_meets_them_too(bench: Bench) -> None:
    bench.points.add(Place(bench.work - OFFSET, world=SORT, space=GUEST_PHYSICAL))
    before = bench.points.add(Place(bench.work, world=SORT))
    assert bench.stop() == "break"
    bench.points.remove(before)
    bench.hart.view.break_skip = NOWHERE
    assert bench.machine.step().reason == "break"
    assert bench.hart.pc == bench.work
