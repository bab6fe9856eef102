"""Debuggers that come before the board is built."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rvplat.gdb.protocol.channels import SocketChannel, listen
from rvplat.gdb.protocol.early_session import EVERY_S, EarlySession
from rvplat.gdb.server import Server
from rvplat.machine.machine import Machine
from tests.file_limit import calm_without_files
from tests.gdb.conftest import gdbs
from tests.gdb.driver import Gdb

PATIENCE_S = 2  # gdb's own default; it asks three times


class Counted(SocketChannel):
    """A client that counts how often it was told to wait."""

    told = 0
    enough = threading.Event()

    def send(self, data: bytes) -> None:
        super().send(data)
        self.told += data.startswith(b"%")
        if self.told > 4 * PATIENCE_S / EVERY_S:
            self.enough.set()


def test_gdb_waits_until_the_board_is_built(gdb: Gdb, guest: Path) -> None:
    listener = listen("127.0.0.1:0")
    gdb.do(f"set remotetimeout {PATIENCE_S}")
    attached = threading.Thread(target=gdb.attach, args=[listener.getsockname()[1]])
    attached.start()
    client = Counted(listener.accept()[0])
    client.enough.clear()
    with EarlySession(listener, client):
        assert client.enough.wait(30)
        machine = Machine.open("virt", program=guest)
    server = Server(machine, listener, halt=True)
    serving = threading.Thread(target=server.serve, args=[client])
    serving.start()
    attached.join()
    assert gdb.value("$pc") == "(void (*)()) 0x1000"
    gdb.do("tbreak work")
    assert gdb.go()["reason"] == "breakpoint-hit"
    server.stop()
    serving.join()
    server.close()
    machine.close()


def test_the_first_who_comes_waits_and_others_are_turned_away(guest: Path) -> None:
    listener = listen("127.0.0.1:0")
    path = gdbs()[0] if gdbs() else pytest.skip("no gdb")
    first, second = Gdb(path), Gdb(path)
    port = listener.getsockname()[1]
    threads = []
    with EarlySession(listener) as lobby:
        threads.append(threading.Thread(target=first.attach, args=[port]))
        threads[0].start()
        while lobby.client is None:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            second.attach(port)
        machine = Machine.open("virt", program=guest)
    assert "another debugger" in second.logged
    server = Server(machine, listener, halt=True)
    threads.append(threading.Thread(target=server.serve, args=[lobby.client]))
    threads[1].start()
    threads[0].join()
    assert first.value("$pc") == "(void (*)()) 0x1000"
    server.stop()
    threads[1].join()
    first.close()
    second.close()
    server.close()
    machine.close()


def test_the_first_who_comes_when_the_process_can_open_no_more_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rvplat.gdb.protocol.early_session.EVERY_S", 0.01)
    with (
        listen("127.0.0.1:0") as listener,
        EarlySession(listener) as lobby,
        socket.socket() as first,
    ):
        assert calm_without_files(first, listener.getsockname())
        first.settimeout(30)
        assert first.recv(100).startswith(b"%Building")
        assert lobby.client is not None
        lobby.client.close()


def test_a_board_that_cant_be_built_hangs_up() -> None:
    listener = listen("127.0.0.1:0")
    lobby = EarlySession(listener)
    with pytest.raises(RuntimeError, match="no such board"), lobby:
        client = socket.create_connection(listener.getsockname(), timeout=30)
        while lobby.client is None:
            pass
        raise RuntimeError("no such board")
    while client.recv(100):
        pass
    client.close()
    listener.close()


@pytest.mark.slow
def test_a_pipe_with_an_empty_cache(tmp_path: Path, guest: Path) -> None:
    """gdb waits until the whole instruction set is compiled."""
    if not gdbs():
        pytest.skip("no gdb")
    command = f"RVPLAT_CACHE={tmp_path} {sys.executable} -m rvplat gdb virt {guest}"
    lines = [f"target remote | {command}", "tbreak work", "continue", "print n", "kill"]
    options = [part for line in lines for part in ("-ex", line)]
    done = subprocess.run(
        [gdbs()[0], "-nx", "-q", "-batch", *options],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "$1 = 1" in done.stdout, done.stdout + done.stderr
    assert "compiling" in done.stdout + done.stderr
    assert "Ignoring packet error" not in done.stdout + done.stderr
