"""Packets that run harts in all-stop mode, and their stop replies."""

from __future__ import annotations

from rvplat.gdb.protocol.framing import frame
from rvplat.gdb.protocol.interfaces import Action, ConsoleText, Exited, Stopped, Thread
from tests.gdb.fake import MODERN, T11, T12, T21, T22, Client


def test_continue_until_a_breakpoint() -> None:
    client = Client()
    assert client.raw(frame(b"vCont;c:p1.-1")) == b""
    assert client.target.log[-1] == ("resume", [(T11, Action("c")), (T12, Action("c"))])
    assert client.tell(Stopped(T12, 5, "swbreak")) == frame(b"T05swbreak:;thread:p1.2;core:1;")
    assert client.ask(b"?") == b"T05swbreak:;thread:p1.2;core:1;"
    assert client.session.selected == T12


def test_a_second_stop_at_once_is_to_happen_again() -> None:
    client = Client()
    client.raw(frame(b"vCont;c"))
    client.target.events.append(Stopped(T11, 5, "swbreak"))
    assert client.tell(Stopped(T12, 5)) == frame(b"T05swbreak:;thread:p1.1;core:0;")
    assert client.target.log[-1] == ("untold", Stopped(T12, 5))


def test_a_step_and_the_others_run() -> None:
    client = Client()
    client.raw(frame(b"vCont;s:p2.1;c"))
    expected = [(T11, Action("c")), (T12, Action("c")), (T21, Action("s")), (T22, Action("c"))]
    assert client.target.log[-1] == ("resume", expected)


def test_a_range() -> None:
    client = Client()
    client.raw(frame(b"vCont;r1000,1010:p1.1"))
    assert client.target.log[-1] == ("resume", [(T11, Action("r", 0x1000, 0x1010))])


def test_reasons_only_for_clients_that_know_them() -> None:
    client = Client(hello=b"qSupported:multiprocess+")
    client.raw(frame(b"vCont;c"))
    assert client.tell(Stopped(T11, 5, "swbreak")) == frame(b"T05thread:p1.1;core:0;")
    client.raw(frame(b"vCont;c"))
    told = client.tell(Stopped(T11, 5, "watch", "1000"))
    assert told == frame(b"T05watch:1000;thread:p1.1;core:0;")


def test_a_world_that_begins_is_a_fork_and_its_program_an_exec() -> None:
    client = Client(hello=MODERN + b";fork-events+;exec-events+")
    assert "fork-events" in client.target.features
    client.raw(frame(b"vCont;c:p1.-1"))
    told = client.tell(Stopped(T11, 5, "fork", "p3.1"))
    assert told == frame(b"T05fork:p3.1;thread:p1.1;core:0;")
    client.raw(frame(b"vCont;c"))
    told = client.tell(Stopped(T21, 5, "exec", "2f78"))
    assert told == frame(b"T05exec:2f78;thread:p2.1;core:0;")


def test_control_c() -> None:
    client = Client()
    assert client.raw(b"\x03") == b""  # nothing runs
    client.raw(frame(b"vCont;c"))
    assert client.raw(b"\x03") == frame(b"T02thread:p1.1;core:0;")
    assert client.target.running == set()


def test_what_a_breakpoint_prints() -> None:
    client = Client()
    client.raw(frame(b"vCont;c"))
    assert client.tell(ConsoleText("x\n")) == frame(b"O780a")


def test_the_board_goes_off() -> None:
    client = Client()
    client.raw(frame(b"vCont;c"))
    assert client.tell(Exited(1, 3)) == frame(b"W03;process:1")
    client.target.off = True
    assert client.ask(b"vCont;c").startswith(b"E.the board is off")
    assert client.raw(b"\x03") == b"", "nothing runs that could be stopped"
    assert client.ask(b"vRun;") == b"T05thread:p1.1;core:0;"


def test_the_board_goes_on_after_its_end() -> None:
    """A monitor command has reset the board."""
    client = Client()
    client.raw(frame(b"vCont;c"))
    client.tell(Exited(1, 0))
    client.raw(frame(b"qRcmd,7265736574"))
    assert client.raw(frame(b"vCont;c")) == b""
    assert client.target.log[-1][0] == "resume"


def test_a_world_that_a_reset_ended() -> None:
    """The client is told when it names the world; the other worlds run."""
    client = Client()
    client.target.gone = {3}
    assert client.ask(b"Hgp3.1") == b"OK"
    assert client.session.selected == Thread(3, 1)
    assert client.ask(b"Hgp3.9") == b"E.there is no thread 3.9"
    assert client.raw(frame(b"vCont;s:p3.1;c")) == frame(b"W00;process:3")
    assert client.target.log == []
    assert client.raw(frame(b"vCont;c")) == b""
    assert client.target.log[-1][0] == "resume"


def test_old_packets() -> None:
    client = Client(hello=b"qSupported")
    client.raw(frame(b"Hc1"))
    client.raw(frame(b"s"))
    assert client.target.log[-1] == (
        "resume",
        [(T11, Action("s")), (T12, Action("c")), (T21, Action("c")), (T22, Action("c"))],
    )
    client.raw(b"\x03")
    client.raw(frame(b"C05;1234"))
    assert client.target.values[T11, 32] == 0x1234
