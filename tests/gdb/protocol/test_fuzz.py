"""Whatever a client sends, the session goes on, and only packets that should change the target do.

RVPLAT_FUZZ=1000000 says how many packets (this many by default: 20000).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvplat.gdb.commands import session_for
from rvplat.gdb.monitor.dispatch import commands
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.framing import Framer, Kind, frame
from rvplat.machine.machine import Machine
from tests.gdb.fake import MODERN, Client, FakeTarget
from tests.gdb.protocol.test_packets import TRANSCRIPTS

COUNT = int(os.environ.get("RVPLAT_FUZZ", "20000"))
GOOD = [packet for _, packet, _ in TRANSCRIPTS] + [
    b"vCont;c", b"vCont;s:p1.1;c", b"vStopped", b"vCont;t", b"M0,2:abcd", b"P20=0000000000000000",
]  # fmt: skip
# What of a target may change, by the first letters of the packets that may change it.
MAY_CHANGE = {
    "memory": b"MX", "values": b"PGsScC", "points": b"Zz", "log": b"vsScCRkD",
    "running": b"vsScC\x03",
}  # fmt: skip
RUNNING = b"vsScCRkD\x03"  # what lets a board run, stops it, or is the end
BYTES = b"$#}*+-\x03,;:=0123456789abcdefpxZzmMvqQHT\xff\x00"


def mutated(source: random.Random) -> bytes:
    """A good packet with some bytes changed, dropped, doubled, or of another one."""
    data = bytearray(source.choice(GOOD))
    for _ in range(source.randrange(4)):
        at = source.randrange(len(data) + 1)
        what = source.randrange(4)
        if what == 0:
            data[at : at + 1] = bytes([source.choice(BYTES)])
        elif what == 1:
            del data[at : at + source.randrange(1, 4)]
        elif what == 2:
            data[at:at] = source.choice(GOOD)[: source.randrange(12)]
        else:
            data[at:at] = data[at : at + 8] * source.randrange(1, 20)
    return bytes(data)


def letters(framer: Framer, data: bytes) -> bytes:
    """The first letters of the packets that a session makes of some bytes."""
    found = b""
    for arrival in framer.feed(data):
        if arrival.kind is Kind.PACKET:
            found += arrival.data[:1]
        elif arrival.kind is Kind.INTERRUPT:
            found += b"\x03"
    return found


def watching() -> Framer:
    """A framer that sees what a client's session sees."""
    framer = Framer()
    framer.no_ack = True
    return framer


def state(target: FakeTarget) -> dict[str, object]:
    return {
        "memory": bytes(target.memory), "values": dict(target.values),
        "points": set(target.client_points), "log": len(target.log), "running": set(target.running),
    }  # fmt: skip


def test_mutated_transcripts() -> None:
    """Each packet changes what it may change, and nothing else."""
    source = random.Random(4)
    client, framer = Client(), watching()
    before = state(client.target)
    for _ in range(COUNT):
        packet = mutated(source)
        whole = frame(packet) if source.random() < 0.9 else packet
        sent = letters(framer, whole)
        reply = client.raw(whole)
        assert b"internal error" not in reply, packet
        after = state(client.target)
        for what, allowed in MAY_CHANGE.items():
            if not set(sent) & set(allowed):
                assert before[what] == after[what], (what, packet)
        before = after
        if client.session.closed:
            client, framer = Client(), watching()
            before = state(client.target)
    assert Client().ask(b"qAttached:1") == b"1"


# --- a real board -------------------------------------------------------------------------------

CODE, CODE_SIZE = 0x8000_0000, 1 << 16
CSRS = ("mstatus", "mtvec", "mepc", "mcause", "mtval", "mscratch", "mideleg", "mie", "mip", "satp")


class Board:
    """A board that stands still in the middle of a program, and a client."""

    def __init__(self, guest: Path) -> None:
        self.machine = Machine.open("virt", program=guest)
        self.machine.step(5000)
        self.target = MonitoredTarget(self.machine)
        self.out = bytearray()
        self.session = session_for(self.target, self.out.extend)
        self.session.feed(frame(b"QStartNoAckMode") + frame(MODERN))

    def state(self) -> dict[str, object]:
        """The state that a guest could see, and the breakpoints."""
        hart, cell = self.machine.harts[0], self.machine.native.view
        registers = [hart.pc, hart.priv, hart.virt, *hart.x, *hart.f, *map(hart.csr, CSRS)]
        return {
            "memory": self.machine.memory.read(CODE, CODE_SIZE), "values": registers,
            "points": (int(cell.break_count), int(hart.view.pages_watched)),
        }  # fmt: skip

    def send(self, data: bytes) -> bytes:
        self.out.clear()
        self.session.feed(data)
        return bytes(self.out)

    def close(self) -> None:
        self.target.close()
        self.machine.close()


@pytest.fixture
def board(guest: Path) -> Iterator[Board]:
    found = Board(guest)
    yield found
    found.close()


def test_a_board_that_stands_still(board: Board) -> None:
    """Packets that don't run the board change registers, memory or breakpoints only if they may."""
    source = random.Random(7)
    framer, before = watching(), board.state()
    for _ in range(COUNT // 10):
        packet = mutated(source)
        whole = frame(packet.replace(b"$", b"").replace(b"#", b"").replace(b"}", b""))
        sent = letters(framer, whole)
        if set(sent) & set(RUNNING):
            continue
        assert b"internal error" not in board.send(whole), packet
        after = board.state()
        for what in after:
            if not set(sent) & set(MAY_CHANGE[what]):
                assert before[what] == after[what], (what, packet)
        before = after
    assert not board.session.closed
    assert board.send(frame(b"qAttached:1")) == frame(b"1")


def test_monitor_lines(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any words there is output or an error, and memory is unchanged."""
    monkeypatch.chdir(tmp_path)
    source = random.Random(8)
    words = [*commands(board.target), "on", "off", "0x80000000", "work", "-1", "x", "physical",
             "mode=M,S", "asid=3", "vmid=1", "space=guest-physical", "if", "$a0", "==", "1", "(",
             "{u64}", "all", "99999999999999999999", "store", "\xff"]  # fmt: skip
    memory = board.state()["memory"]
    for _ in range(COUNT // 20):
        line = " ".join(source.choice(words) for _ in range(source.randrange(6)))
        reply = board.send(frame(b"qRcmd," + line.encode().hex().encode()))
        assert b"internal error" not in reply, line
        assert reply.endswith(frame(b"OK")) or b"E." in reply, line
        if line.startswith("reset"):
            memory = board.state()["memory"]
    assert board.state()["memory"] == memory


# --- bytes --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=12))
def test_any_bytes(pieces: list[bytes]) -> None:
    client = Client()
    for piece in pieces:
        assert b"internal error" not in client.raw(piece)
    client.session.closed = False
    client.raw(b"#00#00")  # whatever packet was begun ends
    assert client.raw(frame(b"qAttached:1")).endswith(frame(b"1")) or client.session.closed


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([t[1] for t in TRANSCRIPTS]), st.binary(max_size=30))
def test_packets_with_a_tail(packet: bytes, tail: bytes) -> None:
    assert b"internal error" not in Client().raw(frame(packet + tail))
