"""The table of packets: name -> handler, in groups.

A group belongs to a protocol of interfaces.py. A session has every group whose protocol its
target implements, always with all its packets, and qSupported lists the groups' features.

    @MEMORY.packet("m")
    def read(session, text):
        '''m ADDR,LENGTH: read memory; hexadecimal digits.'''

A handler gets the text after the name and returns the reply, or None if the reply comes later. It
may raise GdbError, Malformed or Unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rvplat.frozen import frozen
from rvplat.gdb.protocol import interfaces as protocols
from rvplat.gdb.protocol.errors import Malformed

Handler = Callable[[Any, bytes], bytes | None]  # of a session (session.py) and the packet's rest
Reader = Callable[[Any, str], bytes]
H = TypeVar("H", bound=Handler)
R = TypeVar("R", bound=Reader)
_WORD = re.compile(rb"[A-Za-z]+\??")
_HEX = re.compile(rb"[0-9a-fA-F]{1,16}")


@dataclass
class Group:
    """Packets that belong together, and what they need of a target."""

    name: str
    features: tuple[str, ...] = ()  # what qSupported says
    needs: type | None = None
    packets: dict[bytes, Handler] = field(default_factory=dict)
    objects: dict[str, Reader] = field(default_factory=dict)

    def packet(self, *names: str) -> Callable[[H], H]:
        """Add a handler for packets of these names."""

        def enter(handler: H) -> H:
            for name in names:
                self.packets[name.encode()] = handler
            return handler

        return enter

    def object(self, name: str) -> Callable[[R], R]:
        """Add the reader of a qXfer object: (session, annex) -> the whole object."""

        def enter(reader: R) -> R:
            self.objects[name] = reader
            return reader

        return enter


BASE = Group("base", ("QStartNoAckMode+", "QNonStop+", "vContSupported+", "error-message+",
                      "QThreadEvents+", "binary-upload+", "qXfer:threads:read+"))  # fmt: skip
BREAK = Group("break", ("swbreak+", "hwbreak+", "ConditionalBreakpoints+", "BreakpointCommands+"),
              protocols.Breaking)  # fmt: skip
REVERSE = Group("reverse", ("ReverseStep+", "ReverseContinue+"), protocols.Reversing)
DESCRIBE = Group("describe", ("qXfer:features:read+",), protocols.Described)
MAP = Group("map", ("qXfer:memory-map:read+",), protocols.Mapped)
WORLDS = Group("worlds", ("multiprocess+", "fork-events+", "exec-events+", "qXfer:osdata:read+"),
               protocols.Worlds)  # fmt: skip
MONITOR = Group("monitor", (), protocols.Monitored)
RESTART = Group("restart", (), protocols.Restarting)
PROGRAM = Group("program", ("qXfer:exec-file:read+",), protocols.Programmed)
QEMU = Group("qemu", (), protocols.QemuLike)
GROUPS = (BASE, BREAK, REVERSE, DESCRIBE, MAP, WORLDS, MONITOR, RESTART, PROGRAM, QEMU)


@frozen
class Table:
    """The packets of some groups."""

    packets: dict[bytes, Handler]
    objects: dict[str, Reader]
    features: tuple[str, ...]

    def find(self, data: bytes) -> tuple[Handler | None, bytes]:
        """The handler of a packet, and the text after its name. A name that begins with q, Q or v
        is a word; others are one character."""
        name = data[:1]
        if name in (b"q", b"Q", b"v"):
            word = _WORD.match(data)
            name = word[0] if word is not None else name
        return self.packets.get(name), data[len(name) :]


def table_for(target: object, groups: Iterable[Group] = GROUPS) -> Table:
    """The packets that a target can answer."""
    chosen = [g for g in groups if g.needs is None or isinstance(target, g.needs)]
    packets = {name: handler for group in chosen for name, handler in group.packets.items()}
    objects = {name: reader for group in chosen for name, reader in group.objects.items()}
    return Table(packets, objects, tuple(text for group in chosen for text in group.features))


# --- the words of grammars ----------------------------------------------------------------------


def number(text: bytes) -> int:
    """A hexadecimal number of at most 16 digits."""
    if _HEX.fullmatch(text) is None:
        raise Malformed(f"{quoted(text)} is not a number")
    return int(text, 16)


def quoted(text: bytes) -> str:
    """The beginning of a text, as a message shows it."""
    return repr(text[:20].decode("ascii", "backslashreplace"))


def numbers(text: bytes, count: int, separator: bytes = b",") -> list[int]:
    """Exactly `count` numbers."""
    parts = text.split(separator)
    if len(parts) != count:
        raise Malformed(f"expected {count} numbers")
    return [number(part) for part in parts]


def unhex(text: bytes) -> bytes:
    """Bytes from pairs of digits."""
    try:
        return bytes.fromhex(text.decode("ascii")) if b" " not in text else _not_hex()
    except ValueError:
        return _not_hex()


def digits(value: int, size: int) -> bytes:
    """A register's bytes, lowest first, in hexadecimal."""
    return (value & (1 << 8 * size) - 1).to_bytes(size, "little").hex().encode()


def _not_hex() -> bytes:
    raise Malformed("expected pairs of hexadecimal digits")


def thread_id(text: bytes) -> protocols.Thread:
    """pPID.TID, pPID, or TID; -1 all, 0 any. Without a pid: ANY process."""
    if not text.startswith(b"p"):
        return protocols.Thread(protocols.ANY, _id(text))
    pid, dot, tid = text[1:].partition(b".")
    return protocols.Thread(_id(pid), _id(tid) if dot else protocols.ALL)


def _id(text: bytes) -> int:
    return protocols.ALL if text == b"-1" else number(text)
