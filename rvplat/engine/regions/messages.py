"""Messages between a machine and the process that compiles regions.

Each is a length (4 bytes, little endian) and pickled data.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import IO, Any

LONGEST_BYTES = 64 << 20
MOST = 2048  # instructions of a region: as many as a page can have


@dataclass(frozen=True)
class Request:
    """Compile what can be reached from `heads`, offsets in `page`, up to `most` instructions.
    `ran`: see `discover`. `dump`: where to write the stages, a path without the suffix; or "".
    `split` are accesses that often lie in two pages with those that follow (spans.py). `covers`:
    the region notes what it executes (marks.py)."""

    number: int
    page: bytes
    ran: bytes
    heads: tuple[int, ...]
    dump: str = ""
    most: int = MOST
    split: tuple[int, ...] = ()
    covers: bool = False


@dataclass(frozen=True)
class Answer:
    """A compiled region. `code` is native code with the function `region`; None if there is
    nothing to compile, or `problem` says what failed. `inside` are the offsets of instructions,
    `left` those of instructions that are reached and not part of it, `beyond` those of them for
    which there was no room."""

    number: int
    code: bytes | None = None
    heads: tuple[int, ...] = ()
    inside: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    lines: int = 0
    seconds: float = 0.0
    problem: str = ""
    beyond: tuple[int, ...] = ()


@dataclass(frozen=True)
class Farewell:
    """The machine is closed, and nobody waits for answers any more. Keep the answer to request
    `number` under the store's `key`, and then those to `more` requests."""

    key: str
    number: int
    more: tuple[Request, ...]


def send(stream: IO[bytes], message: Any) -> None:
    """Write a message."""
    data = pickle.dumps(message)
    stream.write(struct.pack("<I", len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read a message.

    Raises:
        EOFError: the stream ends.
        ValueError: what comes is no message.
    """
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    (length,) = struct.unpack("<I", head)
    if length > LONGEST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    try:
        return pickle.loads(data)
    except Exception as error:  # pickle raises anything
        raise ValueError(f"not a message: {error}") from error
