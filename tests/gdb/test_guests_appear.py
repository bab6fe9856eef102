"""Guests that begin and end while a real gdb is attached."""

from __future__ import annotations

import pytest

from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb
from tests.gdb.hypervisors import BOTH_HAVE_RUN, hypervisor


@pytest.fixture
def machine() -> Machine:
    return hypervisor()


# --- gdb's defaults -----------------------------------------------------------------------------


def test_a_guest_that_begins_is_told_of(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    gdb.do("catch fork")
    assert gdb.go()["newpid"] == "2"
    assert "run_guest" in gdb.value("$pc")
    assert gdb.go()["newpid"] == "3"
    assert "guest with VMID 2" in gdb.do("info os processes")
    assert "process 2" not in gdb.do("info inferiors")


def test_attaching_to_a_guest_brings_its_symbols(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.go()
    gdb.do("add-inferior")
    gdb.do("inferior 2")
    gdb.go("attach 3")
    gdb.do("break guest_sort")
    stop = gdb.go()
    assert stop["reason"] == "breakpoint-hit"
    assert stop["frame"]["func"] == "guest_sort"
    assert gdb.value("$vmid") == "2"


def test_a_stop_in_a_world_that_gdb_let_stand(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    """gdb is told of the thread that runs: otherwise gdb 18 ends by an assertion."""
    gdb.attach(serve(machine), extended=True)
    gdb.do("catch fork")
    gdb.go()
    gdb.do("break trap_from_guest")
    gdb.do("add-inferior")
    gdb.do("inferior 2")
    gdb.go("attach 2")
    stop = gdb.go()
    assert (stop["thread-id"], stop["signal-name"]) == ("2", "SIGTRAP")
    gdb.do("inferior 1")
    assert "not in this world" not in gdb.do("info threads").splitlines()[1]


def test_two_harts(gdb: Gdb, serve: Serve) -> None:
    """gdb expects one thread of a forked world: others end it by an assertion."""
    gdb.attach(serve(hypervisor(harts=2)))
    gdb.do("set detach-on-fork off")
    gdb.do("catch fork")
    for pid in ("2", "3"):
        assert gdb.go()["newpid"] == pid
        assert f"Thread {pid}." not in gdb.do("info threads")
    gdb.do("tbreak trap_from_guest")
    gdb.go()
    listed = gdb.do("info threads")
    assert all(f"Thread {pid}.{tid} " in listed for pid in (1, 2, 3) for tid in (1, 2))


def test_without_a_catchpoint_nothing_stops(gdb: Gdb, serve: Serve, machine: Machine) -> None:
    gdb.attach(serve(machine))
    assert gdb.go()["reason"] == "exited-normally"


# --- guests as inferiors, by themselves -----------------------------------------------------------


@pytest.fixture
def following(gdb: Gdb) -> Gdb:
    """As `rvplat debug` sets gdb up."""
    gdb.do("set detach-on-fork off")
    gdb.do("set schedule-multiple on")
    gdb.do("set breakpoint pending on")
    return gdb


def test_a_breakpoint_is_set_before_its_guest_is_there(
    following: Gdb, serve: Serve, machine: Machine
) -> None:
    following.attach(serve(machine), extended=True)
    following.do("tbreak guest_sort")
    stop = following.go()
    assert stop["frame"]["func"] == "guest_sort"
    assert following.value("$vmid") == "2"
    listed = following.do("info inferiors")
    assert all(name in listed for name in ("hypervisor.elf", "fibonacci.elf", "sort.elf"))
    following.do("break trap_from_guest")
    assert following.go()["frame"]["func"] == "trap_from_guest"
    assert following.value("$mode") == "S"


def test_a_step_into_the_hosts_handler_and_back(
    following: Gdb, serve: Serve, machine: Machine
) -> None:
    following.attach(serve(machine), extended=True)
    following.do("tbreak guest_sort")
    following.go()
    following.do("tbreak guest.h:33")
    following.go()
    while "ecall" not in following.do("x/i $pc"):
        following.go("stepi")
    call = int(following.value("/x $pc"), 16)
    stop = following.go("stepi")
    assert (stop["thread-id"], stop["frame"]["func"]) == ("1", "trap_from_guest")
    assert following.value("/x $sepc") == hex(call)
    following.go("stepi")
    assert "trap_from_guest" in following.value("$pc")
    following.do("inferior 3")
    assert int(following.value("/x $pc"), 16) == call
    following.do(f"tbreak *{call + 4:#x}")
    assert following.go()["thread-id"] == "3"
    assert following.value("$vmid") == "2"


def test_every_world_ends_with_the_board(following: Gdb, serve: Serve, machine: Machine) -> None:
    following.attach(serve(machine), extended=True)
    assert following.go()["reason"] == "exited-normally"
    for number in (2, 3):
        following.do(f"inferior {number}")
        assert following.go()["reason"] == "exited-normally"
    assert "process" not in following.do("info inferiors")


def test_run_again_with_guests_there(following: Gdb, serve: Serve, machine: Machine) -> None:
    """gdb keeps the inferiors of the old guests, one of them at a breakpoint."""
    following.attach(serve(machine), extended=True)
    following.do("tbreak guest_sort")
    following.go()
    following.do("inferior 1")
    following.do("tbreak run_guest")
    stop = following.go("run")
    if stop["reason"] == "exited-normally":  # 13 steps first what was at a breakpoint: inferior 3
        following.do("inferior 1")
        stop = following.go()
    assert stop["frame"]["func"] == "run_guest"
    assert "run_guest" not in following.do("info threads 2.1 3.1")
    following.do("tbreak guest_sort")
    assert following.go()["frame"]["func"] == "guest_sort"
    assert following.value("$vmid") == "2"


def test_a_reset_with_guests_there(following: Gdb, serve: Serve, machine: Machine) -> None:
    """gdb is told that a guest has ended when it resumes that guest."""
    following.attach(serve(machine), extended=True)
    following.do("tbreak guest_sort")
    following.go()
    following.do("monitor reset")
    assert following.go("stepi")["reason"] == "exited-normally"
    following.do("inferior 1")
    following.do("tbreak run_guest")
    assert following.go()["frame"]["func"] == "run_guest"
    following.do("kill inferiors 2")
    assert "process 2" not in following.do("info inferiors")


def test_a_reset_after_the_boards_end(following: Gdb, serve: Serve, machine: Machine) -> None:
    following.attach(serve(machine), extended=True)
    assert following.go()["reason"] == "exited-normally"
    following.do("monitor reset")
    following.do("tbreak run_guest")
    following.do("info threads")  # gdb finds the host again
    assert following.go()["frame"]["func"] == "run_guest"


def test_guests_that_run_already(following: Gdb, serve: Serve, machine: Machine) -> None:
    """gdb 18 finds them in the list of threads. gdb 13 can't, and is told of them as of forks."""
    machine.harts[0].view.keep_worlds = 1  # as a server does
    machine.run(max_instructions=BOTH_HAVE_RUN)
    machine.requests.clear()
    following.attach(serve(machine), extended=True)
    if "GNU gdb (GDB) 18" in following.do("show version"):
        listed = following.do("info inferiors")
        assert "fibonacci.elf" in listed
        assert "sort.elf" in listed
        assert "unavailable" not in following.do("info threads")
    following.do("break guest_sort")
    assert following.go()["frame"]["func"] == "guest_sort"
    assert following.value("$vmid") == "2"
