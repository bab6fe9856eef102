"""`machine.watchpoints`, on machines that run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.engine.reference import Reference
from rvplat.hart.state import STOP_BREAK
from rvplat.machine.running.stop import Stop


@pytest.fixture(params=["host", "virtual"])
def machine(guest: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    with Machine.open("virt", guest, settings={"clock": request.param}) as found:
        yield found


def run(machine: Machine) -> Stop:
    """Run until something stops the machine."""
    return machine.run(timeout_s=60)


def calls(machine: Machine) -> int:
    return machine.memory.read_int(machine.symbols["calls"], 8)


def test_a_write_ends_the_run_before_it_is_made(machine: Machine) -> None:
    point = machine.watchpoints.add("calls")
    at = machine.symbols["calls"]
    before = [calls(machine)]
    for hits in range(1, 4):
        stop = run(machine)
        assert stop == Stop("watch", 0, 0, "host", at, "write", (point,))
        assert stop.watchpoint is point
        assert stop.breakpoint is None
        assert str(stop) == f"watchpoint 1 before a write to {at:#x}: hart 0, host"
        assert point.hits == hits
        before.append(calls(machine))
    assert before[-1] == before[-2] + 1


def test_reads_and_both(machine: Machine) -> None:
    machine.breakpoints.add("work", temporary=True)
    run(machine)
    read = machine.watchpoints.add("calls", access="read")
    both = machine.watchpoints.add("calls", access="access")
    stop = run(machine)
    assert (stop.hits, stop.access) == ((read, both), "read")
    stop = run(machine)
    assert (stop.hits, stop.access) == ((both,), "write")
    assert (read.hits, both.hits) == (1, 2)
    assert str(both) == f"access {machine.symbols['calls']:#x}+0x8"


def test_a_condition_is_passed_until_it_holds(machine: Machine) -> None:
    point = machine.watchpoints.add("calls", condition="{u64} calls == 40")
    stop = run(machine)
    assert stop.watchpoint is point
    assert (calls(machine), point.hits) == (40, 1)
    assert str(point).endswith("+0x8 if {u64} calls == 40")


def test_a_condition_that_never_holds_changes_nothing(machine: Machine) -> None:
    """Each write of the range leaves native code and goes on."""
    machine.breakpoints.add("main", temporary=True)
    run(machine)
    point = machine.watchpoints.add("calls", condition="$a0 == $a0 + 1")
    machine.memory.write_int(machine.symbols["limit"], 8, 300)
    assert run(machine).reason == "off"
    assert (calls(machine), point.hits) == (300, 0)


def test_a_temporary_one(machine: Machine) -> None:
    machine.watchpoints.add("calls", temporary=True)
    again = machine.watchpoints.add("rounds")
    assert run(machine).reason == "watch"
    assert list(machine.watchpoints) == [again]
    assert run(machine).watchpoint is again


def test_a_range_over_pages(machine: Machine) -> None:
    at = machine.symbols["calls"]
    point = machine.watchpoints.add(at - 0x3000, 0x6000)
    assert run(machine).watchpoint is point
    machine.watchpoints.remove(point)
    assert len(machine.watchpoints) == 0
    assert machine.run(max_instructions=10_000).reason == "limit"


def test_a_breakpoint_and_a_watchpoint_at_one_instruction(machine: Machine) -> None:
    """The breakpoint comes first, and neither is told twice."""
    machine.watchpoints.add("calls", condition="{u64} calls == 1")
    run(machine)
    machine.watchpoints.clear()
    at = machine.harts[0].pc
    machine.step()
    breakpoint_ = machine.breakpoints.add(at)
    watchpoint = machine.watchpoints.add("calls")
    assert run(machine).hits == (breakpoint_,)
    assert run(machine).hits == (watchpoint,)
    assert run(machine).hits == (breakpoint_,)
    assert calls(machine) == 3


def test_a_step_meets_it_and_passes_it(machine: Machine) -> None:
    machine.breakpoints.add("main", temporary=True)
    run(machine)
    machine.watchpoints.add("calls")
    run(machine)
    before, pc = calls(machine), machine.harts[0].pc
    assert machine.step() == Stop("step")
    assert machine.harts[0].pc > pc
    assert calls(machine) == before + 1
    assert machine.step(10_000).reason == "watch"


def test_a_limit_of_instructions_counts_what_is_passed(machine: Machine) -> None:
    machine.watchpoints.add("calls", condition="0")
    machine.run(max_instructions=50_000)
    assert machine.harts[0].instret <= 50_000


def test_a_traced_run(machine: Machine, tmp_path: Path) -> None:
    point = machine.watchpoints.add("calls", condition="{u64} calls == 3")
    assert machine.run(timeout_s=60, trace=tmp_path / "log").watchpoint is point
    assert calls(machine) == 3


def test_two_harts(guest: Path) -> None:
    """One hart runs the program; the other one's stop is not mistaken for it."""
    with Machine.open("virt", guest, harts=2) as machine:
        point = machine.watchpoints.add("calls", condition="{u64} calls == 10")
        stop = run(machine)
        assert (stop.watchpoint, stop.hart) == (point, 0)


def test_the_reference_meets_it_too(guest: Path) -> None:
    with Machine.open("virt", guest) as machine:
        point = machine.watchpoints.add("calls")
        view = machine.harts[0].view
        Reference(machine.extensions).run(view, 100_000)
        assert int(view.stop) == STOP_BREAK
        assert machine.break_stop(machine.harts[0]).watchpoint is point


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0, 0), ValueError, "length=0: expected 1 to 0x4000000"),
        ((0, 1.5), TypeError, "length=1.5: expected an integer"),
        ((0, 1 << 27), ValueError, "length=0x8000000: expected 1 to 0x4000000"),
        ((0, 1 << 26), ValueError, "the range has 16384 pages, and only 16383 can be watched"),
        (((1 << 64) - 4, 8), ValueError,
         "8 bytes from 0xfffffffffffffffc go beyond the address space"),
        ((0, 8, "rw"), ValueError, "access='rw': expected one of read, write, access"),
        ((0, 8, "write", True), TypeError,
         "vmid=True: expected an integer, \"host\", or None for every world"),
        ((0, 8, "write", None, "{u64"), ValueError,
         "'{u64': found '{u64', which is no part of an expression"),
        (("cals",), LookupError,
         "address='cals': the program has no such symbol; did you mean \"calls\"?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    machine: Machine, arguments: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        machine.watchpoints.add(*arguments)
    assert raised.value.args[0] == text
    assert len(machine.watchpoints) == 0
