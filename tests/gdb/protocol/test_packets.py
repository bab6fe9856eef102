"""Every packet, good and bad, as a transcript without a socket."""

from __future__ import annotations

import pytest

from rvplat.gdb.protocol.packets import GROUPS, table_for
from rvplat.gdb.protocol.session import PACKET_SIZE
from tests.gdb.fake import T22, Client, FakeTarget

# (packets before, packet, reply): what doesn't change anything but the session.
TRANSCRIPTS: list[tuple[str, bytes, bytes]] = [
    ("an unknown packet", b"_nobody", b""),
    ("an unknown v packet", b"vMustReplyEmpty", b""),
    ("an unknown q packet", b"qNobody:1", b""),
    ("an empty packet", b"", b""),
    ("extended mode", b"!", b"OK"),
    ("attached to what ran", b"qAttached:1", b"1"),
    ("no symbols wanted", b"qSymbol::", b"OK"),
    ("no offsets", b"qOffsets", b""),
    ("why", b"?", b"T05thread:p1.1;core:0;"),
    ("the current thread", b"qC", b"QCp1.1"),
    ("threads", b"qfThreadInfo", b"mp1.1,p1.2,p2.1,p2.2"),
    ("no more threads", b"qsThreadInfo", b"l"),
    ("a thread's line", b"qThreadExtraInfo,p2.1", b"6861727420302" b"03c263e"),
    ("a thread that lives", b"Tp2.2", b"OK"),
    ("a thread that doesn't", b"Tp3.1", b"E.there is no thread 3.1"),
    ("select", b"Hgp2.1", b"OK"),
    ("select for c", b"Hc-1", b"OK"),
    ("select nobody", b"Hgp9.1", b"E.there is no thread 9.1"),
    ("select badly", b"Hx1", b"E.expected Hg or Hc"),
    ("select no number", b"Hgpz", b"E.'z' is not a number"),
    ("registers", b"g", b"0100000000000000" b"0200000000000000" b"2100000000000000"),
    ("a register", b"p20", b"2100000000000000"),
    ("a small register", b"p1041", b"42"),
    ("no such register", b"pffff", b"E.there is no register 65535"),
    ("a register number that is none", b"pxyz", b"E.'xyz' is not a number"),
    ("a register's wrong size", b"P20=00", b"E.register 32 has 8 bytes, not 1"),
    ("a register without a value", b"P20", b"E.expected P NUMBER=DIGITS"),
    ("too few registers", b"G00", b"E.expected 24 bytes, not 1"),
    ("half a digit", b"G0", b"E.expected pairs of hexadecimal digits"),
    ("memory", b"m0,4", b"00000000"),
    ("memory's end", b"mfffe,10", b"0000"),
    ("memory beyond it", b"m10000,4", b"E.0x10000 is not mapped"),
    ("memory beyond all", b"mffffffffffffffff,2",
     b"E.0x2 bytes from 0xffffffffffffffff go beyond the address space"),
    ("memory without length", b"m0", b"E.expected 2 numbers"),
    ("binary memory", b"x0,4", b"b\0\0\0\0"),
    ("binary memory, none", b"x0,0", b"b"),
    ("is X known", b"X0,0:", b"OK"),
    ("X of a wrong length", b"X0,5:abc", b"E.5 bytes were announced, 3 came"),
    ("M of a wrong length", b"M0,5:00", b"E.5 bytes were announced, 1 came"),
    ("search for nothing", b"qSearch:memory:0;100;",
     b"E.expected qSearch:memory:ADDR;LENGTH;BYTES"),
    ("search in vain", b"qSearch:memory:0;100;abc", b"0"),
    ("CRC", b"qCRC:0,4", b"Cc704dd7b"),
    ("CRC of nowhere", b"qCRC:20000,4", b"E.0x20000 is not mapped"),
    ("actions", b"vCont?", b"vCont;c;C;s;S;t;r"),
    ("an unknown action", b"vCont;x", b"E.unknown action 'x'"),
    ("an action for nobody", b"vCont;c:p7.1", b"E.there is no thread 7.1"),
    ("no action", b"vCont", b"E.expected vCont;ACTION"),
    ("a range without an end", b"vCont;r100:p1.1", b"E.'' is not a number"),
    ("Ctrl-C as a packet", b"vCtrlC", b""),
    ("back somehow", b"bx", b""),
    ("a breakpoint", b"Z0,80000000,4", b"OK"),
    ("a breakpoint of hardware", b"Z1,80000000,2", b"OK"),
    ("a watchpoint", b"Z2,1000,8", b"OK"),
    ("a breakpoint that isn't there", b"z0,1234,4", b"OK"),
    ("a kind that doesn't exist", b"Z9,1000,4", b""),
    ("a breakpoint without a kind", b"Z0,1000", b"E.expected TYPE,ADDR,KIND"),
    ("an odd breakpoint", b"Z0,1001,4",
     b"E.a breakpoint at 0x1001: instructions begin at even addresses"),
    ("an empty watchpoint", b"Z2,1000,0",
     b"E.a watchpoint of 0 bytes: 1 to 1048576 can be watched"),
    ("a condition that is cut off", b"Z0,1000,4;X5,2600",
     b"E.an expression of 2 bytes, 5 announced"),
    ("a condition that is none", b"Z0,1000,4;hello", b"E.expected X LENGTH,DIGITS"),
    ("an object that isn't there", b"qXfer:auxv:read::0,100", b""),
    ("writing an object", b"qXfer:features:write:target.xml:0:abc", b""),
    ("an annex that isn't there", b"qXfer:features:read:other.xml:0,100",
     b"E.there is no 'other.xml'"),
    ("beyond an object's end", b"qXfer:features:read:target.xml:1000,100",
     b"E.offset 0x1000 of 0x16 bytes"),
    ("the program", b"qXfer:exec-file:read:1:0,100", b"l/programs/hypervisor"),
    ("no program", b"qXfer:exec-file:read:2:0,100",
     b"E.process 2 has no known program: use the file command"),
    ("a file that isn't there", b"vFile:open:2f65746300,0,0", b"F-1,2"),
    ("a file to write", b"vFile:open:2f65746300,1,0", b"F-1,1e"),
    ("a handle that isn't there", b"vFile:pread:7,10,0", b"F-1,9"),
    ("closing it", b"vFile:close:7", b"F-1,9"),
    ("its facts", b"vFile:fstat:7", b"F-1,9"),
    ("another file system", b"vFile:setfs:0", b"F0"),
    ("an unknown operation", b"vFile:unlink:00", b""),
    ("monitor", b"qRcmd,626164", b"E.unknown monitor command 'bad'"),
    ("monitor without a comma", b"qRcmd", b"E.expected qRcmd,DIGITS"),
    ("attach to nobody", b"vAttach;7", b"E.there is no world 7: info os processes lists them"),
    ("attach to what", b"vAttach", b"E.expected vAttach;PID"),
    ("attach", b"vAttach;2", b"T00thread:p2.2;core:1;"),
    ("run", b"vRun;", b"T05thread:p1.1;core:0;"),
    ("thread events", b"QThreadEvents:1", b"OK"),
    ("thread events, somehow", b"QThreadEvents:2", b""),
    ("non-stop", b"QNonStop:1", b"OK"),
    ("all-stop", b"QNonStop:0", b"OK"),
    ("non-stop, somehow", b"QNonStop:x", b""),
    ("a region", b"qMemoryRegionInfo:10",
     b"start:0;size:10000;permissions:rw;name:72616d;"),
    ("where nothing is", b"qMemoryRegionInfo:10000", b"start:10000;size:ffffffffffff0000;"),
    ("QEMU's steps", b"qqemu.sstepbits", b"ENABLE=1,NOIRQ=2,NOTIMER=4"),
    ("a step of QEMU's", b"Qqemu.sstep=3", b"OK"),
    ("no step of QEMU's", b"Qqemu.sstep=2",
     b"E.sstep 0x2: expected 1, and 2 for NOIRQ and 4 for NOTIMER"),
    ("something else of QEMU's", b"qqemu.other", b""),
]  # fmt: skip


