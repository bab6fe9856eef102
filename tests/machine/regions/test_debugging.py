"""Debugging of code that runs in regions."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.running.stop import Space
from tests.machine.debugging.test_guest_breakpoints import OFFSET, symbol
from tests.machine.regions.forced import compile_quickly, in_region, inside, machine_of
from tests.machine.regions.test_translations import CODE_A, CODE_B, SPACES, spaces
from tests.machine.small_guests import POWER_OFF

#: A hot loop in one page. Every 4096 rounds it calls a function in another one.
TWO_PAGES = (
    """
  li s0, 400000
  la s3, cell
hot: addi s1, s1, 3
  xor s4, s4, s1
  addi s0, s0, -1
  slli t0, s0, 52
  bnez t0, 2f
  sd s0, 0(s3)
  call far
2: bnez s0, hot
"""
    + POWER_OFF
    + """
.balign 4096
far:
  li t1, 3000
loop: addi s2, s2, 1
  addi t1, t1, -1
  bnez t1, loop
  ret
.section .data
.balign 8
cell: .dword 0
"""
)


Stopped = tuple[int, int, tuple[int, ...]]


def state(machine: Machine) -> Stopped:
    hart = machine.harts[0]
    return hart.pc, hart.instret, tuple(hart.x)


def test_only_pages_with_breakpoints_go_without_a_region() -> None:
    with machine_of(TWO_PAGES) as machine:
        machine.run(max_instructions=300_000)
        assert in_region(machine, "hot")
        assert in_region(machine, "loop")
        point = machine.breakpoints.add("far")
        assert in_region(machine, "hot"), "another page"
        before = inside(machine)
        for n in range(1, 20):
            assert machine.run(timeout_s=60).breakpoint is point
            assert machine.harts[0].pc == machine.symbols["far"]
            assert point.hits == n
            assert in_region(machine, "hot")
            assert not in_region(machine, "loop")
        assert inside(machine) > before
        machine.breakpoints.remove(point)
        compiled = machine.regions.counts.compiled
        machine.run(max_instructions=100_000)
        assert in_region(machine, "loop"), "it was withheld"
        assert machine.regions.counts.compiled == compiled, "it was not compiled again"


@pytest.mark.parametrize("mode", ["off", "all"])
def test_conditions_in_hot_code(mode: str) -> None:
    """A false condition does not stop; a true one stops before the instruction."""
    with machine_of(TWO_PAGES, mode) as machine:
        machine.run(max_instructions=1_000_000)
        hart = machine.harts[0]
        wanted = hart.x["s0"] - 1000
        point = machine.breakpoints.add("hot", condition=f"$s0 == {wanted}")
        stop = machine.run(timeout_s=60)
        assert stop.breakpoint is point
        assert (hart.pc, hart.x["s0"]) == (machine.symbols["hot"], wanted)
        machine.breakpoints.clear()
        assert machine.run(timeout_s=60).reason == "off"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "vmid"), [("virtual", 1), ("virtual", 2), ("guest-physical", None)]
)
def test_breakpoints_by_world_on_a_hypervisor(space: Space, vmid: int | None) -> None:
    """Two guests have code at the same addresses."""
    work = symbol(hypervisor_guest_elfs()["sort"], "guest_sort")
    address = work if space == "virtual" else work - OFFSET
    found: dict[str, list[Stopped]] = {}
    for mode in ("off", "all"):
        with machine_of(hypervisor_elf(), mode, clock="virtual") as machine:
            compile_quickly(machine)
            machine.breakpoints.add(address, vmid=vmid, space=space, condition="$sp != 0")
            found[mode] = []
            while machine.run(timeout_s=60).reason == "break" and len(found[mode]) < 8:
                found[mode].append(state(machine))
            assert mode == "off" or inside(machine) > 0
    assert found["off"] == found["all"]
    assert len(found["off"]) > 1


def test_a_breakpoint_by_another_address_of_the_page() -> None:
    """The region was made in one address space; the breakpoint is for the other's address."""
    with machine_of(SPACES) as machine:
        spaces(machine)
        assert machine.run(max_instructions=60_000).reason == "limit"
        hart = machine.harts[0]
        assert hart.pc & ~0xFFF in (CODE_A, CODE_B)
        assert in_region(machine, "body")
        other = CODE_A if hart.pc & ~0xFFF == CODE_B else CODE_B
        machine.breakpoints.add(other)
        assert machine.run(timeout_s=60).reason == "break"
        assert hart.pc == other
        assert not in_region(machine, "body")
        machine.breakpoints.clear()
        machine.run(max_instructions=30_000)
        assert in_region(machine, "body")


@pytest.mark.parametrize("space", ["physical", "virtual"])
def test_a_breakpoint_in_the_middle_of_a_region(space: Space) -> None:
    with machine_of(TWO_PAGES) as machine:
        machine.run(max_instructions=300_000)
        at = machine.symbols["hot"] + 8
        machine.breakpoints.add(at, space=space)
        for _ in range(3):
            assert machine.run(timeout_s=60).reason == "break"
            assert machine.harts[0].pc == at


def test_watchpoints() -> None:
    """A hart stops before each store to the watched cell, with the same registers."""
    found: dict[str, list[Stopped]] = {}
    for mode in ("off", "all"):
        with machine_of(TWO_PAGES, mode) as machine:
            machine.run(max_instructions=200_000)
            point = machine.watchpoints.add("cell")
            found[mode] = []
            for _ in range(10):
                assert machine.run(timeout_s=60).watchpoint is point
                found[mode].append(state(machine))
            machine.watchpoints.clear()
            assert machine.run(timeout_s=60).reason == "off"
            assert mode == "off" or inside(machine) > 0
    assert found["off"] == found["all"]


def test_steps_and_traces(tmp_path: Path) -> None:
    """After running in regions, single steps and a trace are those of the interpreter."""
    found = []
    for mode in ("off", "all"):
        with machine_of(TWO_PAGES, mode) as machine:
            machine.run(max_instructions=200_000)
            assert mode == "off" or inside(machine) > 0
            steps = []
            for _ in range(200):
                machine.step()
                steps.append((machine.harts[0].pc, machine.harts[0].instret))
            path = tmp_path / mode
            machine.run(max_instructions=500, trace=path)
            machine.run(max_instructions=200_000)
            found.append((steps, path.read_text(), state(machine)))
    assert found[0] == found[1]
    assert found[0][1].count("\n") == 500
