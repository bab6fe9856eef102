"""Guests that begin and end, as the target tells a client of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Action, ClientPoint, Event, Exited, Stopped, Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.gdb.target.resume_state import ResumeState
from rvplat.guests import hypervisor_guest_elfs
from rvplat.machine.machine import Machine
from rvplat.machine.running.stop import Stop
from tests.gdb.hypervisors import FIRST, HOST, MODERN, SECOND, SRET, hypervisor


@pytest.fixture
def machine() -> Machine:
    return hypervisor()


class Watched:
    """A target that is run until it has events."""

    def __init__(self, machine: Machine) -> None:
        self.target = MachineTarget(machine)
        self._awake = threading.Event()
        self.target.wake = self._awake.set
        self.target.attach()

    def go(self, *threads: Thread, kind: str = "c") -> list[Event]:
        """The events when these threads run or step."""
        self._awake.clear()
        self.target.resume([(thread, Action(kind)) for thread in threads])
        found: list[Event] = []
        while not found:
            assert self._awake.wait(60)
            self._awake.clear()
            found = self.target.take_events()
        return found


@pytest.fixture
def watched(machine: Machine) -> Iterator[Watched]:
    found = Watched(machine)
    yield found
    found.target.close()
    machine.close()


def begun(watched: Watched, features: frozenset[str] = MODERN) -> MachineTarget:
    """Both guests have begun, and the client has attached to them."""
    watched.target.set_features(features)
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p2.1")]
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p3.1")]
    return watched.target


def test_a_client_that_keeps_a_guest_sees_it(watched: Watched) -> None:
    target = begun(watched)
    target.detach(2)
    assert list(target.threads()) == [HOST, SECOND]
    target.attach_world(2)
    assert list(target.threads()) == [HOST, FIRST, SECOND]


def test_the_program_is_told_when_the_guest_may_run(watched: Watched) -> None:
    begun(watched)
    (stop,) = watched.go(HOST, SECOND)
    path = str(hypervisor_guest_elfs()["sort"]).encode().hex()
    assert stop == Stopped(SECOND, 5, "exec", path)


def test_a_client_that_knows_no_forks_isnt_told(watched: Watched) -> None:
    watched.target.set_features(frozenset({"multiprocess"}))
    assert watched.go(HOST) == [Exited(1, 0)]


def test_an_event_that_the_client_missed_comes_again(watched: Watched) -> None:
    watched.target.set_features(MODERN)
    (event,) = watched.go(HOST)
    watched.target.report_again(event)
    assert list(watched.target.threads()) == [HOST]
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p2.1")]


def test_a_reset_ends_the_guests(watched: Watched) -> None:
    target = begun(watched)
    watched.go(HOST, FIRST, SECOND)  # its program
    watched.go(HOST, FIRST, SECOND)  # the other one's
    target.machine.requests.append(Stop("reset"))
    assert watched.go(HOST, FIRST, SECOND) == [Exited(2, 0)]
    assert watched.go(HOST, SECOND) == [Exited(3, 0)]
    assert list(target.threads()) == [HOST]
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p4.1")]
    assert [process.pid for process in target.processes()] == [1, 4]


def test_a_reset_that_nobody_is_to_hear_of(watched: Watched) -> None:
    begun(watched)
    watched.target.machine.requests.append(Stop("reset"))
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p4.1")]


def test_attaching_at_a_beginning_outlives_the_copy(watched: Watched) -> None:
    """gdb detaches from the supposed copy when the host next runs; the client stays attached."""
    target = watched.target
    target.set_features(MODERN)
    watched.go(HOST)
    target.detach(2)
    watched.go(HOST)
    target.attach_world(3)
    target.detach(3)
    assert SECOND in target.threads()
    target.detach(3)
    assert SECOND not in target.threads()


@pytest.mark.parametrize("follows", [True, False])
def test_attaching_at_a_beginning_that_gdb_follows(watched: Watched, follows: bool) -> None:
    """`rvplat debug` has set detach-on-fork off; a second inferior of a process would end gdb."""
    watched.target.keeps_forks = follows
    watched.target.set_features(MODERN)
    watched.go(HOST)
    if follows:
        with pytest.raises(GdbError, match="process 2 becomes an inferior by itself"):
            watched.target.attach_world(2)
    else:
        watched.target.attach_world(2)
    with pytest.raises(GdbError, match="is an inferior already"):
        watched.target.attach_world(HOST.pid)


def test_a_client_without_processes(watched: Watched) -> None:
    """Its threads are harts, in any world, and it is told of no worlds."""
    watched.target.single_process = True
    watched.target.set_features(MODERN)
    assert watched.go(HOST) == [Exited(1, 0)]


def test_running_again(watched: Watched) -> None:
    target = begun(watched)
    target.restart()
    assert list(target.threads()) == [HOST]
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p4.1")]


def test_each_hart_tells_of_what_it_was_let_do() -> None:
    """Non-stop: one hart runs for the host, another for a guest; a third one steps in the guest."""
    going = ResumeState()
    going.resume([(Thread(1, 1), Action("c"))], lambda hart: False)
    plan = [(Thread(2, 2), Action("c")), (Thread(2, 1), Action("c"))]
    chosen = going.resume(plan, lambda hart: hart == 0)
    assert chosen == {1: plan[0]}
    going.resume([(Thread(1, 3), Action("c")), (Thread(3, 3), Action("s"))], lambda hart: hart < 2)
    assert going.thread(0, Thread(2, 1)) == Thread(2, 1)
    assert going.thread(0, Thread(3, 1)) == Thread(1, 1)
    assert going.thread(1, Thread(1, 2)) == Thread(2, 2)
    assert going.thread(2, Thread(2, 3)) == Thread(3, 3)
    assert going.pids == {1, 2, 3}


def test_a_program_is_told_of_a_thread_that_may_run() -> None:
    """This doesn't depend on the hart that stopped last."""
    target = MachineTarget(hypervisor(harts=2))
    target.attach()
    target.set_features(MODERN)
    target.client_view.fork(2, HOST)
    target.worlds._add(2)  # VMID 1
    other = Thread(2, 2)
    target.resume([(other, Action("c"))])
    path = str(hypervisor_guest_elfs()["fibonacci"]).encode().hex()
    assert target.take_events() == [Stopped(other, 5, "exec", path)]
    target.close()
    target.machine.close()


