"""A guest's own ebreak, which stops in gdb if the user wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import HOST_PID, Action, ConsoleText, Stopped, Thread
from rvplat.gdb.target.ebreak_stops import EbreakStops
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb

HART0 = Thread(HOST_PID, 1)
ECALL, EBREAK = (n.to_bytes(4, "little") for n in (0x0000_0073, 0x0010_0073))
BREAKPOINT = 3


def with_ebreak(guest: Path, **settings: object) -> tuple[Machine, int]:
    """The guest with an ebreak instead of the ecall in its function `trap`; the address of that."""
    machine = Machine.open("virt", program=guest, settings=settings)
    start = machine.symbols["trap"]
    at = start + machine.memory.read(start, 64).index(ECALL)
    machine.memory.write(at, EBREAK)
    return machine, at


@pytest.fixture(params=["host", "virtual"])
def stopping(guest: Path, request: pytest.FixtureRequest) -> Iterator[tuple[MonitoredTarget, int]]:
    machine, at = with_ebreak(guest, clock=request.param)
    target = MonitoredTarget(machine)
    target.attach()
    yield target, at
    target.close()
    machine.close()


def run_to_stop(target: MonitoredTarget) -> str:
    """What was said before the stop."""
    target.resume([(HART0, Action("c"))])
    said = ""
    while True:
        for event in target.take_events():
            if isinstance(event, ConsoleText):
                said += event.text
            elif isinstance(event, Stopped):
                assert (event.signal, event.reason) == (5, "")
                return said


def test_an_ebreak_stops_and_then_traps(stopping: tuple[MonitoredTarget, int]) -> None:
    target, at = stopping
    hart = target.machine.harts[0]
    target.monitor(HART0, "ebreak all", lambda text: None)
    assert run_to_stop(target).startswith(f"ebreak at {at:#x}: hart 0, host (process 1)")
    assert (hart.pc, hart.csr("mcause")) == (at, 0)
    assert target.describe(HART0) == "hart 0: M mode, at an ebreak"
    rounds = target.machine.memory.read_int(target.machine.symbols["rounds"], 8)
    run_to_stop(target)  # the handler has passed over it
    assert (hart.pc, hart.csr("mcause")) == (at, BREAKPOINT)
    assert target.machine.memory.read_int(target.machine.symbols["rounds"], 8) == rounds + 16
    target.resume([(HART0, Action("s"))])
    assert target.take_events()
    assert hart.pc == target.machine.symbols["handler"], "a step takes the trap"


def test_ebreaks_of_other_worlds_trap(stopping: tuple[MonitoredTarget, int]) -> None:
    target, _ = stopping
    target.monitor(HART0, "ebreak guests", lambda text: None)
    target.go()
    rounds = target.machine.symbols["rounds"]
    while target.machine.memory.read_int(rounds, 8) < 100:
        pass
    target.halt()
    assert target.take_events() == []
    assert target.machine.harts[0].csr("mcause") == BREAKPOINT


def test_without_a_client_every_ebreak_traps(stopping: tuple[MonitoredTarget, int]) -> None:
    target, _ = stopping
    target.monitor(HART0, "ebreak all", lambda text: None)
    target.detach()
    rounds = target.machine.symbols["rounds"]
    while target.machine.memory.read_int(rounds, 8) < 100:
        pass


def test_the_boards_setting(guest: Path) -> None:
    machine, at = with_ebreak(guest, **{"debug.ebreak": "host"})
    target = MonitoredTarget(machine)
    target.attach()
    run_to_stop(target)
    assert machine.harts[0].pc == at
    target.close()
    machine.close()


def test_which_worlds(guest: Path) -> None:
    with Machine.open("virt", program=guest) as machine:
        chosen = EbreakStops(machine)
        for worlds, expected in (
            (["all"], [0, 1, 8]), (["host"], [0]), (["guests"], [1, 8]), ([7], [8]), ([], []),
            (["host", 7], [0, 8]),
        ):  # fmt: skip
            chosen.choose(worlds)  # type: ignore[arg-type]
            assert [world for world in (0, 1, 8) if chosen.stops_in(world)] == expected


def test_what_monitor_says(stopping: tuple[MonitoredTarget, int]) -> None:
    target, _ = stopping
    said: list[str] = []
    for line in ("ebreak", "ebreak host vmid=7", "ebreak trap"):
        target.monitor(HART0, line, said.append)
    assert [text.partition(": ")[2].strip() for text in said] == [
        "nowhere", "host, vmid=7", "nowhere",
    ]  # fmt: skip
    with pytest.raises(GdbError, match="'guest': expected trap, all, host, guests or vmid=N"):
        target.monitor(HART0, "ebreak guest", said.append)


def test_gdb_shows_it(gdb: Gdb, serve: Serve, guest: Path) -> None:
    machine, at = with_ebreak(guest)
    gdb.attach(serve(machine))
    gdb.do("monitor ebreak all")
    for round_ in (16, 32):
        stop = gdb.go()
        assert stop["signal-name"] == "SIGTRAP"
        assert int(gdb.value("(long)$pc")) == at
        assert gdb.value("rounds") == str(round_ - 1)
    assert "ebreak at 0x" in gdb.output


def test_priv_stays_in_its_world(stopping: tuple[MonitoredTarget, int]) -> None:
    """Otherwise gdb's thread would lose its registers, and the next gdb could not attach."""
    target, _ = stopping
    priv = target.machine.debugged.arguments.names.find("priv").number
    for mode in (1, 0, 3):
        target.write_register(HART0, priv, mode)
        assert target.read_register(HART0, priv) == mode
    with pytest.raises(GdbError, match=r"priv can be 0 \(U\), 1 \(S\), 3 \(M\).*, not 2"):
        target.write_register(HART0, priv, 2)
    with pytest.raises(GdbError, match="priv 5 would put the hart into another process, a guest"):
        target.write_register(HART0, priv, 5)
    assert target.read_register(HART0, priv) == 3
