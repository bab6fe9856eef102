"""`machine.breakpoints`, on machines that run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine, serve_gdb
from rvplat.engine.reference import Reference
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.hart.state import STOP_BREAK
from rvplat.machine.running.stop import Breakpoint, Stop

ENTRY = 0x8000_0000
SORT = 2  # the VMID of the demo hypervisor's second guest


@pytest.fixture(params=["host", "virtual"])
def machine(guest: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    with Machine.open("virt", guest, settings={"clock": request.param}) as found:
        yield found


def run(machine: Machine) -> Stop:
    """Run until something stops the machine."""
    return machine.run(timeout_s=60)


def test_a_hit_ends_the_run(machine: Machine) -> None:
    point = machine.breakpoints.add("work")
    work = machine.symbols["work"]
    for hits in (1, 2, 3):
        stop = run(machine)
        assert stop == Stop("break", 0, 0, "host", work, None, (point,))
        assert stop.breakpoint is point
        assert stop.watchpoint is None
        assert str(stop) == f"breakpoint 1 at {work:#x}: hart 0, host"
        assert (machine.harts[0].pc, point.hits) == (work, hits)
        assert machine.memory.read_int(machine.symbols["calls"], 8) == hits - 1


def test_several_at_one_address_are_named_together(machine: Machine) -> None:
    points = tuple(machine.breakpoints.add("work") for _ in range(3))
    machine.breakpoints.add("work", condition="$a0 == 99999")
    stop = run(machine)
    assert stop.hits == points
    assert str(stop).startswith("breakpoints 1, 2, 3 at ")
    assert [one.hits for one in machine.breakpoints] == [1, 1, 1, 0]


def test_a_condition(machine: Machine) -> None:
    point = machine.breakpoints.add("work", condition="$a0 == 50 && {u64} calls == 49")
    assert run(machine).breakpoint is point
    assert machine.harts[0].x["a0"] == 50
    assert point.hits == 1


def test_a_temporary_one_is_removed_by_its_hit(machine: Machine) -> None:
    once = machine.breakpoints.add("work", temporary=True)
    again = machine.breakpoints.add("touch")
    assert run(machine).breakpoint is once
    assert list(machine.breakpoints) == [again]
    assert once.hits == 1
    assert run(machine).breakpoint is again
    assert run(machine).breakpoint is again


def test_removing(machine: Machine) -> None:
    work, touch = (machine.breakpoints.add(name) for name in ("work", "touch"))
    assert (len(machine.breakpoints), work in machine.breakpoints) == (2, True)
    run(machine)
    machine.breakpoints.remove(work)
    assert work not in machine.breakpoints
    assert work.hits == 1
    assert run(machine).breakpoint is touch
    with pytest.raises(LookupError, match="^breakpoint 1 is not set$"):
        machine.breakpoints.remove(work)
    machine.breakpoints.clear()
    assert list(machine.breakpoints) == []
    assert repr(machine.breakpoints) == "<0 breakpoints>"
    assert machine.run(max_instructions=100_000).reason == "limit"


def test_limits_of_mode_space_and_asid(machine: Machine) -> None:
    work = machine.symbols["work"]
    some: list[dict[str, Any]] = [{"privilege": "S"}, {"privilege": ["U", "HS"]}]
    every = [*some, {"asid": 3}, {"vmid": 7}]
    for limits in every:
        machine.breakpoints.add(work, **limits)
    here = machine.breakpoints.add(work, privilege=["S", "M"], vmid="host", space="physical")
    assert run(machine).hits == (here,)
    shown = f"{work:#x} space=physical vmid=host mode=S,M"
    assert (str(here), here.privilege) == (shown, ("S", "M"))


def test_a_step_meets_it_too(machine: Machine) -> None:
    machine.breakpoints.add("work", temporary=True)
    run(machine)
    pc = machine.harts[0].pc
    second = machine.breakpoints.add(pc + 2) if machine.harts[0].read(pc, 1)[0] & 3 != 3 else None
    second = second or machine.breakpoints.add(pc + 4)
    assert machine.step(5).breakpoint is second
    assert machine.step() == Stop("step")
    assert machine.harts[0].pc > second.address


def test_one_at_the_pc_is_met_unless_it_was_told(machine: Machine) -> None:
    """A program that sets a breakpoint where a hart is stops there; gdb would not."""
    point = machine.breakpoints.add(machine.harts[0].pc)
    assert run(machine).breakpoint is point
    machine.reset()
    machine.harts[0].pc += 4
    machine.harts[0].pc -= 4
    machine.breakpoints.add("work")
    assert run(machine).hits != (point,)


def test_a_run_in_the_background(machine: Machine) -> None:
    point = machine.breakpoints.add("work", condition="$a0 == 2000")
    machine.start()
    assert machine.wait(timeout_s=60).breakpoint is point


def test_a_traced_run(machine: Machine, tmp_path: Path) -> None:
    point = machine.breakpoints.add("work", condition="$a0 == 3")
    assert machine.run(timeout_s=60, trace=tmp_path / "log").breakpoint is point
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert f"{machine.symbols['work']:#018x}" not in last


def test_each_hart_is_told_and_counted_once(guest: Path) -> None:
    """Both are at the address at about the same time; the run ends with one of them."""
    with Machine.open("virt", guest, harts=2) as machine:
        point = machine.breakpoints.add(machine.harts[0].pc)
        assert {run(machine).hart for _ in range(2)} == {0, 1}
        assert point.hits == 2


def test_a_guest_by_its_vmid() -> None:
    with Machine.open("virt", hypervisor_elf(), settings={"clock": "virtual"}) as machine:
        files: Any = machine.software.symbol_files
        files[SORT] = hypervisor_guest_elfs()["sort"]
        there = machine.breakpoints.add("guest_sort", vmid=SORT)
        host = machine.breakpoints.add("run_guest", vmid="host", temporary=True)
        machine.breakpoints.add(there.address, vmid="host")
        assert run(machine).breakpoint is host
        stop = run(machine)
        assert (stop.breakpoint, stop.world, stop.address) == (there, SORT, there.address)
        assert str(stop).endswith(f": hart 0, guest with VMID {SORT}")
        assert machine.explain(stop.address, world=stop.world).pa is not None


def test_the_reference_meets_it_too(guest: Path) -> None:
    with Machine.open("virt", guest) as machine:
        point = machine.breakpoints.add("main", condition="$pc == main")
        view = machine.harts[0].view
        Reference(machine.extensions).run(view, 100_000)
        assert int(view.stop) == STOP_BREAK
        assert machine.break_stop(machine.harts[0]).breakpoint is point
        assert point.hits == 1


# --- what can't be set --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1.5,), TypeError, "address=1.5: expected an integer"),
        ((-2,), ValueError, "address=-2: expected 0 to 0xffffffffffffffff"),
        ((1 << 64,), ValueError, "address=0x10000000000000000: expected 0 to 0xffffffffffffffff"),
        ((0x11,), ValueError, "a breakpoint at 0x11: instructions begin at even addresses"),
        (("wrok",), LookupError,
         "address='wrok': the program has no such symbol; did you mean \"work\"?"),
        ((0, "guest"), TypeError,
         "vmid='guest': expected an integer, \"host\", or None for every world"),
        ((0, 1 << 14), ValueError, "vmid=16384: expected 0 to 16383"),
        ((0, None, 1 << 16), ValueError, "asid=0x10000: expected 0 to 65535"),
        ((0, None, None, "X"), ValueError, "privilege='X': expected one of HS, U, S, M, VU, VS"),
        ((0, None, None, []), ValueError,
         "privilege=[]: expected one or several of HS, U, S, M, VU, VS"),
        ((0, None, None, 3), TypeError,
         "privilege=3: expected one or several of HS, U, S, M, VU, VS"),
        ((0, 2, None, "S"), ValueError, "none of these modes is a guest's: VS and VU are"),
        ((0, None, 2, "M"), ValueError, "M mode has no address space: asid is for the others"),
        ((0, None, None, None, 5), TypeError, "condition=5: expected a string such as '$a0 > 3'"),
        ((0, None, None, None, "$a0 >"), ValueError,
         "'$a0 >': expected a value, found its end"),
        ((0, None, None, None, "$satq"), ValueError,
         "there is no register $satq; did you mean $satp?"),
        ((0, None, None, None, "$satp.X"), ValueError, "$satp has no field 'X': MODE, ASID, PPN"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    machine: Machine, arguments: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        machine.breakpoints.add(*arguments)
    assert raised.value.args[0] == text
    assert len(machine.breakpoints) == 0


def test_wrong_keywords(machine: Machine) -> None:
    with pytest.raises(ValueError) as raised:
        machine.breakpoints.add(0, space="bus")  # type: ignore[arg-type]
    assert str(raised.value) == "space='bus': expected one of virtual, guest-physical, physical"
    with pytest.raises(TypeError) as wrong:
        machine.breakpoints.add(0, temporary=1)  # type: ignore[arg-type]
    assert str(wrong.value) == "temporary=1: expected True or False"
    with pytest.raises(TypeError) as other:
        machine.breakpoints.remove(1)  # type: ignore[arg-type]
    assert str(other.value) == "1: expected a breakpoint, as `add` returned it"


def test_a_board_without_guests(guest: Path) -> None:
    with Machine.open("virt", guest, settings={"harts.isa": "rv64gc"}) as machine:
        with pytest.raises(ValueError) as raised:
            machine.breakpoints.add(0, vmid=1)
        assert str(raised.value) == "this board's harts have no H extension, and so no guests"


def test_only_while_the_machine_stands_still(guest: Path) -> None:
    with Machine.open("virt", guest) as machine:
        point = machine.breakpoints.add("never")
        machine.start()
        for change in (
            lambda: machine.breakpoints.add(0),
            lambda: machine.breakpoints.remove(point),
            machine.breakpoints.clear,
        ):
            with pytest.raises(RuntimeError, match="^the machine runs: pause it first$"):
                change()
        machine.pause()
        with serve_gdb(machine) as server, pytest.raises(RuntimeError) as raised:
            machine.breakpoints.add(0)
        assert str(raised.value) == (
            f"the gdb server at {server.place} runs the machine: close it first"
        )
    with pytest.raises(RuntimeError, match="^the machine is closed: open another$"):
        machine.breakpoints.add(0)


def test_a_breakpoint_is_a_value(machine: Machine) -> None:
    point = machine.breakpoints.add("work", condition="$a0 > 3")
    assert isinstance(point, Breakpoint)
    with pytest.raises(AttributeError):
        point.address = 0  # type: ignore[misc]
