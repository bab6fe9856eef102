"""Mistakes of clients and users: they get an answer, and the board is unchanged."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat.errors import HostError
from rvplat.gdb.protocol.channels import listen
from rvplat.gdb.protocol.framing import LIMIT, Framer, Kind, frame
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.fake import MODERN

MROM = 0x1000


class Peer:
    """A client over TCP that may misbehave."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.framer = Framer()
        self.got: list[bytes] = []

    def greet(self) -> Peer:
        """The usual first packets."""
        self.ask(b"QStartNoAckMode")
        self.socket.sendall(b"+")
        self.framer.no_ack = True
        self.ask(MODERN)
        return self

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> bytes:
        """The next packet."""
        while not self.got:
            data = self.socket.recv(1 << 16)
            assert data, "the server has hung up"
            self.got += [a.data for a in self.framer.feed(data) if a.kind is Kind.PACKET]
        return self.got.pop(0)

    def ask(self, packet: bytes) -> bytes:
        self.send(frame(packet))
        return self.reply()

    def leave(self, rudely: bool = False) -> None:
        """Close the connection; `rudely`: reset it."""
        if rudely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Served:
    """A board that is served, stopped at work's first call."""

    def __init__(self, serve: Serve, guest: Path) -> None:
        self.peers: list[Peer] = []
        self.machine = Machine.open("virt", program=guest)
        self.port = serve(self.machine)
        self.work = self.machine.symbols["work"]

    def client(self) -> Peer:
        self.peers.append(Peer(self.port))
        return self.peers[-1].greet()

    def at_work(self) -> Peer:
        """A client that has stopped there."""
        peer = self.client()
        assert peer.ask(b"Z0,%x,4" % self.work) == b"OK"
        assert peer.ask(b"vCont;c").startswith(b"T05swbreak:;")
        assert peer.ask(b"z0,%x,4" % self.work) == b"OK"
        return peer

    def picture(self, peer: Peer) -> list[bytes]:
        """Registers and memory."""
        return [peer.ask(packet) for packet in (b"g", b"p341", b"m80000000,2000", b"m1000,100")]


@pytest.fixture
def served(serve: Serve, guest: Path) -> Iterator[Served]:
    found = Served(serve, guest)
    yield found
    for peer in found.peers:
        peer.leave()


def test_noise_leaves_the_board_as_it_was(served: Served) -> None:
    """Garbage, cut-off and doubled packets, wrong checksums, acknowledgements out of order."""
    peer = served.at_work()
    before = served.picture(peer)
    source = random.Random(9)
    noise = [b"\xff\xfe\x00", b"+-+-+", b"#00", b"$#", b"$#00", b"$m0,", b"$$$", b"%%", b"}}}",
             frame(b"_?"), frame(b"vStopped"), frame(b"qsThreadInfo"), frame(b"m"), frame(b"Hg-7"),
             frame(b"g")[:-1] + b"z", b"$" + b"a" * 70000 + b"#00"]  # fmt: skip
    for _ in range(300):
        peer.send(source.choice(noise))
    peer.send(b"#00#00" + frame(b"qAttached:77"))
    while peer.reply() != b"1":
        pass
    assert served.picture(peer) == before
    peer.leave()
    served.client().leave()


def test_a_huge_packet(served: Served) -> None:
    """A packet that is too long is dropped; the next one is read."""
    peer = served.at_work()
    before = served.picture(peer)
    for _ in range(3):
        peer.send(b"$X80000000,ffffff:" + b"x" * (LIMIT + 100) + b"#00")
    peer.send(frame(b"qAttached:77"))
    while peer.reply() != b"1":
        pass
    assert served.picture(peer) == before


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("left", [b"$m80000000,1", b"$X80000000,40:abc", b"$", b"", b"$g#"])
def test_a_client_that_vanishes_in_mid_packet(served: Served, left: bytes, rudely: bool) -> None:
    """Its breakpoints are removed, the board runs on, the next client is served."""
    first = served.at_work()
    code = first.ask(b"m80000000,200")
    assert first.ask(b"Z0,%x,4" % served.work) == b"OK"
    first.send(left)
    first.leave(rudely)
    second = served.client()
    assert int(served.machine.native.view.break_count) == 0
    assert second.ask(b"?").startswith(b"T05")
    assert second.ask(b"m80000000,200") == code


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
def test_a_client_that_vanishes_while_the_board_runs(served: Served, rudely: bool) -> None:
    """The board goes on, with a breakpoint and without one."""
    first = served.at_work()
    first.send(frame(b"vCont;c"))
    time.sleep(0.05)
    first.leave(rudely)
    rounds = []
    for _ in range(2):
        time.sleep(0.05)
        peer = served.client()
        rounds.append(served.machine.memory.read_int(served.machine.symbols["rounds"], 8))
        assert peer.ask(b"D") == b"OK"
        peer.leave()
    assert 0 < rounds[0] < rounds[1]


def test_a_client_that_vanishes_at_a_breakpoint_that_is_met_all_the_time(served: Served) -> None:
    first = served.at_work()
    assert first.ask(b"Z0,%x,4" % served.work) == b"OK"
    first.send(frame(b"vCont;c"))
    first.leave(True)
    rounds = served.machine.symbols["rounds"]
    peer = served.client()  # it may stand at the breakpoint, which is gone
    assert peer.ask(b"D") == b"OK"
    peer.leave()
    while served.machine.memory.read_int(rounds, 8) <= 10:
        pass


