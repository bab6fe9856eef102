"""Snapshots in memory: a machine that goes on from one ends as the machine that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.errors import SnapshotError
from rvplat.hart.state import DERIVED, IN_RAM, OUTSIDE, SAVED, HartState
from tests.machine.snapshots.states import differences, state_of

VIRTUAL = {"clock": "virtual"}
TRACED = 200


@pytest.mark.quick
def test_each_field_of_a_hart_has_a_role() -> None:
    """A new field says where it is added what a snapshot does with it."""
    with Machine.open("virt", program="demo") as machine:
        fields = machine.harts[0].layout.fields.values()
    assert len(fields) > len(HartState.fields)
    roles = {SAVED, IN_RAM, DERIVED, OUTSIDE}
    assert [field.name for field in fields if field.role not in roles] == []


def end_of(machine: Machine, trace: Path) -> dict[str, Any]:
    """The state at the end of the program; its next instructions are traced."""
    assert machine.run(max_instructions=TRACED, trace=trace).reason == "limit"
    assert machine.run(timeout_s=60).reason == "off"
    return state_of(machine)


@pytest.mark.parametrize(
    ("program", "harts", "at", "regions"),
    [
        ("demo", 1, 30_000, "off"),
        ("demo", 2, 20_000, "hot"),
        ("hypervisor", 1, 300_000, "hot"),
        ("hypervisor", 2, 500_001, "off"),
    ],
)
def test_the_same_end(program: str, harts: int, at: int, regions: str, tmp_path: Path) -> None:
    settings = {**VIRTUAL, "harts.regions": regions}

    def opened() -> Machine:
        return Machine.open("virt", program=program, harts=harts, settings=settings)

    with opened() as machine, opened() as other:
        assert machine.run(max_instructions=at).reason == "limit"
        snapshot = machine.save()
        begun = state_of(machine)
        trace, again = tmp_path / "trace", tmp_path / "again"
        ended = end_of(machine, trace)
        machine.load(snapshot)
        assert differences(begun, state_of(machine)) == []
        assert differences(ended, end_of(machine, again)) == []
        assert trace.read_bytes() == again.read_bytes()
        other.load(snapshot)
        assert differences(ended, end_of(other, again)) == []
        assert trace.read_bytes() == again.read_bytes()


def test_a_tree_of_snapshots_on_the_host_clock() -> None:
    """Harts in threads stop first; the guest's time goes on from where it was."""
    with Machine.open("virt", program="hypervisor", harts=2) as machine:
        machine.run(max_instructions=200_000)
        time = machine.harts[0].csr("time")
        first = machine.save()
        machine.run(max_instructions=200_000)
        second = machine.save()
        for snapshot in (first, second, first):
            machine.load(snapshot)
            assert machine.save().harts == snapshot.harts
            assert machine.run(timeout_s=60).reason == "off"
        machine.load(first)
        assert machine.harts[0].csr("time") >= time


def test_a_machine_that_runs_is_not_saved() -> None:
    with Machine.open("virt", program="demo") as machine:
        machine.start(max_instructions=1 << 40)
        if machine.running:
            with pytest.raises(RuntimeError, match="pause it first|running"):
                machine.save()
        machine.pause()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory.ram.size": 1 << 26}, "memory.ram.size is 1073741824 there, and 67108864 here"),
        ({"harts.count": 2}, "harts.count is 1 there, and 2 here"),
        ({"harts.isa": "rv64gc"}, "harts.isa is "),
        ({"devices.rtc.base": 0x10_2000}, "devices.rtc.base is 1052672 there, and 1056768 here"),
    ],
)
def test_another_board_is_refused(settings: dict[str, object], message: str) -> None:
    with Machine.open("virt", program="demo") as machine:
        snapshot = machine.save()
    with Machine.open("virt", program="demo", settings=settings) as other:
        with pytest.raises(SnapshotError) as found:
            other.load(snapshot)
        assert str(found.value).startswith("the snapshot is of another board, virt: ")
        assert message in str(found.value)
        assert other.step(10).reason == "step", "nothing was lost"