def test_two_harts_come_into_a_guest_at_once() -> None:
    """The client is told once; the slower hart goes on."""
    target = MachineTarget(hypervisor(harts=2))
    target.attach()
    target.set_features(MODERN)
    for cell in target.machine.harts:
        cell.view.virt, cell.view.hgatp = 1, 7 << 44
    assert not target.reports.report(Stop("guest", hart=1), target.breakpoints)
    assert target.reports.report(Stop("guest", hart=0), target.breakpoints)
    assert target.take_events() == [Stopped(Thread(1, 2), 5, "fork", "p2.2")]
    target.close()
    target.machine.close()


def test_a_step_into_a_new_guest(watched: Watched) -> None:
    """The step lasts until the hart is back in the host: the client doesn't see the guest."""
    target, at = watched.target, watched.target.machine.symbols["run_guest"]
    target.set_features(MODERN)
    while target.read_memory(HOST, at, 4) != SRET:
        at += 2
    target.insert(ClientPoint(0, 1, at, 4))
    assert watched.go(HOST) == [Stopped(HOST, 5, "swbreak")]
    assert watched.go(HOST, kind="s") == [Stopped(HOST, 5)]
    assert target.read_register(HOST, 32) == target.machine.symbols["trap_from_guest"]
    target.remove(ClientPoint(0, 1, at, 4))
    assert watched.go(HOST) == [Stopped(HOST, 5, "fork", "p2.1")]
