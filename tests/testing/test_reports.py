"""What the report of a failed test says, and that its command repeats the run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.small_guests import POWER_OFF, guest

pytest_plugins = ["pytester"]

#: Sends back what it reads, after "> "; q powers off.
ECHO = (
    """
  li s0, UART
  li t1, '>'
  sb t1, 0(s0)
1: addi s2, s2, 1
  lb t0, 5(s0)
  andi t0, t0, 1
  beqz t0, 1b
  lb t1, 0(s0)
  add s3, s3, s2
  sb t1, 0(s0)
  li t0, 'q'
  bne t1, t0, 1b
"""
    + POWER_OFF
)
TESTS = """
import pytest

def to_prompt(machine):
    machine.start()
    machine.console.expect(">", timeout_s=60)
    machine.console.send_line("ab")
    machine.console.expect("ab\\n", timeout_s=60)

@pytest.mark.rvplat(program="echo.elf")
class TestIt:
    @pytest.mark.rvplat(boot=to_prompt)
    def test_booted(self, machine):
        machine.start()
        machine.console.send_line("xy")
        machine.console.expect(r"xy\\n", timeout_s=60)
        assert machine.console.expect("never", timeout_s=0.2)

    def test_power_on(self, machine):
        machine.console.send_line("xq")
        machine.start()
        machine.wait(timeout_s=60)
        assert machine.console.output == b"another"

    def test_changed(self, machine):
        machine.harts[0].x["a0"] = 1
        machine.step()
        assert 0

    @pytest.mark.rvplat(settings={"clock": "host"})
    def test_host(self, machines):
        machines(), machines(harts=2)
        assert 0
"""


@pytest.fixture
def failed(pytester: pytest.Pytester) -> str:
    """The output of tests that fail."""
    (pytester.path / "echo.elf").write_bytes(guest(ECHO).read_bytes())
    pytester.makepyfile(test_it=TESTS)
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(failed=4)
    return done.stdout.str()


def part_of(text: str, test: str) -> str:
    """The part of the output that is about a test."""
    begin = text.index(f"TestIt.{test} __")
    end = text.find("TestIt.test", begin + 1)
    return text[begin:end]


def replayed(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the command of a report does."""
    line = next(line for line in text.splitlines() if line.startswith("rvplat run "))
    return subprocess.run(
        [sys.executable, "-m", "rvplat", *shlex.split(line)[1:]], cwd=folder, text=True,
        capture_output=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_failed_test_shows_the_machine_and_repeats(
    failed: str, pytester: pytest.Pytester
) -> None:
    booted = part_of(failed, "test_booted")
    assert "- rvplat console -" in booted and "\n  | >ab\n  | xy\n" in booted
    assert "\nit was running\nhart 0: M mode, pc 0x8000" in booted and "\n  #0  0x8000" in booted
    last = booted[booted.index("- rvplat last instructions -") :].splitlines()[1:17]
    assert all(line.startswith("hart 0  0x8000") for line in last)
    assert any(" lb t0, 5(s0) " in line for line in last), "it polls the UART"
    done = replayed(booted, pytester.path)
    assert (done.returncode, done.stdout) == (130, "xy\n"), done.stderr

    ended = part_of(failed, "test_power_on")
    assert "it had stopped: the guest powered the machine off\n" in ended
    done = replayed(ended, pytester.path)
    assert (done.returncode, done.stdout) == (0, ">xq"), done.stderr
    (pytester.path / "echo.elf").write_bytes(guest(ECHO + "nop").read_bytes())
    assert "its contents are others" in replayed(ended, pytester.path).stderr

    changed = part_of(failed, "test_changed")
    assert "no recording of this run: the test changed registers, memory or devices" in changed
    host = part_of(failed, "test_host")
    assert "- rvplat 1 again -" in host and "- rvplat 2 harts -" in host
    assert "no recording: the clock is the host's" in host
    assert (pytester.path / ".rvplat" / ".gitignore").exists()
