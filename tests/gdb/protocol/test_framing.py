"""Bytes to packets and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvplat.gdb.protocol.framing import (
    Arrival,
    Framer,
    Kind,
    checksum,
    escape,
    frame,
    shorten,
    shorten_zeros,
    unescape,
)


def packets(data: bytes, framer: Framer | None = None) -> list[Arrival]:
    return (framer or Framer()).feed(data)


def test_a_packet_with_its_checksum() -> None:
    assert frame(b"m80000000,4") == b"$m80000000,4#55"
    assert packets(b"$m80000000,4#55") == [Arrival(Kind.PACKET, b"m80000000,4")]


def test_the_checksum_of_much_data() -> None:
    data = bytes(range(256)) * 300 + b"x"
    assert checksum(data) == sum(data) & 0xFF


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_packets_come_in_pieces(size: int) -> None:
    framer, data = Framer(), b"+$g#67\x03-$?#3f"
    found = [a for i in range(0, len(data), size) for a in framer.feed(data[i : i + size])]
    kinds = [Kind.ACK, Kind.PACKET, Kind.INTERRUPT, Kind.NACK, Kind.PACKET]
    assert [a.kind for a in found] == kinds


def test_a_wrong_checksum_is_refused() -> None:
    assert packets(b"$g#68") == [Arrival(Kind.BAD)]


def test_without_acknowledgements_the_checksum_has_no_say() -> None:
    framer = Framer()
    framer.no_ack = True
    assert packets(b"$g#00", framer) == [Arrival(Kind.PACKET, b"g")]


def test_a_packet_that_begins_anew() -> None:
    assert packets(b"$m800$g#67") == [Arrival(Kind.BAD), Arrival(Kind.PACKET, b"g")]


def test_noise_between_packets_is_passed_over() -> None:
    assert packets(b"hello\xff\x00$g#67") == [Arrival(Kind.PACKET, b"g")]


def test_a_packet_without_an_end_is_given_up() -> None:
    framer = Framer(limit=1000)
    assert packets(b"$" + b"x" * 1500, framer) == [Arrival(Kind.BAD)]
    assert packets(b"$g#67", framer)[-1] == Arrival(Kind.PACKET, b"g")


def test_escapes() -> None:
    assert escape(b"}#$*a") == b"}\x5d}\x03}\x04}\x0aa"
    assert packets(frame(b"X0,1:" + escape(b"#"))) == [Arrival(Kind.PACKET, b"X0,1:#")]


@given(st.lists(st.sampled_from([bytes(50), bytes(97), bytes(98), b"*", b"}", b"x", b"~"])))
def test_zeros_of_binary_data_are_shortened(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert unescape(expand(shorten_zeros(escape(data)))) == data
    assert len(shorten_zeros(bytes(98_000))) == 3_000


def test_runs_are_shortened() -> None:
    assert shorten(b"0000") == b"0* "
    assert shorten(b"abc000") == b"abc000"
    assert expand(shorten(b"x" * 1000)) == b"x" * 1000


def expand(data: bytes) -> bytes:
    """Undo run-length encoding, as clients do."""
    out = bytearray()
    at = 0
    while at < len(data):
        if data[at] == ord("*"):
            out += out[-1:] * (data[at + 1] - 29)
            at += 2
        else:
            out.append(data[at])
            at += 1
    return bytes(out)


@given(st.integers(4, 400))
def test_no_count_is_a_special_byte(length: int) -> None:
    text = shorten(b"0" * length)
    assert expand(text) == b"0" * length
    assert not set(text) & set(b"#$+-")


@given(st.binary(max_size=2000))
def test_whatever_is_escaped_comes_back(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert packets(frame(escape(data))) == [Arrival(Kind.PACKET, data)]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    framer = Framer(limit=64)
    for piece in pieces:
        framer.feed(piece)
