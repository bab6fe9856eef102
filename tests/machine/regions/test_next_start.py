"""What a later start of a guest takes from an earlier one, and what it adds."""

from __future__ import annotations

from typing import cast

from rvplat import Machine
from rvplat.isa.privileged import PAGE_MASK
from rvplat.machine.running.region_manager import RegionManager
from tests.machine.regions.forced import machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

#: Three functions in a page. They run so shortly that the harts report nothing.
FUNCTIONS = (
    "".join(f"  call {name}\n" for name in ("first", "second", "third"))
    + POWER_OFF
    + ".balign 4096\n"
    + "".join(
        f"{name}:\n  li s0, 200\n1: addi s1, s1, {n}\n  addi s0, s0, -1\n  bnez s0, 1b\n  ret\n"
        for n, name in enumerate(("first", "second", "third"))
    )
)


def report(machine: Machine, symbol: str) -> None:
    """A hart finds that code is hot."""
    cast(RegionManager, machine.regions)._report(machine.symbols[symbol], 1)


def compiled(machine: Machine) -> set[int]:
    """Compile the page; the offsets of the instructions in its region."""
    regions, start = cast(RegionManager, machine.regions), machine.symbols["first"] & PAGE_MASK
    regions._compile_page(start, regions._ran(start))
    return placed(machine)


def placed(machine: Machine) -> set[int]:
    return {offset for page in machine.regions.hot_pages() for offset in page.inside}


def test_a_region_of_an_earlier_start_grows() -> None:
    """It is not replaced by one that has only what this start has found hot."""
    with machine_of(FUNCTIONS, "hot") as machine:
        run_to_end(machine)
        report(machine, "first")
        report(machine, "second")
        before, kept = compiled(machine), cast(RegionManager, machine.regions)._kept
        assert before
    with machine_of(FUNCTIONS, "hot") as machine:
        run_to_end(machine)
        cast(RegionManager, machine.regions)._store = kept
        report(machine, "second")
        assert placed(machine) == before
        report(machine, "third")
        assert before < compiled(machine)
