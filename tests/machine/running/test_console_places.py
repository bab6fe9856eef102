"""Consoles at places on the host: real sockets, pseudoterminals and files."""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.bus.console import Console, Sink
from rvplat.errors import HostError
from rvplat.machine.consoles import connection
from rvplat.machine.consoles.connect import connect
from rvplat.machine.consoles.connection import Connection
from rvplat.machine.consoles.places import parse_place
from tests.file_limit import MOST_TRIES, WATCHED_S, calm_without_files, received
from tests.machine.small_guests import ECHO_ASLEEP, guest

#: Two UARTs: the guest uses the first one; a test writes to the second one as its device would.
BOARD = """
extends = "virt"
[devices.uart1]
model = "ns16550a"
base = 0x1000_9000
interrupts = [30]
"""
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A guest that sends back what it gets, and runs all the time."""
    board = tmp_path_factory.mktemp("board") / "two.toml"
    board.write_text(BOARD)
    with Machine.open(board, program=guest(ECHO_ASLEEP)) as machine:
        machine.start(timeout_s=300)
        machine.console.wait_for(b">", timeout_s=60)
        yield machine
        machine.pause()


@pytest.fixture
def at(echo: Machine, tmp_path: Path) -> Iterator[Connection]:
    """The console of the echo at a Unix socket."""
    made = echo.console.connect(f"unix:{tmp_path}/console")
    yield made
    made.close()


def place_of(made: Connection) -> tuple[socket.AddressFamily, Any]:
    """The family and address of its socket."""
    kind, _, rest = made.where.partition(":")
    if kind == "unix":
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    return (socket.AF_INET6 if "[" in host else socket.AF_INET), (host.strip("[]"), int(port))


def client(made: Connection) -> socket.socket:
    """A client; it is served as soon as it gets an answer."""
    family, address = place_of(made)
    found = socket.socket(family)
    try:
        found.connect(address)
    except OSError:
        found.close()
        raise
    found.settimeout(30)
    return found


def asked(one: socket.socket, text: bytes) -> bytes:
    """Send text, and take as much of the answer."""
    one.sendall(text)
    found = b""
    while len(found) < len(text):
        got = one.recv(1 << 16)
        assert got, found
        found += got
    return found


@pytest.mark.parametrize("place", ["tcp:0", "tcp:[::1]:0", "unix:{}/console"])
def test_clients_come_and_go(echo: Machine, tmp_path: Path, place: str) -> None:
    made = echo.console.connect(place.format(tmp_path))
    for text in (b"hello", b"again"):
        with client(made) as one:
            assert asked(one, text) == text
    made.close()
    made.close()
    with pytest.raises(OSError, match="refused|No such file"):
        client(made)
    assert list(tmp_path.iterdir()) == []
    echo.console.feed(b"the guest goes on")
    echo.console.wait_for(b"the guest goes on", timeout_s=30)


def test_it_is_at_the_loopback_interface_unless_said(
    echo: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    here = echo.console.connect("tcp:0")
    assert re.fullmatch(r"tcp:127\.0\.0\.1:[1-9]\d*", here.where)
    assert caplog.messages == []
    here.close()
    left_out = echo.console.connect("tcp::0")
    assert left_out.where.startswith("tcp:127.0.0.1:")
    left_out.close()
    assert caplog.messages == []
    echo.console.connect("tcp:0.0.0.0:0").close()
    assert caplog.messages == [
        "console uart0: tcp:0.0.0.0:0: everyone who can connect to 0.0.0.0 can type into this "
        "console"
    ]


def test_a_unix_socket_is_for_this_user(at: Connection) -> None:
    assert Path(at.where.removeprefix("unix:")).stat().st_mode & 0o777 == 0o600


def test_a_second_client_is_refused_with_a_line(at: Connection) -> None:
    with client(at) as first:
        assert asked(first, b"mine") == b"mine"
        others = [client(at) for _ in range(12)]
        others[-1].sendall(b"ignored")
        for other in others:
            line = b""
            while more := other.recv(100):
                line += more
            assert line == b"rvplat: uart0 has a client already, and serves one at a time\r\n"
            other.close()
        assert asked(first, b"still mine") == b"still mine"
    with client(at) as next_one:
        assert asked(next_one, b"ours") == b"ours"


@pytest.mark.parametrize("place", ["tcp:0", "unix:{}/console"])
def test_a_client_that_ends_its_input_still_gets_output(
    echo: Machine, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    ready = connection.ReadConnection.ready

    def counted(self: connection.ReadConnection, *args: Any) -> set[int]:
        looks.append(args)
        return ready(self, *args)

    monkeypatch.setattr(connection.ReadConnection, "ready", counted)
    made = echo.console.connect(place.format(tmp_path))
    with client(made) as one:
        one.sendall(b"asked")
        one.shutdown(socket.SHUT_WR)
        assert received(one, 5) == b"asked"
        for _ in range(20):
            echo.console.feed(b"later")
            assert received(one, 5) == b"later"
        looks.clear()
        time.sleep(WATCHED_S)
        assert len(looks) < MOST_TRIES
        with client(made) as next_one:  # it takes its place
            assert asked(next_one, b"mine") == b"mine"
            assert one.recv(5) == b""
    made.close()


@pytest.mark.parametrize("place", ["tcp:0", "unix:{}/console"])
def test_clients_that_come_when_the_process_can_open_no_more_files(
    echo: Machine, tmp_path: Path, place: str
) -> None:
    made = echo.console.connect(place.format(tmp_path))
    family, address = place_of(made)
    with socket.socket(family) as one, socket.socket(family) as another:
        one.settimeout(30)
        assert calm_without_files(one, address)
        assert asked(one, b"mine") == b"mine"
        another.settimeout(30)
        assert calm_without_files(another, address)
        assert received(another, 7) == b"rvplat:"
    made.close()


def test_a_client_that_vanishes(at: Connection) -> None:
    for _ in range(3):
        one = client(at)
        asked(one, b"x")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.sendall(b"unanswered" * 50)
        one.close()
    with client(at) as one:
        while True:  # what the guest sends back of the last one's may still come
            one.sendall(b"!")
            got = one.recv(1 << 16)
            assert got, "it was refused"
            if b"!" in got:
                break


def test_a_slow_client_gets_everything_and_the_guest_waits(echo: Machine) -> None:
    """The writer is a thread, as a hart is."""
    console = echo.consoles["uart1"]
    made = console.connect("tcp:0")
    sent = os.urandom(MEGABYTE) * 8
    with client(made) as one:
        thread = threading.Thread(target=console.write, args=[sent])
        thread.start()
        got = bytearray()
        while len(got) < len(sent) and (more := one.recv(1 << 16)):
            got += more
        thread.join(30)
    assert bytes(got) == sent
    made.close()


def test_a_client_that_does_not_read_is_disconnected(
    echo: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("connection", "sockets"):
        monkeypatch.setattr(f"rvplat.machine.consoles.{module}.PATIENCE_S", 0.2)
    console = echo.consoles["uart1"]
    made = console.connect("tcp:0")
    with client(made) as one:
        console.write(bytes(64 * MEGABYTE))
        assert caplog.messages == [
            f"console uart1: the client at {made.where} has read nothing for {0.2:g} s: it was "
            "disconnected"
        ]
        console.write(b"nobody gets this")
        while one.recv(1 << 20):
            pass
    with client(made) as other:
        console.write(b"for the next one")
        assert other.recv(100) == b"for the next one"
    made.close()


def test_a_request_to_end_does_not_wait_for_a_client(tmp_path: Path) -> None:
    with Machine.open("virt", program=guest(ECHO_ASLEEP)) as machine:
        made = machine.console.connect(f"unix:{tmp_path}/console")
        machine.start()
        machine.console.wait_for(b">", timeout_s=60)
        with client(made) as one:
            writer = threading.Thread(target=machine.console.write, args=[bytes(8 * MEGABYTE)])
            writer.start()
            one.recv(1)
            machine.pause()
            writer.join(connection.PATIENCE_S / 2)
            assert not writer.is_alive()


def test_a_client_that_floods_waits(echo: Machine) -> None:
    """The guest does not read this console. What is too much waits at the client's end."""
    console = echo.consoles["uart1"]
    made = console.connect("tcp:0")
    with client(made) as one:
        one.settimeout(0.5)
        with pytest.raises(TimeoutError):
            one.sendall(bytes(16 * MEGABYTE))
        assert 0 < console.waiting <= connection.CROWDED + connection.CHUNK
    made.close()


