"""Packets that run and stop harts in non-stop mode, and their notifications."""

from __future__ import annotations

from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import Stopped
from tests.gdb.fake import T11, T12, T21, T22, Client


def test_a_world_that_a_reset_ended_is_notified_of() -> None:
    client = non_stop()
    client.target.gone = {3}
    out = client.raw(frame(b"vCont;c:p3.-1"))
    assert out == frame(b"Stop:W00;process:3", b"%") + frame(b"OK")


def non_stop() -> Client:
    client = Client()
    assert client.ask(b"QNonStop:1") == b"OK"
    return client


def test_stops_are_notified_one_by_one() -> None:
    client = non_stop()
    assert client.ask(b"vCont;c") == b"OK"
    told = client.tell(Stopped(T11, 5, "swbreak"))
    assert told == frame(b"Stop:T05swbreak:;thread:p1.1;core:0;", b"%")
    assert client.tell(Stopped(T22, 5)) == b""
    assert client.ask(b"vStopped") == b"T05thread:p2.2;core:1;"
    assert client.ask(b"vStopped") == b"OK"


def test_a_thread_is_stopped() -> None:
    client = non_stop()
    client.ask(b"vCont;c")
    out = client.raw(frame(b"vCont;t:p1.2"))
    assert out == frame(b"Stop:T00thread:p1.2;core:1;", b"%") + frame(b"OK")
    assert client.target.running == {T11, T21, T22}


def test_a_thread_is_stopped_whose_hart_stands_still_elsewhere() -> None:
    """The client has resumed both threads of a hart, and one of them stopped the hart."""
    client = non_stop()
    client.ask(b"vCont;c")
    client.tell(Stopped(T11, 5))
    client.ask(b"vStopped")
    client.target.running = {T12, T22}
    out = client.raw(frame(b"vCont;t:p2.1"))
    assert out == frame(b"Stop:T00thread:p2.1;core:0;", b"%") + frame(b"OK")
    client.ask(b"vStopped")
    assert client.raw(frame(b"vCont;t:p1.1;t:p2.1")) == frame(b"OK")  # it knows


def test_a_stop_on_the_way_is_told_once() -> None:
    client = non_stop()
    client.ask(b"vCont;c")
    client.target.events.append(Stopped(T12, 5, "swbreak"))
    out = client.raw(frame(b"vCont;t:p1.2"))
    assert out == frame(b"Stop:T05swbreak:;thread:p1.2;core:1;", b"%") + frame(b"OK")


def test_control_c_as_a_packet() -> None:
    client = non_stop()
    client.target.running = {T12}
    out = client.raw(frame(b"vCtrlC"))
    assert out == frame(b"Stop:T02thread:p1.2;core:1;", b"%") + frame(b"OK")


def test_why_tells_one_and_the_others_are_notified() -> None:
    client = non_stop()
    client.target.running = {T22}
    assert client.ask(b"?") == b"T00thread:p1.1;core:0;"
    assert client.ask(b"vStopped") == b"OK"
    client.target.running = {T12, T22}
    told = client.raw(frame(b"qAttached:1"))
    assert told == frame(b"1") + frame(b"Stop:T00thread:p2.1;core:0;", b"%")
    assert client.ask(b"vStopped") == b"OK"
    assert client.ask(b"qAttached:1") == b"1"


def test_a_stop_tells_registers() -> None:
    client = Client()
    client.target.told = [(32, 8, 0x8000_0102), (1, 4, 5)]
    assert client.ask(b"?") == b"T05thread:p1.1;core:0;20:0201008000000000;1:05000000;"
