"""Devices that raise errors: the recorded failures, the stop of the run, and the errors that Python
and the command line report."""

import json
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import RunFailed
from tests.cli.test_run_command import rvplat
from tests.machine.failing import board, line_of
from tests.machine.small_guests import LOOP, POWER_OFF, guest

BAD = "  li s0, 0x10010000\n"
LOAD, STORE = BAD + "  lw t0, 0(s0)\n", BAD + "  li t0, 7\n  sw t0, 0(s0)\n"
#: The trap handler skips the trapping instruction; the program powers the board off at its end.
GOES_ON = """
  la t0, 1f
  csrw mtvec, t0
  j 2f
.align 2
1: csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  mret
2:
"""
WAYS = {
    "load": (
        "  lw t0, 0(s0)\n", "a load of 4 at 0x10010000 raised KeyError: 'no such key'",
        'return {}["no such key"]', "read_raises", True,
    ),
    "store": (
        "  li t0, 7\n  sw t0, 0(s0)\n", "a store of 4 at 0x10010000 raised ValueError: 7 is not",
        "raise ValueError", "write_raises", True,
    ),
    "exit": (
        "  lw t0, 16(s0)\n", "a load of 4 at 0x10010010 raised SystemExit: 0",
        "raise SystemExit", "read_exits", True,
    ),
    "thread": (
        "  sw t0, 12(s0)\n", "its thread worker raised RuntimeError: in a thread",
        "raise RuntimeError", "work", False,
    ),
}  # fmt: skip
ALARM = BAD + GOES_ON + "  sw zero, 8(s0)\n"


def failing(way: str) -> Path:
    return guest(GOES_ON + BAD + WAYS[way][0] + POWER_OFF)


def opened(folder: Path, program: Path, **settings: object) -> Machine:
    return Machine.open(str(board(folder)), program, settings=settings)


@pytest.mark.parametrize("clock", ["host", "virtual"])
@pytest.mark.parametrize("way", WAYS)
def test_the_machine_keeps_what_failed_and_the_run_raises_it(
    tmp_path: Path, way: str, clock: str
) -> None:
    _, text, line, function, has_hart = WAYS[way]
    with opened(tmp_path, failing(way), clock=clock) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=60)
        assert caught.value.stop.reason == "off", "the guest went on to its end"
        (failure,) = machine.failures
        assert caught.value.failures == (failure,)
        assert caught.value.__cause__ is failure.error
        assert (failure.device, failure.hart) == ("bad", 0 if has_hart else None)
        where = f"{tmp_path}/faulty.py:{line_of(line)}, in {function}"
        place = f"{where}, hart 0, pc {failure.pc:#x}" if has_hart else where
        assert str(failure) == str(caught.value) == f"bad: {text} ({place})"
        if has_hart:
            assert failure.pc is not None
            word = int.from_bytes(machine.harts[0].read(failure.pc, 4), "little")
            assert word & 0x7F in (0x03, 0x23), "the pc is that of the load or store"
        assert "Traceback" in failure.traceback


def test_an_answer_that_is_no_number(tmp_path: Path) -> None:
    program = guest(GOES_ON + BAD + "  lw t0, 4(s0)\n" + POWER_OFF)
    with opened(tmp_path, program) as machine, pytest.raises(RunFailed) as caught:
        machine.run(timeout_s=60)
    assert str(caught.value).startswith(
        "bad: a load of 4 at 0x10010004 raised TypeError: it answered None, expected a number "
        f"({tmp_path}/faulty.py, in Bad, hart 0, pc 0x8"
    )


def test_an_alarm_that_raises(tmp_path: Path) -> None:
    program = guest(ALARM + LOOP)
    with opened(tmp_path, program, clock="virtual") as machine, pytest.raises(RunFailed) as caught:
        machine.run(max_instructions=50_000)
    assert caught.value.stop.reason == "limit"
    assert str(caught.value) == (
        "bad: an alarm raised ZeroDivisionError: division by zero "
        f"({tmp_path}/faulty.py:{line_of('1 / 0')}, in ring)"
    )


