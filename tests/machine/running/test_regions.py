"""Regions: hot guest code as native code."""

from __future__ import annotations

import pytest

from rvplat import Machine
from rvplat.guests import bench_programs

SIEVE = next(one for one in bench_programs() if one.name == "sieve")


def sieve(regions: str, **settings: object) -> Machine:
    return Machine.open("virt", program=SIEVE.path, settings={"harts.regions": regions, **settings})


def ended(machine: Machine) -> tuple[bytes, int]:
    """Run to the end; the output without its times, and the retired instructions."""
    output = bytearray()
    machine.console.sinks.append(output.extend)
    machine.run(timeout_s=120)
    return bytes(output).split(b" ticks ")[0], machine.harts[0].instret


@pytest.mark.parametrize("regions", ["hot", "all"])
def test_a_program_runs_as_in_the_interpreter(regions: str) -> None:
    with sieve("off", clock="virtual") as machine:
        expected = ended(machine)
        assert machine.regions.counts.compiled == 0
    with sieve(regions, clock="virtual") as machine:
        assert ended(machine) == expected
        counts = machine.regions.counts
        assert counts.compiled + counts.kept > 0


def test_a_breakpoint_in_a_region_is_met() -> None:
    with sieve("all") as machine:
        machine.run(max_instructions=50_000_000)
        assert machine.regions.counts.compiled > 0
        where = machine.harts[0].pc
        machine.breakpoints.add(where)
        assert machine.run(timeout_s=60).reason == "break"
        assert machine.harts[0].pc == where
