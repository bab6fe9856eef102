"""The files that show the compiler's stages."""

from __future__ import annotations

import os
from pathlib import Path

from rvplat.errors import HostError
from rvplat.frozen import frozen


@frozen
class Dumps:
    """The files to which the compiler's stages are written; None: not written."""

    ir: Path | None = None
    optimised: Path | None = None
    assembly: Path | None = None

    def named(self, part: str) -> Dumps:
        """The files for a part of the code, with its name in front of theirs; "": these files."""
        if not part:
            return self
        files = (self.ir, self.optimised, self.assembly)
        return Dumps(*(file and file.with_name(f"{part}-{file.name}") for file in files))


def dump_folder() -> Path | None:
    """The folder that the variable RVPLAT_DUMP names, which is made. None if it is not set.

    Raises:
        HostError: it can't be made.
    """
    chosen = os.environ.get("RVPLAT_DUMP")
    if not chosen:
        return None
    folder = Path(chosen)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"RVPLAT_DUMP={chosen}: can't be made a folder: {error.strerror}") from None
    return folder


def wanted_dumps() -> Dumps | None:
    """The files in the folder RVPLAT_DUMP. None if the variable is not set."""
    folder = dump_folder()
    if folder is None:
        return None
    return Dumps(folder / "before.ll", folder / "after.ll", folder / "assembly.s")
