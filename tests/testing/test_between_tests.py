"""Hooks in tests with machines, and what a test of a booted machine leaves to the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine.small_guests import POWER_OFF, guest

pytest_plugins = ["pytester"]

CALLS = (
    """
  li a0, 1
  jal work
  mv s1, a0
here: li s2, 7
  j here2
work: li a0, 2
  ret
here2:"""
    + POWER_OFF
)
HOOKS = """
import pytest

def to_begin(machine):
    machine.breakpoints.add("_start", temporary=True)
    assert machine.run(timeout_s=60).reason == "break"

@pytest.mark.rvplat(program="calls.elf")
class TestPowerOn:
    def test_skip(self, machine):
        machine.on("here", lambda event: event.skip())
        assert machine.run(timeout_s=60).reason == "off"
        assert [machine.harts[0].x[name] for name in ("s1", "s2")] == [2, 0]

    def test_return_from(self, machine):
        hook = machine.on("work", lambda event: event.return_from(5))
        machine.run(timeout_s=60)
        assert machine.harts[0].x["s1"] == 5 and hook.hits == 1
        assert 0, "changed"

    def test_look(self, machine):
        machine.on("work", lambda event: event.x["a0"])
        machine.run(timeout_s=60)
        assert 0, "looked"

@pytest.mark.rvplat(program="calls.elf", boot=to_begin)
class TestBooted:
    left = []

    def test_leaves(self, machine, tmp_path):
        machine.on("work", lambda event: self.left.append("instruction"))
        machine.on_write(0x100000, 4, lambda event: self.left.append("access"))
        machine.on_trap(None, lambda event: self.left.append("trap"))
        machine.on_world_switch(lambda event: self.left.append("switch"))
        self.left += [machine, machine.console.connect(f"tcp:0")]
        assert machine.run(timeout_s=60).reason == "off"
        assert self.left[2:] == ["instruction", "access"]
        del self.left[2:]

    def test_begins_anew(self, machine):
        assert machine is self.left.pop(0)
        with pytest.raises(ConnectionRefusedError):
            place = self.left.pop().where.split(":")
            __import__("socket").create_connection((place[1], int(place[2])))
        with pytest.raises(RuntimeError, match="the machine was not started"):
            machine.wait(timeout_s=0)
        with pytest.raises(TimeoutError, match=r"the machine was not started: call start\\(\\)"):
            machine.console.expect("x", timeout_s=60)
        hooks = machine.hooks
        assert not (hooks.by_row or hooks.by_watch_row or hooks.traps or hooks.switches)
        assert machine.run(timeout_s=60).reason == "off"
        assert not self.left
"""
DIGESTS = """
import pytest

def until(pc):
    def boot(machine):
        machine.breakpoints.add(pc, temporary=True)
        machine.run(timeout_s=60)
        open("boots", "a").write("x")
    return boot

class Own:
    pc = "work"

def by_object(own):
    return lambda machine: until(own.pc)(machine)

@pytest.mark.parametrize("n", range(2))
@pytest.mark.rvplat(program="calls.elf")
class TestBoots:
    @pytest.mark.rvplat(boot=until("work"))
    def test_work(self, machine, n):
        assert machine.harts[0].pc == machine.symbols["work"]

    @pytest.mark.rvplat(boot=until("here"))
    def test_here(self, machine, n):
        assert machine.harts[0].pc == machine.symbols["here"]

    @pytest.mark.rvplat(boot=by_object(Own()))
    def test_own(self, machine, n):
        assert machine.harts[0].pc == machine.symbols["work"]
"""


@pytest.fixture
def calls(pytester: pytest.Pytester) -> Path:
    """The guest, where the tests of a project find it."""
    path = pytester.path / "calls.elf"
    path.write_bytes(guest(CALLS).read_bytes())
    return path


@pytest.mark.usefixtures("calls")
def test_hooks_change_the_run_and_are_gone_after_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HOOKS)
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=3, failed=2)
    changed, looked = done.stdout.str().split("TestPowerOn.test_look __")
    assert "no recording of this run: a hook changed the run" in changed
    assert "rvplat run --replay" in looked and "no recording" not in looked


@pytest.mark.usefixtures("calls")
def test_workers_tell_boot_functions_of_one_factory_apart(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(DIGESTS)
    done = pytester.runpytest_subprocess("-n", "2", "-p", "no:hypothesispytest")
    done.assert_outcomes(passed=6)
    assert 3 <= len((pytester.path / "boots").read_text()) <= 4  # one that can't be shared