def test_the_same_failure_again_is_counted(tmp_path: Path) -> None:
    again = GOES_ON + BAD + "  li t2, 5\n3: lw t1, 0(s0)\n  addi t2, t2, -1\n  bnez t2, 3b\n"
    with opened(tmp_path, guest(again + POWER_OFF)) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=60)
        (failure,) = machine.failures
    assert failure.times == 5
    assert str(caught.value).endswith(" (5 times)")


@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_strict_stops_at_the_first(tmp_path: Path, clock: str) -> None:
    program = guest(GOES_ON + BAD + "  lw t0, 0(s0)\n  li s1, 99\n" + POWER_OFF)
    path = str(board(tmp_path))
    with Machine.open(path, program, settings={"clock": clock}, strict=True) as machine:
        with pytest.raises(RunFailed) as caught:
            machine.run(timeout_s=60)
        assert (caught.value.stop.reason, caught.value.stop.status) == ("failure", 125)
        assert machine.harts[0].x["s1"] == 0


def test_a_step_raises_it(tmp_path: Path) -> None:
    with opened(tmp_path, failing("load")) as machine, pytest.raises(RunFailed):
        machine.step(100)


def test_who_has_taken_note_is_not_told_again(tmp_path: Path) -> None:
    with opened(tmp_path, failing("load")) as machine:
        machine.start()
        assert machine.last is not None
        machine.last.wait(60)
        assert [failure.device for failure in machine.failures] == ["bad"]
        assert machine.wait().reason == "off"


def test_close_raises_what_nobody_has_seen(tmp_path: Path) -> None:
    with pytest.raises(RunFailed), opened(tmp_path, failing("load")) as machine:
        machine.start()
        assert machine.last is not None
        machine.last.wait(60)


def test_an_error_in_the_block_gets_a_note_of_the_failures(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError) as caught, opened(tmp_path, failing("load")) as machine:
        machine.start()
        machine.console.wait_for("no such text", timeout_s=60)
    assert [note.split(" (")[0] for note in caught.value.__notes__] == [
        "bad: a load of 4 at 0x10010000 raised KeyError: 'no such key'"
    ]


def test_an_interrupt_in_the_block_stays_one_when_closing_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, opened(tmp_path, failing("load")) as machine:
        monkeypatch.setattr(machine.assembly.devices["bad"], "close", lambda: 1 / 0)
        raise KeyboardInterrupt
    assert "ZeroDivisionError" in caught.value.__notes__[0]


# --- the command line -----------------------------------------------------------------------------


def test_a_failure_is_told_and_has_a_status_of_its_own(tmp_path: Path) -> None:
    done = rvplat("run", board(tmp_path), failing("load"), "--stats=json")
    text = done.stderr.decode()
    assert done.returncode == 125, text
    assert json.loads(text.splitlines()[-1])["status"] == 125
    last = [line for line in text.splitlines() if line.startswith("rvplat: bad: ")]
    where = f"{tmp_path}/faulty.py:{line_of('no such key')}, in read_raises, hart 0, pc 0x80000"
    assert len(last) == 2, "once when it happens, once at the end"
    assert last[-1].startswith(
        f"rvplat: bad: a load of 4 at 0x10010000 raised KeyError: 'no such key' ({where}"
    )
    assert text.count("Traceback") == 1


@pytest.mark.parametrize("words", [["--strict"], ["--set", "strict=true"]])
def test_strict_on_the_command_line(tmp_path: Path, words: list[str]) -> None:
    done = rvplat("run", board(tmp_path), guest(LOAD + LOOP), *words)
    assert done.returncode == 125, done.stderr
    assert b"rvplat: a plugin failed" in done.stderr


def test_a_timeout_does_not_hide_a_failure(tmp_path: Path) -> None:
    done = rvplat("run", board(tmp_path), guest(GOES_ON + STORE + LOOP), "--timeout", "1")
    assert done.returncode == 125, done.stderr
