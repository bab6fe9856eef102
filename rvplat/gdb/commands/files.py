"""vFile: reading the programs that the board was started with, and no other files ("Host I/O")."""

from __future__ import annotations

from rvplat.gdb.protocol.errors import Malformed
from rvplat.gdb.protocol.framing import escape
from rvplat.gdb.protocol.interfaces import Programmed
from rvplat.gdb.protocol.packets import PROGRAM, number, unhex
from rvplat.gdb.protocol.session import PACKET_SIZE, Session

NOT_THERE, BAD_FILE, NOT_ALLOWED = 2, 9, 30  # ENOENT, EBADF, EROFS as the protocol numbers them
FIRST = 3


@PROGRAM.packet("vFile")
def host_io(session: Session, text: bytes) -> bytes:
    """vFile:OPERATION:PARAMETERS: F RESULT[,ERRNO][;DATA]."""
    _, operation, rest = [*text.split(b":", 2), b"", b""][:3]
    handler = _OPERATIONS.get(operation)
    return b"" if handler is None else handler(session, rest)


def _failed(number: int) -> bytes:
    return b"F-1,%x" % number


def _open(session: Session, text: bytes) -> bytes:
    """open: NAME,FLAGS,MODE."""
    assert isinstance(session.target, Programmed)
    parts = text.split(b",")
    if len(parts) != 3:
        raise Malformed("expected NAME,FLAGS,MODE")
    if number(parts[1]) & 3:
        return _failed(NOT_ALLOWED)
    data = session.target.file(unhex(parts[0]).decode("utf-8", "replace"))
    if data is None:
        return _failed(NOT_THERE)
    handle = next(n for n in range(FIRST, FIRST + 1000) if n not in session.files)
    session.files[handle] = data
    return b"F%x" % handle


def _pread(session: Session, text: bytes) -> bytes:
    """pread: FILE,COUNT,OFFSET."""
    parts = text.split(b",")
    if len(parts) != 3:
        raise Malformed("expected FILE,COUNT,OFFSET")
    handle, count, offset = (number(part) for part in parts)
    if handle not in session.files:
        return _failed(BAD_FILE)
    piece = session.files[handle][offset : offset + min(count, PACKET_SIZE // 2 - 32)]
    return b"F%x;" % len(piece) + escape(piece)


def _close(session: Session, text: bytes) -> bytes:
    """close: FILE."""
    return b"F0" if session.files.pop(number(text), None) is not None else _failed(BAD_FILE)


def _fstat(session: Session, text: bytes) -> bytes:
    """fstat: FILE. A struct of 64 bytes, big-endian: st_mode, st_size and st_blksize matter."""
    data = session.files.get(number(text))
    if data is None:
        return _failed(BAD_FILE)
    words = [(0, 4), (0, 4), (0o100444, 4), (1, 4), (0, 4), (0, 4), (0, 4), (len(data), 8),
             (4096, 8), (-(-len(data) // 512), 8), (0, 4), (0, 4), (0, 4)]  # fmt: skip
    stat = b"".join(value.to_bytes(size, "big") for value, size in words)
    return b"F%x;" % len(stat) + escape(stat)


def _setfs(session: Session, text: bytes) -> bytes:
    """setfs: PID. Every world has the same files."""
    return b"F0"


_OPERATIONS = {b"open": _open, b"pread": _pread, b"close": _close, b"fstat": _fstat,
               b"setfs": _setfs}  # fmt: skip
