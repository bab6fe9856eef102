"""Breakpoints and watchpoints ("Z" and "z" packets)."""

from __future__ import annotations

import re

from rvplat.gdb.commands.memory import ADDRESSES
from rvplat.gdb.protocol.errors import GdbError, Malformed, Unsupported
from rvplat.gdb.protocol.interfaces import Breaking, ClientPoint
from rvplat.gdb.protocol.packets import BREAK, number, unhex
from rvplat.gdb.protocol.session import Session

MOST = 4096  # bytes of an expression
_EXPRESSION = re.compile(rb"X([0-9a-fA-F]{1,4}),((?:[0-9a-fA-F]{2})*)")


@BREAK.packet("Z")
def insert(session: Session, text: bytes) -> bytes:
    """Z TYPE,ADDR,KIND[;X LENGTH,EXPRESSION...][;cmds:PERSIST,X LENGTH,EXPRESSION...]."""
    head, _, rest = text.partition(b";")
    conditions, persist, commands = _expressions(rest)
    _target(session).insert(_point(session, head, conditions, commands, persist))
    return b"OK"


@BREAK.packet("z")
def remove(session: Session, text: bytes) -> bytes:
    """z TYPE,ADDR,KIND."""
    _target(session).remove(_point(session, text.partition(b";")[0]))
    return b"OK"


def _target(session: Session) -> Breaking:
    assert isinstance(session.target, Breaking)
    return session.target


def _point(
    session: Session, head: bytes, conditions: tuple[bytes, ...] = (),
    commands: tuple[bytes, ...] = (), persist: bool = False,
) -> ClientPoint:  # fmt: skip
    parts = head.split(b",")
    if len(parts) != 3:
        raise Malformed("expected TYPE,ADDR,KIND")
    kind, address, size = (number(part) for part in parts)
    if kind > 4:
        raise Unsupported
    if kind >= 2 and not 1 <= size <= 1 << 20:
        raise GdbError(f"a watchpoint of {size} bytes: 1 to 1048576 can be watched")
    if kind >= 2 and address + size > ADDRESSES:
        raise GdbError(f"{size} bytes from {address:#x} go beyond the address space")
    if kind < 2 and address & 1:
        raise GdbError(f"a breakpoint at {address:#x}: instructions begin at even addresses")
    return ClientPoint(kind, session.selected.pid, address, size, conditions, commands, persist)


def _expressions(text: bytes) -> tuple[tuple[bytes, ...], bool, tuple[bytes, ...]]:
    """Conditions; whether commands persist; commands."""
    before, colon, after = text.partition(b"cmds:")
    conditions = _list(before.rstrip(b";"))
    if not colon:
        return conditions, False, ()
    flag, _, rest = after.partition(b",")
    return conditions, number(flag) != 0, _list(rest)


def _list(text: bytes) -> tuple[bytes, ...]:
    """X LENGTH,DIGITS, one after the other; gdb puts ";" between them, or nothing."""
    found, at = [], 0
    while at < len(text):
        if text[at : at + 1] == b";":
            at += 1
            continue
        match = _EXPRESSION.match(text, at)
        if match is None:
            raise Malformed("expected X LENGTH,DIGITS")
        code, at = unhex(match[2][: 2 * number(match[1])]), match.end(1) + 1 + 2 * number(match[1])
        if len(code) != number(match[1]) or not 0 < len(code) <= MOST:
            raise Malformed(f"an expression of {len(code)} bytes, {number(match[1])} announced")
        found.append(code)
    return tuple(found)
