"""The files of the programs that run: those that the board was started with or the user named."""

from __future__ import annotations

from pathlib import Path

from rvplat.gdb.protocol.interfaces import HOST_PID
from rvplat.gdb.target.worlds import World
from rvplat.machine.loading.loader import Software


def program(software: Software, world: World) -> str:
    """The path of the ELF file that a world runs, or ""."""
    guest = world.pid != HOST_PID
    named = software.symbol_files.get(world.vmid if guest else None)
    if named is not None or guest:
        return str(named.resolve()) if named is not None else ""
    for found in (software.program, software.kernel):
        if found is not None and found.kind == "elf":
            return str(found.path.resolve())
    return ""


def contents(software: Software, path: str) -> bytes | None:
    """The contents of one of these files; None for other files."""
    named = [p.path for p in (software.program, software.kernel) if p is not None]
    named += software.symbol_files.values()
    asked = Path(path)
    return asked.read_bytes() if asked in [p.resolve() for p in named] else None
