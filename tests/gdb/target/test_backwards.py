"""Backwards as the inverse of forwards; a search that is interrupted; changes in the past."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import ClientPoint, ConsoleText, Thread
from rvplat.gdb.target.backwards import NEW_FUTURE, keep_history
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop

from .test_stepping import BEFORE, Wire

STEPS = 40
T11 = Thread(1, 1)
FOREVER_HIT = "put_char"  # a function that the hypervisor calls often


def opened(**settings: object) -> Machine:
    found = Machine.open("virt", program=hypervisor_elf(), settings=settings, harts=2)
    keep_history(found)
    return found


@pytest.fixture
def machine() -> Iterator[Machine]:
    with opened(clock="virtual", **{"debug.history": "64M"}) as found:
        yield found


@pytest.fixture
def target(machine: Machine) -> Iterator[MonitoredTarget]:
    found = MonitoredTarget(machine)
    yield found
    found.close()


def to_the_first_exit(machine: Machine) -> None:
    """Run until the first guest traps into the host."""
    machine.step(BEFORE)
    for virt in (1, 0):
        while machine.harts[0].virt != virt:
            machine.step(1)


def place(wire: Wire) -> tuple[bytes, bytes, bytes]:
    """pc, mode and a0."""
    return wire.ask(b"p20"), wire.ask(b"p1041"), wire.ask(b"pa")


def test_steps_back_are_the_inverse_of_steps(machine: Machine) -> None:
    """Through traps, world switches and returns, from the past into what has not been yet."""
    to_the_first_exit(machine)
    machine.reverse_step(STEPS // 2)
    target = MonitoredTarget(machine)
    wire = Wire(target)
    places = [place(wire)]
    for _ in range(STEPS):
        assert wire.ask(b"vCont;s:1;c").startswith(b"T05")
        places.append(place(wire))
    assert {mode for _, mode, _ in places} == {b"0100", b"0500"}
    for expected in reversed(places[:-1]):
        assert wire.ask(b"bs").startswith(b"T05thread:1;")
        assert place(wire) == expected
    for expected in places[1:10]:
        wire.ask(b"vCont;s:1;c")
        assert place(wire) == expected
    target.close()


def test_a_search_is_interrupted(machine: Machine, target: MonitoredTarget) -> None:
    machine.step(BEFORE)
    wire = Wire(target)
    address = machine.symbols[FOREVER_HIT]
    wire.ask(b"Z0,%x,2" % address)
    wants = target.breakpoints.stops_backwards

    def never(stop: Stop) -> bool:
        """No stop is wanted, and the search goes on until it is interrupted."""
        assert wants(stop)
        while history.cancel is False:
            os.sched_yield()
        return False

    history = target.backwards.history
    target.breakpoints.stops_backwards = never  # type: ignore[method-assign]
    wire.got.clear()
    wire.session.feed(frame(b"bc"))
    assert target.is_running(T11)
    wire.session.feed(b"\x03")
    assert wire.got[-1].startswith(b"T02thread:1;")
    assert b"O" + b"interrupted on the way back".hex().encode() in b"".join(wire.got)
    assert not target.is_running(T11)
    assert history.is_past


def test_points_that_dont_stop(machine: Machine, target: MonitoredTarget) -> None:
    """Commands neither stop nor print on the way back; the machine's own breakpoints stop."""
    machine.step(BEFORE)
    wire = Wire(target)
    address = machine.symbols[FOREVER_HIT]
    wire.ask(b"Z0,%x,2;cmds:0,X3,220127" % address)
    wire.got.clear()
    assert wire.ask(b"bc").startswith(b"T05replaylog:begin;")
    assert len(wire.got) == 1
    machine.breakpoints.insert(address, temporary=True)
    target.backwards.move(lambda history: history.go(history.end))
    wire.got.clear()
    assert wire.ask(b"bc").startswith(b"T05thread:1;")
    assert b"monitor breakpoint 1".hex().encode() in b"".join(wire.got)
    assert wire.ask(b"p20") == address.to_bytes(8, "little").hex().encode()
    assert not [*machine.breakpoints], "it was temporary"


def test_a_change_in_the_past(machine: Machine, target: MonitoredTarget) -> None:
    machine.step(BEFORE)
    history = target.backwards.history
    target.backwards.checkpoints.append(history.checkpoint())
    target.write_register(T11, 5, 1)
    assert target.take_events() == [], "nothing comes later"
    target.backwards.move(lambda found: found.go(1000))
    target.write_memory(T11, 0x8000_0000 + 0x10_0000, b"1")
    assert target.take_events() == [ConsoleText(NEW_FUTURE)]
    assert (history.is_past, history.end, target.backwards.checkpoints) == (False, 1000, [])
    target.restart()
    assert history.begin == history.end


@pytest.mark.parametrize(("settings", "text"), [
    ({"clock": "host"}, "--set clock=virtual"),
    ({"clock": "virtual"}, "--set debug.history=512M"),
    ({"clock": "virtual", "debug.history": 0}, "--set debug.history=512M"),
])  # fmt: skip
def test_the_setting_that_is_needed(settings: dict[str, object], text: str) -> None:
    with opened(**settings) as machine:
        target = MonitoredTarget(machine)
        wire = Wire(target)
        assert wire.ask(b"bs").startswith(b"E.the board can't go back in time")
        assert text in wire.got[-1].decode()
        assert wire.ask(b"p20") == b"0010000000000000"
        with pytest.raises(GdbError, match=text):
            target.monitor(T11, "when", print)
        target.close()


def test_a_watchpoint_of_a_world_that_has_not_begun(target: MonitoredTarget) -> None:
    """In the past a guest may not have run yet: it has no registers, and no memory."""
    to_the_first_exit(target.machine)
    pid = max(world.pid for world in target.worlds.look())
    target.insert(ClientPoint(2, pid, 0xFFFF_FFC0_8000_5000, 4))
    assert target.read_memory(Thread(pid, 1), 0xFFFF_FFC0_8000_5000, 4)
    target.backwards.move(lambda history: history.go(history.begin))
    assert target.read_general(Thread(pid, 1))[32] == 0
    with pytest.raises(GdbError, match="has not run"):
        target.read_memory(Thread(pid, 1), 0xFFFF_FFC0_8000_5000, 4)
