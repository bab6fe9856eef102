"""`bs` and `bc`: which thread is meant, from what gdb 13 and 18 send (each of these was seen)."""

from __future__ import annotations

import logging

import pytest

from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import Action, Stopped, Thread
from tests.gdb.fake import T11, T12, T21, T22, Client

LIST = b"qXfer:threads:read::0,1000"
# What is sent after a stop of p1.1, and the thread that then goes back.
SEQUENCES: list[tuple[str, list[bytes], Thread]] = [
    ("the one that stopped", [LIST, b"z0,0,2", b"Z0,0,2", b"Hcp1.0"], T11),
    ("one that is selected", [LIST, b"Tp1.2", b"Hcp1.0"], T12),
    ("one that is selected, its registers are known",
     [LIST, b"Hgp1.2", b"g", b"Tp1.1", b"Hc0"], T11),
    ("info threads", [LIST, LIST, b"Hgp1.2", b"g", b"Hgp2.1", b"g", b"m0,2", b"Hc0"], T11),
    ("info threads, then a watchpoint's value",
     [LIST, LIST, b"Hgp2.1", b"g", b"Hgp1.1", b"m100,8", b"Z2,100,8", b"Hc0"], T11),
    ("another process is selected", [LIST, b"Hgp2.1", b"g", b"Hc0"], T21),
    ("thread apply, and back",
     [LIST, b"Tp1.2", b"Hgp1.2", b"g", b"Hgp1.1", b"m0,2", b"Hcp1.0"], T11),
    ("a breakpoint of another process",
     [LIST, b"Hgp2.1", b"m0,2", b"Z0,0,2", b"Hc0"], T11),
    ("a scheduler that is locked", [b"Hcp2.2"], T22),
    ("another process is resumed", [b"Hcp2.0"], T22),
]  # fmt: skip


@pytest.mark.parametrize(("packets", "thread"), [s[1:] for s in SEQUENCES],
                         ids=[s[0] for s in SEQUENCES])  # fmt: skip
def test_the_thread_that_is_meant(packets: list[bytes], thread: Thread) -> None:
    client = Client()
    client.raw(frame(b"vCont;c"))
    client.tell(Stopped(T11))
    for packet in packets:
        client.raw(frame(packet))
    assert client.raw(frame(b"bs")) == b"", "the reply comes later"
    (_, plan) = client.target.log[-1]
    assert plan[0] == (thread, Action("s"))
    assert client.tell(Stopped(thread)).startswith(b"$T05")


def test_what_is_resumed() -> None:
    client = Client()
    client.raw(frame(b"Hcp1.0"))
    client.raw(frame(b"bc"))
    assert client.target.log[-1] == ("back", [(T11, Action("c")), (T12, Action("c"))])
    assert client.tell(Stopped(T11, 5, "replaylog", "begin")) == frame(
        b"T05replaylog:begin;thread:p1.1;core:0;"
    )


def test_non_stop(caplog: pytest.LogCaptureFixture) -> None:
    """gdb doesn't read a reply then. It is told of a stop, and the board's user of the reason."""
    client = Client()
    client.ask(b"QNonStop:1")
    with caplog.at_level(logging.WARNING):
        assert client.raw(frame(b"bs")).startswith(b"%Stop:T05replaylog:begin;thread:p1.1;")
    assert "set non-stop off" in caplog.text
    assert not [entry for entry in client.target.log if entry[0] == "back"]
