"""A plugin's code that doesn't return, on a board that is debugged."""

from __future__ import annotations

import threading
import time

import pytest

from rvplat import Machine, serve_gdb
from rvplat.errors import RunFailed
from rvplat.gdb.target.hart_control import HartControl
from rvplat.gdb.target.hart_driver import Job
from rvplat.machine.running import watchdog
from tests.machine.small_guests import LOOP, guest
from tests.machine.stuck import SETTINGS, WAYS, shared_folder, stuck_board, stuck_guest


@pytest.fixture
def board() -> str:
    """A board whose plugin's code does not return."""
    return stuck_board(shared_folder())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.1)
    monkeypatch.setattr(watchdog, "GRACE_S", 0.5)


def test_it_does_not_keep_other_harts_from_being_started(board: str, hasty: None) -> None:
    """Each start told the clock, which took the lock that the device holds."""
    settings = {**SETTINGS, "harts.count": 2}
    machine = Machine.open(board, stuck_guest("load"), settings=settings)
    control = HartControl(machine, lambda outcome: False)
    control.start([(0, Job())])
    machine.consoles["bad"].wait_for(b"in the loop", timeout_s=60)
    starts = threading.Thread(target=control.start, args=[[(1, Job())]], daemon=True)
    starts.start()
    starts.join(30)
    assert not starts.is_alive()
    control.close()
    with pytest.raises(RunFailed):
        machine.close()


def test_a_hart_that_runs_on_is_not_ended_for_one_that_stopped() -> None:
    """A hart can stop by itself while it is asked to stop; the request may then stay set."""
    with Machine.open(program=guest(LOOP), harts=2) as machine:
        control = HartControl(machine, lambda outcome: False)
        control.start([(0, Job()), (1, Job())])
        control.halt([0])
        stopped, running = machine.harts
        assert stopped.stop_request.value == 0
        stopped.stop_request.value = 1
        began = time.monotonic()
        for graces in (0, 1, 4, 8):
            machine.watchdog._look(began + graces * watchdog.GRACE_S)  # type: ignore[attr-defined]
        assert machine.lost is None
        assert running.abandon.value == 0
        control.close()


@pytest.mark.parametrize("way", ["instruction", "load"])
def test_a_step_ends(board: str, hasty: None, way: str) -> None:
    """A step is done in the server's thread, which can't receive gdb's Ctrl-C then."""
    _, what, _ = WAYS[way]
    machine = Machine.open(board, stuck_guest(way), settings=SETTINGS)
    control = HartControl(machine, lambda outcome: False)

    def step() -> None:
        while not machine.assembly.failures:
            control.step(0, ())

    steps = threading.Thread(target=step, daemon=True)
    steps.start()
    steps.join(30)
    assert not steps.is_alive()
    (failure,) = machine.failures
    assert str(failure).startswith(f"{what} did not come back (")
    control.close()
    machine.close()


def test_a_machine_that_is_given_up_is_given_back(board: str, hasty: None) -> None:
    """The server ends with the reason, and the machine is free again."""
    with Machine.open(board, stuck_guest("sleep"), settings=SETTINGS) as machine:
        server = serve_gdb(machine)
        machine.consoles["bad"].wait_for(b"in the loop", timeout_s=60)
        with pytest.raises(RunFailed, match="did not come back"):
            server.close()
        assert machine.keeper == ""
        server.close()
