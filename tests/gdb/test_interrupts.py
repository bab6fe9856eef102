"""Ctrl-C while gdb steps: it may come between two steps, and once is enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import Stopped, Thread
from rvplat.machine.machine import Machine

from .conftest import Serve, gdbs
from .driver import Gdb
from .fake import Client
from .terminal import CONTROL_C, PROMPT, Terminal
from .test_calls import program  # noqa: F401

ROUNDS = 12
T11, T12 = Thread(1, 1), Thread(1, 2)


@pytest.fixture(params=gdbs() or ["none"], ids=lambda path: Path(path).name)
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    if request.param == "none":
        pytest.skip("no gdb")
    driver = Terminal(request.param)
    yield driver
    driver.close()


class Rounds:
    """Counts how often the program has called `work`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._address = machine.symbols["rounds"]

    def value(self) -> int:
        return int.from_bytes(self._machine.memory.read(self._address, 8), "little")

    def wait(self, more: int) -> None:
        """Wait until it was called some more times."""
        goal = self.value() + more
        while self.value() < goal:
            os.sched_yield()


def line_of_loop() -> int:
    """A line that calls `work` for ever: `next` on it never ends."""
    lines = (Path(__file__).parent / "calls.c").read_text().splitlines()
    return next(n for n, text in enumerate(lines, 1) if "for (;;)" in text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("harts", [1, 2])
@pytest.mark.parametrize("mode", ["off", "on"])
@pytest.mark.parametrize("command", ["next", "stepi 100000000"])
def test_one_press_is_enough(
    terminal: Terminal, serve: Serve, program: Path, mode: str, harts: int, command: str  # noqa: F811
) -> None:  # fmt: skip
    """Between two steps gdb 13 may end the command itself ("Quit") and send no interrupt."""
    machine = Machine.open("virt", program=program, settings={"harts.count": harts})
    rounds = Rounds(machine)
    terminal.do(f"set non-stop {mode}")
    terminal.do(f"target extended-remote 127.0.0.1:{serve(machine)}")
    terminal.do("thread 1")
    for n in range(ROUNDS):
        terminal.do(f"tbreak {line_of_loop()}")
        terminal.type(b"continue\n")
        terminal.read("for (;;)")
        terminal.read(PROMPT)
        terminal.type(f"{command}\n".encode())
        rounds.wait(1 + n % 3)
        terminal.type(CONTROL_C)
        said = terminal.read(PROMPT)
        assert "SIGINT" in said or "Quit" in said, said


def test_the_machine_interface(gdb: Gdb, serve: Serve, program: Path) -> None:  # noqa: F811
    machine = Machine.open("virt", program=program)
    rounds = Rounds(machine)
    gdb.attach(serve(machine))
    for n in range(ROUNDS):
        gdb.do(f"tbreak {line_of_loop()}")
        gdb.go()
        gdb.stops.clear()
        gdb.machine("-exec-next")
        rounds.wait(1 + n % 3)
        gdb.machine("-exec-interrupt")
        assert gdb.wait()["signal-name"] == "SIGINT"


# --- transcripts ----------------------------------------------------------------------------------


def test_it_belongs_to_the_next_resume() -> None:
    client = Client()
    assert client.raw(b"\x03") == b"", "nothing runs"
    client.raw(frame(b"vCont;s:p1.1;c"))
    assert client.tell(Stopped(T11)) == frame(b"T02thread:p1.1;core:0;")
    client.raw(frame(b"vCont;s:p1.1;c"))
    assert client.tell(Stopped(T11)) == frame(b"T05thread:p1.1;core:0;")


def test_it_stops_what_runs_next() -> None:
    client = Client()
    client.raw(b"\x03" + frame(b"vCont;c"))
    client.session.poll()
    assert client.raw(b"") == frame(b"T02thread:p1.1;core:0;")
    assert client.target.running == set()


def test_a_breakpoint_comes_first() -> None:
    client = Client()
    client.raw(frame(b"vCont;c"))
    client.target.events.append(Stopped(T11, 5, "swbreak"))
    assert client.raw(b"\x03") == frame(b"T05swbreak:;thread:p1.1;core:0;")
    client.raw(frame(b"vCont;c"))
    client.session.poll()
    assert client.raw(b"") == frame(b"T02thread:p1.1;core:0;")


@pytest.mark.parametrize("packet", [b"vRun;", b"QNonStop:0", b"qSupported:multiprocess+"])
def test_what_begins_anew_forgets_it(packet: bytes) -> None:
    client = Client()
    client.raw(b"\x03")
    client.ask(packet)
    client.raw(frame(b"vCont;s:p1.1;c"))
    assert client.tell(Stopped(T11)) == frame(b"T05thread:p1.1;core:0;")


def test_non_stop_between_two_steps() -> None:
    client = Client()
    client.ask(b"QNonStop:1")
    client.ask(b"vCont;s:p1.1")
    assert client.tell(Stopped(T11)) == frame(b"Stop:T05thread:p1.1;core:0;", b"%")
    assert client.ask(b"vStopped") == b"OK"
    assert client.ask(b"vCtrlC") == b"OK"
    assert client.ask(b"vCont;s:p1.1") == b"OK"
    assert client.tell(Stopped(T11)) == frame(b"Stop:T02thread:p1.1;core:0;", b"%")


def test_non_stop_stops_the_others_too() -> None:
    """The thread that steps stands still, and another one runs."""
    client = Client()
    client.ask(b"QNonStop:1")
    client.ask(b"vCont;c:p1.2")
    client.ask(b"vCont;s:p1.1")
    client.target.running = {T12}
    client.tell(Stopped(T11))
    client.ask(b"vStopped")
    out = client.raw(frame(b"vCtrlC"))
    assert out == frame(b"Stop:T02thread:p1.2;core:1;", b"%") + frame(b"OK")
    client.ask(b"vStopped")
    assert client.ask(b"vCont;s:p1.1") == b"OK"
    assert client.tell(Stopped(T11)) == frame(b"Stop:T02thread:p1.1;core:0;", b"%")
