"""gdb for a machine of a Python program."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rvplat import Machine, serve_gdb
from rvplat.errors import HostError
from rvplat.gdb.protocol.framing import frame
from tests.docs.pages import ROOT, blocks
from tests.file_limit import calm_without_files, received
from tests.machine import small_guests

from .driver import Gdb

START = 0x8000_0000


def test_gdb_attaches_to_a_machine_of_a_program(gdb: Gdb) -> None:
    echo = small_guests.guest(small_guests.ECHO)
    with Machine.open(program=echo) as machine:
        with serve_gdb(machine, halt=True) as server:
            gdb.do("set architecture riscv:rv64")
            gdb.do(f"target extended-remote {server.place}")
            gdb.do(f"tbreak *{START:#x}")
            gdb.stops.clear()
            gdb.machine("-exec-continue")
            machine_runs = "^the gdb server at 127.0.0.1:[0-9]+ runs the machine: close it first$"
            for call in (machine.run, machine.start, machine.step, machine.reset, machine.close):
                with pytest.raises(RuntimeError, match=machine_runs):
                    call()
            with pytest.raises(RuntimeError, match=machine_runs):
                serve_gdb(machine)
            with pytest.raises(TimeoutError, match="^the machine is still debugged after 0 s$"):
                server.wait(timeout_s=0)
            gdb.wait()
            gdb.machine("-exec-continue")
            machine.console.wait_for(b">", timeout_s=60)
            machine.console.feed(b"q")
            assert server.wait(timeout_s=60).reason == "off"
        machine.reset()
        machine.start(timeout_s=60)
        machine.console.feed(b"q")
        assert machine.wait(timeout_s=60).reason == "off"


def test_a_server_without_a_client_runs_the_machine(tmp_path: Path) -> None:
    with Machine.open(program=small_guests.guest(small_guests.HELLO)) as machine:
        server = serve_gdb(machine, f"unix:{tmp_path / 'gdb'}")
        assert server.place == str(tmp_path / "gdb")
        assert server.wait(timeout_s=60).reason == "off"
        server.close()
        server.close()
        assert machine.console.output == b"hello\r\n"


def test_debuggers_that_come_when_the_process_can_open_no_more_files(tmp_path: Path) -> None:
    with (
        Machine.open(program=small_guests.guest(small_guests.ECHO)) as machine,
        serve_gdb(machine, f"unix:{tmp_path / 'gdb'}", halt=True) as server,
        socket.socket(socket.AF_UNIX) as first,
        socket.socket(socket.AF_UNIX) as second,
    ):
        for one, answer in ((first, b"+$QC"), (second, b"+$E.another")):
            one.settimeout(60)
            assert calm_without_files(one, server.place)
            one.sendall(frame(b"qC"))
            assert received(one, len(answer)) == answer
        first.recv(1 << 10)
        first.sendall(frame(b"qC"))
        assert received(first, 4) == b"+$QC"


def test_a_console_is_waited_for_while_gdb_has_the_machine() -> None:
    """A machine that has run before doesn't count as stopped; one that is off does."""
    with Machine.open(program=small_guests.guest(small_guests.ECHO)) as machine:
        assert machine.run(max_instructions=1).reason == "limit"
        with serve_gdb(machine) as server:
            machine.console.wait_for(b">", timeout_s=60)
            machine.console.feed(b"q")
            assert server.wait(timeout_s=60).reason == "off"
            with pytest.raises(TimeoutError, match="the machine stopped"):
                machine.console.wait_for(b"more", timeout_s=600)


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        (70000, ValueError, "place=0x11170: expected 0 to 65535"),
        (1.5, TypeError, "place=1.5: expected an integer"),
        ("", HostError, "place='': expected [HOST:]PORT or unix:PATH"),
        ("x", HostError, "--gdb x: expected [HOST:]PORT with a port below 65536, or unix:PATH"),
    ],
)
def test_a_place_that_cannot_be_had(place: object, kind: type[Exception], message: str) -> None:
    with Machine.open() as machine:
        with pytest.raises(kind) as caught:
            serve_gdb(machine, place)  # type: ignore[arg-type]
        assert str(caught.value) == message
        assert machine.run(max_instructions=10).reason == "limit"


def test_a_page_says_how(gdb: Gdb) -> None:
    """The block of the page runs as it is, at a free port."""
    page = (ROOT / "docs" / "howto" / "tests.md").read_text()
    (text,) = [one for one in blocks(page) if one.startswith("from rvplat import serve_gdb")]
    text = text.replace("1234", "0")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", text], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        gdb.do("set architecture riscv:rv64")
        gdb.do(process.stdout.readline().strip())
        gdb.machine("-exec-continue")
        assert process.wait(timeout=60) == 0
