"""Whatever a client sends, the session goes on, and only packets that should change the target do.

RVPLAT_FUZZ=1000000 says how many packets (this many by default: 20000).
"""

from __future__ import annotations

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rvplat.gdb.framing import frame, unescape

from .fake import Client
from .test_packets import TRANSCRIPTS

COUNT = int(os.environ.get("RVPLAT_FUZZ", "20000"))
GOOD = [packet for _, packet, _ in TRANSCRIPTS] + [
    b"vCont;c", b"vCont;s:p1.1;c", b"vStopped", b"vCont;t", b"M0,2:abcd", b"P20=0000000000000000",
]  # fmt: skip
CHANGING = (b"M", b"X", b"P", b"G", b"s", b"S", b"c", b"C", b"v", b"R", b"k", b"D", b"Z", b"z")
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


def test_mutated_transcripts() -> None:
    source = random.Random(4)
    client = Client()
    for _ in range(COUNT):
        packet = mutated(source)
        before = bytes(client.target.memory), dict(client.target.values), set(client.target.points)
        whole = frame(packet) if source.random() < 0.9 else packet
        reply = client.raw(whole)
        assert b"internal error" not in reply, packet
        after = bytes(client.target.memory), client.target.values, client.target.points
        if b"$" not in packet and b"#" not in packet and unescape(packet)[:1] not in CHANGING:
            assert before == after, packet
        if client.session.closed:
            client = Client()
    assert Client().ask(b"qAttached:1") == b"1"


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
