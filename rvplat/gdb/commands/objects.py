"""qXfer: objects that clients read in pieces ("qXfer object read")."""

from __future__ import annotations

from rvplat.gdb.protocol.errors import GdbError, Malformed, Unsupported
from rvplat.gdb.protocol.framing import escape
from rvplat.gdb.protocol.interfaces import ANY, Described, Mapped, Programmed
from rvplat.gdb.protocol.packets import BASE, DESCRIBE, MAP, PROGRAM, number, numbers
from rvplat.gdb.protocol.session import PACKET_SIZE, Session


@BASE.packet("qXfer")
def transfer(session: Session, text: bytes) -> bytes:
    """qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH: m and a piece, or l and the last piece."""
    parts = text.split(b":")
    if len(parts) != 5 or parts[2] != b"read":
        raise Unsupported
    reader = session.table.objects.get(parts[1].decode("ascii", "replace"))
    if reader is None:
        raise Unsupported
    offset, length = numbers(parts[4], 2)
    whole = reader(session, parts[3].decode("ascii", "replace"))
    if offset > len(whole):
        raise Malformed(f"offset {offset:#x} of {len(whole):#x} bytes")
    size = min(length, PACKET_SIZE // 2 - 8)
    piece = whole[offset : offset + size]
    return (b"m" if offset + size < len(whole) else b"l") + escape(piece)


@DESCRIBE.object("features")
def features(session: Session, annex: str) -> bytes:
    """target.xml and what it includes, for the selected world."""
    assert isinstance(session.target, Described)
    text = session.target.annexes(session.selected.pid).get(annex)
    if text is None:
        raise GdbError(f"there is no {annex!r}")
    return text.encode()


@MAP.object("memory-map")
def memory_map(session: Session, annex: str) -> bytes:
    """The memory map: what gdb may read without effects on devices."""
    assert isinstance(session.target, Mapped)
    rows = "".join(
        f'<memory type="{r.kind}" start="{r.start:#x}" length="{r.length:#x}"/>\n'
        for r in session.target.regions()
    )
    head = (
        '<?xml version="1.0"?>\n<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map '
        'V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd">\n'
    )
    return f"{head}<memory-map>\n{rows}</memory-map>\n".encode()


@PROGRAM.object("exec-file")
def exec_file(session: Session, annex: str) -> bytes:
    """The program of a process (hexadecimal, or the selected one's)."""
    assert isinstance(session.target, Programmed)
    pid = number(annex.encode()) if annex else session.selected.pid
    if pid not in {t.pid for t in session.target.threads()} | {ANY}:
        raise GdbError(f"there is no process {pid}")
    path = session.target.program(pid)
    if not path:
        raise GdbError(f"process {pid} has no known program: use the file command")
    return path.encode()
