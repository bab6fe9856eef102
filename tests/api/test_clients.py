"""A machine that runs while good and bad clients come and go."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.api.server import Api
from rvplat.api.session import LONGEST, MOST_IN_BATCH
from tests.api.client import TOKEN, Client, Refused
from tests.file_limit import calm_without_files
from tests.machine.small_guests import ECHO_ASLEEP, guest
from tests.machine.stuck import until


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A machine that echoes what it is sent, and sleeps between."""
    with (
        Machine.open("virt", program=guest(ECHO_ASLEEP), harts=1) as machine,
        Api(machine, TOKEN) as made,
    ):
        made.listen_unix(tmp_path_factory.mktemp("api") / "api.sock")
        made.control.run()
        yield made
        made.control.end("leave")


@pytest.fixture
def path(api: Api) -> Path:
    """Its Unix socket."""
    return Path(api.places[0].removeprefix("unix:"))


def call(method: str, params: str = "{}") -> bytes:
    """A request."""
    return f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}'.encode()


def alive(path: Path) -> None:
    """The machine still runs, and answers."""
    with Client(path) as client:
        client("events.subscribe", events=["console"])
        assert client("machine.state")["state"] == "running"
        client("consoles.send", data=b"ping".hex())
        seen = b""
        while b"ping" not in seen:
            data = client.until(lambda event, params: event == "console")["data"]
            seen += bytes.fromhex(data)


def test_it_is_looked_at_while_it_runs(path: Path) -> None:
    with Client(path) as client:
        assert client("harts.list")["harts"][0]["mode"] == "M"
        client("events.subscribe", events=["sample", "state"], period_s=0.05)
        for _ in range(3):
            found = client.until(lambda event, params: event == "sample")
            assert found["harts"][0]["instructions"] > 0
        assert client("machine.pause")["reason"] == "pause"
        assert client("machine.run")["state"] == "running"
        with pytest.raises(Refused, match=r"-32001: the machine runs: pause it first"):
            client("registers.write", name="a0", value=1)
        with pytest.raises(Refused, match="the machine runs already"):
            client("machine.run")
    alive(path)


def test_a_batch_sees_one_moment(path: Path) -> None:
    with Client(path) as client:
        requests = [{"jsonrpc": "2.0", "id": n, "method": "machine.time"} for n in range(5)]
        client.send(json.dumps(requests).encode() + b"\n")
        replies = client.read()
    assert [one["id"] for one in replies] == list(range(5))
    assert len({one["result"]["instructions"] for one in replies}) == 1


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (b"not json", -32700, "the message is no JSON"),
        (b"[" * 100_000, -32700, "the message is no JSON"),
        (b"\xff\xfe{", -32700, "the message is no JSON"),
        (b'"x"', -32600, "expected {"),
        (b"[]", -32600, f"a batch of 0: expected 1 to {MOST_IN_BATCH}"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, "the request's method is no string"),
        (b'{"jsonrpc":"2.0","id":[],"method":"x"}', -32600, "the request's id is no number"),
        (call("x"), -32601, "there is no method x: api.schema"),
        (call("harts.list", '[1]'), -32602, "harts.list: params: found [1]"),
        (call("memory.read"), -32602, "memory.read: the parameter address is missing"),
        (call("registers.all", '{"hart":true}'), -32602, "hart=True: expected an integer"),
        (call("registers.all", '{"hart":4}'), -32000, "hart=4: the machine has hart 0 alone"),
        (call("memory.read", '{"address":-1}'), -32602, "address=-1: expected a 64-bit value"),
        (call("memory.read", '{"address":4,"size":1e3}'), -32602, "size=1000.0: expected an int"),
        (call("consoles.send", '{"data":"zz"}'), -32602, "data='zz': expected two hex"),
        (call("consoles.send", f'{{"data":"{"00" * 70_000}"}}'), -32602, "70000 bytes: 0 "),
        (call("history.go", '{"place":1}'), -32001, "the machine runs: pause it first"),
    ],
)  # fmt: skip
def test_each_lie_gets_one_error(path: Path, line: bytes, code: int, text: str) -> None:
    with Client(path) as client:
        client.send(line + b"\n")
        reply = client.read()
    assert reply["error"]["code"] == code
    assert text in reply["error"]["message"]


@pytest.mark.parametrize("token", ["", "a token", TOKEN + "x", "\N{SNOWMAN}", "\ud800"])
def test_nobody_gets_in_without_the_token(path: Path, token: str) -> None:
    with Client(path, token=None) as client:
        with pytest.raises(Refused, match="-32002: hello: this is not the token"):
            client("hello", token=token)
        assert client.read() is None
    with Client(path, token=None) as client:
        with pytest.raises(Refused, match="-32002: say hello with the token first"):
            client("harts.list")
        assert client.read() is None


def test_a_message_that_is_too_long(path: Path) -> None:
    with Client(path) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was told already
            client.send(b"x" * (2 * LONGEST))
        reply = client.read()
        assert reply is None or "the longest has" in reply["error"]["message"]
    alive(path)


def test_who_vanishes_and_who_never_reads(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Client(path) as gone:
        gone("events.subscribe", events=["sample", "console"])
        gone.send(b'{"jsonrpc":"2.0","id":1,"meth')
    request = call("memory.read", '{"address":"0x80000000","size":65536}') + b"\n"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(path))
        deaf.settimeout(60)
        hello = {"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"token": TOKEN}}
        deaf.sendall(json.dumps(hello).encode() + b"\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:  # until it is disconnected
                deaf.sendall(request * 20)
    assert "reads nothing: it was disconnected" in caplog.text
    alive(path)


def test_who_hangs_up_and_never_reads(api: Api, path: Path) -> None:
    """It is no client any more, so that it does not keep a machine that is off from ending."""
    request = call("memory.read", '{"address":"0x80000000","size":65536}') + b"\n"
    with Client(path) as deaf:
        deaf.send(request * 20)
        deaf.hang_up()
        until(lambda: api.control.clients == 0)


def test_a_notification_gets_no_answer(path: Path) -> None:
    with Client(path) as client:
        for method in ("no.such", "machine.state", "machine.step"):
            client.send(call(method).replace(b'"id":1,', b"") + b"\n")
        client.send(call("machine.state") + b"\n")
        assert client.read()["id"] == 1
        client.send(b'{"jsonrpc":"2.0","method":7}\n')
        assert client.read()["error"]["code"] == -32600


def test_an_answer_that_is_too_long(path: Path) -> None:
    one = call("memory.read", '{"address":"0x80000000","size":65536}')
    with Client(path) as client:
        client.send(b"[" + b",".join([one] * 100) + b"]\n")
        replies = client.read()
        assert [reply["id"] for reply in replies] == [1] * 100
        assert "the longest has 4194304: ask for less" in replies[0]["error"]["message"]
        assert client("machine.state")["state"] == "running"


def test_who_comes_when_the_process_can_open_no_more_files(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(60)
        assert calm_without_files(waiting, str(path))
        waiting.sendall(call("hello", f'{{"token":"{TOKEN}"}}') + b"\n")
        assert json.loads(waiting.recv(1 << 16))["result"]["board"] == "virt"
