"""`rvplat run` with a plugin whose code does not return: every way to end the run works, and
restores the terminal."""

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.test_run_command import COMMAND, rvplat
from tests.cli.test_terminal import Begin, session  # noqa: F401
from tests.machine.stuck import HOPELESS, SETTINGS, WAYS, stuck_board, stuck_guest

pytestmark = pytest.mark.slow

STOPPED_S = 4
LOOKED_S = 0.3  # by then the watchdog has seen the call, and has not told of it
OPTIONS = [word for key, value in SETTINGS.items() for word in ("--set", f'{key}="{value}"')]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users wait for seconds; the tests need not."""
    monkeypatch.setenv("IN_A_HURRY", "1")


def words(folder: Path, way: str) -> Any:
    return [stuck_board(folder), stuck_guest(way), *OPTIONS]


def until(stream: IO[bytes], words: bytes) -> bytes:
    """What comes from a stream until it has said some words."""
    seen = b""
    while words not in seen:
        seen += stream.read(1)
    return seen


@pytest.mark.parametrize("way", ["load", "instruction", "stubborn"])
def test_the_timeout_ends_it(tmp_path: Path, way: str) -> None:
    _, what, function = {**WAYS, **HOPELESS}[way]
    done = rvplat("run", *words(tmp_path, way), "--timeout", "1")
    text = done.stderr.decode()
    assert done.returncode == 125, text
    last = [line for line in text.splitlines() if "did not come back" in line][-1]
    assert last.startswith(f"rvplat: {what} did not come back ({tmp_path}/faulty.py:")
    assert f", in {function}, hart 0, pc 0x8000000" in last


@pytest.mark.parametrize("way", ["load", "instruction"])
def test_the_timeout_ends_it_with_gdb_allowed(tmp_path: Path, way: str) -> None:
    _, what, function = WAYS[way]
    options = ("--gdb", f"unix:{tmp_path}/gdb", "--timeout", "1")
    done = rvplat("run", *words(tmp_path, way), *options)
    text = done.stderr.decode()
    assert done.returncode == 125, text
    assert text.splitlines()[-1].startswith(f"rvplat: {what} did not come back ({tmp_path}/")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    command = [*COMMAND, "run", *map(str, words(tmp_path, "stubborn"))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        until(process.stderr, b"in the loop")
        process.send_signal(number)
        process.send_signal(number)
        text = process.stderr.read().decode()
        assert process.wait(60) in (128 + number, 125), text
    assert "rvplat: ended at once: the machine did not stop" in text or "did not come back" in text


def test_the_time_of_a_stopped_process_does_not_count(tmp_path: Path) -> None:
    command = [*COMMAND, "run", *map(str, words(tmp_path, "load"))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        seen = until(process.stderr, b"in the loop")
        time.sleep(LOOKED_S)
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        process.send_signal(signal.SIGCONT)
        seen += until(process.stderr, b"has not come back for")
        seen += process.stderr.readline()
        process.kill()
    found = re.search(rb"has not come back for (\d+) s", seen)
    assert found is not None and int(found[1]) < STOPPED_S, seen


@pytest.mark.parametrize("way", ["load", "stubborn"])
def test_ctrl_a_x_restores_the_terminal(tmp_path: Path, session: Begin, way: str) -> None:  # noqa: F811
    terminal = session(*words(tmp_path, way))
    terminal.until(b"in the loop")
    terminal.type(b"lost keys")
    terminal.type(b"\x01x")
    assert terminal.end() == 125


@pytest.mark.parametrize("again", [b"\x03", b"\x01x"])
def test_asking_again_ends_it_at_once(tmp_path: Path, session: Begin, again: bytes) -> None:  # noqa: F811
    terminal = session(*words(tmp_path, "stubborn"))
    terminal.until(b"in the loop")
    terminal.type(b"\x01x")
    terminal.type(again)
    terminal.until(b"rvplat: ended at once: the machine did not stop")
    assert terminal.end() == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(
    tmp_path: Path,
    session: Begin,  # noqa: F811
    number: signal.Signals,
) -> None:
    terminal = session(*words(tmp_path, "stubborn"))
    terminal.until(b"in the loop")
    terminal.process.send_signal(number)
    terminal.type(b"\x03")
    assert terminal.end() in (125, 128 + number, 130)


@pytest.mark.parametrize("way", ["load", "stubborn"])
def test_ctrl_c_ends_many_programs(tmp_path: Path, way: str) -> None:
    """The first Ctrl-C ends the stuck program and all that follow, a second one the process."""
    board, program, *options = map(str, words(tmp_path, way))
    command = [*COMMAND, "run", board, *options, "--each", program, program, program]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stderr is not None
        until(process.stderr, b"in the loop")
        process.send_signal(signal.SIGINT)
        if way == "stubborn":
            until(process.stderr, b"has not come back for")
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    text = err.decode()
    assert (process.returncode, text.splitlines()[-1]) == (130, "rvplat: interrupted"), text
    assert (out, text.count("in the loop")) == (b"", 0), "no other program began"
    assert ("did not come back" in text) == (way == "load"), "a second Ctrl-C doesn't wait for it"