def test_packets_while_the_board_runs(served: Served) -> None:
    """They are answered or refused, and the client is still told of the stop."""
    peer = served.at_work()
    peer.send(frame(b"vCont;c"))
    peer.send(frame(b"g") + frame(b"vCont;c") + frame(b"Z0,%x,4" % served.work))
    replies = [peer.reply() for _ in range(3)]
    assert any(reply.startswith(b"T05") for reply in replies) or peer.reply().startswith(b"T05")
    assert peer.ask(b"qAttached:1") == b"1"


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        (b"M1000,4:00000000", b"E.0x1000 is in ROM"),
        (b"X1000,1:a", b"E.0x1000 is in ROM"),
        (b"Mfffffffffffffff8,8:0000000000000000",
         b"E.0xfffffffffffffff8: no memory and no device is there"),
        (b"M40000000,1:00", b"E.0x40000000: no memory and no device is there"),
        (b"M10000000,1:00", b"E.0x10000000 is a register of uart0, which an access may change: "
                            b"monitor devices on allows it"),
        (b"Z5,80000000,4", b""),
        (b"Zffffffffffffffff,80000000,4", b""),
        (b"z7,80000000,4", b""),
        (b"Z0,80000001,4", b"E.a breakpoint at 0x80000001: instructions begin at even addresses"),
        (b"Z2,80000000,0", b"E.a watchpoint of 0 bytes: 1 to 1048576 can be watched"),
        (b"Z2,80000000,ffffffffffff",
         b"E.a watchpoint of 281474976710655 bytes: 1 to 1048576 can be watched"),
        (b"Z2,fffffffffffffffe,4",
         b"E.4 bytes from 0xfffffffffffffffe go beyond the address space"),
        (b"p2000", b"E.there is no register 8192"),
        (b"pffffffffffffffff", b"E.there is no register 18446744073709551615"),
        (b"P2000=00", b"E.there is no register 8192"),
        (b"P840=0000000000000000", b"E.there is no register 2112"),
        (b"P1043=0300", b"E.virt, vmid and asid can't be written: write priv, hgatp or satp"),
        (b"P1041=0200", b"E.priv can be 0 (U), 1 (S), 3 (M), 4 (VU), 5 (VS), not 2"),
        (b"Pf52=0000000000000000", b"E.mvendorid is read-only"),
        (b"Hgp1.9", b"E.there is no thread 1.9"),
        (b"vAttach;63", b"E.there is no world 99: info os processes lists them"),
        (b"vCont;s:p9.9", b"E.there is no thread 9.9"),
        (b"qRcmd," + b"nonsense".hex().encode(),
         b"E.unknown monitor command 'nonsense' (monitor help lists them)"),
        (b"Z0,80000000,4;X1,00", b"E.agent expression: opcode 0x0 at 0 is not supported"),
        (b"Z0,80000000,4;X2,2227", b"E.agent expression: it is cut off"),
        (b"Z0,80000000,4;X4,21000127", b"E.agent expression: no opcode begins at 1"),
        (b"Z0,80000000,4;X4,21ffff27", b"E.agent expression: no opcode begins at 65535"),
    ],
)  # fmt: skip
def test_what_is_refused(served: Served, packet: bytes, reply: bytes) -> None:
    peer = served.at_work()
    before = served.picture(peer)
    assert peer.ask(packet) == reply
    assert served.picture(peer) == before
    assert int(served.machine.native.view.break_count) == 0


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("210000", "cut off"),
        ("21000027", "goes on for ever"),
        ("2227", "cut off"),
        ("0227", "nothing is on the stack"),
        ("3327", "nothing is on the stack"),
        ("22012200052927", ""),
        ("2200190527", "0x0: no memory and no device is there"),
        ("26ffff27", "there is no register 65535"),
    ],
)
def test_bytecode_that_loops_or_underflows(served: Served, code: str, problem: str) -> None:
    """A condition stops the hart. For a command the user is told, and the board goes on."""
    peer = served.at_work()
    size = len(code) // 2
    reply = peer.ask(b"Z0,%x,4;X%x,%b" % (served.work, size, code.encode()))
    if problem == "cut off":
        assert reply == b"E.agent expression: it is cut off"
        return
    assert reply == b"OK"
    assert peer.ask(b"vCont;c").startswith(b"T05swbreak:;")
    assert peer.ask(b"z0,%x,4" % served.work) == b"OK"
    if not problem:
        return
    commands = b"Z0,%x,4;cmds:0,X%x,%b" % (served.work, size, code.encode())
    assert peer.ask(commands) == b"OK"
    said = bytes.fromhex(peer.ask(b"vCont;c")[1:].decode()).decode()
    assert problem in said
    peer.send(b"\x03")
    while not peer.reply().startswith(b"T02"):
        pass


# --- addresses ----------------------------------------------------------------------------------


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(HostError) as error:
            listen(f"127.0.0.1:{port}")
    assert str(error.value) == f"--gdb 127.0.0.1:{port}: Address already in use"


def test_a_host_that_is_none() -> None:
    with pytest.raises(HostError, match="^--gdb nowhere.invalid:1: there is no host nowhere.inv"):
        listen("nowhere.invalid:1", lambda text: None)


def test_a_unix_socket_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file or directory"):
        listen(f"unix:{tmp_path}/no/socket")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(HostError, match="the file exists, and is no socket"):
        listen(f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("text", ["", "x", "1x", "65536", "host:", ":", "1:2:x", "-1"])
def test_a_port_that_is_none(text: str) -> None:
    with pytest.raises(HostError, match="expected \\[HOST:\\]PORT with a port below 65536"):
        listen(text)
