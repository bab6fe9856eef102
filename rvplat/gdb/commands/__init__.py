"""The packets, by subject. Each module adds its handlers to the groups.

session = session_for(target, send)     # with every packet that the target can answer
"""

from __future__ import annotations

from collections.abc import Callable

from rvplat.gdb.commands import (
    backwards,
    breakpoints,
    control,
    files,
    general,
    memory,
    objects,
    qemu,
    registers,
    running,
    threads,
)
from rvplat.gdb.protocol.interfaces import Target
from rvplat.gdb.protocol.packets import table_for
from rvplat.gdb.protocol.session import Session

SUBJECTS = (
    general,
    threads,
    registers,
    memory,
    running,
    backwards,
    breakpoints,
    objects,
    files,
    control,
    qemu,
)


def session_for(target: Target, send: Callable[[bytes], None]) -> Session:
    """A client's conversation with a target. `send` sends bytes to the client."""
    return Session(target, send, table_for(target))
