"""Memory as the selected world sees it."""

from __future__ import annotations

import re

from rvplat.gdb.protocol.errors import GdbError, Malformed
from rvplat.gdb.protocol.framing import escape, shorten_zeros
from rvplat.gdb.protocol.interfaces import Mapped
from rvplat.gdb.protocol.packets import BASE, MAP, number, numbers, unhex
from rvplat.gdb.protocol.session import PACKET_SIZE, Session

CHUNK = 1 << 16  # bytes that a search or a checksum reads at a time
ADDRESSES = 1 << 64


@MAP.packet("qMemoryRegionInfo")
def region(session: Session, text: bytes) -> bytes:
    """qMemoryRegionInfo:ADDR, of LLDB: the range that contains it, with its permissions if any."""
    assert isinstance(session.target, Mapped)
    found = session.target.region_at(session.selected, number(text[1:]))
    reply = b"start:%x;size:%x;" % (found.start, min(found.length, ADDRESSES - 1))
    allowed = "".join(letter for letter in "rwx" if letter in found.kind)
    if allowed:
        reply += b"permissions:%b;" % allowed.encode()
    if found.name:
        reply += b"name:%b;" % found.name.encode().hex().encode()
    return reply


def _range(text: bytes, separator: bytes = b",") -> tuple[int, int]:
    """ADDR,LENGTH within the address space."""
    start, length = numbers(text, 2, separator)
    if start + length > ADDRESSES:
        raise GdbError(f"{length:#x} bytes from {start:#x} go beyond the address space")
    return start, length


@BASE.packet("m")
def read_hex(session: Session, text: bytes) -> bytes:
    """m ADDR,LENGTH: read; hexadecimal digits, fewer if not all can be read."""
    start, length = _range(text)
    length = min(length, (PACKET_SIZE - 8) // 2)
    data = session.target.read_memory(session.selected, start, length)
    return shorten_zeros(data.hex().encode(), b"0")


@BASE.packet("x")
def read_binary(session: Session, text: bytes) -> bytes:
    """x ADDR,LENGTH: read; the reply is b and the bytes."""
    start, length = _range(text)
    if length == 0:
        return b"b"
    data = session.target.read_memory(session.selected, start, min(length, PACKET_SIZE - 8))
    return b"b" + _fitting(data)


def _fitting(data: bytes) -> bytes:
    """Data escaped, cut to fit in a packet, its zeros shortened."""
    text = escape(data)
    while len(text) > PACKET_SIZE - 8:
        data = data[: len(data) * 3 // 4]
        text = escape(data)
    return shorten_zeros(text)


@BASE.packet("M")
def write_hex(session: Session, text: bytes) -> bytes:
    """M ADDR,LENGTH:DIGITS: write."""
    place, _, digits = text.partition(b":")
    return _write(session, place, unhex(digits))


@BASE.packet("X")
def write_binary(session: Session, text: bytes) -> bytes:
    """X ADDR,LENGTH:BYTES: write. With no bytes the client asks whether X is known."""
    place, _, data = text.partition(b":")
    return _write(session, place, data)


def _write(session: Session, place: bytes, data: bytes) -> bytes:
    start, length = _range(place)
    if length != len(data):
        raise Malformed(f"{length} bytes were announced, {len(data)} came")
    if data:
        session.target.write_memory(session.selected, start, data)
    return b"OK"


@BASE.packet("qSearch")
def search(session: Session, text: bytes) -> bytes:
    """qSearch:memory:ADDR;LENGTH;BYTES: 1,ADDR of the first match, or 0."""
    found = re.fullmatch(rb":memory:([0-9a-fA-F]+);([0-9a-fA-F]+);(.+)", text, re.DOTALL)
    if found is None:
        raise Malformed("expected qSearch:memory:ADDR;LENGTH;BYTES")
    start, length, pattern = number(found[1]), number(found[2]), found[3]
    end = min(start + length, ADDRESSES)
    kept = b""
    while start < end:
        part = session.target.read_memory(session.selected, start, min(CHUNK, end - start))
        window = kept + part
        at = window.find(pattern)
        if at >= 0:
            return b"1,%x" % (start - len(kept) + at)
        kept = window[-(len(pattern) - 1) :] if len(pattern) > 1 else b""
        start += len(part)
    return b"0"


@BASE.packet("qCRC")
def crc(session: Session, text: bytes) -> bytes:
    """qCRC:ADDR,LENGTH: C and the CRC-32 (polynomial 0x04c11db7, not reflected, from all ones)."""
    start, length = _range(text[1:])
    value = 0xFFFF_FFFF
    while length > 0:
        part = session.target.read_memory(session.selected, start, min(CHUNK, length))
        for byte in part:
            value = (value << 8) & 0xFFFF_FFFF ^ _CRC[(value >> 24) ^ byte]
        start += len(part)
        length -= len(part)
    return b"C%x" % value


def _crc_row(index: int) -> int:
    value = index << 24
    for _ in range(8):
        value = value << 1 ^ (0x04C1_1DB7 if value & 0x8000_0000 else 0)
    return value & 0xFFFF_FFFF


_CRC = [_crc_row(index) for index in range(256)]
