"""Variables of a world's programs."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.debuginfo.variables import Variable
from rvplat.errors import DebugInfoError
from rvplat.machine.worlds.debug_files import DebugFile

Read = Callable[[int, int], bytes]


def find_variable(files: list[DebugFile], path: str, read: Read, world: str) -> Variable:
    """A variable of one of a world's files, the first that has it.

    Raises:
        LookupError: none has it.
        DebugInfoError: no file of the world is known, none has DWARF, or one is damaged.
    """
    if not files:
        raise DebugInfoError(f"{world} has no ELF file: symbols={{...}} or --symbols names it")

    def follow(address: int, size: int) -> int:
        return int.from_bytes(read(address, size), "little")

    missing: LookupError | DebugInfoError | None = None
    for file in files:
        try:
            if not file.info.is_present and len(files) > 1:
                continue
            return file.info.variables.find(path, file.moved, follow)
        except LookupError as error:
            missing = missing or error
    raise missing or DebugInfoError(f"no file of {world} has DWARF: build the programs with -g")
