"""The API at a loopback websocket: who gets in, and who does not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from rvplat import Machine
from rvplat.api.door import Door
from rvplat.api.server import Api
from rvplat.api.session import LONGEST
from rvplat.api.websockets import WebListener
from tests.api.client import TOKEN
from tests.file_limit import no_more_files
from tests.machine.small_guests import ECHO_ASLEEP, guest

WAIT_S = 60


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a machine that runs."""
    with (
        Machine.open("virt", program=guest(ECHO_ASLEEP), harts=1) as machine,
        Api(machine, TOKEN) as api,
    ):
        port = api.listen_web()
        api.control.run()
        yield port
        api.control.end("leave")


def call(client: ClientConnection, method: str, **params: Any) -> Any:
    client.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    while "id" not in (reply := json.loads(client.recv(WAIT_S))):
        pass
    return reply.get("result", reply.get("error", {}).get("message"))


def test_a_client_gets_in_with_the_token(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/api", origin=Origin(f"http://localhost:{port}")) as client:
        assert call(client, "hello", token=TOKEN)["board"] == "virt"
        assert call(client, "harts.list")["harts"][0]["mode"] == "M"
        call(client, "events.subscribe", events=["console"])
        call(client, "consoles.send", data=b"abc".hex())
        assert json.loads(client.recv(WAIT_S))["method"] == "console"


def test_nobody_gets_in_without_it(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/api") as client:
        assert call(client, "hello", token="wrong") == "hello: this is not the token"
        with pytest.raises(ConnectionClosed):
            client.recv(WAIT_S)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "null", "app://127.0.0.1:{}"]
)
def test_a_foreign_page_does_not_get_in(port: int, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{port}/api", origin=Origin(origin.format(port)))


def get(port: int, path: str, host: str, method: str = "GET") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        got = b""
        while more := client.recv(1 << 16):
            got += more
    return got


def test_a_name_that_leads_here_does_not_get_in(port: int) -> None:
    """As a page does whose name resolves to the loopback interface (DNS rebinding)."""
    assert get(port, "/api", f"evil.example:{port}").startswith(b"HTTP/1.1 403 ")
    assert get(port, "/", f"127.0.0.1:{port}").startswith(b"HTTP/1.1 404 ")  # no page is wanted


@pytest.fixture
def page() -> Iterator[WebListener]:
    """A listener that serves the page of a machine that does not run."""
    with (
        Machine.open("virt", program=guest(ECHO_ASLEEP), harts=1) as machine,
        Api(machine, TOKEN) as api,
    ):
        made = WebListener(api, 0, "--web", page=True)
        api.add_listener(made, "--web")
        yield made


def test_at_port_80_the_name_has_no_port(page: WebListener) -> None:
    port = page.port
    assert get(port, "/", "localhost").startswith(b"HTTP/1.1 403 ")
    page.port = 80  # as if it had been bound; only an administrator may
    for host in ("localhost", "127.0.0.1", "localhost:80"):
        assert get(port, "/", host).startswith(b"HTTP/1.1 200 ")
    assert get(port, "/", "evil.example").startswith(b"HTTP/1.1 403 ")
    inside = socket.create_connection(("127.0.0.1", port))
    with connect("ws://localhost/api", sock=inside, origin=Origin("http://localhost")) as client:
        assert call(client, "hello", token=TOKEN)["board"] == "virt"


def test_methods_of_http(page: WebListener) -> None:
    host = f"localhost:{page.port}"
    whole = get(page.port, "/", host)
    head = get(page.port, "/", host, "HEAD")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
    lengths = [
        [line for line in one.splitlines() if line.startswith(b"Content-Length")]
        for one in (whole, head)
    ]
    assert lengths[0] == lengths[1] != [b"Content-Length: 0"]
    for method in ("POST", "DELETE", "OPTIONS"):
        for path in ("/", "/api"):
            refused = get(page.port, path, host, method)
            assert refused.startswith(b"HTTP/1.1 405 ")
            assert b"\r\nAllow: GET, HEAD\r\n" in refused


def test_the_door_waits_when_the_process_can_open_no_more_files() -> None:
    with (
        Door(socket.create_server(("127.0.0.1", 0))) as door,
        socket.create_connection(door.getsockname()),
        ThreadPoolExecutor(1) as pool,
    ):
        with no_more_files():
            coming = pool.submit(door.accept)
            with pytest.raises(TimeoutError):
                coming.result(0.2)
        coming.result(WAIT_S)[0].close()


def test_only_so_many_are_inside_and_none_of_them_delays_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rvplat.api.door.MOST_INSIDE", 2)
    monkeypatch.setattr("rvplat.api.websockets.HELLO_S", 3600)  # nobody goes by himself
    with Machine.open("virt", program=guest(ECHO_ASLEEP), harts=1) as machine:
        with Api(machine, TOKEN) as api:
            place = ("127.0.0.1", api.listen_web())
            silent = [socket.create_connection(place, timeout=WAIT_S) for _ in range(2)]
            with socket.create_connection(place) as outside:
                outside.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{place[1]}\r\n\r\n".encode())
                outside.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    outside.recv(1)
                silent.pop().close()
                outside.settimeout(WAIT_S)
                assert outside.recv(8) == b"HTTP/1.1"
        assert silent[0].recv(1) == b""
        silent[0].close()


def test_a_message_that_is_too_long_and_one_that_is_torn(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/api") as client:
        call(client, "hello", token=TOKEN)
        client.send("x" * (LONGEST + 1))
        with pytest.raises(ConnectionClosed, match="1009"):
            client.recv(WAIT_S)
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as torn:
        torn.sendall(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        torn.recv(1000)
    test_a_client_gets_in_with_the_token(port)
