"""`rvplat run --console` as a process, with real sockets and files."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.test_run_command import one_line, rvplat
from tests.machine.small_guests import ECHO_ASLEEP, HELLO, guest

TWO = ("--set", "devices.uart1.model=ns16550a", "--set", "devices.uart1.base=0x10009000")


def test_the_main_console_at_a_port(tmp_path: Path) -> None:
    """Standard input is at its end, and the guest sleeps: the run goes on, as a client may come."""
    words = [sys.executable, "-m", "rvplat", "run", "virt", str(guest(ECHO_ASLEEP))]
    log = f"--console=uart0=file:{tmp_path}/log"
    with subprocess.Popen(
        [*words, "--console", "uart0=tcp:0", log], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        found = re.fullmatch(r"rvplat: console uart0 is at tcp:127\.0\.0\.1:(\d+)\n", line)
        assert found, line
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60) as client:
            client.sendall(b"hello")
            got = b""
            while not got.endswith(b"hello") and (more := client.recv(100)):
                got += more
            client.sendall(b"q")
            assert client.recv(100) == b""
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert (tmp_path / "log").read_bytes() == b">hello"


def test_which_console_is_at_stdio(tmp_path: Path) -> None:
    program = guest(HELLO)
    for options, seen in (
        (("--console", "uart1=stdio"), b""),
        (("--console", "uart1=none"), b"hello\r\n"),
    ):
        done = rvplat("run", "virt", program, *TWO, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, seen, b"")


def test_both_at_a_file_and_at_stdio(tmp_path: Path) -> None:
    places = ("--console", "uart0=stdio", "--console", f"uart0=file:{tmp_path}/log")
    done = rvplat("run", "virt", guest(HELLO), *places)
    assert done.stdout == (tmp_path / "log").read_bytes() == b"hello\r\n"


def test_errors_of_the_user_are_one_line(tmp_path: Path) -> None:
    def error(*options: str) -> str:
        words = [word for option in options for word in ("--console", option)]
        found: str = one_line(rvplat("run", "virt", guest(HELLO), *TWO, *words))
        return found

    no_form = ": expected unix:PATH, tcp:[HOST:]PORT, pty or file:PATH, stdio or none"
    assert f" argument --console: uart0=serial{no_form};" in error("uart0=serial")
    assert " argument --console: tcp:1: expected NAME=unix:PATH, NAME=" in error("tcp:1")
    assert error("uart9=pty").endswith(
        '--console uart9=pty: the board\'s consoles are uart0, uart1; did you mean "uart1"?'
    )
    assert error("uart0=stdio", "uart1=stdio").endswith(
        "--console: only one console can be at stdio, not uart0, uart1"
    )
    assert error(f"uart0=unix:{tmp_path}/no/socket").endswith(
        f"console uart0: unix:{tmp_path}/no/socket: No such file or directory"
    )


def test_a_full_disk_ends_the_run() -> None:
    done = rvplat("run", "virt", guest(HELLO), "--console", "uart0=file:/dev/full")
    assert done.returncode == 2
    assert done.stderr == b"rvplat: /dev/full: No space left on device\n"


def test_gdb_has_standard_input_and_the_console_a_socket(tmp_path: Path) -> None:
    """`rvplat gdb`: the guest's output goes to the file only."""
    log = f"uart0=file:{tmp_path}/log"
    words = [sys.executable, "-m", "rvplat", "gdb", "virt", str(guest(HELLO)), "--console", log]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"$vCont;c#a8")
        said = b""
        while b"$W00" not in said and (more := process.stdout.read(100)):
            said += more
        _, err = process.communicate(timeout=60)
    assert b"$W00" in said, (said, err)
    assert (tmp_path / "log").read_bytes() == b"hello\r\n"
    assert b"hello" not in err
