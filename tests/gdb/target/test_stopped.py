"""What a stop leaves unchanged: time, pending interrupts, and the board when a client goes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rvplat.engine.agent import REG_PC
from rvplat.gdb.commands import session_for
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.channels import BUSY
from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import HOST_PID, Action, Thread
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb

HART0 = Thread(HOST_PID, 1)


@pytest.fixture
def target(guest: Path, request: pytest.FixtureRequest) -> Iterator[MonitoredTarget]:
    settings = {"clock": getattr(request, "param", "host")}
    machine = Machine.open("virt", program=guest, settings=settings)
    found = MonitoredTarget(machine)
    found.attach()
    yield found
    found.close()
    machine.close()


def read(target: MonitoredTarget, csr: str) -> int:
    return target.read_register(HART0, target.machine.debugged.arguments.names.find(csr).number)


def step(target: MonitoredTarget) -> None:
    target.resume([(HART0, Action("s"))])
    assert target.take_events()


# --- time ---------------------------------------------------------------------------------------


def test_time_stands_still(target: MonitoredTarget) -> None:
    before = read(target, "time")
    assert read(target, "time") == before == target.machine.assembly.clock.now()
    step(target)
    after = read(target, "time")
    assert after >= before
    assert read(target, "time") == after


def test_time_goes_on_with_the_harts(target: MonitoredTarget) -> None:
    before = read(target, "time")
    target.go()
    while target.machine.assembly.clock.now() == before:
        pass
    target.halt()
    assert read(target, "time") > before


def test_one_hart_that_runs_is_enough(guest: Path) -> None:
    machine = Machine.open("virt", program=guest, settings={"harts.count": 2})
    target, clock = MonitoredTarget(machine), machine.assembly.clock
    target.attach()
    for hart in (0, 1):
        target.resume([(Thread(HOST_PID, hart + 1), Action("c"))])
    target.halt([Thread(HOST_PID, 1)])
    now = clock.now()
    while clock.now() == now:
        pass
    target.halt()
    assert clock.now() == clock.now()
    target.close()
    now = clock.now()
    while clock.now() == now:  # nobody debugs it any more
        pass
    machine.close()


def test_an_alarm_waits_for_time(target: MonitoredTarget) -> None:
    """The timers of devices stand still too, and fire when their time has come."""
    clock, rang = target.machine.assembly.clock, []
    clock.call_at(clock.now() + 1, lambda: rang.append(clock.now()))
    assert clock.next_alarm() == clock.now() + 1
    assert not rang
    target.go()
    while not rang:
        pass


def test_mtime_can_be_set_while_it_stands_still(target: MonitoredTarget) -> None:
    target.machine.assembly.clock.set(1 << 63)
    assert read(target, "time") == 1 << 63
    target.go()
    while target.machine.assembly.clock.now() == 1 << 63:
        pass
    target.halt()
    assert read(target, "time") > 1 << 63


def test_a_setting_lets_time_run(target: MonitoredTarget) -> None:
    said: list[str] = []
    for line in ("time", "time runs"):
        target.monitor(HART0, line, said.append)
    assert said == [
        "while every hart is stopped, time stands still\n",
        "while every hart is stopped, time runs on\n",
    ]
    now = read(target, "time")
    while read(target, "time") == now:
        pass
    target.attach()  # the next client begins with the board's setting
    assert read(target, "time") == read(target, "time")


def test_the_boards_setting(guest: Path) -> None:
    with Machine.open("virt", program=guest, settings={"debug.time": "runs"}) as machine:
        target = MonitoredTarget(machine)
        target.attach()
        now = read(target, "time")
        while read(target, "time") == now:
            pass
        target.close()


# --- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["host", "virtual"], indirect=True)
def test_a_step_ends_before_the_first_instruction_of_a_handler(target: MonitoredTarget) -> None:
    hart: Any = target.machine.harts[0]
    target.write_register(HART0, REG_PC, 0x8000_0000)
    hart.set_csr("mtvec", target.machine.symbols["handler"])
    hart.set_csr("mie", 0x80)
    hart.set_csr("mstatus.MIE", 1)
    hart.view.mtimecmp = 0
    retired = hart.retired
    step(target)
    assert (hart.pc, hart.csr("mepc")) == (target.machine.symbols["handler"], 0x8000_0000)
    assert hart.retired == retired
    step(target)
    assert hart.pc == target.machine.symbols["handler"] + 4
    assert hart.retired == retired + 1


# --- the memory map -----------------------------------------------------------------------------


def test_the_map_of_a_board_without_rom(guest: Path) -> None:
    """2**64, the length of all addresses, doesn't fit in 64 bits."""
    with Machine.open("spike", program=guest) as machine:
        target = MonitoredTarget(machine)
        out = bytearray()
        session = session_for(target, out.extend)
        session.feed(frame(b"qXfer:memory-map:read::0,1000"))
        target.close()
    xml = bytes(out).partition(b"$l")[2].rpartition(b"#")[0].partition(b"<memory-map>")
    rows = ElementTree.fromstring((xml[1] + xml[2]).decode())
    found = [(int(row.attrib["start"], 16), int(row.attrib["length"], 16)) for row in rows]
    assert found == [(0, 1 << 63), (1 << 63, 1 << 63)]


