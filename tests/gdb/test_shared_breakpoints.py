"""A Python program's breakpoints and gdb's, on one machine, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.machine.machine import Machine
from tests.gdb.target.test_stepping import Wire


class Shared:
    """The guest, halted at main, and a client."""

    def __init__(self, guest: Path, clock: str) -> None:
        self.machine = Machine.open("virt", guest, settings={"clock": clock})
        self.machine.breakpoints.add("main", temporary=True)
        assert self.machine.run(timeout_s=60).reason == "break"
        self.at = self.machine.symbols
        self.attach()

    def attach(self) -> None:
        """A client comes."""
        self.target = MonitoredTarget(self.machine)
        self.wire = Wire(self.target)

    def ask(self, packet: bytes) -> bytes:
        return self.wire.ask(packet)

    def go(self) -> tuple[bytes, str]:
        """Run: the reason of the stop reply, and the text before it."""
        reply = self.wire.ask(b"vCont;c")
        said = b"".join(bytes.fromhex(p[1:].decode()) for p in self.wire.got if p[:1] == b"O")
        return reply.partition(b"thread:")[0], said.decode()

    def monitor(self, line: str) -> str:
        said: list[str] = []
        self.target.monitor(Thread(1, 1), line, said.append)
        return "".join(said)

    def pc(self) -> int:
        return int(self.machine.harts[0].view.pc)


@pytest.fixture(params=["host", "virtual"])
def shared(guest: Path, request: pytest.FixtureRequest) -> Iterator[Shared]:
    found = Shared(guest, request.param)
    yield found
    found.target.close()
    found.machine.close()


def test_each_stops_gdb_and_gdb_is_told_which(shared: Shared) -> None:
    touch = shared.machine.breakpoints.insert("touch")
    rounds = shared.machine.watchpoints.insert("rounds")
    assert shared.ask(b"Z0,%x,2" % shared.at["work"]) == b"OK"
    at = shared.at
    for hits in (1, 2):
        assert shared.go() == (b"T05swbreak:;", "")
        assert shared.pc() == at["work"]
        shared.ask(b"vCont;s:p1.1")  # as gdb, which steps over what it has set
        told = f"monitor breakpoint {touch.number}, {touch}: hart 0, host (process 1)\n"
        assert shared.go() == (b"T05", told)
        assert shared.pc() == at["touch"]
        before = f"hart 0 before a write to {at['rounds']:#x}"
        told = f"monitor watchpoint {rounds.number}, {rounds}: {before}, host (process 1)\n"
        assert shared.go() == (b"T05", told)
        assert (touch.hits, rounds.hits) == (hits, hits)


def test_both_at_one_address(shared: Shared) -> None:
    point = shared.machine.breakpoints.insert("work", temporary=True)
    assert shared.ask(b"Z0,%x,2" % shared.at["work"]) == b"OK"
    reason, said = shared.go()
    assert reason == b"T05swbreak:;"
    assert said.startswith(f"monitor breakpoint {point.number}, ")
    assert list(shared.machine.breakpoints) == []
    assert shared.go() == (b"T05swbreak:;", "")
    assert point.hits == 1


def test_both_at_one_access(shared: Shared) -> None:
    point = shared.machine.watchpoints.insert("calls", condition="{u64} calls == 1")
    assert shared.ask(b"Z2,%x,8" % shared.at["calls"]) == b"OK"
    watch = b"T05watch:%x;" % shared.at["calls"]
    assert shared.go() == (watch, "")
    assert shared.ask(b"vCont;s:p1.1").startswith(watch), "who steps over it removes it"
    assert shared.ask(b"z2,%x,8" % shared.at["calls"]) == b"OK"
    assert shared.go()[1].startswith(f"monitor watchpoint {point.number}, ")


def test_a_clients_points_end_with_it_and_the_programs_stay(shared: Shared) -> None:
    point = shared.machine.breakpoints.insert("touch")
    assert shared.ask(b"Z0,%x,2" % shared.at["work"]) == b"OK"
    shared.monitor("break never")
    assert len(shared.machine.breakpoints) == 2
    shared.target.leave()
    assert list(shared.machine.breakpoints) == [point]
    shared.target.close()
    for hits in (1, 2):
        assert shared.machine.run(timeout_s=60).breakpoint is point
        assert point.hits == hits
    shared.attach()
    assert shared.go()[1].startswith(f"monitor breakpoint {point.number}, ")
    assert point.hits == 3


def test_monitor_lists_and_deletes_them(shared: Shared) -> None:
    work = shared.machine.breakpoints.insert("work", vmid="host", condition="$a0 > 3")
    calls = shared.machine.watchpoints.insert("calls", 4, "access")
    at = shared.at
    assert shared.monitor("breaks") == (
        f"{work.number}: {at['work']:#x} vmid=host if $a0 > 3: 0 hits\n"
        f"{calls.number}: access {at['calls']:#x}+0x4: 0 hits\n"
    )
    shared.monitor(f"delete {calls.number}")
    assert len(shared.machine.watchpoints) == 0
    shared.monitor("delete all")
    assert len(shared.machine.breakpoints) == 0
