"""Bytes to packets and back (GDB manual, "Overview" of the Remote Serial Protocol).

    packet:        $DATA#CC     CC: the sum of DATA's bytes modulo 256, in hexadecimal
    notification:  %DATA#CC     never acknowledged
    acknowledged:  + or -       unless QStartNoAckMode was agreed upon
    interrupt:     0x03         between packets

In DATA "}" escapes a byte, which follows xored with 0x20; in replies "*" repeats the byte before.
"""

from __future__ import annotations

import re
import zlib
from enum import Enum

from rvplat.frozen import frozen

LIMIT = 1 << 20  # bytes of a packet; a longer one is dropped, and arrives as BAD
_WHOLE = re.compile(rb"\$([^#$]*)#(..)", re.DOTALL)
_ESCAPED = re.compile(rb"\}(.)", re.DOTALL)
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
_LONGEST = 97  # a run: the byte and up to 97 repetitions ("~" is 126 = 97 + 29)


class Kind(Enum):
    """What arrived."""

    PACKET = "packet"
    INTERRUPT = "interrupt"
    ACK = "ack"
    NACK = "nack"
    BAD = "bad"  # a packet whose checksum is wrong, or that was too long


@frozen
class Arrival:
    """One thing that arrived; `data` is a packet's, with escapes undone."""

    kind: Kind
    data: bytes = b""


def checksum(data: bytes) -> int:
    """The sum of all bytes modulo 256. Adler-32 sums them in its lower half, below 65521."""
    if len(data) <= 256:
        return zlib.adler32(data) - 1 & 0xFF
    view = memoryview(data)
    return sum(zlib.adler32(view[i : i + 256]) - 1 for i in range(0, len(data), 256)) & 0xFF


def shorten_zeros(data: bytes, zero: bytes = b"\0") -> bytes:
    """Encode long runs of zeros (or of the digit) by their length. Most of a memory is empty, and
    clients read slowly."""
    return data.replace(zero * (_LONGEST + 1), zero + b"*~")


def escape(data: bytes) -> bytes:
    """Binary data as it may stand in a packet."""
    data = data.replace(b"}", b"}\x5d").replace(b"#", b"}\x03")
    return data.replace(b"$", b"}\x04").replace(b"*", b"}\x0a")


def unescape(data: bytes) -> bytes:
    """The bytes that were escaped."""
    if b"}" not in data:
        return data
    return _ESCAPED.sub(lambda found: bytes([found[1][0] ^ 0x20]), data)


def _run(found: re.Match[bytes]) -> bytes:
    """A shortened run of a byte. "#" and "$" can't be counts; "+" and "-" confuse old clients."""
    byte, left, text = found[1], len(found[0]), b""
    while left >= 4:
        extra = min(left - 1, _LONGEST)
        while extra + 29 in b"#$+-":
            extra -= 1
        text += byte + b"*" + bytes([extra + 29])
        left -= extra + 1
    return text + byte * left


def shorten(data: bytes) -> bytes:
    """Run-length encoding of text that holds no escapes and no "*"."""
    return _RUN.sub(_run, data)


def frame(data: bytes, start: bytes = b"$") -> bytes:
    """A packet with its checksum. The data must be escaped already."""
    return b"%b%b#%02x" % (start, data, checksum(data))


class Framer:
    """Finds packets in a stream of bytes, in whatever pieces it comes. Never raises."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.no_ack = False
        self._pending = bytearray()
        self._in_packet = False

    def feed(self, data: bytes) -> list[Arrival]:
        """The arrivals that these bytes complete, in order."""
        if not self._pending and not self._in_packet and (whole := _WHOLE.fullmatch(data)):
            return [self._checked(whole[1], whole[2])]  # nearly always a whole packet
        self._pending += data
        found: list[Arrival] = []
        while self._pending:
            count = len(found)
            if not (self._packet(found) if self._in_packet else self._between(found)):
                break
            assert len(found) - count <= 1
        return found

    def _between(self, found: list[Arrival]) -> bool:
        """A byte outside packets: an acknowledgement, an interrupt, a packet's start. Others are
        ignored."""
        byte = self._pending[0]
        del self._pending[:1]
        if byte in b"$%":
            self._in_packet = True
        elif byte == 3:
            found.append(Arrival(Kind.INTERRUPT))
        elif byte in b"+-":
            found.append(Arrival(Kind.ACK if byte == ord("+") else Kind.NACK))
        return True

    def _packet(self, found: list[Arrival]) -> bool:
        """Inside a packet: whether it ended, or another one began, because data has no "$"."""
        end = self._pending.find(b"#")
        body = self._pending if end < 0 else self._pending[:end]
        again = body.rfind(b"$")
        if again >= 0:  # the packet before was cut off
            del self._pending[: again + 1]
            found.append(Arrival(Kind.BAD))
            return True
        if end < 0 or len(self._pending) < end + 3:
            if len(self._pending) > self.limit:
                del self._pending[: self.limit]
                self._in_packet = False
                found.append(Arrival(Kind.BAD))
            return False
        given = bytes(self._pending[end + 1 : end + 3])
        del self._pending[: end + 3]
        self._in_packet = False
        found.append(self._checked(bytes(body), given))
        return True

    def _checked(self, body: bytes, given: bytes) -> Arrival:
        """A packet's arrival. Without acknowledgements the checksum is not checked."""
        if len(body) > self.limit:
            return Arrival(Kind.BAD)
        if not self.no_ack and given.lower() != b"%02x" % checksum(body):
            return Arrival(Kind.BAD)
        return Arrival(Kind.PACKET, unescape(body))
