"""A small client of the gdb server."""

from __future__ import annotations

import select
import socket

from rvplat.gdb.protocol.framing import checksum

ANSWER_S = 60.0
PC = 0x20  # the number of the register


class GdbClient:
    """A connection in all-stop mode. `place`: HOST:PORT."""

    def __init__(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)))
        self._data = b""
        self.ask("QStartNoAckMode")
        self._socket.sendall(b"+")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, text: str) -> str:
        """Send a packet and return the answer."""
        self._send(text)
        answer = self._receive(ANSWER_S)
        assert answer is not None, f"no answer to {text}"
        return answer

    def pc(self) -> int:
        """The pc of the hart that has stopped."""
        return int.from_bytes(bytes.fromhex(self.ask(f"p{PC:x}")), "little")

    def go(self, most_s: float) -> bool:
        """Let every hart run, for so long at most. False if the board is off then."""
        self._send("vCont;c")
        stop = self._receive(most_s)
        if stop is None:
            self._socket.sendall(b"\x03")
            stop = self._receive(ANSWER_S)
        assert stop is not None, "the harts do not stop"
        return stop[0] not in "WX"

    def _send(self, text: str) -> None:
        data = text.encode()
        self._socket.sendall(b"$%b#%02x" % (data, checksum(data)))

    def _receive(self, most_s: float) -> str | None:
        """The next packet, but for text of the monitor; None if none comes in time."""
        while True:
            head, end, rest = self._data.partition(b"#")
            if end and len(rest) >= 2:
                self._data = rest[2:]
                text = head.partition(b"$")[2].decode("latin-1")
                if not text.startswith("O") or text == "OK":
                    return text
            elif not select.select([self._socket], [], [], most_s)[0]:
                return None
            else:
                self._data += self._socket.recv(65536)
