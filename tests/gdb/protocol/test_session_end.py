"""Packets that end a session, and what it leaves."""

from __future__ import annotations

from rvplat.gdb.protocol.framing import frame
from tests.gdb.fake import Client


def test_detach() -> None:
    client = Client()
    assert client.ask(b"D;2") == b"OK"
    assert not client.session.closed
    assert client.ask(b"D") == b"OK"
    assert client.session.closed
    assert client.target.log == [("detach", 2), ("detach", -1)]


def test_kill_and_restart() -> None:
    client = Client()
    assert client.ask(b"vKill;1") == b"OK"
    assert client.raw(frame(b"R00")) == b""
    assert client.raw(frame(b"k")) == b""
    assert client.target.log == [("kill", 1), "restart", ("kill", 0)]
    assert client.session.closed
