"""A run ends although plugin code does not return, and the report names the plugin's code."""

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.engine.architecture import Architecture
from rvplat.engine.poll import POLL
from rvplat.engine.units import new_unit
from rvplat.errors import RunFailed
from rvplat.machine.boards.catalogue import base_extensions
from rvplat.machine.running import watchdog
from tests.machine.small_guests import LOOP, guest
from tests.machine.stuck import (
    BAD,
    COUNT,
    HOPELESS,
    SETTINGS,
    WAYS,
    shared_folder,
    stuck_board,
    stuck_guest,
    until,
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the watchdog's times of some seconds."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.1)
    monkeypatch.setattr(watchdog, "GRACE_S", 0.5)
    monkeypatch.setattr(watchdog, "SLOW_S", 0.5)


@pytest.fixture
def folder() -> Any:
    """The folder of the plugin."""
    return shared_folder()


def opened(folder: Path, program: Path, **settings: object) -> Machine:
    return Machine.open(stuck_board(folder), program, settings={**SETTINGS, **settings})


def place(folder: Path, function: str) -> Any:
    return re.compile(re.escape(f"{folder}/faulty.py:") + r"\d+, in " + function)


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["host", "virtual"])
@pytest.mark.parametrize("way", WAYS)
def test_the_time_is_up_and_the_plugin_is_named(folder: Path, way: str, clock: str) -> None:
    _, what, function = WAYS[way]
    with opened(folder, stuck_guest(way), clock=clock) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=2)
        assert caught.value.stop.reason == "timeout"
        assert not machine.running
        (failure,) = machine.failures
        assert str(failure).startswith(f"{what} did not come back ("), failure
        assert place(folder, function).match(failure.place)
        assert (failure.hart == 0) == (way != "alarm")
        machine.reset()
        assert machine.step(2).reason == "step", "the machine can be used again"


def test_it_can_be_paused(folder: Path) -> None:
    with opened(folder, stuck_guest("load")) as machine:
        machine.start()
        machine.consoles["bad"].wait_for(b"in the loop", timeout_s=60)
        with pytest.raises(RunFailed) as caught:
            machine.pause()
        assert caught.value.stop.reason == "pause"


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_a_machine_is_given_up_that_nothing_ends(folder: Path, clock: str) -> None:
    _, what, function = HOPELESS["sleep"]
    with opened(folder, stuck_guest("sleep"), clock=clock) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=0.5)
        assert str(caught.value).startswith(f"{what} did not come back ({folder}/faulty.py:")
        assert f", in {function}, hart 0, pc 0x" in str(caught.value)
        with pytest.raises(RunFailed):
            machine.step()


def test_the_log_names_what_does_not_come_back_while_it_runs(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(folder, stuck_guest("load")) as machine, caplog.at_level(logging.WARNING):
        machine.start()
        until(lambda: caplog.messages)
        with pytest.raises(RunFailed):
            machine.pause()
    line = r"bad: a load of 4 at 0x10010000 has not come back for \d+ s \((.*)\)"
    warning = re.fullmatch(line, caplog.messages[0])
    assert warning is not None
    assert place(folder, "read_loops").fullmatch(warning[1])


@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_an_alarm_that_sets_itself_anew_lets_the_others_in(folder: Path, clock: str) -> None:
    program = guest(BAD + "  sw t0, 12(s0)\n  li s1, 3\n1: addi s1, s1, -1\n  bnez s1, 1b\n" + LOOP)
    with opened(folder, program, clock=clock) as machine:
        if clock == "host":
            assert machine.run(timeout_s=0.5).reason == "timeout"
            return
        with pytest.raises(RunFailed) as caught:
            machine.run(max_instructions=100_000)
        assert caught.value.stop.reason == "limit", "time goes on"
        assert re.fullmatch(
            r"bad: an alarm raised DeviceError: set anew 100000 times at tick \d+, dropped "
            rf"\({folder}/faulty.py:\d+, in ring\)",
            str(caught.value),
        )


def test_a_long_loop_that_is_stopped_in_the_middle_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to stop does not end an instruction that returns in time."""
    monkeypatch.setattr(watchdog, "GRACE_S", 30)
    turns = 60_000_000
    source = f"  li a0, {turns}\n  csrw mscratch, a0\n  .word {COUNT}\n1: j 1b\n"
    with opened(folder, guest(source)) as machine:
        machine.start()
        until(lambda: machine.harts[0].view.mscratch == turns)
        machine.pause()
        machine.run(max_instructions=10)
        assert machine.harts[0].x["a0"] == turns


def test_what_ships_never_looks() -> None:
    """Built-in code contains no polls, so it has no cost from them."""
    extensions = list(base_extensions())
    unit = new_unit(Architecture(tuple(extensions)))
    rows = [row.definition for one in extensions for row in one.instructions]
    csrs = [row for one in extensions for row in one.csrs]
    rows += [d for row in csrs for d in (row.read, row.write, row.access) if d is not None]
    assert unit.definitions.poll is POLL
    assert not [row.name for row in rows if POLL.applies(row)]


TRACED = """
import _thread, sys, time
from rvplat.machine.running.watchdog import _interrupt, clear_interrupts
thread = _thread.start_new_thread(time.sleep, (0.5,))
time.sleep(0.2)
_interrupt(thread)
time.sleep(0.6)  # the thread ended before it could raise the exception
clear_interrupts()
def traced(): return 1
sys.settrace(lambda *_: None)
print(traced())
"""


def test_a_thread_that_ends_before_its_exception_leaves_tracing_usable() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "1\n"
