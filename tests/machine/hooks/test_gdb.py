"""Hooks on a machine that gdb debugs."""

from __future__ import annotations

import pytest

from rvplat.machine.hooks.event import Event
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb
from tests.machine.hooks.conftest import Open


@pytest.mark.parametrize("clock", ["virtual", "host"])
def test_breakpoints_steps_and_stops(opened: Open, gdb: Gdb, serve: Serve, clock: str) -> None:
    """Each execution of an instruction calls its handler once, whatever gdb does there."""
    machine, seen = opened(clock), []
    machine.breakpoints.add("work", temporary=True)
    machine.run(timeout_s=10)
    at = machine.harts[0].pc

    def call(event: Event) -> None:
        seen.append(event.x["a0"])
        if event.x["a0"] == 4:
            event.stop("the fourth call")

    machine.on("work", call)
    second = machine.on(at + 2)
    gdb.attach(serve(machine))
    gdb.do("break *work")
    for number in (2, 3):
        gdb.go()
        assert int(gdb.value("$a0")) == number
    assert seen[-2:] == [2, 3] and (first := len(seen)) in (2, 3)
    gdb.go("stepi")
    assert second.hits == first - 1
    gdb.go("stepi")
    assert second.hits == first
    gdb.do("delete")
    gdb.go()
    assert int(gdb.value("(long) $pc"), 0) == at and int(gdb.value("$a0")) == 4
    machine_hits = len(seen)
    gdb.do("break touch")
    gdb.go()
    assert len(seen) == machine_hits == first + 1 and second.hits == first + 1


def test_a_handler_that_raises_stops_the_hart(opened: Open, gdb: Gdb, serve: Serve) -> None:
    machine = opened()

    def broken(event: Event) -> None:
        raise ValueError("no")

    machine.on("touch", broken)
    gdb.attach(serve(machine))
    gdb.go()
    assert int(gdb.value("(long) $pc"), 0) == machine.symbols["touch"]
    (failure,) = machine.failures
    assert "the handler of hook 1 at touch (broken) raised ValueError: no" in str(failure)
