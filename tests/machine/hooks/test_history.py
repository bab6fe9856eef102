"""Hooks on machines that keep a history, or are recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.errors import RunFailed
from tests.machine.hooks.conftest import Open


def test_the_past_is_repeated_without_handlers(opened: Open) -> None:
    """What a handler changes is a change by the user: it begins a part of the history."""
    machine = opened(rounds=40)
    history = machine.keep_history()
    hook = machine.on("work", lambda event: event.x.__setitem__("a0", 5), when="$a0 == 20")
    seen = machine.on("touch", lambda event: None)
    place = machine.breakpoints.add("never")
    stop = machine.run(timeout_s=10)
    assert stop.reason == "off" and (hook.hits, seen.hits) == (1, 40)
    end, calls = history.end, machine.host["calls"]
    registers = list(machine.harts[0].x)
    machine.breakpoints.remove(place)
    machine.breakpoints.add("touch")
    back = machine.reverse_continue()
    assert back.reason == "break" and machine.host["rounds"] == 39
    history.go(end // 2)
    history.go(end)
    assert list(machine.harts[0].x) == registers and machine.host["calls"] == calls == 40
    history.go(history.begin)
    assert machine.run(timeout_s=10).reason == "break"  # forwards in the past
    assert machine.host["rounds"] == 0 and (hook.hits, seen.hits) == (1, 40)
    machine.breakpoints.clear()
    machine.run(timeout_s=10)
    assert list(machine.harts[0].x) == registers and (hook.hits, seen.hits) == (1, 40)


def test_a_recorded_run_is_not_changed(opened: Open, tmp_path: Path) -> None:
    machine = opened()
    machine.record(tmp_path / "run.rec")
    looks = machine.on("work", lambda event: event.x["a0"])
    machine.on("touch", lambda event: event.x.__setitem__("a0", 1), when="$a0 == 3")
    with pytest.raises(RunFailed, match="a hook can't change a run that is recorded or replayed"):
        machine.run(timeout_s=10)
    assert looks.hits == 3 and machine.harts[0].x["a0"] == 3