@pytest.mark.parametrize(("packet", "reply"), [t[1:] for t in TRANSCRIPTS],
                         ids=[t[0] for t in TRANSCRIPTS])  # fmt: skip
def test_a_reply(packet: bytes, reply: bytes) -> None:
    client = Client()
    assert client.ask(packet) == reply
    assert client.ask(b"qAttached:1") == b"1"  # the session goes on


def test_every_packet_has_a_transcript() -> None:
    sent = [packet for _, packet, _ in TRANSCRIPTS]
    sent += b"qSupported QStartNoAckMode D k R vKill c s C S vStopped bs".split()
    table = table_for(FakeTarget())
    used = {id(table.find(packet)[0]) for packet in sent}
    unused = [name for name, handler in table.packets.items() if id(handler) not in used]
    assert unused == []


# --- qSupported ---------------------------------------------------------------------------------


def test_features_follow_from_what_the_target_can() -> None:
    class Little(FakeTarget):
        insert = None  # type: ignore[assignment]
        annexes = None  # type: ignore[assignment]

    del Little.insert, Little.annexes
    everything = Client().hello.split(b";")
    assert everything[0] == b"PacketSize=%x" % PACKET_SIZE
    assert {b"swbreak+", b"ConditionalBreakpoints+", b"multiprocess+", b"binary-upload+"} <= set(
        everything
    )
    assert {name for group in GROUPS for name in group.features} == {
        part.decode() for part in everything[1:]
    }


def test_half_a_group_cant_be_had() -> None:
    class Little:
        """A target without the optional protocols."""

    table = table_for(Little())
    assert table.find(b"Z0,1000,4")[0] is None
    assert "swbreak+" not in table.features
    assert table.find(b"m0,4")[0] is not None


def test_a_client_without_multiprocess_sees_harts() -> None:
    client = Client(hello=b"qSupported:swbreak+")
    assert client.ask(b"qfThreadInfo") == b"m1,2"
    assert client.ask(b"Hg2") == b"OK"
    assert client.session.selected == T22
    assert client.ask(b"?") == b"T05thread:1;core:0;"


def test_old_clients_get_numbers_for_errors() -> None:
    client = Client(hello=b"qSupported:multiprocess+")
    assert client.ask(b"m10000,4") == b"E01"
    assert client.ask(b"vAttach;9").startswith(b"E.")


# --- acknowledgements ---------------------------------------------------------------------------


def test_acknowledged_until_agreed_otherwise() -> None:
    target, out = FakeTarget(), bytearray()
    from rvplat.gdb.commands import session_for

    session = session_for(target, out.extend)
    session.feed(b"$qAttached:1#fa")
    assert out == b"+$1#31"
    session.feed(b"-")
    assert out == b"+$1#31$1#31"
    session.feed(b"$qAttached:1#00")
    assert out.endswith(b"-")