def test_a_pty_survives_its_programs(echo: Machine) -> None:
    made = echo.console.connect("pty")
    for text in (b"one", b"two"):
        terminal = os.open(made.where, os.O_RDWR | os.O_NOCTTY)
        os.write(terminal, text)
        got = b""
        while text not in got:
            assert select.select([terminal], [], [], 30)[0], got
            got += os.read(terminal, 100)
        os.close(terminal)
        echo.console.feed(b"nobody looks")
        echo.console.wait_for(b"nobody looks", timeout_s=30)
    made.close()
    with pytest.raises(OSError, match="No such file"):
        os.open(made.where, os.O_RDWR | os.O_NOCTTY)


def test_a_pty_that_is_not_read_drops_output(
    echo: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("connection", "pseudoterminal"):
        monkeypatch.setattr(f"rvplat.machine.consoles.{module}.PATIENCE_S", 0.2)
    console = echo.consoles["uart1"]
    made = console.connect("pty")
    terminal = os.open(made.where, os.O_RDWR | os.O_NOCTTY)
    console.write(bytes(MEGABYTE))
    console.write(bytes(MEGABYTE))
    assert caplog.messages == [
        f"console uart1: nothing has been read from {made.where} for 0.2 s: output is dropped "
        "until something is"
    ]
    while select.select([terminal], [], [], 0.2)[0]:
        os.read(terminal, 1 << 20)
    console.write(b"read again")
    assert os.read(terminal, 100) == b"read again"
    os.close(terminal)
    made.close()


@pytest.mark.parametrize("place", ["pty", "tcp:0", "file:{}/log"])
def test_output_comes_as_soon_as_a_sink_is_there(tmp_path: Path, place: str) -> None:
    """A hart writes at any time."""

    class Eager(list[Sink]):
        def append(self, sink: Sink) -> None:
            super().append(sink)
            sink(b"at once")

    console = Console()
    console.sinks = Eager()
    wanted = parse_place(place.format(tmp_path), "test")
    made = connect(console, "uart", wanted, lambda: False)
    made.close()
    assert console.sinks == []


@pytest.mark.parametrize("place", ["pty", "tcp:0", "file:{}/log"])
def test_output_after_a_close_goes_nowhere(tmp_path: Path, place: str) -> None:
    """A hart may be about to write. The file descriptor is another file's by then."""
    made = connect(Console(), "uart", parse_place(place.format(tmp_path), "test"), lambda: False)
    made.close()
    others = [(tmp_path / str(n)).open("wb", buffering=0) for n in range(8)]
    made.send(b"late")
    for one in others:
        one.close()
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_output_to_a_file(echo: Machine, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old")
    made = echo.consoles["uart1"].connect(f"file:{tmp_path}/log")
    echo.consoles["uart1"].write(b"new")
    made.close()
    assert (tmp_path / "log").read_bytes() == b"new"


def test_a_socket_whose_server_has_gone_is_replaced(echo: Machine, tmp_path: Path) -> None:
    path = tmp_path / "console"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    made = echo.console.connect(f"unix:{path}")
    with client(made) as one:
        assert asked(one, b"x") == b"x"
    with pytest.raises(HostError) as error:
        echo.consoles["uart1"].connect(f"unix:{path}")
    assert str(error.value) == (f"console uart1: unix:{path}: another process serves this socket")
    made.close()


def test_places_that_cannot_be_used(echo: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for place, problem in (
            (f"unix:{tmp_path}/file", "the file exists, and is no socket"),
            (f"unix:{tmp_path}/no/socket", "No such file or directory"),
            (f"unix:{tmp_path}/{'x' * 200}", "AF_UNIX path too long"),
            (f"file:{tmp_path}", "Is a directory"),
            (f"tcp:{port}", "Address already in use"),
            ("tcp:nowhere.invalid:1", "there is no host nowhere.invalid"),
            ("tcp:1:2:x", "expected tcp:[HOST:]PORT with a port below 65536"),
            ("tcp:", "expected unix:PATH, tcp:[HOST:]PORT, pty or file:PATH"),
            ("serial", "expected unix:PATH, tcp:[HOST:]PORT, pty or file:PATH"),
        ):
            with pytest.raises(HostError) as error:
                echo.console.connect(place)
            assert str(error.value) == f"console uart0: {place}: {problem}"
    assert (tmp_path / "file").read_text() == "precious"


def test_a_replay_takes_no_input(tmp_path: Path) -> None:
    settings = {"clock": "virtual"}
    with Machine.open("virt", program=guest(ECHO_ASLEEP), settings=settings) as machine:
        made = machine.console.connect("tcp:0")
        machine.record(tmp_path / "recording")
        with client(made) as one:
            machine.start()
            assert one.recv(1) == b">"
            assert asked(one, b"recorded") == b"recorded"
            one.sendall(b"q")
            assert machine.wait(60).reason == "off"
    with Machine.open("virt", program=guest(ECHO_ASLEEP), settings=settings) as machine:
        made = machine.console.connect("tcp:0")
        machine.replay(tmp_path / "recording")
        with client(made) as one:
            one.sendall(b"ignored")
            assert machine.run(timeout_s=60, ends_idle=False).reason == "off"
            assert machine.console.output == one.recv(100) == b">recorded"
