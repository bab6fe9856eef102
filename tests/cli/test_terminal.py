"""The terminal, with a real pty: it is raw while the guest runs, and restored afterwards."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rvplat.cli.terminal as terminals
from rvplat import Machine
from rvplat.cli.terminal import HELP, Keys, Terminal
from tests.machine.small_guests import ECHO, FAIL, guest


class Session:
    """`rvplat run` in the foreground of a terminal of its own."""

    def __init__(self, *words: object) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        command = [sys.executable, "-m", "rvplat", "run", *map(str, words)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", FOREGROUND, *command], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, start_new_session=True,
        )  # fmt: skip

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def until(self, text: bytes, timeout_s: int = 60) -> Any:
        deadline = time.monotonic() + timeout_s
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 4096)
        found, _, self.seen = self.seen.partition(text)
        return found

    def end(self) -> Any:
        status = self.process.wait(timeout=60)
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is restored"
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


#: Makes the terminal the controlling terminal of the new session, then executes the command.
FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


Begin = Callable[..., Session]


@pytest.fixture
def session() -> Iterator[Begin]:
    found: list[Session] = []

    def begin(*words: object) -> Session:
        found.append(Session(*words))
        return found[-1]

    yield begin
    for one in found:
        one.close()


def test_every_key_goes_to_the_guest(session: Begin) -> None:
    terminal = session(guest(ECHO))
    terminal.until(b">")
    assert not termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    for typed in (b"a", b"\x03", b"\x04", b"\x1a", b"\x11", b"\x7f", "é".encode()):
        terminal.type(typed)
        terminal.until(typed)
    terminal.type(b"q")
    assert terminal.end() == 0


def test_ctrl_a_x_leaves(session: Begin) -> None:
    terminal = session(guest(ECHO))
    terminal.until(b">")
    terminal.type(b"\x01h")
    assert terminal.until(b"send Ctrl-A to the guest") is not None
    terminal.type(b"\x01\x01")
    terminal.until(b"\x01")
    terminal.type(b"\x01x")
    assert terminal.end() == 0


def test_ctrl_a_s_saves_and_the_guest_goes_on(session: Begin, tmp_path: Path) -> None:
    """--load goes on from the file; input that the guest has not read yet is in it."""
    file = tmp_path / "echo.snap"
    terminal = session(guest(ECHO), "--save", file)
    terminal.until(b">")
    terminal.type(b"\x01s")
    terminal.until(b"saved to ")
    terminal.type(b"aq")
    terminal.until(b"a")
    assert terminal.end() == 0
    loaded = session("--load", file)
    loaded.type(b"bq")
    loaded.until(b"b")
    assert loaded.end() == 0


def test_the_guests_status_and_the_terminal_restored(session: Begin) -> None:
    assert session(guest(FAIL)).end() == 7


def test_an_error_restores_it(session: Begin) -> None:
    assert session("--harts", "99").end() == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_it(session: Begin, number: signal.Signals) -> None:
    terminal = session(guest(ECHO))
    terminal.until(b">")
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number


def test_it_is_raw_again_after_it_was_stopped(session: Begin) -> None:
    terminal = session(guest(ECHO))
    terminal.until(b">")
    terminal.process.send_signal(signal.SIGSTOP)
    termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)
    terminal.process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 30
    while termios.tcgetattr(terminal.slave)[3] & termios.ICANON:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    terminal.type(b"\x01x")
    assert terminal.end() == 0


def test_keys_split_anywhere() -> None:
    left: list[int] = []
    shown: list[bytes] = []
    saved: list[int] = []
    keys = Keys(lambda: left.append(1), shown.append, lambda: saved.append(1))
    assert keys(b"ab\x01") == b"ab"
    assert keys(b"\x01c\x01h\x01zd") == b"\x01cd"
    assert (shown, left) == ([HELP], [])
    assert keys(b"\x01X\x01s") == b""
    assert (left, saved) == ([1], [1])


def test_a_signal_that_comes_twice_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `timeout` sends its signal to the process, and to the process's group. A later
    one ends the process."""
    ended: list[int] = []
    with Machine.open("virt", program=guest(ECHO)) as machine:
        terminal = Terminal(machine)
        monkeypatch.setattr(terminal, "_end_at_once", ended.append)
        for _ in range(3):
            terminal._signalled(signal.SIGTERM, None)
        assert (terminal.signal, ended) == (signal.SIGTERM, [])
        monkeypatch.setattr(terminals, "ONE_SIGNAL_S", 0.0)
        terminal._signalled(signal.SIGTERM, None)
        assert ended == [128 + signal.SIGTERM]
