"""A guest with symbols, a server in this process, gdb in another."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rvplat.gdb.protocol.channels import listen
from rvplat.gdb.server import Server
from rvplat.machine.machine import Machine

from .driver import Gdb
from .guest_build import build_guest


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    return build_guest(tmp_path_factory.mktemp("guest"))


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(machine, halt=True) -> port: a server in a thread."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(machine: Machine, halt: bool = True) -> int:
        server = Server(machine, listen("127.0.0.1:0"), halt)
        thread = threading.Thread(target=server.serve, daemon=True)
        running.append((server, thread))
        thread.start()
        return server.port

    yield start
    for server, thread in running:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()
        server.close()
        server.target.machine.close()


def gdbs() -> list[str]:
    """The gdbs that this host has: the PyPI package's, Debian's."""
    beside = Path(sys.executable).with_name("gdb")
    found = [str(beside)] if beside.exists() else []
    other = shutil.which("gdb-multiarch")
    return found + ([other] if other else [])


@pytest.fixture(params=gdbs() or ["none"], ids=lambda path: Path(path).name)
def gdb(request: pytest.FixtureRequest) -> Iterator[Gdb]:
    if request.param == "none":
        pytest.skip("no gdb")
    driver = Gdb(request.param)
    yield driver
    driver.close()
