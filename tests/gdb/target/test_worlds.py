"""Real gdbs on the demo hypervisor: the host and a guest as inferiors, gdb's defaults."""

from __future__ import annotations

import pytest

from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb

GUEST = 3  # the process of VMID 2: the host is 1, the first guest that ran is 2


@pytest.fixture
def hypervisor(gdb: Gdb, serve: Serve) -> Gdb:
    """gdb is attached, and both guests have run."""
    machine = Machine.open("virt", program=hypervisor_elf())
    gdb.attach(serve(machine), extended=True)
    gdb.do("break trap_from_guest")
    for _ in range(200):
        gdb.go()
        if "VMID 2" in gdb.do("monitor worlds"):
            break
    gdb.do("delete")
    return gdb


@pytest.fixture
def sort(hypervisor: Gdb) -> Gdb:
    """The inferior of the guest `sort` is selected, stopped at work."""
    hypervisor.do("add-inferior")
    hypervisor.do("inferior 2")
    hypervisor.go(f"attach {pid_of(hypervisor, 2)}")
    hypervisor.do(f"file {hypervisor_guest_elfs()['sort']}")
    hypervisor.do("tbreak guest_sort")
    hypervisor.go()
    return hypervisor


def pid_of(gdb: Gdb, vmid: int) -> int:
    lines = gdb.do("monitor worlds").splitlines()
    return next(int(line.split(":")[0]) for line in lines if f"VMID {vmid}:" in line)


def test_worlds_are_listed(hypervisor: Gdb) -> None:
    listed = hypervisor.do("info os processes")
    assert "host" in listed
    assert "guest with VMID 1" in listed
    assert "guest with VMID 2" in listed


def test_memory_at_guest_physical_addresses(sort: Gdb) -> None:
    """The guest is mapped high; at the guest-physical address the host has code of its own."""

    def code(address: str) -> str:
        return sort.do(f"x/8xb {address}").partition(":")[2]

    virtual = code("$pc")
    sort.do("monitor space guest-physical")
    assert code("(long)$pc & 0xffffffff") == virtual
    sort.do("monitor space physical")
    assert code("(long)$pc & 0xffffffff") != virtual


def test_a_breakpoint_stops_in_its_guest_alone(sort: Gdb) -> None:
    """The other guest has code at the same address."""
    sort.do("break guest_sort")
    for _ in range(5):
        stop = sort.go()
        assert stop["reason"] == "breakpoint-hit"
        assert sort.value("$vmid") == "2"
        assert sort.value("$priv") == "5"
        assert stop["frame"]["func"] == "guest_sort"


def test_registers_of_the_selected_world(sort: Gdb) -> None:
    sort.do("break guest_sort")
    sort.go()
    assert sort.value("$satp") == sort.value("$vsatp")
    assert "VMID = 2" in sort.value("$hgatp_fields")
    there = sort.value("$pc")
    sort.do("inferior 1")
    assert "trap_from_guest" not in there
    assert "run_guest" in sort.value("$pc") or "trap_from_guest" in sort.value("$pc")
    assert sort.value("$satp") == "0"


def test_memory_of_a_guest_that_no_hart_is_in(sort: Gdb) -> None:
    before = sort.do("x/4i guest_sort")
    sort.do("inferior 1")
    sort.do("break trap_from_guest")
    sort.go()
    sort.do("inferior 2")
    assert sort.do("x/4i guest_sort").replace("=> ", "   ") == before.replace("=> ", "   ")


def test_steps_in_a_guest(sort: Gdb) -> None:
    sort.do("tbreak guest_sort")
    sort.go()
    sort.do("monitor stepmask on")  # its timer may be due
    for _ in range(30):
        assert sort.go("stepi")["reason"] == "end-stepping-range"
        assert "guest_sort" in sort.value("$pc")


def test_into_the_host_and_back(sort: Gdb) -> None:
    """The hart traps: the guest's thread waits, the host's is in the handler."""
    sort.do("tbreak guest_sort")
    sort.go()
    sort.do("inferior 1")
    sort.do("break trap_from_guest")
    stop = sort.go()
    assert stop["reason"] == "breakpoint-hit"
    assert sort.value("$mode") == "S"
    sort.do("inferior 2")
    assert "not in this world now" in sort.do("info threads")
    sort.do("delete")
    sort.do("tbreak guest_sort")
    assert sort.go()["reason"] == "breakpoint-hit"
    assert sort.value("$vmid") == "2"


def test_registers_that_gdb_kept_are_said_to_be_old(sort: Gdb) -> None:
    """The hart stops in the guest, which gdb did not resume: so gdb shows old registers."""
    sort.do("break guest_sort")
    sort.go()
    before = sort.value("$minstret")
    sort.do("inferior 1")
    sort.go()
    assert f"gdb did not resume process {GUEST}, so it still shows the old registers" in sort.output
    sort.do("maintenance flush register-cache")
    sort.do("inferior 2")
    assert sort.value("$minstret") != before
    assert "guest_sort" in sort.value("$pc")


def test_every_inferior_at_once(sort: Gdb) -> None:
    sort.do("set schedule-multiple on")
    sort.do("tbreak guest_sort")
    sort.do("inferior 1")
    sort.do("break trap_from_guest")
    seen = {sort.go()["thread-id"] for _ in range(12)}
    assert seen == {"1", "2"}


def test_the_end(sort: Gdb) -> None:
    sort.do("inferior 1")
    assert sort.go()["reason"] == "exited-normally"
