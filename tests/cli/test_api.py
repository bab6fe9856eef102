"""`rvplat run --api` as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.api.server import Api
from rvplat.cli.api import TOKEN, _check_web
from rvplat.errors import HostError, RvplatError
from rvplat.machine.running.stop import Stop
from tests.api.client import Client
from tests.cli.test_run_command import one_line, rvplat
from tests.machine.small_guests import ECHO_ASLEEP, HELLO, guest


def test_a_client_runs_the_machine_to_its_end(tmp_path: Path) -> None:
    """The token is printed; the machine waits for a client, and ends when it has gone."""
    path = tmp_path / "api.sock"
    words = [sys.executable, "-m", "rvplat", "run", str(guest(HELLO)), "--api", f"unix:{path}"]
    with subprocess.Popen(
        [*words, "--halt"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={k: v for k, v in os.environ.items() if k != TOKEN},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        found = re.fullmatch(rf"rvplat: the API is at unix:{path}, token (\S+)\n", line)
        assert found, line
        assert path.stat().st_mode & 0o777 == 0o600
        with Client(path, found[1]) as client:
            client("events.subscribe", events=["state"])
            client("machine.run")
            assert client.stopped()["state"] == "off"
            assert bytes.fromhex(client("consoles.output")) == b"hello\r\n"
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"hello\r\n", b"")
    assert not path.exists()


def test_a_client_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "0123456789abcdef")
    path = tmp_path / "api.sock"
    words = [sys.executable, "-m", "rvplat", "run", str(guest(ECHO_ASLEEP))]
    with subprocess.Popen(
        [*words, "--api", f"unix:{path}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == f"rvplat: the API is at unix:{path}\n".encode()
        with Client(path, "0123456789abcdef") as client:
            client("machine.quit")
        assert process.wait(timeout=60) == 0


def test_the_user_s_request_is_not_lost_when_a_run_begins() -> None:
    """A signal came before: the run drops the machine's earlier requests."""
    wanted = Stop("interrupt")
    with (
        Machine.open("virt", guest(ECHO_ASLEEP)) as machine,
        Api(machine, "0123456789abcdef") as api,
    ):
        machine.request_stop(wanted)
        api.control.run()
        assert api.control.wait(lambda: wanted) is wanted


def test_errors_of_the_user_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    program = guest(HELLO)
    assert one_line(rvplat("run", program, "--api", "udp:7")).startswith(
        "rvplat: --api udp:7: expected unix:PATH, or tcp:PORT"
    )
    assert one_line(rvplat("run", program, "--api", "unix:x", "--gdb", "0")) == (
        "rvplat: --api and --gdb exclude each other"
    )
    assert one_line(rvplat("run", program, "--halt")).startswith(
        "rvplat: --halt waits for a client, so it needs --gdb"
    )
    monkeypatch.setenv(TOKEN, "short")
    assert one_line(rvplat("run", program, "--api", "unix:x")) == (
        f"rvplat: {TOKEN}: 5 characters, expected 16 or more"
    )


def test_the_page_says_where_it_is_and_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    words = [sys.executable, "-m", "rvplat", "run", str(guest(ECHO_ASLEEP)), "--web"]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        found = re.fullmatch(r"rvplat: the page is at (http://127\.0\.0\.1:\d+/)#token=\S+\n", line)
        assert found, line
        with urllib.request.urlopen(found[1], timeout=60) as page:
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            assert b"<title>rvplat</title>" in page.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    monkeypatch.setattr("rvplat.api.assets.XTERM", "no_such_package")
    with pytest.raises(
        HostError, match=r"--web: it needs packages .*: pip install 'rvplat\[web\]'"
    ):
        _check_web("0")
    with pytest.raises(RvplatError, match="--web demo: expected a port below 65536"):
        _check_web("demo")
