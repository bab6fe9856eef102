"""A plugin that doesn't come back on a board that is debugged."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from rvplat import Machine, serve_gdb
from rvplat.errors import RunFailed
from rvplat.gdb.control import Control, Job
from rvplat.machine import watchdog
from tests.machine.small_guests import LOOP, guest
from tests.machine.stuck import SETTINGS, stuck_board, stuck_guest


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the one plugin: a process knows one extension of a name."""
    return stuck_board(tmp_path_factory.mktemp("stuck"))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.1)
    monkeypatch.setattr(watchdog, "GRACE_S", 0.5)


def test_it_does_not_keep_other_harts_from_being_started(board: Path, hasty: None) -> None:
    """The clock was told each time, for which it took the lock that the device holds."""
    settings = {**SETTINGS, "harts.count": 2}
    machine = Machine.open(board, stuck_guest("load"), settings=settings)
    control = Control(machine, lambda outcome: False)
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
    """A hart can stop by itself while it is asked to; the mark may then stay."""
    with Machine.open(program=guest(LOOP), harts=2) as machine:
        control = Control(machine, lambda outcome: False)
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


def test_a_machine_that_is_given_up_is_given_back(board: Path, hasty: None) -> None:
    """The server ends with the reason, and what it had is free."""
    with Machine.open(board, stuck_guest("sleep"), settings=SETTINGS) as machine:
        server = serve_gdb(machine)
        machine.consoles["bad"].wait_for(b"in the loop", timeout_s=60)
        with pytest.raises(RunFailed, match="did not come back"):
            server.close()
        assert machine.keeper == ""
        server.close()
