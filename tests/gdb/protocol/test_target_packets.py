"""Packets that read and write the target: registers, memory, files, breakpoints, commands."""

from __future__ import annotations

from rvplat.gdb.protocol.framing import escape, frame
from rvplat.gdb.protocol.interfaces import ClientPoint
from rvplat.gdb.protocol.session import PACKET_SIZE
from tests.gdb.fake import SIZE, T22, Client


def test_registers_are_written_to_the_selected_thread() -> None:
    client = Client()
    client.ask(b"Hgp2.2")
    assert client.ask(b"P20=7800000000000000") == b"OK"
    assert client.target.values == {(T22, 32): 0x78}
    assert client.ask(b"G" + b"01" * 24) == b"OK"
    assert client.ask(b"g") == b"01" * 24


def test_memory_is_written() -> None:
    client = Client()
    assert client.ask(b"M10,2:abcd") == b"OK"
    assert client.ask(b"X20,4:" + escape(b"}#$*")) == b"OK"
    assert client.ask(b"m10,2") == b"abcd"
    assert client.ask(b"x20,4") == b"b" + escape(b"}#$*")
    assert client.ask(b"qSearch:memory:0;100;" + escape(b"#$")) == b"1,21"


def test_long_reads_stay_within_a_packet() -> None:
    client = Client()
    client.target.memory[:] = b"#" * SIZE
    assert len(client.ask(b"x0,ffff")) <= PACKET_SIZE
    assert len(client.ask(b"m0,ffff")) == PACKET_SIZE - 8


def test_objects_come_in_pieces() -> None:
    client = Client()
    text, at = b"", 0
    while True:
        piece = client.ask(b"qXfer:features:read:target.xml:%x,5" % at)
        from rvplat.gdb.protocol.framing import unescape

        text += unescape(piece[1:])
        at = len(text)
        if piece[:1] == b"l":
            break
    assert text == b"<target>1}#$*</target>"


def test_a_file_is_read() -> None:
    client = Client()
    assert client.ask(b"vFile:open:" + b"/programs/hypervisor".hex().encode() + b",0,0") == b"F3"
    assert client.ask(b"vFile:pread:3,4,10") == b"F4;\x10\x11\x12\x13"
    stat = client.ask(b"vFile:fstat:3")
    assert stat.startswith(b"F40;")
    assert client.ask(b"vFile:close:3") == b"F0"


def test_breakpoints_belong_to_the_selected_world() -> None:
    client = Client()
    client.ask(b"Hgp2.1")
    assert client.ask(b"Z0,80000248,4;X9,260021164022051327") == b"OK"
    (point,) = client.target.client_points
    assert (point.pid, point.address, point.kind) == (2, 0x80000248, 0)
    assert point.conditions == (bytes.fromhex("260021164022051327"),)
    client.ask(b"z0,80000248,4")
    assert client.target.client_points == set()


def test_commands_of_breakpoints() -> None:
    client = Client()
    client.ask(b"Z0,1000,4;X3,220127;cmds:1,X2,2227")
    (point,) = client.target.client_points
    assert point.conditions == (b"\x22\x01\x27",)
    assert (point.commands, point.persist) == ((b"\x22\x27",), True)


def test_monitor_says_and_ends() -> None:
    client = Client()
    out = client.raw(frame(b"qRcmd," + b"worlds".hex().encode()))
    assert out == frame(b"O" + b"1: worlds\n".hex().encode()) + frame(b"OK")


def test_worlds_as_gdb_lists_them() -> None:
    client = Client()
    text = client.ask(b"qXfer:osdata:read:processes:0,1000")
    assert b'<column name="pid">2</column><column name="user">guest</column>' in text
    assert b"hart 0 &lt;&amp;&gt;" in client.ask(b"qXfer:threads:read::0,1000")
    assert b'type="types"' in client.ask(b"qXfer:osdata:read::0,1000")
    assert b'<memory type="ram" start="0x0"' in client.ask(b"qXfer:memory-map:read::0,1000")


def test_a_point_is_the_same_whatever_its_condition() -> None:
    assert ClientPoint(0, 1, 0x1000, 4, (b"a",)) == ClientPoint(0, 1, 0x1000, 4)