def test_gdb_takes_the_map(gdb: Gdb, serve: Serve, guest: Path) -> None:
    said = gdb.do(f"target remote 127.0.0.1:{serve(Machine.open('spike', program=guest))}")
    assert "memory map" not in said, said
    assert "0x8000000000000000" in gdb.do("info mem")


# --- clients that come and go -------------------------------------------------------------------


def test_disconnect_leaves_the_board_stopped(gdb: Gdb, serve: Serve, guest: Path) -> None:
    port = serve(Machine.open("virt", program=guest))
    gdb.attach(port)
    gdb.do("break work if n == 3")
    gdb.go()
    before = [gdb.value(what) for what in ("$pc", "$minstret", "$time", "n", "rounds")]
    gdb.do("disconnect")
    gdb.do("delete")
    gdb.attach(port)
    assert [gdb.value(what) for what in ("$pc", "$minstret", "$time", "n", "rounds")] == before
    gdb.do("tbreak work")
    gdb.go()
    assert gdb.value("n") == "4"


def test_a_board_that_runs_when_its_client_goes_runs_on(
    gdb: Gdb, serve: Serve, guest: Path
) -> None:
    port = serve(Machine.open("virt", program=guest))
    gdb.attach(port)
    gdb.do("tbreak work")
    gdb.go()
    gdb.do("detach")
    gdb.attach(port)
    first = int(gdb.value("rounds"))
    gdb.do("detach")
    gdb.attach(port)
    assert int(gdb.value("rounds")) > first


def test_a_second_client_is_told(gdb: Gdb, serve: Serve, guest: Path) -> None:
    port = serve(Machine.open("virt", program=guest))
    with socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(frame(b"qSupported:multiprocess+"))
        assert first.recv(1)
        with pytest.raises(RuntimeError, match="closed"):
            gdb.attach(port)
        assert BUSY[2:].decode() in gdb.logged
    gdb.attach(port)
    assert gdb.value("$pc") == "(void (*)()) 0x1000"


def test_lldb_is_not_left_waiting(serve: Serve, guest: Path) -> None:
    """LLDB begins with QStartNoAckMode, and waits for ever after an error reply."""
    port = serve(Machine.open("virt", program=guest))
    with socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(frame(b"qSupported"))
        assert first.recv(1)
        with socket.create_connection(("127.0.0.1", port)) as second:
            second.sendall(b"+" + frame(b"QStartNoAckMode"))
            assert second.recv(100) == b""


def test_gdb_attaches_to_a_hart_that_was_in_a_guest_before(gdb: Gdb, serve: Serve) -> None:
    """The host's registers at the time when the hart left it are not known then."""
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    machine.step(6_500_000)
    assert machine.harts[0].virt == 1
    gdb.attach(serve(machine))
    assert "hart0" in gdb.do("info threads")
    gdb.do("inferior 1")  # gdb 18 has the guest's too
    gdb.do("tbreak trap_from_guest")
    assert gdb.go()["reason"] == "breakpoint-hit"
