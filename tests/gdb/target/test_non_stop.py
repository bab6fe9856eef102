"""Non-stop: harts that run and stop one by one, in real gdbs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rvplat.gdb.protocol.interfaces import Action, ClientPoint, Stopped, Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb

HARTS = 3
PC = 32  # gdb's number


@pytest.fixture
def harts(gdb: Gdb, serve: Serve, guest: Path) -> Gdb:
    """Three harts, stopped; only the first one does work."""
    gdb.do("set non-stop on")
    machine = Machine.open("virt", program=guest, settings={"harts.count": HARTS})
    gdb.do(f"target extended-remote 127.0.0.1:{serve(machine)}")
    assert sorted(gdb.wait()["thread-id"] for _ in range(HARTS)) == ["1", "2", "3"]
    return gdb


def test_every_hart_is_stopped_when_gdb_attaches(harts: Gdb) -> None:
    listed = harts.do("info threads")
    assert "running" not in listed
    assert listed.count("0x0000000000001000") == HARTS


def test_one_stops_and_the_others_run(harts: Gdb) -> None:
    harts.do("break work")
    assert harts.go("continue -a &")["reason"] == "breakpoint-hit"
    listed = harts.do("info threads")
    assert "hart 0: M mode" in listed
    assert "hart 1: running" in listed
    assert "hart 2: running" in listed
    assert harts.go("continue &")["thread-id"] == "1"
    assert harts.value("n") == "2"


def test_each_is_stopped_by_itself(harts: Gdb) -> None:
    harts.do("continue -a &")
    harts.do("thread 2")
    assert harts.go("interrupt")["thread-id"] == "2"
    assert "hart 0: running" in harts.do("info threads")
    assert harts.go("stepi &")["thread-id"] == "2"
    harts.do("thread 1")
    assert harts.go("interrupt")["thread-id"] == "1"
    assert "hart 2: running" in harts.do("info threads")


def test_all_are_stopped(harts: Gdb) -> None:
    harts.do("continue -a &")
    harts.stops.clear()
    harts.do("interrupt -a")
    assert sorted(harts.wait()["thread-id"] for _ in range(HARTS)) == ["1", "2", "3"]


def test_a_breakpoint_is_set_while_they_run(harts: Gdb) -> None:
    harts.do("continue -a &")
    stop = harts.go("break touch")
    assert (stop["reason"], stop["thread-id"]) == ("breakpoint-hit", "1")
    assert stop["frame"]["func"] == "touch"


def test_every_world_of_a_hart_is_stopped(gdb: Gdb, serve: Serve) -> None:
    """One thread of a hart stops; gdb stops the hart's threads in the other worlds by name."""
    gdb.do("set non-stop on")
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.do("set breakpoint pending on")
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"harts.count": 2})
    files = enumerate(hypervisor_guest_elfs().values(), 1)
    machine.software = replace(machine.software, symbol_files={**dict(files)})
    gdb.do(f"target extended-remote 127.0.0.1:{serve(machine)}")
    for _ in range(2):
        gdb.wait()
    gdb.do("break guest_sort")
    assert gdb.go("continue -a &")["frame"]["func"] == "guest_sort"
    listed = gdb.do("info threads")
    assert "(hart 0: VS mode)" in listed or "guest_sort" in listed
    assert listed.count("(running)") >= 2
    gdb.do("interrupt -a")
    end = time.monotonic() + 20
    while "(running)" in gdb.do("info threads") and time.monotonic() < end:
        time.sleep(0.05)
    listed = gdb.do("info threads")
    assert "(running)" not in listed
    assert "(hart 1: M mode)" in listed


# --- a hart that reports a stop, and isn't still yet; without gdb ---


@pytest.fixture
def reporting(guest: Path) -> Iterator[tuple[MachineTarget, Thread]]:
    """A board whose hart is still in its report of a breakpoint."""
    machine = Machine.open("virt", program=guest)
    target, thread = MachineTarget(machine), Thread(1, 1)
    reported = threading.Event()

    def linger() -> None:
        reported.set()
        time.sleep(0.3)

    target.wake = linger
    target.insert(ClientPoint(0, 1, machine.symbols["work"], 4))
    target.resume([(thread, Action("c"))])
    assert reported.wait(20)
    yield target, thread
    target.close()
    machine.close()


def test_a_stop_is_told_when_the_hart_is_still(reporting: tuple[MachineTarget, Thread]) -> None:
    target, thread = reporting
    assert target.take_events() == [Stopped(thread, 5, "swbreak")]
    assert not target.is_running(thread)
    assert target.read_register(thread, PC) == target.machine.symbols["work"]


def test_a_pause_does_not_set_it_going(reporting: tuple[MachineTarget, Thread]) -> None:
    target, thread = reporting
    target.insert(ClientPoint(0, 1, target.machine.symbols["touch"], 4))
    assert not target.is_running(thread)
    assert target.read_register(thread, PC) == target.machine.symbols["work"]
