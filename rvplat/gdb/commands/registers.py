"""Registers: little-endian bytes as hexadecimal digits, by the numbers of target.xml."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rvplat.gdb.protocol.errors import GdbError, Malformed, Unavailable
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.protocol.packets import BASE, digits, number, unhex
from rvplat.gdb.protocol.session import Session


@BASE.packet("g")
def read_all(session: Session, text: bytes) -> bytes:
    """g: the general registers of the selected thread."""
    thread = session.selected
    sizes = [size for _, size in session.target.general(thread.pid)]
    values: Sequence[int | None]
    try:
        values = session.target.read_general(thread)
    except Unavailable:  # non-stop: the thread's hart runs in another world
        values = [None] * len(sizes)
    if set(sizes) == {8} and None not in values:
        return struct.pack(f"<{len(sizes)}Q", *values).hex().encode()
    pairs = zip(values, sizes, strict=True)
    return b"".join(b"xx" * size if one is None else digits(one, size) for one, size in pairs)


def _read(session: Session, thread: Thread, number: int, size: int) -> bytes:
    """A register's digits; x for each digit if it is unknown."""
    try:
        return digits(session.target.read_register(thread, number), size)
    except Unavailable:
        return b"xx" * size


@BASE.packet("G")
def write_all(session: Session, text: bytes) -> bytes:
    """G DIGITS: write the general registers."""
    data, thread, at = unhex(text), session.selected, 0
    layout = session.target.general(thread.pid)
    if len(data) != sum(size for _, size in layout):
        raise Malformed(f"expected {sum(size for _, size in layout)} bytes, not {len(data)}")
    for n, size in layout:
        session.target.write_register(thread, n, int.from_bytes(data[at : at + size], "little"))
        at += size
    return b"OK"


@BASE.packet("p")
def read_one(session: Session, text: bytes) -> bytes:
    """p NUMBER: one register."""
    thread, n = session.selected, number(text)
    size = session.target.register_size(thread.pid, n)
    return _read(session, thread, n, size)


@BASE.packet("P")
def write_one(session: Session, text: bytes) -> bytes:
    """P NUMBER=DIGITS."""
    name, equals, value = text.partition(b"=")
    thread, n, data = session.selected, number(name), unhex(value)
    if not equals:
        raise Malformed("expected P NUMBER=DIGITS")
    size = session.target.register_size(thread.pid, n)
    if len(data) != size:
        raise GdbError(f"register {n} has {size} bytes, not {len(data)}")
    session.target.write_register(thread, n, int.from_bytes(data, "little"))
    return b"OK"
