"""Backwards in a real gdb: breakpoints by world, conditions, commands, lines, changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat.machine.machine import Machine

from .conftest import Serve
from .driver import Gdb
from .test_three_worlds import PASSES, machine, passes, program  # noqa: F401

HISTORY = 64 << 20
VIRTUAL = {"clock": "virtual", "harts.count": 2}


@pytest.fixture
def settings() -> dict[str, object]:
    """Of the board of the fixture `machine`."""
    return VIRTUAL


def test_three_worlds(gdb: Gdb, serve: Serve, machine: Machine) -> None:  # noqa: F811
    machine.keep_history(HISTORY)
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.do("set breakpoint pending on")
    gdb.do("set dprintf-style agent")
    gdb.attach(serve(machine), extended=True)
    gdb.do("break gst2_work")
    for _ in range(3):
        gdb.go()
    assert passes(gdb) == [3 * PASSES, 3 * PASSES, 2]

    stop = gdb.go("reverse-continue")
    assert (stop["reason"], stop["frame"]["func"]) == ("breakpoint-hit", "gst2_work")
    assert passes(gdb) == [2 * PASSES, 2 * PASSES, 1]

    gdb.do("delete")
    gdb.do('dprintf gst1_work,"never seen\\n"')
    gdb.do(f"break host_work if passes[0] == {PASSES + 7}")
    gdb.go("reverse-continue")
    assert passes(gdb) == [PASSES + 7, PASSES, 1]
    assert (gdb.value("world"), gdb.value("/d $virt")) == ("0", "0")
    assert "never seen" not in gdb.output

    gdb.do("delete")
    gdb.go("reverse-finish")
    assert gdb.go("reverse-next")["frame"]["func"] == "main"
    gdb.go("reverse-stepi")
    gdb.go("stepi")
    gdb.do("set var rounds = 77")
    gdb.do("tbreak gst2_work")
    gdb.go()
    assert "a new future begins here" in gdb.output
    assert (gdb.value("rounds"), passes(gdb)[2]) == ("77", 1)


def test_places(gdb: Gdb, serve: Serve, machine: Machine) -> None:  # noqa: F811
    machine.keep_history(HISTORY)
    gdb.attach(serve(machine), extended=True)
    gdb.do("tbreak main")
    gdb.go()
    assert gdb.do("monitor checkpoint").startswith("checkpoint 1: at ")
    begin = gdb.value("/x $pc")
    gdb.go("stepi 5")
    there = gdb.value("/x $pc")
    here = re.search(r"hart 0: instret ([0-9,]+)", gdb.do("monitor when"))
    assert here is not None
    gdb.do("monitor goto checkpoint 1")
    gdb.do("maintenance flush register-cache")
    assert gdb.value("/x $pc") == begin
    assert "in the past" in gdb.do("monitor when")
    with pytest.raises(RuntimeError):
        gdb.do("monitor goto checkpoint 2")
    gdb.do(f"monitor goto {here[1].replace(',', '')}")
    gdb.do("maintenance flush register-cache")
    assert gdb.value("/x $pc") == there != begin
    assert "at the end" in gdb.do("monitor when")
    stop = gdb.go("reverse-continue")
    assert stop.get("reason", "no-history") == "no-history"  # gdb 13 gives none
    assert gdb.value("/x $pc") == "0x1000"


def test_the_setting_is_named(gdb: Gdb, serve: Serve, program: Path) -> None:  # noqa: F811
    gdb.attach(serve(Machine.open("virt", program=program)))
    gdb.go("reverse-stepi")
    assert "start it with --set clock=virtual" in gdb.logged
    gdb.go("stepi")
    assert gdb.value("/x $pc") == "0x1004"
